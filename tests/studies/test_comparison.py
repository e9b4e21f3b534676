import pytest
from adaptive_neon.evaluation.measurement import PRDC
from adaptive_neon.studies.comparison import winners_curse, with_intervals
from study_entries import DIVERGED, ROLES, T, entry, metrics


def test_entry():
    found = entry()
    assert found["kimg"] == 12
    assert found["global"]["w"] == {"enc": 0.75, "dec": 0.75}
    assert found["blockwise"]["w"] == {"enc": 1.25, "dec": 0.5}
    assert (found["global"]["search_fid"], found["blockwise"]["search_fid"]) == (3.1, 2.4)
    assert (found["global"]["fid"], found["blockwise"]["fid"]) == (3.0, 2.5)
    assert found["indistinguishable"] == [{"enc": 1.25, "dec": 0.5}]
    assert not [role for role in ROLES if "without_block" in found[role]]


def test_fid_has_the_interval_of_the_jackknife():
    """Of pseudo-values 2.8 and 3.0: mean 2.9, standard error 0.1."""
    found = entry()["global"]
    assert found["fid_corrected"] == pytest.approx(2.9)
    assert found["fid_interval"] == pytest.approx([2.9 - 0.1 * T, 2.9 + 0.1 * T])


def test_shares_have_an_interval_around_themselves_within_0_and_1():
    """Precision 0.8 of pseudo-values 0.805 and 0.785; recall 0.5 of 0.9 and 0.3, whose interval is cut."""
    found = with_intervals(metrics(4.0, (4.1, 3.9), precision=(0.8, (0.795, 0.815)), recall=(0.5, (0.1, 0.7))))
    assert found["precision"] == 0.8
    assert found["precision_interval"] == pytest.approx([0.8 - 0.01 * T, 0.8 + 0.01 * T])
    assert found["recall_interval"] == [0, 1]


def test_density_may_be_above_one():
    found = with_intervals(metrics(4.0, (4.1, 3.9), density=(1.2, (1.195, 1.215))))
    assert found["density_interval"] == pytest.approx([1.2 - 0.01 * T, 1.2 + 0.01 * T])


def test_recall_by_class():
    """The second class: 0.8 of pseudo-values 0.805 and 0.785."""
    values = metrics(4.0, (4.1, 3.9))
    values["recall_by_class"] = [0.5, 0.8]
    values["without_block"]["recall_by_class"] = [[0.5, 0.795], [0.5, 0.815]]
    found = with_intervals(values)
    assert found["recall_by_class"] == [0.5, 0.8]
    assert found["recall_by_class_interval"][0] == [0.5, 0.5]
    assert found["recall_by_class_interval"][1] == pytest.approx([0.8 - 0.01 * T, 0.8 + 0.01 * T])


def test_kid_is_passed_on():
    assert "kid" not in with_intervals(metrics(4.0, (4.1, 3.9)))
    found = with_intervals(metrics(4.0, (4.1, 3.9)) | {"kid": 0.1, "kid_deviation": 0.02})
    assert (found["kid"], found["kid_deviation"]) == (0.1, 0.02)


@pytest.mark.parametrize(
    ("blockwise", "estimate", "error", "verdict"),
    [
        ((2.5, 2.65, 2.45), 0.45, 0, "better"),  # both pseudo-values are 0.45 below those of the single weight
        ((3.5, 3.65, 3.45), -0.55, 0, "worse"),
        ((2.9, 2.8, 3.1), 0.05, 0.25, "not distinguishable"),  # differences −0.2 and 0.3
        ((3.0, 3.2, 3.0), 0, 0, "not distinguishable"),  # the same model
    ],
)
def test_gain_is_paired(blockwise, estimate, error, verdict):
    fid, *without = blockwise
    gain = entry(blockwise=metrics(fid, without))["gain"]
    assert gain["fid"] == pytest.approx(3.0 - fid)
    assert gain["fid_corrected"] == pytest.approx(estimate)
    assert gain["interval"] == pytest.approx([estimate - error * T, estimate + error * T])
    assert gain["verdict"] == verdict


def test_improvement_is_that_of_the_single_weight_over_the_base():
    """Pseudo-values 3.9 and 4.1 against 2.8 and 3.0."""
    improvement = entry()["improvement"]
    assert improvement["fid"] == pytest.approx(1.0)
    assert improvement["fid_corrected"] == pytest.approx(1.1)
    assert improvement["interval"] == pytest.approx([1.1, 1.1])
    assert improvement["verdict"] == "better"


def test_winners_curse_is_not_paired():
    """Held out 2.8 and 3.0, search 3.1 and 3.1: variances 0.01 and 0, so one degree of freedom."""
    curse = entry()["global"]["winners_curse"]
    assert curse["fid_corrected"] == pytest.approx(-0.2)
    assert curse["interval"] == pytest.approx([-0.2 - 0.1 * T, -0.2 + 0.1 * T])


@pytest.mark.parametrize("role", ["global", "blockwise"])
def test_a_winner_that_diverged(role):
    found = entry(**{role: DIVERGED})
    assert found[role].items() >= DIVERGED.items()
    assert found[role]["w"] == entry()[role]["w"]
    nothing = {"fid": None, "interval": None, "verdict": "not distinguishable"}
    assert found["gain"] == found[role]["winners_curse"] == nothing


def test_all_shares_are_there():
    found = entry()["base"]
    assert all(name in found and f"{name}_interval" in found for name in PRDC)


def test_fewer_images_than_features_leave_the_winners_curse_without_a_verdict():
    few = metrics(2.4, (2.4, 2.4)) | {"images": 500, "dimension": 2048}
    many = metrics(4.0, (4.0, 4.0)) | {"images": 3000, "dimension": 2048}
    assert winners_curse(many, few)["verdict"] is None
    assert winners_curse(many, many | {"fid": 2.4})["verdict"] is not None

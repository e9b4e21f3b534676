import pytest
from adaptive_neon.studies.wording import (
    METRICS_HEADER,
    REPLICAS_HEADER,
    TABLE_HEADER,
    answer,
    headline,
    markdown_table,
    metrics_rows,
    replicas_rows,
    snapshot_shown,
    table,
    table_rows,
    terminal_lines,
    weights_text,
)
from study_entries import DIVERGED, entry, metrics, study


@pytest.mark.parametrize(
    ("point", "text"),
    [
        ({"enc": 0.75, "mid": 0.75, "dec": 0.75}, "0.75"),
        ({"all": 1.0}, "1"),
        ({"enc": 0.5, "mid": -0.25, "dec": 1.0}, "enc 0.5, mid -0.25, dec 1"),
    ],
)
def test_weights(point, text):
    assert weights_text(point) == text


def test_table():
    rows = table_rows(study(entry(12), entry(25, blockwise=DIVERGED), entry(50, **{"global": DIVERGED})))
    single = ["0.75", "3.000", "2.900 [1.629, 4.171]"]
    blockwise = ["enc 1.25, dec 0.5", "2.500", "2.450 [1.179, 3.721]"]
    gone = ["diverged", "diverged"]
    assert rows == [
        ["12", *single, *blockwise, "0.450 [0.450, 0.450]", "better"],
        ["25", *single, blockwise[0], *gone, "diverged", "not distinguishable"],
        ["50", single[0], *gone, *blockwise, "diverged", "not distinguishable"],
    ]
    assert {len(row) for row in rows} == {len(TABLE_HEADER)}


def test_table_of_all_metrics():
    found = entry(collapsed=DIVERGED)
    rows = metrics_rows(study(found), found)
    assert rows[1] == ["collapsed"] + ["diverged"] * 7
    half = "0.500 [0.500, 0.500]"
    assert rows[2] == ["best single weight", "3.000", "2.900 [1.629, 4.171]", "0.25 ± 0.5", half, half, half, half]
    assert {len(row) for row in rows} == {len(METRICS_HEADER)}


def test_table_of_the_replicas():
    rows = replicas_rows(study(entry(), replicas=[[entry(blockwise=metrics(3.5, (3.65, 3.45)))]]))
    assert {len(row) for row in rows} == {len(REPLICAS_HEADER)}
    gain = next(row for row in rows if row[1] == "FID single − per block")
    over = "[-6.403, 6.303]"  # −0.05 ± 0.5·12.706
    assert gain == ["12", gain[1], "-0.050", "[-0.050, -0.050]", over, "replicas", "1 of 2", "not distinguishable"]
    assert [row[1] for row in rows if row[1].startswith("w")] == [
        "w, best single weight", "w of enc, best weights per block", "w of dec, best weights per block",
    ]  # fmt: skip


def test_markdown():
    assert markdown_table(["w", "FID"], [["0.5", "2.0"], ["1", "3.0"]]) == (
        "| w | FID |\n| --- | --- |\n| 0.5 | 2.0 |\n| 1 | 3.0 |\n"
    )


def test_the_answer_of_one_replica():
    """Plain FIDs 4 and 3; the corrected improvement is 1.1 and the gain 0.45, neither with any error."""
    assert answer(study(entry(25))) == [
        "After 25 kimg of self-training, one weight for the whole network (w = 0.75) lowers the FID: 4.000 for "
        "the base model, 3.000 for the merged one (-25%). Corrected for the bias of a finite number of images, "
        "the improvement is 1.100 [1.100, 1.100], a 95 % interval over the seeds of the images, for this one "
        "self-training.",
        "One weight per block (w = enc 1.25, dec 0.5) gives 2.500, which is better than the best single weight: "
        "the corrected gain is 0.450 [0.450, 0.450].",
        "Precision stays (within its interval), 0.500 → 0.500; recall stays (within its interval), 0.500 → 0.500; "
        "coverage stays (within its interval), 0.500 → 0.500: neither fidelity nor diversity changes "
        "distinguishably.",
    ]


def test_the_answer_says_what_moved():
    moved = metrics(3.0, (3.2, 3.0), precision=(0.6, (0.6, 0.6)), recall=(0.4, (0.4, 0.4)))
    assert answer(study(entry(**{"global": moved | {"kid": 0.25, "kid_deviation": 0.5}})))[2].startswith(
        "Precision rises, 0.500 → 0.600; recall falls, 0.500 → 0.400; coverage stays"
    )
    assert answer(study(entry(**{"global": moved})))[2].endswith("fidelity improves at the expense of diversity.")


def test_where_the_base_model_wins_the_answer_is_one_sentence():
    of = entry(25)
    of["global"]["w"] = of["blockwise"]["w"] = {"enc": 0.0, "dec": 0.0}
    assert answer(study(of)) == [
        "After 25 kimg of self-training, the search found nothing better than w = 0: the base model itself, whose "
        "FID is 4.000."
    ]


def test_the_answer_of_several_replicas_rests_on_all():
    """Of per block, the plain FIDs 2.5 and 3.5."""
    first, second, third = answer(study(entry(), replicas=[[entry(blockwise=metrics(3.5, (3.65, 3.45)))]]))
    assert "(mean w = 0.75) lowers the FID: 4.000" in first
    assert "a 95 % interval over 2 self-trainings, whose mean is given." in first
    assert "(mean w = enc 1.25, dec 0.5) gives 3.000, which is not distinguishable from the best single" in second
    assert "-0.050 [-6.403, 6.303]; the blocks won in 1 of 2." in second
    assert "(first replica)" in third


def test_the_snapshot_to_speak_of_is_the_best_by_its_single_weight():
    """So that the choice doesn't favour the blocks."""
    worse = entry(12, **{"global": metrics(3.3, (3.4, 3.2)), "blockwise": metrics(1.0, (1.1, 0.9))})
    assert headline(study(worse, entry(25)))["kimg"] == 25
    assert headline(study(entry(12, **{"global": DIVERGED}), entry(25)))["kimg"] == 25
    assert headline(study(entry(12, **{"global": DIVERGED}))) is None


def test_a_study_that_diverged_everywhere_has_its_table():
    """Of the last snapshot."""
    diverged = study(*(entry(kimg, **{"global": DIVERGED, "blockwise": DIVERGED}) for kimg in (12, 25)))
    assert snapshot_shown(diverged)["kimg"] == 25
    _, rows = table("metrics", diverged)
    assert rows[2] == ["best single weight"] + ["diverged"] * 7


def test_terminal_lines():
    lines = terminal_lines(study(entry(25)))
    assert lines[:4] == [
        "digits: FID (digits features) on 5000 held-out images, 25 kimg of self-training",
        "  base θ_r                4.000, collapsed θ_s 6.000",
        "  best single weight      3.000 (-25% against base) at w = 0.75",
        "  best weights per block  2.500 (-38% against base) at w = enc 1.25, dec 0.5",
    ]
    assert lines[4:] == answer(study(entry(25)))


def test_terminal_lines_of_several_replicas_are_means():
    """Of per block, the plain FIDs 2.5 and 3.5."""
    first, *_, blockwise = terminal_lines(
        study(entry(), replicas=[[entry(blockwise=metrics(3.5, (3.65, 3.45)))]])
    )[:4]
    assert first.endswith("12 kimg of self-training, means of 2 self-trainings")
    assert blockwise == "  best weights per block  3.000 (-25% against base) at mean w = enc 1.25, dec 0.5"


def test_of_a_single_block_there_is_one_winner():
    of = entry(25)
    of["global"]["w"] = of["blockwise"]["w"] = {"all": 0.75}
    lines = terminal_lines(study(of))
    assert len(lines) == 3 + 2 and not any("per block" in line for line in lines)


@pytest.mark.parametrize("role", ["base", "collapsed", "blockwise", "global"])
@pytest.mark.parametrize("others", [(), (entry(),)])
def test_diverged_models_are_named(role, others):
    summary = study(entry(**{role: DIVERGED}), replicas=[[other] for other in others])
    texts = terminal_lines(summary), table_rows(summary), metrics_rows(summary, summary["snapshots"][0])
    assert "diverged" in str(texts)

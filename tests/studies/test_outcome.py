import numpy as np
import pytest
import yaml
from adaptive_neon.families.checkpoints import Checkpoint
from adaptive_neon.studies.outcome import Choice, choose, improved_model, model_card
from study_entries import DIVERGED, entry, metrics, study

SINGLE = Choice(12, "global", {"enc": 0.75, "dec": 0.75})
BLOCKWISE = Choice(12, "blockwise", {"enc": 1.25, "dec": 0.5})
NOISY = metrics(2.5, (2.0, 3.2))  # pseudo-values 3.0 and 1.8: no gain over the single weight, nor over the base
HOPELESS = metrics(4.0, (4.3, 3.7))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, BLOCKWISE),
        ({"blockwise": NOISY}, SINGLE),
        ({"blockwise": DIVERGED}, SINGLE),
        ({"global": HOPELESS, "blockwise": HOPELESS}, None),
        ({"global": HOPELESS}, None),  # per block is not better than the single weight by its noise
        ({"base": DIVERGED}, None),
        ({"global": DIVERGED}, None),
    ],
)
def test_which_model_is_delivered(changes, expected):
    assert choose(study(entry(**changes))) == expected


def test_it_is_of_the_snapshot_with_the_best_single_weight():
    better = metrics(2.9, (3.1, 2.9))
    assert choose(study(entry(12), entry(25, **{"global": better, "blockwise": NOISY}))).kimg == 25


def test_replicas_decide_together():
    """The gain of one self-training is no gain if the other's has the opposite sign."""
    worse = metrics(3.4, (3.55, 3.35))
    summary = study(entry(), replicas=[[entry(blockwise=worse)]])
    assert summary["over_replicas"][0]["gain"]["verdict"] == "not distinguishable"
    assert summary["over_replicas"][0]["improvement"]["verdict"] == "better"
    assert choose(summary) == SINGLE


def test_the_model_is_extrapolated_block_by_block():
    base = Checkpoint({"model.enc.x": np.float32([1, 2]), "model.dec.x": np.float32([3])}, {"family": "edm"})
    tuned = Checkpoint({"model.enc.x": np.float32([2, 2]), "model.dec.x": np.float32([1])}, {"family": "edm"})
    model = improved_model(base, tuned, BLOCKWISE, {"enc": "enc", "dec": "dec"})
    assert model.tensors["model.enc.x"].tolist() == [1 - 1.25, 2]
    assert model.tensors["model.dec.x"].tolist() == [3 + 0.5 * 2]
    assert model.metadata == {"weights": "enc~1.25_dec~0.5"}


def test_the_card_of_a_model(tiny):
    summary = study(entry())
    recipe = {"base": {"sha256": "0" * 64}, "configuration": {"sampler": {"steps": 18, "rho": 7}}}
    card = model_card(summary, BLOCKWISE, tiny, recipe, "results/digits/model", {"license": "mit"})
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "adaptive-neon",
        "license": "mit",
        "tags": ["neon", "image-generation", "model-merging"],
    }
    assert "| base | 4.000 | 4.000 [" in text
    assert "| this model (best weights per block) | 2.500 | 2.450 [" in text
    assert "w is enc 1.25, dec 0.5" in text
    assert "adaptive-neon sample results/digits/model" in text
    assert "(steps 18, rho 7)" in text
    assert "EDMPrecond(model_type='SongUNet'" in text
    assert "0" * 64 in text


def test_the_card_without_a_model(tiny):
    summary = study(entry(**{"global": HOPELESS, "blockwise": HOPELESS}))
    card = model_card(summary, None, tiny, {}, "results/digits/model")
    assert "no merged model is better than the base model" in card
    assert "## Use" not in card

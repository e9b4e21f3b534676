import numpy as np
import pytest
import torch
from adaptive_neon.evaluation.inception_score import inception_score
from torchvision_shim import import_torchvision

import_torchvision()  # which torch-fidelity needs

from torch_fidelity.metric_isc import isc_features_to_metric  # noqa: E402


def test_images_of_one_certain_class_each():
    """p(y|x) certain and p(y) uniform over K classes: the score is K."""
    assert inception_score(1e3 * np.eye(7), splits=1) == pytest.approx((7, 0))


def test_images_that_tell_nothing():
    assert inception_score(np.zeros((20, 5)), splits=2) == pytest.approx((1, 0))


def test_equals_torch_fidelity():
    logits = 3 * np.random.default_rng(0).standard_normal((500, 40)).astype(np.float32)
    theirs = isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=False)
    assert inception_score(logits) == pytest.approx(
        (theirs["inception_score_mean"], theirs["inception_score_std"]), rel=1e-6
    )

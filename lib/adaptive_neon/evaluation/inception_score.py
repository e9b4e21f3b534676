"""The Inception score (Salimans et al. 2016, arXiv 1606.03498)."""

import numpy as np
from scipy.special import log_softmax

SPLITS = 10


def inception_score(logits: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """exp E_x KL(p(y|x) ‖ p(y)): mean and standard deviation over equal parts of the images.

    Args:
        logits: of the classes y of each image [N, K], N ≥ splits.
    """
    scores = []
    for part in np.array_split(logits, splits):
        log_p = log_softmax(part.astype(np.float64), axis=1)
        p = np.exp(log_p)
        scores.append(np.exp((p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))

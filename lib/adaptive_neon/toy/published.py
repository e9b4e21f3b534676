"""What Adaptive Neon reports of the 2-D Gaussian (section 4.1 and its notebook): one run with one seed.

Diffusion model, ζ = 1.1, 250 epochs of self-training; Fréchet distances at 1,000,000 samples.
"""

BASE = 0.163
SINGLE_WEIGHT, SINGLE = 0.28, 0.0355  # w* and the distance there
# δ → distance of the best point of the grid {w* − δ, w*, w* + δ}^6
LAYERWISE = {
    0.05: 0.0332,
    0.1: 0.0334,
    0.2: 0.0313,
    0.4: 0.0251,
    0.6: 0.0208,
    1.0: 0.0155,
    1.5: 0.0113,
    1.72: 0.0095,
}

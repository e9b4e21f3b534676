"""What Adaptive Neon reports of the 2-D Gaussian (section 4.1 and its notebook): one run with one seed.

Diffusion model; Fréchet distances at 1,000,000 samples. Neon's own notebook shows pictures, and of the
autoregressive model one number.
"""

BASE = 0.163
SINGLE_WEIGHT, SINGLE = 0.28, 0.0355  # w* and the distance there, for ζ = 1.1 and 250 epochs
SWEEP = {  # (ζ, epochs) → w*, the distance there
    (0.9, 50): (-1.04, 0.0521),
    (0.9, 250): (-0.28, 0.0527),
    (1.1, 50): (1.20, 0.0268),
    (1.1, 250): (SINGLE_WEIGHT, SINGLE),
}
ALIGNMENT = {0.9: 0.127, 1.1: -0.1753}  # ζ → cosine
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
# δ → where each layer of that point stands, in units of δ around w*
WINNERS = {
    0.05: {"input": 1, "block2": 1, "block3": -1, "block4": -1},
    0.1: {"block3": -1, "output": -1},
    0.2: {"block3": -1, "output": 1},
    0.4: {"input": 1, "block3": -1, "block4": -1, "output": 1},
    0.6: {"block2": 1, "block3": -1, "block4": -1},
    1.0: {"input": 1, "block3": -1},
    1.5: {"input": 1, "block3": -1, "output": 1},
    1.72: {"input": 1, "block3": -1},
}
AUTOREGRESSIVE_BASE = 0.0993

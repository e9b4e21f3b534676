"""Names in the studies and of their files; each process of the workflow reads them, so nothing is imported."""

MODELS = {  # whose need of real data is measured
    "gaussian": "Gaussian",
    "gaussian-5d": "Gaussian, d = 5",
    "classes": "10 classes, or modes",
    "kernels": "Kernel density, Silverman's h",
    "regression": "Regression, d = 5",
}
TABLES = ("laws", "shares", "metrics", "mixture", "prevention")
FIGURES = ("variance", "density", "shares", "mixture", "regimes", "prevention", "neon", "neon-loop")

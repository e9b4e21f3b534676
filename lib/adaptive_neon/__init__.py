"""Adaptive Neon: block-wise negative extrapolation from self-training (Neon, arXiv 2510.03597)."""

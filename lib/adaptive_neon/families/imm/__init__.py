"""Inductive moment matching (Zhou et al. 2025, arXiv 2503.07565): images in few steps, trained in one stage.

The network jumps from any time t of a path between data and noise to any earlier one s; its training matches the
moments of what it jumps to from two neighbouring times. Time runs from data at t = 0 to noise at t = 1.
"""

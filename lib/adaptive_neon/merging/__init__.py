"""Merging: the extrapolation θ_r − w·(θ_s − θ_r), the blocks of a network, points in weight space, the drift.

Arrays go in and arrays come out. What network they belong to, and which file they came from, is not known here.
"""

"""Evaluation of images: features, statistics of real images, distances and overlaps, all metrics at once.

How certain a metric is, given its values without each block of seeds, belongs in `statistics`.
"""

"""Real images and image sets: where they come from, their file formats, downloads.

What is computed from images (features, metrics) belongs in `evaluation`.
"""

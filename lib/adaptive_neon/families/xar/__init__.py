"""xAR: next-cell prediction by flow matching (Ren et al. 2025, arXiv 2502.20388).

An image, or its latents, is a sequence of cells, squares of tokens. Each cell is drawn by flow matching, noise
at t = 1, data at t = 0, given the cells before it.
"""

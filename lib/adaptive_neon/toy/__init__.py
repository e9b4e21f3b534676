"""The 2-D Gaussian studies that both papers open with (Neon, appendix; Adaptive Neon, section 4.1).

Their models, samplers, searches, figures and summary belong here; merge, blocks, grid and selection are those of
the main study, in `merging` and `search`.

A model is a dictionary of NumPy arrays, parameter name → weight [out, in] or bias [out, 1]; several models of
one family stack to tensors with a leading axis M (`network.stack`). Points are columns: [M, 2, n].
"""

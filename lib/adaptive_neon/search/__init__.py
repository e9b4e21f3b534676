"""Search: which points are drawn, and which of them win.

How a point is written belongs in `merging`; how a winner does on held-out images, in `studies`.
"""

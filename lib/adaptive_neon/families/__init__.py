"""Families of generative models: all that a study must know of a kind of model, a folder each.

`protocol` says what that is. A folder holds the network, its published files, the sampler, the loss, the block
presets and the schema of its settings; `networks` holds the networks that several families share. How a study uses
a model (training loop, search, metrics) belongs elsewhere, and nothing outside names a family except as a default.
"""

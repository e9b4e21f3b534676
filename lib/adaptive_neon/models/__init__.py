"""Checkpoints of any program, as tensors by name: files, shards, folders of diffusers, LoRA, merged by pieces.

No family need know the network: a merge asks for names, shapes and types alone. How to build, train and sample a
network belongs in `families`, the formula of the merge in `merging`.
"""

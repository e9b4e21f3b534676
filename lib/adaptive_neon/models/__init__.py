"""Checkpoints of any program as tensors by name: files, shards, folders of diffusers, LoRA; merged a piece at a time.

No family needs to know the network: a merge asks for names, shapes and types alone. What is known of families (how to
build, train and sample a network) belongs in `families`; the formula of the merge in `merging`.
"""

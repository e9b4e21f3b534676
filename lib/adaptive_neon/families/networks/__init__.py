"""Networks that several families share: torch modules with the parameter names of published checkpoints.

What a family does with a network (preconditioning, loss, sampler) belongs in the family's folder.
"""

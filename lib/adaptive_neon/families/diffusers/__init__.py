"""Models of the diffusers library: pixel and latent diffusion, in the folders that its pipelines are kept in.

The architecture holds the configurations of a pipeline's components as their JSON files do. The library itself is
an optional extra (requirements-diffusers.txt), which only `family` imports, and only when it builds something.
"""

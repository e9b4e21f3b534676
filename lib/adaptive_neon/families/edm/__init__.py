"""EDM (Karras et al. 2022, arXiv 2206.00364): diffusion with NVIDIA's U-Nets and checkpoints.

Preconditioning, noise schedule, Heun sampler, loss, augmentation and the reader of NVIDIA's pickles belong here;
the U-Nets themselves, which other families use too, in `families.networks`.
"""

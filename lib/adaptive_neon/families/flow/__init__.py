"""Flow matching on straight paths, or rectified flow, with U-Nets or a diffusion transformer.

Lipman et al. 2022 (arXiv 2210.02747); Liu et al. 2022 (arXiv 2209.03003). Time runs from noise at t = 0 to data at
t = 1. Velocity field, loss and samplers belong here; the networks, which other families use too, in
`families.networks`.
"""

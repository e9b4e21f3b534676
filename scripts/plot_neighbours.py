"""Some images of the best model per block, and the real images nearest to each."""

import numpy as np
from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import load_extractor
from adaptive_neon.evaluation.manifolds import nearest
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import plot_neighbours, save_figure

with job(snakemake.log[0], snakemake.threads):
    roles = read_json(snakemake.input.selection)["roles"]
    path = snakemake.input.images[list(roles).index("blockwise")]
    images, _ = read_images(path, roles["blockwise"])
    real_images, _ = read_images(snakemake.input.data, "images")
    real = read_reference(snakemake.input.reference).manifold.features
    extract = load_extractor(snakemake.input.extractor, snakemake.config["run"]["device"])
    indices, distances = nearest(extract(images[:500]), real, k=3)
    _, among_real = nearest(real[:500], real, k=2)
    figure = plot_neighbours(
        images[:12],
        real_images[indices[:12]],
        distances[:12],
        {"generated": np.median(distances[:, 0]), "real": np.median(among_real[:, 1])},
    )
    save_figure(figure, snakemake.output[0])

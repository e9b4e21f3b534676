"""Metrics of the images of each point of a cell."""

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import load_extractor, load_output
from adaptive_neon.evaluation.measurement import measure, read_features, read_reference
from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    real = read_reference(snakemake.input.reference)
    extract = load_extractor(snakemake.input.extractor, snakemake.config["run"]["device"])
    output = load_output(snakemake.input.extractor) if params.kid_subsets else None
    control = read_features(snakemake.input.control) if snakemake.input.get("control") else None
    metrics = {}
    for point in params.points:
        images, _ = read_images(snakemake.input.images, point)
        metrics[point] = measure(
            extract,
            images[: params.measured],
            real,
            params.seed_blocks,
            params.kid_subsets,
            output=output,
            control=control,
        )
        print(point, metrics[point]["fid"])
    write_json(snakemake.output[0], metrics)

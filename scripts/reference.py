"""Features of the real images, their statistics and their neighbourhoods."""

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import extract_features, load_extractor
from adaptive_neon.evaluation.measurement import reference_images, write_reference
from adaptive_neon.evaluation.references import read_statistics
from adaptive_neon.jobs.job import job, progress_bar
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint

with job(snakemake.log[0], snakemake.threads):
    inputs, run = snakemake.input, snakemake.config["run"]
    published = read_statistics(inputs.statistics) if inputs.statistics else None
    images, labels = read_images(inputs.data, "images")
    extract = load_extractor(inputs.extractor, run["device"])
    rolling = RollingCheckpoint(
        snakemake.output[0],
        fingerprint(run["device"], [inputs.data, inputs.extractor]),
        run["checkpoint_minutes"],
    )
    with progress_bar(len(images)) as bar:
        features = extract_features(extract, images, bar.update, rolling)
    write_reference(
        snakemake.output[0], reference_images(features, labels, snakemake.params.neighbours, published)
    )
    rolling.clear()

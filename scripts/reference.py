"""Features of the real images, their statistics and their neighbourhoods."""

from adaptive_neon.features import extract_features, load_extractor
from adaptive_neon.images import read_images
from adaptive_neon.job import job, progress_bar
from adaptive_neon.measurement import real_from, write_reference
from adaptive_neon.references import read_statistics
from adaptive_neon.resume import Rolling, fingerprint

with job(snakemake.log[0], snakemake.threads):
    inputs, run = snakemake.input, snakemake.config["run"]
    published = read_statistics(inputs.statistics) if inputs.statistics else None
    images, labels = read_images(inputs.data, "images")
    extract = load_extractor(inputs.extractor, run["device"])
    rolling = Rolling(
        snakemake.output[0],
        fingerprint(run["device"], [inputs.data, inputs.extractor]),
        run["checkpoint_minutes"],
    )
    with progress_bar(len(images)) as bar:
        features = extract_features(extract, images, bar.update, rolling)
    write_reference(snakemake.output[0], real_from(features, labels, snakemake.params.neighbours, published))
    rolling.clear()

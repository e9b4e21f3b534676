"""Import the published statistics of the real images."""

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.evaluation.references import read_statistics, write_statistics
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    path = fetch([Source(params.source, params.sha256)], snakemake.config["run"]["cache"])
    write_statistics(snakemake.output[0], *read_statistics(path))
    print(path)

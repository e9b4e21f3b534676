"""Import Inception's weights; whatever comes after reads only what is written here."""

from adaptive_neon.evaluation.inception import read_convolutions, read_output, weights_file, write_convolutions
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    path = weights_file(snakemake.params.weights, snakemake.config["run"]["cache"])
    convention = snakemake.params.convention
    write_convolutions(snakemake.output[0], read_convolutions(path), convention, read_output(path))
    print(path)

"""The result of the 2-D Gaussian studies over all seeds, for programs."""

from adaptive_neon.jobs.files import write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.toy.summary import read_record, summarise

with job(snakemake.log[0], snakemake.threads):
    records = {seed: read_record(folder) for seed, folder in enumerate(snakemake.params.seeds)}
    write_json(snakemake.output[0], summarise(records))

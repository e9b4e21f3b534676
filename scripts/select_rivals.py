"""Which candidate of each rival is measured on held-out images."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.rivals.results import choose

with job(snakemake.log[0], snakemake.threads):
    metrics = iter(map(read_json, snakemake.input))
    found = {
        rival: choose(names, {name: next(metrics)[name] for name in names if len(names) > 1})
        for rival, names in snakemake.params.candidates.items()
    }
    write_json(snakemake.output[0], found)
    print({rival: one["point"] for rival, one in found.items()})

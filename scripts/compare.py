"""Base, collapsed, best single and best per block on the held-out images of one snapshot."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.comparison import compare

with job(snakemake.log[0], snakemake.threads):
    outcome = read_json(snakemake.input.selection)
    heldout = {}
    for path in snakemake.input.metrics:
        heldout |= read_json(path)
    entry = compare(int(snakemake.wildcards.kimg), heldout=heldout, **outcome)
    write_json(snakemake.output[0], entry)

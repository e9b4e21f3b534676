"""Base, collapsed, best single and best per block on the held-out images of one snapshot."""

import json

from adaptive_neon.comparison import compare
from adaptive_neon.files import read_json, replacing
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    outcome = read_json(snakemake.input.selection)
    heldout = {}
    for path in snakemake.input.metrics:
        heldout |= read_json(path)
    entry = compare(int(snakemake.wildcards.kimg), heldout=heldout, **outcome)
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(entry, indent=1))

"""The winners of a search: the best single weight and the best weights per block of a snapshot."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.search.rounds import joined_cells, outcome

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    rounds = [joined_cells(map(read_json, snakemake.input.first)), *map(read_json, snakemake.input.later)]
    descent = read_json(snakemake.input.descent[0]) if snakemake.input.descent else None
    found = outcome(params.method, params.region, params.points, params.base, params.collapsed, rounds, descent)
    write_json(snakemake.output[0], found)
    print(found["roles"])

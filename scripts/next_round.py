"""Which points the next round of a search draws."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.search.rounds import joined_cells, next_points

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    rounds = [joined_cells(map(read_json, snakemake.input.first)), *map(read_json, snakemake.input.later)]
    points = next_points(params.method, params.region, params.points, rounds)
    write_json(snakemake.output[0], {"points": points})
    print(*points, sep="\n")

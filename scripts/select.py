"""The best single weight and the best point of a snapshot's grid."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.search.selection import indistinguishable, roles

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    metrics = {}
    for path in snakemake.input:
        metrics |= read_json(path)
    fids = {point: values["fid"] for point, values in metrics.items()}
    found = roles(fids, params.points, params.base, params.collapsed)
    points = {point: metrics[point] for point in params.points}
    outcome = {
        "roles": found,
        "indistinguishable": indistinguishable(points, found["blockwise"]),
        "search": metrics,
    }
    write_json(snakemake.output[0], outcome)
    print(found)

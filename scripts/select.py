"""The best single weight and the best point of a snapshot's grid."""

from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.search.selection import best_point, best_single_point, indistinguishable

with job(snakemake.log[0], snakemake.threads):
    metrics = {}
    for path in snakemake.input:
        metrics |= read_json(path)
    points = {point: metrics[point] for point in snakemake.params.points}
    fids = {point: values["fid"] for point, values in points.items()}
    winners = {"global": best_single_point(fids), "blockwise": best_point(fids)}
    outcome = {
        "roles": snakemake.params.roles | winners,
        "indistinguishable": indistinguishable(points, winners["blockwise"]),
        "search": metrics,
    }
    write_json(snakemake.output[0], outcome)
    print(winners)

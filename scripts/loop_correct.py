"""Neon on a generation of a loop, with the weight that is given or the one that the search images choose."""

from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import parse_point, weight_name
from adaptive_neon.search.selection import best_point

with job(snakemake.log[0], snakemake.threads):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    base, tuned = read_checkpoint(inputs.base), read_checkpoint(inputs.tuned)
    search = {name: metrics["fid"] for path in inputs.search for name, metrics in read_json(path).items()}
    # Where all candidates diverged there is no lowest FID; the first is as good as any.
    chosen = best_point(search) if any(fid is not None for fid in search.values()) else params.points[0]
    point = parse_point(chosen)
    (w,) = set(point.values())
    tensors = merge(base.tensors, tuned.tensors, point, assign_blocks(base.weights, params.blocks))
    write_json(outputs.weight, {"w": w, "search": search})
    write_checkpoint(outputs.model, tensors, base.architecture, w=weight_name(w))

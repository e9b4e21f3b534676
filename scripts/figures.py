"""All figures of the study; those of single images and points are of the first replica."""

from pathlib import Path

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import load_extractor
from adaptive_neon.evaluation.manifolds import nearest_images
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.merging.grid import parse_point
from adaptive_neon.search.selection import search_metrics
from adaptive_neon.search.settings import split
from adaptive_neon.studies import figures

inputs, params = snakemake.input, snakemake.params


def held_out_images(roles, positions):
    """Role → its held-out images."""
    return {
        role: read_images(inputs.images[position], point)[0]
        for (role, point), position in zip(roles.items(), positions, strict=True)
    }


with job(snakemake.log[0], snakemake.threads):
    folder = Path(snakemake.output[0]).parent
    summary = read_json(inputs.summary)
    figures.save_figure(figures.plot_snapshots(summary), folder / "snapshots.svg")
    selections = {key: read_json(path) for key, path in zip(params.snapshots, inputs.selections, strict=True)}
    for replica in dict.fromkeys(replica for replica, _ in selections):
        curves = {kimg: selection["search"] for (of, kimg), selection in selections.items() if of == replica}
        figures.save_figure(figures.plot_diagonal(curves), folder / f"replica-{replica}/diagonal.svg")

    folder /= "replica-0"
    figures.save_figure(figures.plot_drift(read_json(inputs.drift)), folder / "drift.svg")
    extract = load_extractor(inputs.extractor, snakemake.config["run"]["device"])
    real = read_reference(inputs.reference).manifold.features
    real_images, _ = read_images(inputs.data, "images")
    for entry, positions in zip(summary["snapshots"], params.images, strict=True):
        kimg = entry["kimg"]
        selection = selections[0, kimg]
        # With several sampler settings, those of the winner.
        _, settings = split(selection["roles"]["blockwise"])
        fids = {
            point: search_metrics(selection["search"][point + settings])["fid"] for point in params.search_points
        }
        similar = [split(name)[0] for name in selection["indistinguishable"] if name.endswith(settings)]
        if params.points == "grid":
            figures.save_figure(figures.plot_grid(fids, similar), folder / f"grid-{kimg}.svg")
        elif params.points == "surface":
            chosen = {role: split(selection["roles"][role])[0] for role in ("global", "blockwise")}
            figure = figures.plot_surface(selection["surface"], fids, chosen)
            figures.save_figure(figure, folder / f"surface-{kimg}.svg")
        elif params.points == "gradient":
            single, best = (parse_point(selection["roles"][role]) for role in ("global", "blockwise"))
            way = selection["descent"]
            figure = figures.plot_descent(way["fids"], way["chosen"], next(iter(single.values())), best)
            figures.save_figure(figure, folder / f"gradient-{kimg}.svg")
        models = {"base": summary["base"]} | {role: entry[role] for role in selection["roles"] if role != "base"}
        figures.save_figure(figures.plot_classes(models), folder / f"classes-{kimg}.svg")
        rows = held_out_images(selection["roles"], positions)
        named = {figures.ROLE_NAMES[role]: images for role, images in rows.items()}
        figures.save_figure(figures.plot_sheet(named), folder / f"sheet-{kimg}.png")
        found = nearest_images(extract, rows["blockwise"], real, real_images)
        figures.save_figure(figures.plot_neighbours(*found), folder / f"neighbours-{kimg}.png")

"""Everything that is drawn of the 2-D Gaussian studies."""

from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import save_figure
from adaptive_neon.toy import figures, published
from adaptive_neon.toy.models import read_models
from adaptive_neon.toy.scales import SCALES
from adaptive_neon.toy.study import family_of, picture_points, training_data
from adaptive_neon.toy.summary import picture_titles, read_record

with job(snakemake.log[0], snakemake.threads):
    summary = read_json(snakemake.input.summary)
    records = [read_record(folder) for folder in snakemake.params.seeds]
    drawn = {}
    for family, folder in zip(SCALES, snakemake.input.models, strict=True):
        part, seed = snakemake.params.families[family], summary["seeds"][0]
        panels = {"real data\n": training_data(part["data"], seed).numpy()} | picture_points(
            family_of(family, part["sampler"]),
            *read_models(folder),
            picture_titles(family, records[0]),
            1000,
            seed,
        )
        drawn[f"{family}_samples"] = figures.plot_samples(panels)
        drawn[f"{family}_sweep"] = figures.plot_sweep(family, [record[family]["sweep"] for record in records])
        drawn[f"{family}_alignment"] = figures.plot_alignment(
            family, [record[family]["alignment"] for record in records]
        )
    drawn["layerwise"] = figures.plot_layerwise(summary, published.LAYERWISE)
    first = records[0]["layerwise"]
    winners = {entry["delta"]: entry["point"] for entry in first["grids"]}
    drawn["winners"] = figures.plot_winners(winners, first["w"])
    drawn["directions"] = figures.plot_directions([record["layerwise"] for record in records])
    for name, figure in drawn.items():
        save_figure(figure, snakemake.output[name])

"""Everything that is drawn of the studies of loops."""

from pathlib import Path

from adaptive_neon.collapse import figures
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import save_figure

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    study, curves, neon = (read_json(inputs[name]) for name in ("study", "curves", "neon"))
    prevention = {model: read_json(path) for model, path in zip(params.models, inputs.prevention, strict=True)}
    drawn = {
        "variance": figures.plot_variance(study, params.shown),
        "density": figures.plot_density(study, params.shown),
        "shares": figures.plot_shares(study),
        "mixture": figures.plot_mixture(read_json(inputs.mixture)),
        "regimes": figures.plot_regimes(curves, params.samples),
        "prevention": figures.plot_prevention(prevention),
        "neon": figures.plot_neon(neon),
        "neon-loop": figures.plot_neon_loop(curves["neon"]),
    }
    for path in map(Path, snakemake.output):
        save_figure(drawn[path.stem], path)

"""Images of base, collapsed, best single and best per block from the same seeds."""

from adaptive_neon.data.images import read_images
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.job import job
from adaptive_neon.studies.figures import ROLE_NAMES, plot_sheet, save_figure

with job(snakemake.log[0], snakemake.threads):
    roles = read_json(snakemake.input.selection)["roles"]
    rows = {
        ROLE_NAMES[role]: read_images(path, point)[0]
        for (role, point), path in zip(roles.items(), snakemake.input.images, strict=True)
    }
    save_figure(plot_sheet(rows), snakemake.output[0])

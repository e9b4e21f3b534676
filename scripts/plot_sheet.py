"""Images of base, collapsed, best single and best per block from the same seeds."""

import json
from pathlib import Path

from adaptive_neon.figures import ROLE_NAMES, plot_sheet, save_figure
from adaptive_neon.images import read_images
from adaptive_neon.job import job

with job(snakemake.log[0], snakemake.threads):
    roles = json.loads(Path(snakemake.input.selection).read_text())["roles"]
    rows = {
        ROLE_NAMES[role]: read_images(path, point)[0]
        for (role, point), path in zip(roles.items(), snakemake.input.images, strict=True)
    }
    save_figure(plot_sheet(rows), snakemake.output[0])

"""Import the frozen codec of θ_r; whatever comes after reads only what is written here."""

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.families.checkpoints import read_architecture, write_checkpoint
from adaptive_neon.jobs.job import job
from adaptive_neon.models.imported import read_codec

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    path = fetch([Source(params.source, params.sha256)], snakemake.config["run"]["cache"])
    architecture = read_architecture(snakemake.input.base)
    write_checkpoint(snakemake.output[0], read_codec(path, architecture), architecture, source=path.name)
    print(path)

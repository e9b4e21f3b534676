"""Import θ_r from a checkpoint of elsewhere; whatever comes after reads only what is written here."""

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.errors import InputError
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arrays, load, require_architecture
from adaptive_neon.jobs.job import job
from adaptive_neon.models.imported import read_model

with job(snakemake.log[0], snakemake.threads):
    params, cache = snakemake.params, snakemake.config["run"]["cache"]
    path = fetch([Source(params.source, params.sha256)], cache)
    checkpoint = read_model(path, params.prompts and fetch([Source(params.prompts)], cache))
    require_architecture(params.architecture or {}, checkpoint.architecture)
    if checkpoint.architecture.get("codec") and not params.codec:
        raise InputError("config: base.codec: null, but the images of base.checkpoint pass a codec; give its file")
    network = load(checkpoint)
    write_checkpoint(snakemake.output[0], arrays(network), checkpoint.architecture, **checkpoint.metadata)
    print(f"{path}: {sum(parameter.numel() for parameter in network.parameters()):,} parameters")

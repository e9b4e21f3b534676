"""The networks in the files that NVlabs/edm publishes and writes."""

import numpy as np

from adaptive_neon.families.pickles import Module, RefusedError, plain, state_dict

UNETS = ("SongUNet", "DhariwalUNet")
POSITIONAL = (  # the order of EDMPrecond's arguments, for networks that were built without keywords
    "img_resolution",
    "img_channels",
    "label_dim",
    "use_fp16",
    "sigma_min",
    "sigma_max",
    "sigma_data",
    "model_type",
)


def ema_network(content: object, class_name: str) -> Module:
    """The network of this class in a training snapshot, which keeps it under "ema".

    Raises:
        RefusedError: there is none.
    """
    if type(content) is not dict or type(content.get("ema")) is not Module:
        raise RefusedError('has no network under the key "ema"')
    network = content["ema"]
    if network.class_name != class_name:
        raise RefusedError(f"holds {network.class_name[:80]!r}, not {class_name}")
    return network


def from_published(content: object, size: int) -> tuple[dict[str, np.ndarray], dict]:
    """See `protocol.Settings`. The architecture is the file's, without `use_fp16` and always with `model_type`."""
    network = ema_network(content, "EDMPrecond")
    state = network.state
    arguments = dict(zip(POSITIONAL, state["_init_args"], strict=False)) | state["_init_kwargs"]
    arguments.pop("use_fp16", None)
    unet = state["_modules"]["model"].class_name
    if unet not in UNETS:
        raise RefusedError(f"holds EDMPrecond over {unet[:80]!r}, not {' or '.join(UNETS)}")
    arguments["model_type"] = unet
    return state_dict(network, size), {name: plain(name, value) for name, value in arguments.items()}

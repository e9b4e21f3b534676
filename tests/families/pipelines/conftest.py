"""Tiny pipelines of diffusers, with random weights; all tests that ask for them need the library."""

import importlib.util

import pytest
from tiny_pipelines import PROMPTS, text_pipeline


@pytest.fixture(scope="session")
def library():
    """diffusers, where it is installed."""
    if importlib.util.find_spec("diffusers") is None:
        pytest.skip("diffusers is not installed (requirements-diffusers.txt)")
    from adaptive_neon.families.diffusers.libraries import library

    return library()


@pytest.fixture(scope="session")
def text_library():
    """transformers, where it is installed."""
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed (requirements-diffusers.txt)")
    from adaptive_neon.families.diffusers.libraries import text_library

    return text_library()


@pytest.fixture(scope="session")
def text_folders(library, text_library, tmp_path_factory):
    """Pipelines that draw from prompts, name → its folder and the pipeline; and the file of the prompts."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "prompts.txt").write_text("\n".join(PROMPTS))
    kinds = {name: (name,) for name in ("sd", "sdxl", "sd3", "sd3-t5")} | {"sd-v": ("sd", "v_prediction")}
    made = {name: text_pipeline(library, text_library, folder / name, *kind) for name, kind in kinds.items()}
    return {name: (folder / name, pipeline) for name, pipeline in made.items()}, folder / "prompts.txt"


@pytest.fixture
def make(library):
    """`make(architecture, seed=0)`: a network and the keyword argument of its codec; every parameter is random."""
    import torch
    from adaptive_neon.families.diffusers import family

    def both(architecture, seed=0):
        torch.manual_seed(seed)
        known = {key: value for key, value in architecture.items() if key != "family"}
        parts = [family.build(known), *([family.build_codec(known)] if known.get("codec") else [])]
        for part in parts:
            with torch.no_grad():
                for parameter in part.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        network, *codec = (part.eval() for part in parts)
        return network, {"codec": codec[0]} if codec else {}

    return both


@pytest.fixture
def pipeline(library, make):
    """`pipeline(architecture)`: the same as a pipeline of the library."""

    def of(architecture, seed=0):
        from adaptive_neon.families.diffusers.folder import pipeline_of

        network, codec = make(architecture, seed)
        config = architecture["scheduler"]
        scheduler = getattr(library, config["_class_name"]).from_config(dict(config))
        name = pipeline_of(architecture)
        parts = {
            "DiTPipeline": lambda: {"transformer": network, "vae": codec["codec"]},
            "LDMPipeline": lambda: {"unet": network, "vqvae": codec["codec"]},
        }.get(name, lambda: {"unet": network})()
        made = getattr(library, name)(**parts, scheduler=scheduler)
        made.set_progress_bar_config(disable=True)
        return made

    return of

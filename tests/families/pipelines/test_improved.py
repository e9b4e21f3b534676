"""An improved model has the form of the folder of diffusers that its base model came from."""

import json
from pathlib import Path

import pytest
import torch
from adaptive_neon.models.card import kept
from adaptive_neon.models.imported import read_model, write_like_base
from safetensors.torch import load_file, save_file
from tiny_pipelines import LATENTS, PIXELS, TRANSFORMER

ABOUT = {"sampler": '{"steps": 3}', "weights": "all~0.5"}
FORMS = {
    "whole": (PIXELS, torch.float32, {}),
    "variant": (TRANSFORMER, torch.float16, {"variant": "fp16"}),
    "shards": (LATENTS, torch.bfloat16, {"max_shard_size": "20KB"}),
}


def improve(folder, output, factor=1.5):
    """The tensors of an improved model, which is written."""
    base = read_model(folder)
    tensors = {name: factor * array for name, array in base.tensors.items()}
    write_like_base(output, folder, base, tensors, ABOUT, {"weights": 0.5}, "# improved\n")
    return tensors


def files(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize(("architecture", "dtype", "form"), FORMS.values(), ids=FORMS)
def test_types_files_and_all_else_stay(tmp_path, pipeline, architecture, dtype, form):
    made = pipeline(architecture).to(dtype)
    made.save_pretrained(tmp_path / "A", **form)
    for name in ("README.md", "LICENSE"):
        (tmp_path / "A" / name).write_text("theirs")
    tensors = improve(tmp_path / "A", tmp_path / "B")
    assert files(tmp_path / "B") - files(tmp_path / "A") == {"neon.json"}
    assert json.loads((tmp_path / "B/neon.json").read_text()) == {"weights": 0.5}
    assert (tmp_path / "B/README.md").read_text() == "# improved\n"

    model = "transformer" if architecture is TRANSFORMER else "unet"
    found = {}
    for file in files(tmp_path / "A") - {"README.md"}:
        a, b = tmp_path / "A" / file, tmp_path / "B" / file
        if not (file.startswith(model) and file.endswith(".safetensors")):
            same = json.loads if file.endswith(".index.json") else bytes
            assert same(a.read_bytes()) == same(b.read_bytes()), file
            continue
        assert load_file(a).keys() == load_file(b).keys()
        found |= load_file(b)
    for name, tensor in found.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, torch.from_numpy(tensors[name]).to(dtype)), name

    again = type(made).from_pretrained(tmp_path / "B", dtype=dtype, variant=form.get("variant"))
    assert all(torch.equal(t, found[name]) for name, t in again.components[model].state_dict().items())
    assert read_model(tmp_path / "B").metadata["sampler"] == ABOUT["sampler"]


# Without the library.


def write(folder, tensors):
    """A folder with only these tensors in half precision."""
    for name, config in (("unet", PIXELS["model"]), ("scheduler", PIXELS["scheduler"])):
        (folder / name).mkdir(parents=True)
        file = "scheduler_config.json" if name == "scheduler" else "config.json"
        (folder / name / file).write_text(json.dumps(config))
    index = {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}
    index["scheduler"] = ["diffusers", "DDPMScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    save_file({name: torch.tensor(value).half() for name, value in tensors.items()}, path)
    return folder


def test_former_names_stay_too(tmp_path):
    former = "mid_block.attentions.0.query.weight"
    tensors = improve(write(tmp_path / "A", {former: [1.0, 3.0]}), tmp_path / "B")
    assert list(tensors) == ["mid_block.attentions.0.to_q.weight"]
    found = load_file(tmp_path / "B/unet/diffusion_pytorch_model.safetensors")
    assert found[former].dtype == torch.float16 and found[former].tolist() == [1.5, 4.5]


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, refuses):
    folder = write(tmp_path / "A", {"conv_in.weight": [6e4]})
    with refuses("conv_in.weight of the improved model leaves the range of torch.float16"):
        improve(folder, tmp_path / "B")
    base = read_model(folder)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(PIXELS["scheduler"] | {"a": 1}))
    with refuses(folder, "no longer the base model of the study"):
        write_like_base(tmp_path / "B", folder, base, dict(base.tensors), {}, {}, "")
    assert not (tmp_path / "B").exists()


def test_of_the_base_models_card_the_license_is_kept(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\ndatasets: [digits]\ntags: [cats]\n---\n# Cats\n")
    assert kept(tmp_path) == {"license": "mit", "datasets": ["digits"]}
    assert kept(tmp_path / "absent") == {}

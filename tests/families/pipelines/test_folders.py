"""Folders of pipelines: read as data, written so that diffusers opens them; hostile ones are one line."""

import json

import numpy as np
import pytest
import torch
from adaptive_neon.families import family_of
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.diffusers.folder import write_folder
from adaptive_neon.families.diffusers.settings import block_presets
from adaptive_neon.families.loading import arrays, load, load_codec
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.models.imported import find_codec, read_codec, read_model
from safetensors.numpy import save_file
from tiny_pipelines import AUTOENCODER, LATENTS, PIXELS, TRANSFORMER, VQ

PIPELINES = {
    "pixels": PIXELS,
    "latents": LATENTS,
    "quantised": LATENTS | {"codec": VQ},
    "transformer": TRANSFORMER,
}
every = pytest.mark.parametrize("architecture", PIPELINES.values(), ids=PIPELINES)


def draw(checkpoint, codec):
    images, _ = family_of(PIXELS).draw(load(checkpoint), [3, 4], {"steps": 3}, None, torch.float32, **codec)
    return images.numpy()


@every
def test_a_folder_comes_in_and_goes_out_again(tmp_path, library, pipeline, make, architecture):
    made = pipeline(architecture)
    made.save_pretrained(tmp_path / "A")
    checkpoint = read_model(tmp_path / "A")
    network, _ = make(architecture)
    for name, array in arrays(network).items():
        np.testing.assert_array_equal(checkpoint.tensors[name], array)
    known = checkpoint.architecture
    assert {key: known[key] for key in ("img_resolution", "img_channels", "label_dim")} == {
        key: architecture[key] for key in ("img_resolution", "img_channels", "label_dim")
    }
    blocks = next(iter(block_presets(known).values()))
    assert set(assign_blocks(checkpoint.weights, blocks).values()) == set(blocks)

    files = find_codec(tmp_path / "A", None, known)
    codec = read_codec(files[0], known) if files else {}
    write_folder(tmp_path / "B", known, checkpoint.tensors, codec, {"sampler": '{"steps": 3}'})
    again = type(made).from_pretrained(tmp_path / "B")
    for name, module in made.components.items():
        if isinstance(module, torch.nn.Module):
            for key, tensor in module.state_dict().items():
                torch.testing.assert_close(again.components[name].state_dict()[key], tensor, rtol=0, atol=0)
    written = read_model(tmp_path / "B")
    assert written.metadata["sampler"] == '{"steps": 3}'
    device = torch.device("cpu")
    decoders = [
        load_codec(find_codec(tmp_path / name, None, known), known, device, read_codec) for name in ("A", "B")
    ]
    np.testing.assert_array_equal(draw(checkpoint, decoders[0]), draw(written, decoders[1]))


@pytest.mark.parametrize("form", [{"safe_serialization": False}, {"max_shard_size": "20KB"}, {"variant": "fp16"}])
def test_other_forms_of_a_folder_hold_the_same(tmp_path, pipeline, form):
    pipeline(LATENTS).save_pretrained(tmp_path / "A")
    pipeline(LATENTS).save_pretrained(tmp_path / "B", **form)
    expected, found = read_model(tmp_path / "A"), read_model(tmp_path / "B")
    assert found.architecture == expected.architecture
    assert found.metadata["sha256"] != expected.metadata["sha256"]
    for name, array in expected.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], array)
    codecs = [read_codec(tmp_path / name, expected.architecture) for name in "AB"]
    assert all(np.array_equal(codecs[0][name], codecs[1][name]) for name in codecs[0])


# Folders that are written here, for which diffusers need not be installed.


def write(folder, index=None, configs=None, tensors=None):
    """A pipeline's folder with these changes."""
    names = {"unet": PIXELS["model"], "scheduler": PIXELS["scheduler"]}
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": "0.35.0",
        **{name: ["diffusers", config["_class_name"]] for name, config in names.items()},
        **(index or {}),
    }
    for name, config in names.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        file = "scheduler_config.json" if name == "scheduler" else "config.json"
        (folder / name / file).write_text(json.dumps(config | (configs or {}).get(name, {})))
    (folder / "model_index.json").write_text(json.dumps(index))
    save_file(
        tensors or {"conv_in.weight": np.ones((8, 1, 3, 3), np.float32)},
        folder / "unet/diffusion_pytorch_model.safetensors",
    )
    return folder


def test_former_names_are_todays(tmp_path):
    ones = np.ones(2, np.float32)
    tensors = {"mid_block.attentions.0.query.weight": ones, "mid_block.attentions.0.proj_attn.bias": 2 * ones}
    found = read_model(write(tmp_path, tensors=tensors)).tensors
    assert {name: array[0] for name, array in found.items()} == {
        "mid_block.attentions.0.to_q.weight": 1,
        "mid_block.attentions.0.to_out.0.bias": 2,
    }


def test_a_dit_from_before_its_own_class(tmp_path):
    """As DiT-XL/2 is kept: facebook's folder names a Transformer2DModel."""
    former = TRANSFORMER["model"] | {"_class_name": "Transformer2DModel", "norm_type": "ada_norm_zero"}
    folder = write(tmp_path, index={"_class_name": "DiTPipeline", "id2label": {"0": "a"}})
    for name, config in (("transformer", former | {"num_vector_embeds": None}), ("vae", AUTOENCODER)):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config))
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"transformer": ["diffusers", "Transformer2DModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    save_file({"pos_embed.proj.weight": np.ones(2, np.float32)}, folder / "transformer/model.safetensors")
    found = read_model(folder).architecture
    assert found["model"] == TRANSFORMER["model"] | {"norm_type": "ada_norm_zero"}
    assert (found["label_dim"], found["img_resolution"], found["id2label"]) == (10, 8, {"0": "a"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": {"_class_name": "FluxPipeline"}}, ["'FluxPipeline'", "DDPMPipeline"]),
        ({"index": {"_class_name": ["x"]}}, ["['x']"]),
        (
            {"index": {"unet": ["my_code", "UNet2DModel"]}},
            ["model_index.json: unet is ['my_code'", "diffusers' own"],
        ),
        ({"index": {"unet": ["diffusers", "UNet1DModel"]}}, ["'UNet2DModel'", "'UNet1DModel'"]),
        ({"configs": {"unet": {"sample_size": None}}}, ["the size of the images"]),
        ({"configs": {"unet": {"sample_size": 10**9}}}, ["img_resolution"]),
        ({"configs": {"unet": {"layers_per_block": 10**9}}}, ["layers_per_block"]),
        ({"configs": {"unet": {"block_out_channels": [10**9]}}}, ["block_out_channels"]),
        ({"configs": {"unet": {"time_embedding_type": "fourier"}}}, ["time_embedding_type"]),
        ({"configs": {"scheduler": {"prediction_type": "flow"}}}, ["prediction_type"]),
        ({"configs": {"scheduler": {"num_train_timesteps": "1000"}}}, ["num_train_timesteps"]),
        ({"tensors": {"conv_in.weight": np.full(3, np.nan, np.float32)}}, ["conv_in.weight is not finite"]),
        ({"tensors": {"conv_in.weight": np.ones(3, np.int64)}}, ["conv_in.weight is int64"]),
    ],
)
def test_what_is_no_pipeline_that_is_studied_is_one_line(tmp_path, refuses, change, words):
    with refuses(tmp_path, *words):
        read_model(write(tmp_path, **change))


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"_class_name": "DDPMPipeline"}'])
def test_damaged_json_is_one_line(tmp_path, refuses, content):
    write(tmp_path)
    (tmp_path / "model_index.json").write_text(content)
    with refuses(tmp_path / "model_index.json"):
        read_model(tmp_path)


def test_missing_parts_are_one_line(tmp_path, refuses):
    write(tmp_path)
    (tmp_path / "unet/diffusion_pytorch_model.safetensors").unlink()
    with refuses(tmp_path, "holds no weights"):
        read_model(tmp_path)
    (tmp_path / "unet/config.json").unlink()
    with refuses(tmp_path / "unet/config.json", "no such file"):
        read_model(tmp_path)


def test_shards_lead_to_no_other_folder(tmp_path, refuses):
    write(tmp_path)
    (tmp_path / "unet/diffusion_pytorch_model.safetensors").unlink()
    index = {"weight_map": {"conv_in.weight": "../../secret.safetensors"}}
    (tmp_path / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with refuses("'../../secret.safetensors' is no file beside it"):
        read_model(tmp_path)


def test_another_autoencoder_is_refused(tmp_path, refuses):
    """Of equal shapes its scale would pass unseen."""
    with refuses(tmp_path, "is not the one of the model"):
        read_codec(write(tmp_path), LATENTS)


def test_without_the_library_one_line_says_so(tmp_path, monkeypatch, refuses):
    from adaptive_neon.families.diffusers import family

    family.library.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    write_checkpoint(tmp_path / "A.safetensors", {"conv_in.weight": np.ones(2, np.float32)}, PIXELS)
    with refuses("A.safetensors", "diffusers is not installed", "requirements-diffusers.txt"):
        load(read_model(tmp_path / "A.safetensors"))
    family.library.cache_clear()

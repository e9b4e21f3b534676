"""Text-to-image models: prompts as classes, against the pipelines of diffusers."""

import json
import shutil

import numpy as np
import pytest
import torch
from adaptive_neon.families import family_of
from adaptive_neon.families.diffusers.folder import write_folder
from adaptive_neon.families.diffusers.prompts import LARGEST, MOST, read_prompts
from adaptive_neon.families.diffusers.settings import block_presets
from adaptive_neon.families.loading import arguments, load, load_codec
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.models.imported import find_codec, read_codec, read_model
from tiny_pipelines import PIXELS, PROMPTS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SEEDS, CLASSES = [7, 0, 123_456, 3], [2, 0, 3, 2]
FLOAT = torch.float32
every = pytest.mark.parametrize("name", ["sd", "sd-v", "sdxl", "sd3", "sd3-t5"])


def opened(folder, prompts=None):
    """The network of a folder, its codec as a keyword argument, and its architecture."""
    checkpoint = read_model(folder, prompts)
    files = find_codec(folder, None, checkpoint.architecture)
    codec = load_codec(files, checkpoint.architecture, torch.device("cpu"), read_codec)
    return load(checkpoint), codec, checkpoint.architecture


def draw(network, codec, sampler, seeds=SEEDS, classes=CLASSES):
    images, drawn = family_of(PIXELS).draw(network, seeds, sampler, classes, FLOAT, **codec)
    return images.numpy().astype(int), drawn.tolist()


def of_pipeline(pipeline, guidance):
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    prompts = [PROMPTS[label] for label in CLASSES]
    images = pipeline(
        prompts, num_inference_steps=4, guidance_scale=guidance, generator=generators, output_type="np"
    )
    return np.round(images.images * 255).astype(int)


@pytest.fixture
def damaged(text_folders, tmp_path):
    """`damaged(name, damage)`: a copy of the pipeline's folder with the damage, and the file of its prompts."""

    def copy(name, damage):
        folders, prompts = text_folders
        folder = shutil.copytree(folders[name][0], tmp_path / "A")
        damage(folder)
        return folder, prompts

    return copy


@every
@pytest.mark.parametrize("guidance", [1, 3.5])
def test_images_are_those_of_the_pipeline(text_folders, name, guidance):
    folders, prompts = text_folders
    folder, pipeline = folders[name]
    network, codec, architecture = opened(folder, prompts)
    images, classes = draw(network, codec, {"steps": 4, "guidance": guidance})
    assert (architecture["label_dim"], network.label_dim, classes) == (4, 4, CLASSES)
    np.testing.assert_allclose(images, of_pipeline(pipeline, guidance), atol=1)
    assert (
        np.abs(images[0] - draw(network, codec, {"steps": 4, "guidance": guidance}, SEEDS[:1], [1])[0]).max() > 1
    )
    alone, _ = draw(network, codec, {"steps": 4, "guidance": guidance}, SEEDS[1:2], CLASSES[1:2])
    np.testing.assert_allclose(alone[0], images[1], atol=1)


def conditions(name, pipeline, prompts):
    """What the network takes of prompts, by the pipeline's own encoder."""
    if name.startswith("sd-") or name == "sd":
        return {"encoder_hidden_states": pipeline.encode_prompt(prompts, "cpu", 1, False)[0]}
    if name.startswith("sd3"):
        hidden, _, pooled, _ = pipeline.encode_prompt(prompts, prompts, prompts)
        return {"encoder_hidden_states": hidden, "pooled_projections": pooled}
    hidden, null, pooled, null_pooled = pipeline.encode_prompt(prompts, device="cpu")
    if not any(prompts):
        hidden, pooled = null, null_pooled
    ids = torch.tensor([[8.0, 8, 0, 0, 8, 8]] * len(prompts))
    return {"encoder_hidden_states": hidden, "added_cond_kwargs": {"text_embeds": pooled, "time_ids": ids}}


@every
def test_the_loss_is_its_formula(text_folders, name):
    """(prediction − target)² of x_t given the prompt's encoding.

    x_t = √ᾱ·z + √(1 − ᾱ)·n with √β from √β₁ to √β_T in equal steps; of SD3 x_σ = (1 − σ)·z + σ·n at 1000·σ.
    """
    folders, prompts = text_folders
    folder, pipeline = folders[name]
    network, codec, _ = opened(folder, prompts)
    images = torch.randint(256, (4, 8, 8, 1), dtype=torch.uint8)
    labels = torch.tensor([3, 0, 3, 1])

    def loss(dropout):
        torch.manual_seed(1)
        return family_of(PIXELS).loss(network, images, labels, {"label_dropout": dropout}, FLOAT, **codec)

    def expected(prompts):
        torch.manual_seed(1)
        z = pipeline.vae.encode(images.permute(0, 3, 1, 2) / 127.5 - 1).latent_dist.sample()
        z = (z - (0.1 if name.startswith("sd3") else 0)) * 0.7
        noise = torch.randn_like(z)
        if name.startswith("sd3"):
            odds = torch.randn(4).exp().view(-1, 1, 1, 1)  # u/(1 − u); the shift multiplies them
            b = 3 * odds / (1 + 3 * odds)
            a, t, target = 1 - b, 1000 * b.flatten(), noise - z
        else:
            t = torch.randint(100, (4,))
            alpha = torch.cumprod(1 - torch.linspace(1e-4**0.5, 0.02**0.5, 100) ** 2, 0)[t].view(-1, 1, 1, 1)
            a, b = alpha.sqrt(), (1 - alpha).sqrt()
            target = a * noise - b * z if name == "sd-v" else noise
        trained = pipeline.transformer if name.startswith("sd3") else pipeline.unet
        given = conditions(name, pipeline, prompts)
        return (trained(a * z + b * noise, timestep=t, **given).sample - target).square()

    # The states of SD3 and its T5 are large, and so is their rounding, which differs between processors.
    close = {"atol": 5e-5, "rtol": 5e-4} if name.startswith("sd3") else {"atol": 1e-5, "rtol": 1e-4}
    with torch.no_grad():
        torch.testing.assert_close(loss(0), expected([PROMPTS[i] for i in labels]), **close)
        torch.testing.assert_close(loss(1 - 1e-7), expected([""] * 4), **close)
        assert not torch.allclose(loss(0), loss(1 - 1e-7))


@every
def test_a_folder_comes_in_and_goes_out_again(tmp_path, text_folders, name):
    folders, prompts = text_folders
    folder, pipeline = folders[name]
    checkpoint = read_model(folder, prompts)
    known = checkpoint.architecture
    for blocks in block_presets(known).values():
        assert set(assign_blocks(checkpoint.weights, blocks).values()) == set(blocks)
    assert json.loads(checkpoint.metadata["sampler"])["guidance"] > 1  # the pipeline's own

    write_folder(tmp_path / "B", known, checkpoint.tensors, read_codec(folder, known), {"sampler": '{"steps": 3}'})
    without = (
        {"text_encoder_3": None, "tokenizer_3": None} if name == "sd3" else {}
    )  # as of the library's own folder
    again = type(pipeline).from_pretrained(tmp_path / "B", **without)
    again.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(of_pipeline(again, 2), of_pipeline(pipeline, 2))
    for file in (folder / "tokenizer").iterdir():
        assert (tmp_path / "B/tokenizer" / file.name).read_bytes() == file.read_bytes()
    written = read_model(tmp_path / "B")  # its prompts are in it
    assert written.architecture == known and written.metadata["sampler"] == '{"steps": 3}'
    assert draw(*opened(tmp_path / "B")[:2], {"steps": 2})[1] == CLASSES


def test_other_prompts_are_another_model(tmp_path, text_folders):
    folders, prompts = text_folders
    folder, _ = folders["sd"]
    (tmp_path / "prompts.txt").write_text("\n".join([*PROMPTS[:3], "see"]))
    first, second = read_model(folder, prompts), read_model(folder, tmp_path / "prompts.txt")
    assert first.metadata["sha256"] != second.metadata["sha256"]
    codecs = [read_codec(folder, checkpoint.architecture) for checkpoint in (first, second)]
    changed = {key for key in codecs[0] if not np.array_equal(codecs[0][key], codecs[1][key])}
    assert changed == {"text_encoder_tokens"}


def test_only_its_own_scheduler_draws_from_a_flow(text_folders, refuses):
    folders, prompts = text_folders
    sd3, sd = (opened(folders[name][0], prompts)[:2] for name in ("sd3", "sd"))
    with refuses("sampler.scheduler: DDIMScheduler, but the model's is a FlowMatchEulerDiscreteScheduler"):
        draw(*sd3, {"steps": 2, "scheduler": "DDIMScheduler"})
    with refuses("sampler.scheduler: FlowMatchEulerDiscreteScheduler, but the model's is a DDIMScheduler"):
        draw(*sd, {"steps": 2, "scheduler": "FlowMatchEulerDiscreteScheduler"})
    with refuses("sampler.timestep_spacing"):
        draw(*sd3, {"steps": 2, "timestep_spacing": "leading"})


def test_networks_are_counted(text_folders):
    folders, prompts = text_folders
    for folder, _ in folders.values():
        family, known = family_of(PIXELS), arguments(read_model(folder, prompts).architecture)
        unguided, guided = (family.drawing_flop(known, {"steps": 4, "guidance": scale}) for scale in (1, 2))
        single = family.drawing_flop(known, {"steps": 1})
        assert 0 < single < unguided < guided == pytest.approx(2 * unguided - (4 * single - unguided) / 3)
        assert family.training_flop(known) > single


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["0 prompts"]),
        (b" \n\t\n\r\n", ["0 prompts"]),
        (b"\x89PNG\r\n\x1a\n", ["UTF-8"]),
        (b"a cat\0\n", ["zero bytes"]),
        (b"a\n" * (MOST + 1), [f"{MOST + 1:,} prompts"]),
        (b"a" * (LARGEST + 1), ["bytes of prompts"]),
    ],
    ids=["empty", "blank", "binary", "zeros", "many", "huge"],
)
def test_what_is_no_file_of_prompts_is_one_line(tmp_path, refuses, content, words):
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with refuses(path, *words):
        read_prompts(path)
    for missing in (tmp_path, tmp_path / "absent.txt"):
        with refuses(missing, "text file of prompts"):
            read_prompts(missing)


def test_lines_are_prompts(tmp_path):
    """Blank lines are none; a prompt that comes twice is two classes."""
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa cat\r\n\n  ein Bär \na cat\n".encode())
    assert read_prompts(path) == ["a cat", "ein Bär", "a cat"]


def test_a_model_without_its_prompts_is_one_line(tmp_path, text_folders, refuses, pipeline):
    folders, prompts = text_folders
    with refuses(folders["sd"][0], "a StableDiffusionPipeline draws from prompts", "--prompts FILE"):
        read_model(folders["sd"][0])
    pipeline(PIXELS).save_pretrained(tmp_path / "A")
    with refuses(prompts, "a DDPMPipeline takes no prompts"):
        read_model(tmp_path / "A", prompts)
    with refuses(prompts, "only a folder of diffusers takes prompts"):
        read_model(tmp_path / "A.safetensors", prompts)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: edit(f / "model_index.json", text_encoder=["transformers", "T5EncoderModel"]),
            ["T5EncoderModel"],
        ),
        (lambda f: edit(f / "model_index.json", text_encoder=["my_code", "CLIPTextModel"]), ["my_code"]),
        (lambda f: edit(f / "model_index.json", tokenizer=[None, None]), ["tokenizer is [None, None]"]),
        (lambda f: edit(f / "text_encoder/config.json", hidden_size=10**9), ["hidden_size"]),
        (lambda f: edit(f / "text_encoder/config.json", hidden_size=16), ["[16] numbers"]),
        (lambda f: edit(f / "text_encoder/config.json", num_attention_heads=3), ["no CLIPTextModel can have it"]),
        (lambda f: edit(f / "text_encoder/config.json", use_attention_mask=True), ["use_attention_mask"]),
        (lambda f: edit(f / "text_encoder/config.json", vocab_size=20), ["tokens are not those"]),
        (lambda f: edit(f / "text_encoder/config.json", max_position_embeddings=9), ["tokens are not those"]),
        (lambda f: edit(f / "unet/config.json", cross_attention_dim=12), ["[8] numbers"]),
        (lambda f: edit(f / "unet/config.json", time_cond_proj_dim=12), ["time_cond_proj_dim"]),
        (lambda f: edit(f / "unet/config.json", in_channels=9), ["in_channels: 9"]),
        (lambda f: [file.write_text("{") for file in (f / "tokenizer").iterdir()], ["not a tokenizer"]),
        (
            lambda f: edit(f / "model_index.json", text_encoder=["transformers", "T5EncoderModel"]),
            ["text_encoder is", "only a CLIPTextModel"],
        ),
        (lambda f: shutil.rmtree(f / "tokenizer"), ["tokenizer: no such file"]),
        (lambda f: (f / "text_encoder/model.safetensors").unlink(), ["text_encoder: holds no weights"]),
    ],
)
def test_damaged_folders_are_one_line(damaged, refuses, damage, words):
    with refuses(*words):
        opened(*damaged("sd", damage))


def test_no_encoder_but_the_t5_is_left_out(text_folders, refuses):
    folders, prompts = text_folders
    architecture = arguments(read_model(folders["sd3"][0], prompts).architecture)
    architecture["text_encoders"] = {"text_encoder": architecture["text_encoders"]["text_encoder"]}
    with refuses("architecture.text_encoders: encodings of [8] numbers"):
        family_of(PIXELS).complete(architecture)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: edit(f / "text_encoder_3/config.json", d_model=16), ["[8, 12, 16] numbers"]),
        (lambda f: edit(f / "text_encoder_3/config.json", d_ff=10**9), ["d_ff"]),
        (lambda f: edit(f / "text_encoder_3/config.json", num_layers=3), ["text_encoder_3"]),
        (lambda f: edit(f / "text_encoder_3/config.json", vocab_size=20), ["tokens are not those"]),
        (lambda f: edit(f / "model_index.json", tokenizer_3=[None, None]), ["tokenizer_3 is", "T5Tokenizer"]),
        (lambda f: shutil.rmtree(f / "tokenizer_3"), ["tokenizer_3: no such file"]),
    ],
)
def test_a_damaged_t5_is_one_line(damaged, refuses, damage, words):
    with refuses(*words):
        opened(*damaged("sd3-t5", damage))


def test_without_transformers_one_line_says_so(text_folders, monkeypatch, refuses):
    from adaptive_neon.families.diffusers.libraries import text_library

    folders, prompts = text_folders
    text_library.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with refuses("transformers is not installed", "requirements-diffusers.txt"):
        opened(folders["sd"][0], prompts)
    text_library.cache_clear()

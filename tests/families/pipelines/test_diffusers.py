"""Against the pipelines of diffusers: the same images for the same seeds; the loss by its formula; the codec."""

import numpy as np
import pytest
import torch
from adaptive_neon.families import family_of
from adaptive_neon.families.loading import arguments
from adaptive_neon.families.sampling import antithetic
from tiny_pipelines import AUTOENCODER, LATENTS, PIXELS, TRANSFORMER, VQ

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers", "ignore:__array_wrap__")
SEEDS = [7, 0, 123_456]
FLOAT = torch.float32


def as_uint8(images):
    """A pipeline's images in [0, 1], as it rounds them."""
    return np.round(np.asarray(images) * 255).astype(int)


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


def draw(network, codec, sampler, seeds=SEEDS, classes=None):
    images, _ = family_of(PIXELS).draw(network, seeds, sampler, classes, FLOAT, **codec)
    return images.numpy().astype(int)


def with_prediction(architecture, prediction):
    return architecture | {"scheduler": architecture["scheduler"] | {"prediction_type": prediction}}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("name", ["DDPMPipeline", "DDIMPipeline"])
def test_pixels_are_those_of_the_pipeline(pipeline, make, name, prediction):
    scheduler = {"DDPMPipeline": "DDPMScheduler", "DDIMPipeline": "DDIMScheduler"}[name]
    architecture = with_prediction(PIXELS, prediction) | {"pipeline": name}
    architecture["scheduler"] = architecture["scheduler"] | {"_class_name": scheduler}
    theirs = pipeline(architecture)(len(SEEDS), generators(), num_inference_steps=6, output_type="np").images
    ours = draw(*make(architecture), {"steps": 6})
    assert ours.shape == (3, 8, 8, 1)
    np.testing.assert_allclose(ours, as_uint8(theirs), atol=1)


@pytest.mark.parametrize("codec", [AUTOENCODER, VQ], ids=["AutoencoderKL", "VQModel"])
def test_latents_are_those_of_the_pipeline(pipeline, make, codec):
    architecture = LATENTS | {"codec": codec}
    theirs = pipeline(architecture)(3, generators(), num_inference_steps=5, output_type="np").images
    np.testing.assert_allclose(draw(*make(architecture), {"steps": 5}), as_uint8(theirs), atol=1)


def test_guided_classes_are_those_of_the_pipeline(pipeline, make):
    """Of a transformer that predicts a variance too. The pipeline's class of none is 1000, here 10."""
    architecture = TRANSFORMER | {"scheduler": {"_class_name": "DDIMScheduler"}}
    made = pipeline(architecture)
    made.transformer.register_forward_pre_hook(
        lambda _, args, kwargs: (args, kwargs | {"class_labels": kwargs["class_labels"].clamp(max=10)}),
        with_kwargs=True,
    )
    theirs = made([1, 2, 9], guidance_scale=3.0, generator=generators(), num_inference_steps=4, output_type="np")
    ours = draw(*make(architecture), {"steps": 4, "guidance": 3.0}, classes=[1, 2, 9])
    np.testing.assert_allclose(ours, as_uint8(theirs.images), atol=1)
    assert np.abs(ours - draw(*make(architecture), {"steps": 4}, classes=[1, 2, 9])).max() > 1


def test_images_depend_on_their_seed_alone(make, library):
    """With every scheduler, those that draw noise on the way among them."""
    from adaptive_neon.families.diffusers.settings import SCHEDULERS

    network, codec = make(PIXELS)
    images = {}
    for scheduler in SCHEDULERS:
        sampler = {"scheduler": scheduler, "steps": 5}
        images[scheduler] = draw(network, codec, sampler)
        np.testing.assert_allclose(images[scheduler][2:], draw(network, codec, sampler, SEEDS[2:]), atol=1)
    assert np.abs(images["DDPMScheduler"] - images["DDIMScheduler"]).max() > 1
    noisy = draw(network, codec, {"scheduler": "DDIMScheduler", "steps": 5, "eta": 1.0})
    assert np.abs(noisy - images["DDIMScheduler"]).max() > 1


def test_antithetic_images_of_no_prediction_mirror_each_other(make):
    """A network that predicts no noise leaves x₀ = x/√ᾱ, clipped; noise on the way is each image's own."""
    network, codec = make(PIXELS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    seeds = antithetic(range(4, 8), 1)
    sampler = {"scheduler": "DDIMScheduler", "steps": 5}
    images = draw(network, codec, sampler, seeds)
    assert np.abs(images[::2] + images[1::2] - 255.5).max() <= 1.5
    assert images.std() > 50
    noisy = draw(network, codec, sampler | {"eta": 1.0}, seeds)
    alone = draw(network, codec, sampler | {"eta": 1.0}, [4])
    np.testing.assert_allclose(noisy[:1], alone, atol=1)
    assert np.abs(noisy[::2] + noisy[1::2] - 255.5).max() > 100


def test_what_a_scheduler_cannot_do_is_one_line(make, refuses):
    with refuses("sampler.scheduler: PNDMScheduler", "sample"):
        draw(*make(with_prediction(PIXELS, "sample")), {"scheduler": "PNDMScheduler", "steps": 3})
    with refuses("sampler.guidance"):
        draw(*make(PIXELS), {"steps": 3, "guidance": 2})


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_loss_is_its_formula(make, prediction):
    """x_t = √ᾱ·x + √(1 − ᾱ)·n; v = √ᾱ·n − √(1 − ᾱ)·x (Salimans and Ho 2022); ᾱ of linear β from 10⁻⁴ to 0.02."""
    architecture = with_prediction(PIXELS, prediction)
    network, _ = make(architecture)
    images = torch.randint(256, (4, 8, 8, 1), dtype=torch.uint8)
    torch.manual_seed(3)
    found = family_of(PIXELS).loss(network, images, None, {}, FLOAT)

    torch.manual_seed(3)
    x = images.permute(0, 3, 1, 2) / 127.5 - 1
    noise, t = torch.randn_like(x), torch.randint(100, (4,))
    alpha = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 100), 0)[t].view(-1, 1, 1, 1)
    a, b = alpha.sqrt(), (1 - alpha).sqrt()
    target = {"epsilon": noise, "v_prediction": a * noise - b * x, "sample": x}[prediction]
    with torch.no_grad():
        expected = (network(a * x + b * noise, t).sample - target).square()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_transformer_learns_images_without_a_class(make):
    """With all classes dropped the classes do not matter, in training mode either; with none dropped they do."""
    network, codec = make(TRANSFORMER)
    network.train()
    images = torch.randint(256, (4, 8, 8, 1), dtype=torch.uint8)

    def loss(labels, dropout):
        torch.manual_seed(0)
        return family_of(PIXELS).loss(
            network, images, torch.tensor(labels), {"label_dropout": dropout}, FLOAT, **codec
        )

    assert loss([0, 1, 2, 3], 1 - 1e-7).shape == (4, 2, 4, 4)
    torch.testing.assert_close(loss([0, 1, 2, 3], 1 - 1e-7), loss([4, 5, 6, 7], 1 - 1e-7))
    assert not torch.allclose(loss([0, 1, 2, 3], 0), loss([4, 5, 6, 7], 0))


@pytest.mark.parametrize("architecture", [PIXELS, LATENTS, TRANSFORMER], ids=["pixels", "latents", "transformer"])
def test_networks_are_built_without_memory_and_counted(library, architecture):
    """What no file holds, such as a table of positions, is there also of a network that was built on `meta`."""
    family = family_of(architecture)
    known = arguments(architecture)
    with torch.device("meta"):
        network = family.build(known)
    assert not [name for name, buffer in network.named_buffers() if buffer.is_meta]
    once = family.drawing_flop(known, {"steps": 1})
    thrice = family.drawing_flop(known, {"steps": 3})
    decoding = once - (thrice - once) / 2
    assert 0 <= decoding < once < family.training_flop(known) < 100 * once
    assert (decoding > 0) == bool(known.get("codec"))
    heun = family.drawing_flop(known, {"steps": 3, "scheduler": "HeunDiscreteScheduler"})
    assert heun - decoding == pytest.approx(5 * (once - decoding))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"img_resolution": 16}, ["architecture.img_resolution: 16", "say 8"]),
        ({"label_dim": 3}, ["architecture.label_dim: 3", "say 0"]),
        ({"model": PIXELS["model"] | {"wings": 2}}, ["architecture.model.wings: unknown"]),
        ({"model": PIXELS["model"] | {"norm_num_groups": 3}}, ["architecture.model: no UNet2DModel can have it"]),
        ({"codec": AUTOENCODER}, ["architecture.model.in_channels: 1", "2 channels"]),
    ],
)
def test_components_that_do_not_fit_are_one_line(library, refuses, change, words):
    with refuses(*words):
        family_of(PIXELS).build(arguments(PIXELS | change))


def test_a_codec_is_trained_and_its_latents_are_standardised(library, monkeypatch, refuses):
    from adaptive_neon.families.diffusers import codec as codecs

    monkeypatch.setattr(codecs, "IMAGES", 2048)
    family, known = family_of(LATENTS), arguments(LATENTS)
    images = np.random.default_rng(0).integers(256, size=(300, 8, 8, 1), dtype=np.uint8)
    torch.manual_seed(0)
    before = family.build_codec(known)
    codec = family.fit_codec(known, images, None, 0)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    latents = torch.cat([codecs.encode(codec, x) for _ in range(20)])
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(2), atol=0.02, rtol=0)
    errors = [(codecs.decode(c, codecs.encode(c, x)) - x).square().mean() for c in (before, codec)]
    assert errors[1] < 0.8 * errors[0]
    monkeypatch.setattr(codecs, "LARGEST", 10)
    with refuses("base.codec: null", "more than 10"):
        family.fit_codec(known, images, None, 0)


def test_standardising_leaves_what_is_coded(make, library):
    from adaptive_neon.families.diffusers import codec as codecs

    _, codec = make(LATENTS)
    codec = codec["codec"]
    images = np.random.default_rng(0).integers(256, size=(50, 8, 8, 1), dtype=np.uint8)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    through = [codec.decode(codec.encode(x).latent_dist.mode()).sample]
    codecs._standardise(codec, images)
    through.append(codec.decode(codec.encode(x).latent_dist.mode()).sample)
    torch.testing.assert_close(*through, atol=1e-4, rtol=1e-4)

"""Tokenizers: what must hold of any codebook, and the fit to the digits."""

import numpy as np
import pytest
import torch
from adaptive_neon.families.var import family
from adaptive_neon.families.var.quantizer import Quantizer
from sklearn.datasets import load_digits


@pytest.fixture
def quantizer():
    torch.manual_seed(0)
    quantizer = Quantizer([1, 2, 4], 50, 3, residual_convolutions=True)
    return quantizer.requires_grad_(False)


def test_every_token_is_the_nearest_code(quantizer):
    f = torch.randn(5, 3, 4, 4)
    tokens, inputs = quantizer.tokenise(f)
    assert tokens.shape == (5, 21) and inputs.shape == (5, 20, 3)
    f_hat = torch.zeros_like(f)
    for stage, part in enumerate(tokens.split([1, 4, 16], dim=1)):
        wanted = quantizer.residual(stage, f - f_hat)
        distances = torch.cdist(wanted.double(), quantizer.embedding.weight.double())
        assert torch.equal(part, distances.argmin(2))
        f_hat = quantizer.add(stage, f_hat, part)


def test_resampling_keeps_a_constant(quantizer):
    """A map of equal vectors becomes a constant at full size, whose mean over each cell is that vector again."""
    quantizer.quant_resi["qresi_ls"] = torch.nn.ModuleList()
    vectors = torch.tensor([1.0, -2.0, 3.0]).expand(1, 4, 3)
    full = quantizer.at_full_size(1, vectors)
    torch.testing.assert_close(full, vectors[0, 0].view(1, 3, 1, 1).expand(1, 3, 4, 4))
    torch.testing.assert_close(quantizer.next_input(0, full), vectors)


@pytest.mark.parametrize(("stage", "convolution"), [(0, 0), (1, 0), (3, 1), (5, 2), (6, 2), (9, 3)])
def test_each_scale_uses_the_nearest_convolution(stage, convolution):
    """Of ten scales at s/9 and four convolutions at 1/12, 13/36, 23/36 and 11/12: 1/9 is nearest to the first."""
    quantizer = Quantizer(range(1, 11), 4, 2, residual_convolutions=True).requires_grad_(False)
    for i, layer in enumerate(quantizer.quant_resi["qresi_ls"]):
        layer.weight.zero_()
        layer.bias.fill_(2 * i)
    found = quantizer.at_full_size(stage, torch.zeros(1, (stage + 1) ** 2, 2))
    assert (found == convolution).all()


def test_the_fit_to_digits_is_exact_for_as_many_codes_as_vectors(digits):
    """Four images of one value each: their means, and no residual."""
    architecture, _, _ = digits
    architecture = architecture | {"codec": architecture["codec"] | {"vocab_size": 5}}
    images = np.repeat([0, 51, 102, 255], 64).reshape(4, 8, 8, 1).astype(np.uint8)
    codec = family.fit_codec(architecture, images, None, 0)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    tokens, inputs = codec.quantize.tokenise(codec.encode(x))
    torch.testing.assert_close(inputs[:, 0], x[:, 0, 0, :1].expand(4, 4), rtol=0, atol=1e-6)
    assert (tokens[:, 1:] == tokens[0, 1]).all()


def test_the_fit_to_digits_keeps_what_matters(digits):
    """Most of the variance; and the same codebook again from the same images and seed."""
    architecture, _, _ = digits
    images = np.round(load_digits().images[:300, :, :, None] * 255 / 16).astype(np.uint8)
    architecture = architecture | {"codec": architecture["codec"] | {"vocab_size": 128}}
    codec = family.fit_codec(architecture, images, None, 0)
    again = family.fit_codec(architecture, images, None, 0)
    assert torch.equal(codec.quantize.embedding.weight, again.quantize.embedding.weight)
    f = codec.encode(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1)
    tokens, _ = codec.quantize.tokenise(f)
    f_hat = torch.zeros_like(f)
    for stage, part in enumerate(tokens.split([1, 4, 16], dim=1)):
        f_hat = codec.quantize.add(stage, f_hat, part)
    assert (f_hat - f).square().mean() < 0.04 * f.var()


def test_a_convolutional_tokenizer_is_not_fitted(refuses):
    architecture = {"img_channels": 3, "patch_nums": [1, 2]}
    codec = {"model_type": "VQVAE", "vocab_size": 8, "z_channels": 4, "ch": 32}
    with torch.device("meta"), refuses("base.codec", "vae_ch160v4096z32.pth"):
        family.fit_codec(architecture | {"codec": codec}, np.zeros((1, 32, 32, 3), np.uint8), None, 0)


def test_published_size_of_the_tokenizer():
    """108,948,355 numbers without the codes' counts, in 323 tensors."""
    architecture = {"img_channels": 3, "patch_nums": [1, 2, 3, 4, 5, 6, 8, 10, 13, 16]}
    codec = {"model_type": "VQVAE", "vocab_size": 4096, "z_channels": 32, "ch": 160}
    with torch.device("meta"):
        state = family.build_codec(architecture | {"codec": codec}).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 108_948_355
    assert len(state) == 323

from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.families.var import family
from adaptive_neon.families.var.network import Cache
from adaptive_neon.families.var.sampler import choose, keyed_race, sample_features, splitmix64


def test_splitmix64_equals_its_reference():
    """Outputs of the authors' program from the state 1234567."""
    found = splitmix64(torch.tensor(1234567), torch.arange(5)).numpy().view(np.uint64).tolist()
    assert found == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_codes_are_drawn_with_their_probabilities():
    """200,000 tokens: each frequency within 4.5 standard errors; and the race's numbers are exponential."""
    count, p = 200_000, torch.tensor([0.5, 0.3, 0.15, 0.04, 0.01])
    race = keyed_race(torch.tensor([7]), [1, 447], len(p))  # 447² tokens
    shown = []

    def noted(codes):
        shown.append(race(1, codes))
        return shown[0]

    tokens = choose(p.log().expand(1, 447**2, -1), 0, 1.0, noted)[0, :count]
    frequencies = tokens.bincount(minlength=5) / count
    assert ((frequencies - p).abs() < 4.5 * (p * (1 - p) / count).sqrt()).all()
    sample = shown[0].double()
    assert sample.mean().item() == pytest.approx(1, abs=4.5 / sample.numel() ** 0.5)
    assert (sample > 3).double().mean().item() == pytest.approx(np.exp(-3), rel=0.02)


def test_top_k_and_top_p():
    """Of 0.4, 0.3, 0.2, 0.1: the least likely go while together they hold no more than 1 − top_p."""
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().expand(1, 1024, 4)
    race = partial(keyed_race(torch.tensor([3]), [32], 4), 0)

    def drawn(top_k, top_p):
        return set(choose(logits, top_k, top_p, race).unique().tolist())

    assert drawn(0, 1.0) == {0, 1, 2, 3}
    assert drawn(2, 1.0) == {1, 3}
    assert drawn(0, 0.95) == {0, 1, 2, 3}
    assert drawn(0, 0.85) == {1, 2, 3}
    assert drawn(0, 0.65) == {1, 3}
    assert drawn(0, 0.01) == drawn(1, 1.0) == {1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scale_by_scale_equals_all_at_once(digits, dtype):
    """Logits of the tokens drawn, with caches and without, for several classes of the same images."""
    _, network, codec = digits
    _, inputs = codec.quantize.tokenise(torch.randn(2, 4, 4, 4))
    classes = torch.tensor([3, 8, 10, 10])
    with torch.inference_mode():
        whole = network(classes, inputs.repeat(2, 1, 1), dtype)
        caches = [Cache(21) for _ in network.blocks]
        parts = [None, *inputs.split([4, 16], dim=1)]
        stages = [network.stage_logits(s, classes, part, caches, dtype) for s, part in enumerate(parts)]
    assert whole.dtype == torch.float32
    tolerance = 1e-5 if dtype == torch.float32 else 0.05 * whole.abs().max().item()
    torch.testing.assert_close(torch.cat(stages, 1), whole, rtol=0, atol=tolerance)


def test_no_scale_sees_a_later_one(digits):
    _, network, _ = digits
    inputs = torch.randn(1, 20, 4)
    other = inputs.clone()
    other[:, 4:] += 1  # of the last scale
    with torch.inference_mode():
        one, two = (network(torch.tensor([0]), x) for x in (inputs, other))
    assert torch.equal(one[:, :5], two[:, :5]) and (one[:, 5:] != two[:, 5:]).any()


SAMPLER = {"guidance": 1.5, "top_k": 10, "top_p": 0.95}


def test_images_depend_on_their_seed_and_class_alone(digits):
    _, network, codec = digits
    images, classes = family.draw(network, range(100, 106), SAMPLER, codec=codec)
    again, _ = family.draw(network, [104, 101], SAMPLER, classes=classes[[4, 1]], codec=codec)
    other, _ = family.draw(network, [104, 101], SAMPLER, classes=(classes[[4, 1]] + 1) % 10, codec=codec)
    assert images.dtype == torch.uint8 and images.shape == (6, 8, 8, 1) and len(classes.unique()) > 1
    assert torch.equal(again, images[[4, 1]])
    assert not torch.equal(other, again)


def test_guidance_rises_from_none_at_the_first_scale(digits):
    """The likeliest tokens (top_k 1) at guidance 5: scale 1, 3 and 5 over the three token maps."""
    _, network, codec = digits
    quantizer, f_hat, inputs = codec.quantize, torch.zeros(1, 4, 4, 4), None
    caches = [[Cache(21) for _ in network.blocks] for _ in range(2)]
    with torch.inference_mode():
        for stage, scale in enumerate((1, 3, 5)):
            cond, uncond = (
                network.stage_logits(stage, torch.tensor([label]), inputs, cache, torch.float32)
                for label, cache in zip((4, 10), caches, strict=True)
            )
            f_hat = quantizer.add(stage, f_hat, (uncond + scale * (cond - uncond)).argmax(2))
            inputs = quantizer.next_input(stage, f_hat)
    race = keyed_race(torch.tensor([0]), network.patch_nums, 12)
    found = sample_features(network, quantizer, torch.tensor([4]), race, guidance=5, top_k=1, top_p=1)
    torch.testing.assert_close(found, f_hat)


def test_similar_models_draw_alike(digits):
    """Equal seeds: a slight change of the weights changes few pixels, independent draws most."""
    _, network, codec = digits
    before, classes = family.draw(network, range(200), SAMPLER, codec=codec)
    other, _ = family.draw(network, range(500, 700), SAMPLER, classes=classes, codec=codec)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.002
    after, _ = family.draw(network, range(200), SAMPLER, codec=codec)
    assert (before != after).float().mean() < 0.1 * (before != other).float().mean()


def test_a_diverged_model_has_no_images(digits):
    _, network, codec = digits
    with torch.no_grad():
        network.head.bias.fill_(torch.nan)
    assert family.draw(network, range(3), SAMPLER, codec=codec)[0].shape == (0, 8, 8, 1)

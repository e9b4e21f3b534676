"""Against FoundationVision/VAR with the same random weights and the same random numbers, in float32."""

import pytest
import torch
import torch.nn.functional as F
from adaptive_neon.families.var import family
from adaptive_neon.families.var.sampler import sample_features


@pytest.fixture
def ours(upstream, architecture):
    """(tokenizer, transformer) of upstream and ours with their weights; no name is changed."""

    def make(**changes):
        theirs = upstream(**changes)
        codec = family.build_codec(architecture)
        state = {name: tensor for name, tensor in theirs[0].state_dict().items() if "ema_vocab_hit" not in name}
        codec.load_state_dict(state)
        network = family.build(architecture, {"drop_path": changes.get("drop_path_rate", 0)})
        network.load_state_dict(theirs[1].state_dict())
        return theirs, (codec, network.eval())

    return make


def images(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 64, 64, 3), generator=generator, dtype=torch.uint8)


def pixels(uint8):
    return uint8.permute(0, 3, 1, 2) / 127.5 - 1


@torch.inference_mode()
def test_the_tokenizer_equals_upstream(ours):
    (theirs, _), (codec, _) = ours()
    x = pixels(images(3))
    f = codec.encode(x)
    torch.testing.assert_close(f, theirs.quant_conv(theirs.encoder(x)), rtol=1e-4, atol=1e-4)
    tokens, inputs = codec.quantize.tokenise(f)
    expected = theirs.img_to_idxBl(x)
    assert torch.equal(tokens, torch.cat(expected, 1)) and len(tokens.unique()) > 5
    torch.testing.assert_close(inputs, theirs.quantize.idxBl_to_var_input(expected), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(codec.decode(f), theirs.fhat_to_img(f.clone()), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_transformer_equals_upstream(ours, architecture):
    (_, theirs), (_, network) = ours()
    classes = torch.tensor([0, 4, 5])  # 5 is no class
    inputs = torch.randn(3, sum(side**2 for side in architecture["patch_nums"]) - 1, 8)
    torch.testing.assert_close(network(classes, inputs), theirs(classes, inputs), rtol=1e-4, atol=1e-4)


def test_the_loss_equals_upstream(ours):
    """And its gradients, with label dropout and drop-path from the same random numbers."""
    (tokenizer, theirs), (codec, network) = ours(cond_drop_rate=0.4, drop_path_rate=0.3)
    batch, labels = images(6), torch.arange(6) % 5
    theirs.train(), network.train()
    torch.manual_seed(3)
    found = family.loss(network, batch, labels, {"label_dropout": 0.4}, torch.float32, codec=codec)
    torch.manual_seed(3)
    tokens = tokenizer.img_to_idxBl(pixels(batch))
    logits = theirs(labels, tokenizer.quantize.idxBl_to_var_input(tokens))
    expected = F.cross_entropy(logits.flatten(0, 1), torch.cat(tokens, 1).flatten())
    torch.testing.assert_close(found.mean(), expected, rtol=1e-5, atol=1e-5)
    found.mean().backward(), expected.backward()
    for (name, parameter), other in zip(network.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize(("cfg", "top_k", "top_p"), [(0, 0, 1), (1.5, 0, 1), (0, 15, 1), (3, 15, 0.8)])
def test_an_image_equals_upstream(ours, architecture, cfg, top_k, top_p):
    """One image from the exponential random numbers that torch's multinomial draws, token by token alike."""
    (_, theirs), (codec, network) = ours()
    vocab_size = architecture["codec"]["vocab_size"]
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)

        def race(stage, codes, generator=generator):
            exponential = torch.empty(codes.shape[1], vocab_size).exponential_(generator=generator)
            return exponential.expand(1, -1, -1).gather(2, codes)

        f_hat = sample_features(network, codec.quantize, torch.tensor([2]), race, 1 + cfg, top_k, top_p)
        expected = theirs.autoregressive_infer_cfg(
            1, torch.tensor([2]), seed, cfg=cfg, top_k=top_k, top_p=top_p if top_p < 1 else 0
        )
        image = codec.decode(f_hat)
        torch.testing.assert_close((image + 1) / 2, expected, rtol=1e-4, atol=1e-4)

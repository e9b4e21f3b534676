"""Network, loss and sampler beside upstream's, with the same weights and random numbers, in float32.

The tolerance of 1e-4 allows for sums in another order.
"""

import pytest
import torch
from adaptive_neon.families.xar.matching import draw_cells, matching_loss
from adaptive_neon.families.xar.network import XAR

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
COUNT, CELLS, STEPS = 3, 4, 4
LABELS = torch.tensor([7, 999, 0])


def test_tables_and_mask_equal_upstreams(pair):
    upstream, _ = pair
    fresh = XAR(16, 16, 1000, hidden_size=16, encoder_depth=2, decoder_depth=1, num_heads=2).state_dict()
    constants = {name: table for name, table in upstream.state_dict().items() if "rope" in name or name == "mask"}
    assert len(constants) == 10
    for name, table in constants.items():
        torch.testing.assert_close(fresh[name], table, rtol=1e-6, atol=1e-6)


def test_loss_and_gradients_equal_upstreams(pair, monkeypatch):
    """Its attention of a training, which sees all cells at once."""
    upstream, ours = pair
    latents = torch.randn(COUNT, 16, 16, 16)
    cells = ours.grid.split(latents)
    torch.manual_seed(1)
    loss = matching_loss(lambda x, t: ours.train()(x, t, LABELS), cells).mean()
    torch.manual_seed(1)
    t, noise = torch.randn(COUNT, CELLS).sigmoid(), torch.randn_like(cells)
    streams = iter(noise.unbind(1))
    monkeypatch.setattr(upstream, "sample_logit_normal", lambda size: t.T.flatten())
    monkeypatch.setattr(torch, "randn_like", lambda like: next(streams))
    expected = upstream.train()(latents, LABELS)
    torch.testing.assert_close(loss, expected, **TOLERANCE)
    for network, value in ((ours, loss), (upstream, expected)):
        network.requires_grad_(True)
        value.backward()
    for (name, mine), (_, theirs) in zip(
        sorted(ours.named_parameters()), sorted(upstream.named_parameters()), strict=True
    ):
        torch.testing.assert_close(
            mine.grad, theirs.grad, **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("guidance", [1, 2.7])
def test_samples_equal_upstreams(pair, guidance, monkeypatch):
    """Its attention of an evaluation, with keys and values of the cells before in a cache."""
    upstream, ours = pair
    noise = torch.randn(COUNT, CELLS, STEPS, 64, 16)
    starts, steps = iter(noise[:, :, 0].unbind(1)), iter(noise[:, :, 1:].flatten(1, 2).unbind(1))
    monkeypatch.setattr(torch, "randn", lambda *size: next(starts))
    monkeypatch.setattr(torch, "randn_like", lambda like: next(steps).to(like.dtype))
    with torch.inference_mode():
        expected = upstream.sample_tokens(STEPS, guidance, LABELS)
        found = ours.grid.join(draw_cells(ours, noise, LABELS, guidance))
    torch.testing.assert_close(found.float(), expected, **TOLERANCE)

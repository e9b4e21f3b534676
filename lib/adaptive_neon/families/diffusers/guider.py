"""Guidance of a network by a second one in diffusers' pipelines as they are, of images, latents or video.

With θ_s trained on images of θ_r this is SIMS (Alemohammad et al. 2024, arXiv 2408.16333), and with any worse
network autoguidance at scale 1 + w (Karras et al. 2024, arXiv 2406.02507). The merged network is the same to first
order in θ_s − θ_r, in one evaluation instead of two.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from adaptive_neon.merging.extrapolation import extrapolate


def guide(network: nn.Module, weak: nn.Module, w: float) -> RemovableHandle:
    """Have a network predict D_r − w·(D_s − D_r) = (1 + w)·D_r − w·D_s, whoever calls it.

    It stays the pipeline's own, so every pipeline and every scheduler goes on with it, beside guidance by class or
    prompt, whose combinations are linear too. A variance that it predicts as well stays θ_r's.

    Args:
        network: θ_r, the `unet` or `transformer` of a pipeline.
        weak: θ_s, which takes and predicts the same. It is moved to the device of the predictions.
        w: 0 is θ_r alone, in one evaluation; −1 is θ_s.

    Returns:
        What takes the guidance off again: by its `remove()`, or as a context manager.
    """

    def after(_: nn.Module, args: tuple, kwargs: Mapping[str, Any], output: Any) -> None:
        if w == 0:
            return
        d_r = _prediction(output)
        d_s = _prediction(weak.to(d_r.device)(*args, **kwargs))
        channels = _input(args, kwargs).shape[1]
        extrapolate(d_r[:, :channels], d_s[:, :channels], w)  # in place, so in whatever form it goes back

    return network.register_forward_hook(after, with_kwargs=True)


def _prediction(output: Any) -> Tensor:
    """Of a tuple or one of diffusers' outputs, the first."""
    return output if isinstance(output, Tensor) else output[0]


def _input(args: tuple, kwargs: Mapping[str, Any]) -> Tensor:
    """The noisy images or latents, as the U-Nets and the transformers call them."""
    return args[0] if args else kwargs["sample" if "sample" in kwargs else "hidden_states"]

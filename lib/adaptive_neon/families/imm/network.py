"""The preconditioned network of inductive moment matching, with the parameter names of Luma's checkpoints."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.families.architecture import require
from adaptive_neon.families.imm.settings import latent_shape
from adaptive_neon.families.networks.dit import FREQUENCIES, DiT, mlp, time_features
from adaptive_neon.families.networks.unet import SongUNet

TIME_SCALE = 1000  # the embeddings of time were designed for the steps 0 … 1000 of a diffusion


class TwoTimeDiT(DiT):
    """A DiT that sees a second time, and whose table of positions is a parameter. Times are [N or 1, 2]."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        table = self.pos_embed
        del self.pos_embed
        self.pos_embed = nn.Parameter(table)
        self.s_embedder = nn.ModuleDict({"mlp": mlp(FREQUENCIES, table.shape[2], nn.SiLU())})
        for layer in self.s_embedder["mlp"][::2]:
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def embed(self, time: Tensor, class_labels: Tensor) -> Tensor:
        t, s = time.unbind(1)
        features = time_features(s).to(self.pos_embed.dtype)
        return super().embed(t, class_labels) + self.s_embedder["mlp"](features)


class TwoTimeSongUNet(SongUNet):
    """A DDPM++ that sees a second time. Times are [N or 1, 2]."""

    def __init__(self, *args: Any, **kwargs: Any):
        require("embedding_type", kwargs.get("embedding_type", "positional"), ["positional"])
        super().__init__(*args, **kwargs)
        self.map_layer0_s = nn.Linear(self.map_layer0.in_features, self.map_layer0.out_features)
        self.map_layer1_s = nn.Linear(self.map_layer1.in_features, self.map_layer1.out_features)
        self.initialise()

    def embed(self, noise: Tensor, class_labels: Tensor, augment_labels: Tensor) -> Tensor:
        t, s = noise.unbind(1)
        hidden = F.silu(self.map_layer0_s(self.noise_features(s)))
        return super().embed(t, class_labels, augment_labels) + self.map_layer1_s(hidden)


NETWORKS = {"SongUNet": TwoTimeSongUNet, "DiT": TwoTimeDiT}


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """float32 is the layers' own type; in another, they run under autocast."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


class IMMPrecond(nn.Module):
    """The jump f_θ(x, t, s) = c_skip·x + c_out·F_θ(c_in·x, t, s) from time t of the path to the earlier s.

    With `euler_fm` c_skip = 1 and c_out = −(t − s)·σ_d; with `simple_edm`, where α = 1 − t and σ = t,
    c_skip = (α_t·α_s + σ_t·σ_s)/(α_t² + σ_t²) and c_out = −(t − s)·σ_d/√(α_t² + σ_t²).
    c_in = 1/(σ_d·√(α_t² + σ_t²)).

    Args:
        img_resolution: side of the square images in pixels.
        img_channels: their channels.
        label_dim: number of classes, 0 for an unconditional model.
        sigma_data: σ_d, the standard deviation of the data and of the noise.
        T: the time at which sampling starts.
        eps: the time at which it ends.
        f_type: `euler_fm` or `simple_edm`.
        temb_type: what the second embedding of time sees, `stride`, t − s, or `identity`, s.
        model_type: F_θ, `DiT` or `SongUNet`.
        codec: architecture of the autoencoder whose latents are drawn (see `settings.CODEC`); None for pixels.
        model_kwargs: further arguments of F_θ.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        sigma_data: float = 0.5,
        T: float = 0.994,
        eps: float = 0.0,
        f_type: str = "euler_fm",
        temb_type: str = "stride",
        model_type: str = "DiT",
        codec: Mapping | None = None,
        **model_kwargs: Any,
    ):
        super().__init__()
        require("f_type", f_type, ["euler_fm", "simple_edm"])
        require("temb_type", temb_type, ["stride", "identity"])
        self.img_resolution = img_resolution
        self.img_channels = img_channels
        self.label_dim = label_dim
        self.sigma_data = sigma_data
        self.T = T
        self.eps = eps
        self.is_euler = f_type == "euler_fm"
        self.sees_stride = temb_type == "stride"
        self.is_unet = model_type == "SongUNet"
        self.shape = latent_shape(img_resolution, img_channels, codec)
        channels, side, _ = self.shape
        self.model = NETWORKS[model_type](side, channels, label_dim, **model_kwargs)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        class_labels: Tensor | None = None,
        s: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """f_θ(x, t, s).

        Args:
            x: states [N, C, H, W].
            t: their times, one for all or [N, 1, 1, 1].
            class_labels: one-hot [N, label_dim], all zero for no class; None means no class.
            s: the times to jump to, as t; None means the end of the path, `eps`.
            dtype: the type in which F_θ computes; embeddings stay in float32.

        Returns:
            [N, C, H, W] in float64.
        """
        t = torch.as_tensor(t, dtype=torch.float64, device=x.device).reshape(-1, 1, 1, 1)
        s = t.new_full((1, 1, 1, 1), self.eps) if s is None else s.to(t).reshape(-1, 1, 1, 1)
        skip, out = self.coefficients(t, s)
        return skip * x.to(t.dtype) + out * self.raw(x, t, s, class_labels, dtype).to(t.dtype)

    def velocity(
        self, x: Tensor, t: Tensor, class_labels: Tensor | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """∂f_θ(x, t, s)/∂s at s = t, F_θ taken as it is there: dx/dt along the path, float64 [N, C, H, W]."""
        raw = self.raw(x, t, t, class_labels, dtype).to(t.dtype)
        if self.is_euler:
            return self.sigma_data * raw
        total = (1 - t) ** 2 + t**2
        return ((2 * t - 1) * x + total.sqrt() * self.sigma_data * raw) / total

    def coefficients(self, t: Tensor, s: Tensor) -> tuple[Tensor | float, Tensor]:
        """c_skip and c_out."""
        if self.is_euler:
            return 1.0, -(t - s) * self.sigma_data
        total = (1 - t) ** 2 + t**2
        return ((1 - t) * (1 - s) + t * s) / total, -(t - s) * self.sigma_data / total.sqrt()

    def raw(self, x: Tensor, t: Tensor, s: Tensor, class_labels: Tensor | None, dtype: torch.dtype) -> Tensor:
        """F_θ in float32, all of whose inputs are rounded to float32."""
        x, t, s = x.float(), t.float(), s.float()
        scaled = x * (((1 - t) ** 2 + t**2).rsqrt() / self.sigma_data)
        second = t - s if self.sees_stride else s
        times = torch.cat(torch.broadcast_tensors(t, second), dim=1).flatten(1) * TIME_SCALE
        labels = x.new_zeros(1, self.label_dim) if class_labels is None else class_labels.float()
        # In float64, so that the embedding's angles, up to 1000, are exact to the last digit of float32.
        if self.is_unet:
            return self.model(scaled.to(dtype), times.double(), labels, labels.new_zeros(1, 0)).float()
        with autocast(x.device, dtype):
            return self.model(scaled, times.double(), labels).float()

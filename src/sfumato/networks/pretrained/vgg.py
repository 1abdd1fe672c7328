"""VGG-19 to any depth and of any width, and the decoders that turn its maps back into images.

Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014.
https://arxiv.org/abs/1409.1556
Three layouts of files are told apart by what they hold: torchvision's; that of Li et al., Universal Style Transfer via
Feature Transforms, 2017, https://arxiv.org/abs/1705.08086; and that of Wang et al., Collaborative Distillation for
Ultra-Resolution Universal Style Transfer, 2020, https://arxiv.org/abs/2003.08436.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from .features import Affine, Features
from .weights import locate, read

STAGES = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}  # convolutions of each: column E of table 1
FEWER = {1: 2, 2: 2, 3: 2, 4: 2, 5: 1}  # of the shipped one
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1], ImageNet's
Kernel = tuple[Tensor, Tensor]  # weight (m, n, k, k) and bias (m,)


def vgg19(
    source: str | Path, sha256: str | None, wanted: Sequence[str], stages: Mapping[int, int] = STAGES
) -> Features:
    """VGG-19 as deep and as wide as a file holds it: conv1_1 … conv5_4, relu1_1 … relu5_4, pool1 … pool5.

    A network whose file begins with a 1×1 convolution continues edges by reflection, as it was trained to; others by
    zeros. Raises LookupError for a layer that is not there, UserError for weights that are missing, damaged or of
    another network.
    """
    path, _ = locate(str(source), sha256)
    kernels = _kernels(path)
    reflected = bool(kernels) and kernels[0][0].shape == (3, 3, 1, 1)
    first: nn.Module = Affine(1 / torch.tensor(STD), -torch.tensor(MEAN) / torch.tensor(STD))
    colours = kernels.pop(0) if reflected else None
    widths = [3, *[len(weight) for weight, _ in kernels]]
    if not kernels or len(kernels) > sum(stages.values()) or not _follow(kernels, widths):
        raise UserError(f"{path} holds no VGG-19: its convolutions are not 3×3 and one after another")
    if colours:
        first, kernels[0] = nn.Identity(), _folded(colours, kernels[0])
    layers: dict[str, nn.Module] = {"input": first}
    for stage, count in stages.items():
        for i in range(1, count + 1):
            if not kernels:
                return Features(layers, wanted)
            layers |= {f"conv{stage}_{i}": _convolution(*kernels.pop(0), reflected), f"relu{stage}_{i}": nn.ReLU()}
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return Features(layers, wanted)


def decoder(source: str | Path, sha256: str | None = None) -> nn.Module:
    """What makes images of the maps of reluN_1, N = 1 … 5 as the file says, of the encoder that it was trained with.

    (b, c, h, w) -> (b, 3, 2ᴺ⁻¹·h, 2ᴺ⁻¹·w) in [-1, 1], not clipped. Raises UserError as `vgg19` does.
    """
    path, _ = locate(str(source), sha256)
    kernels = _kernels(path, deepest_first=True)
    depth = {1: 1, 3: 2, 5: 3, 9: 4, 13: 5}.get(len(kernels), 0)
    widths = [w.shape[1] for w, _ in kernels]
    if not depth or not _follow(kernels, [*widths, 3]):
        raise UserError(f"{path} holds no decoder of VGG-19: its convolutions are not 3×3 and one after another")
    layers: list[nn.Module] = []
    for stage in range(depth, 0, -1):
        for _ in range(STAGES[stage] if stage < depth else 1):
            layers += [_convolution(*kernels.pop(0), reflected=True), nn.ReLU()]
        layers.append(nn.Upsample(scale_factor=2))
    layers[-2:] = [Affine(torch.full((3,), 4.0), torch.full((3,), -3.0))]  # of [0, 1] to [-1, 1]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _folded(first: Kernel, second: Kernel) -> Kernel:
    """One convolution in place of two: a 1×1 of colours in [0, 1], here in [-1, 1], and the 3×3 after it.

    Exact, because reflection at edges does not care which of the two is first, as zeros would.
    """
    (turn, shift), (weight, bias) = first, second
    shift = shift + turn.sum((1, 2, 3)) / 2
    folded = torch.einsum("omyx,mn->onyx", weight, turn[:, :, 0, 0] / 2)
    return folded, bias + torch.einsum("omyx,m->o", weight, shift)


def _convolution(weight: Tensor, bias: Tensor, reflected: bool = False) -> nn.Conv2d:
    made = nn.Conv2d(
        weight.shape[1],
        weight.shape[0],
        weight.shape[2],
        padding=weight.shape[2] // 2,
        padding_mode="reflect" if reflected else "zeros",
    )
    made.load_state_dict({"weight": weight, "bias": bias})
    return made


def _follow(kernels: Sequence[Kernel], widths: Sequence[int]) -> bool:
    """Whether kernels are 3×3 and each sees what the one before it gives."""
    return [w.shape for w, _ in kernels] == [(m, n, 3, 3) for n, m in pairwise(widths)]


def _kernels(path: Path, deepest_first: bool = False) -> list[Kernel]:
    """The convolutions of a file in the order of their use, whatever the order of the file."""
    state = _state(path)
    names = [k.removesuffix(".weight") for k, v in state.items() if k.endswith(".weight") and v.ndim == 4]
    names = [k for k in names if not k.endswith("_aux")]  # heads by which the narrow ones were taught
    named = any(k.startswith("conv") for k in names)  # after stages, so that a decoder counts down
    names.sort(key=lambda k: [int(n) for n in re.findall(r"\d+", k)], reverse=deepest_first and named)
    return [(state[f"{k}.weight"].float(), state[f"{k}.bias"].float()) for k in names if f"{k}.bias" in state]


def _state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file; those of the model where a file of training holds one."""
    if path.suffix == ".safetensors":
        return read(path)
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {k: v for k, v in held.get("model", held).items() if isinstance(v, Tensor)}
    except Exception as error:  # what torch raises for a damaged file is anybody's guess
        raise UserError(f"{path} is damaged or holds code; only files of tensors are read") from error

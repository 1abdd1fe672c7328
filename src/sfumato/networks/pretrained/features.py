"""Frozen networks that losses look through: the activations of named layers, at the size of the pictures."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import UserError, nearest
from .base import grey, rgb
from .weights import locate

VGG19 = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}  # convolutions of each stage. Simonyan & Zisserman, 2014, column E of table 1
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB in [0, 1], ImageNet's


class Features(nn.Module):
    """Layers one after another, of which some are looked at."""

    def __init__(self, layers: Mapping[str, nn.Module], wanted: Sequence[str], channels: int = 3) -> None:
        super().__init__()
        for name in wanted:
            nearest(name, [k for k in layers if k != "input"], "layer of these features")
        names = list(layers)
        last = max(names.index(name) for name in wanted)
        self.wanted, self.channels = tuple(wanted), channels
        self.names = names[: last + 1]
        self.layers = nn.Sequential(OrderedDict((k, layers[k]) for k in self.names))

    def forward(self, images: Tensor) -> list[Tensor]:
        """What the layers wanted give, in their order: float32 (b, 1 | 3, h, w) in [-1, 1] -> (b, c, h', w') each."""
        x = rgb(images) if self.channels == 3 else grey(images)
        found = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            x = layer(x)
            if name in self.wanted:
                found[name] = x.float()
        return [found[name] for name in self.wanted]


class Affine(nn.Module):
    """Images from [-1, 1] to what a network was trained on: (x + 1) / 2 · scale + shift, channel by channel."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale.view(-1, 1, 1))
        self.register_buffer("shift", shift.view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return (x + 1) / 2 * self.scale + self.shift


@lru_cache(maxsize=8)
def features(
    name: str, layers: tuple[str, ...], *, sha256: str | None = None, device: torch.device | str = "cpu"
) -> Features:
    """A frozen network that gives the activations of `layers`, loaded once for each device.

    - "reader:digits", "reader:shapes": shipped; conv1 … conv5 before and relu1 … relu5 after the nonlinearity.
    - "reader:scenes", "reader:faces": stem, high, middle, low, each half as wide and high as the one before.
    - "vgg19:SOURCE": VGG-19 in torchvision's layout; conv1_1 … conv5_4, relu1_1 …, pool1 … pool5.
    - "vgg19-normalised:SOURCE": to relu3_1, scaled to mean activations of one, with reflected edges.
    - "vgg19-compressed:SOURCE": to relu5_1, with a quarter of the channels, with reflected edges.
    - "squeezenet:SOURCE": SqueezeNet 1.1; relu1, fire2 … fire9, pool1, pool3, pool5.

    SOURCE is a path or URL, whose file must have the checksum `sha256` (or begin with it) if given.
    Raises LookupError for an unknown name or layer, UserError for weights that are missing, damaged or of another
    network.
    """
    kind, _, source = name.partition(":")
    kinds = {"reader": _reader, "squeezenet": _squeezenet} | dict.fromkeys(PADDING, _vgg19)
    make = kinds[nearest(kind, kinds, "network for features")]
    if not source and kind != "reader":
        raise UserError(f"features of {kind} need weights; write {kind}:SOURCE with the path or URL of them")
    found = make(kind, source, sha256, layers)
    return found.eval().requires_grad_(False).to(device)


PADDING: dict[str, Literal["zeros", "reflect"]] = {
    "vgg19": "zeros",
    "vgg19-normalised": "reflect",
    "vgg19-compressed": "reflect",
}


def _vgg19(kind: str, source: str, sha256: str | None, wanted: Sequence[str]) -> Features:
    """VGG-19 as deep and as wide as a file holds it."""
    path, _ = locate(source, sha256)
    kernels, first = _kernels(_state(path), path)
    layers: dict[str, nn.Module] = {"input": first}
    for stage, count in VGG19.items():
        for i in range(1, count + 1):
            if not kernels:
                return Features(layers, wanted)
            weight, bias = kernels.pop(0)
            convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, padding_mode=PADDING[kind])
            convolution.load_state_dict({"weight": weight, "bias": bias})
            layers |= {f"conv{stage}_{i}": convolution, f"relu{stage}_{i}": nn.ReLU()}
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return Features(layers, wanted)


def _kernels(state: Mapping[str, Tensor], path: Path) -> tuple[list[tuple[Tensor, Tensor]], nn.Module]:
    """The 3×3 convolutions of a file in their order, and what images go through before them.

    Raises UserError unless they follow each other and the first sees three channels.
    """
    convolutions = [k.removesuffix(".weight") for k, v in state.items() if k.endswith(".weight") and v.ndim == 4]
    convolutions = [k for k in convolutions if not k.endswith("_aux")]  # heads by which the compressed one was taught
    convolutions.sort(key=lambda k: [int(n) for n in re.findall(r"\d+", k)])  # some files are in alphabetic order
    found = [(state[f"{k}.weight"].float(), state[f"{k}.bias"].float()) for k in convolutions if f"{k}.bias" in state]
    first: nn.Module = Affine(1 / torch.tensor(STD), -torch.tensor(MEAN) / torch.tensor(STD))
    if found and found[0][0].shape == (3, 3, 1, 1):  # to BGR in [0, 255] less its mean
        weight, bias = found.pop(0)
        turn = nn.Conv2d(3, 3, 1)
        turn.load_state_dict({"weight": weight, "bias": bias})
        first = nn.Sequential(Affine(torch.ones(3), torch.zeros(3)), turn)
    widths = [3, *[len(weight) for weight, _ in found]]
    expected = [(m, n, 3, 3) for n, m in pairwise(widths)]
    if not found or len(found) > sum(VGG19.values()) or [w.shape for w, _ in found] != expected:
        raise UserError(f"{path} holds no VGG-19: its convolutions are not 3×3 and one after another")
    return found, first


def _state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file; those of the model where a file of training holds one."""
    if path.suffix == ".safetensors":
        from .weights import read

        return read(path)
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {k: v for k, v in held.get("model", held).items() if isinstance(v, Tensor)}
    except Exception as error:  # what torch raises for a damaged file is anybody's guess
        raise UserError(f"{path} is damaged or holds code; only files of tensors are read") from error


def _squeezenet(kind: str, source: str, sha256: str | None, wanted: Sequence[str]) -> Features:
    from .squeezenet import load_squeezenet

    network = load_squeezenet(source, sha256)
    names = ["conv1", "relu1", "pool1", "fire2", "fire3", "pool3", "fire4", "fire5", "pool5"]
    names += [f"fire{n}" for n in range(6, 10)]
    first = Affine(255 / network.std, -network.mean / network.std)
    return Features({"input": first} | dict(zip(names, network.features, strict=True)), wanted)


def _reader(kind: str, source: str, sha256: str | None, wanted: Sequence[str]) -> Features:
    from . import extractor
    from .reader import Reader

    reader = extractor(f"{kind}:{source}")
    if not isinstance(reader, Reader):
        return Features({k: reader.get_submodule(k) for k in ("stem", "high", "middle", "low")}, wanted)
    layers: dict[str, nn.Module] = {}
    for part in reader.body:
        if isinstance(part, nn.Sequential):
            n = sum(k.startswith("conv") for k in layers) + 1
            layers |= {f"conv{n}": part[:2], f"relu{n}": part[2]}
        elif isinstance(part, nn.MaxPool2d):
            layers[f"pool{n}"] = part
    return Features(layers, wanted, reader.channels)

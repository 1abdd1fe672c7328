"""Frozen networks that losses look through: the activations of named layers, at the size of the pictures."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import UserError, nearest
from .base import grey, rgb

SHIPPED = Path(__file__).with_name("style.safetensors")


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
        """What the layers wanted give, in their order: float32 (b, 1 | 3, h, w) in [-1, 1] -> (b, c, h', w') each.

        Raises UserError for images that are too small for a layer.
        """
        x = rgb(images) if self.channels == 3 else grey(images)
        found = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            if min(x.shape[-2:]) < 2 and getattr(layer, "padding_mode", "") == "reflect":
                raise UserError(
                    f"{min(images.shape[-2:])} pixels are too few for {name} of these features; enlarge them"
                )
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
    - "style": shipped, for style and textures; conv1_1, relu1_1, conv1_2 …, pool1, conv2_1 … relu5_1 as of vgg19, but
      two convolutions a stage. Over pictures and places, each channel after a relu has a mean of about one.
    - "vgg19:SOURCE": VGG-19, whole in torchvision's layout, or as deep and wide as the layouts of `vgg` have it;
      conv1_1 … conv5_4, relu1_1 …, pool1 … pool5.
    - "squeezenet:SOURCE": SqueezeNet 1.1; relu1, fire2 … fire9, pool1, pool3, pool5.

    SOURCE is a path or URL, whose file must have the checksum `sha256` (or begin with it) if given.
    Raises LookupError for an unknown name or layer, UserError for weights that are missing, damaged or of another
    network.
    """
    kind, _, source = name.partition(":")
    kinds = {"style": _style, "reader": _reader, "squeezenet": _squeezenet, "vgg19": _vgg19}
    make = kinds[nearest(kind, kinds, "network for features")]
    if not source and kind in ("squeezenet", "vgg19"):
        raise UserError(f"features of {kind} need weights; write {kind}:SOURCE with the path or URL of them")
    found = make(kind, source, sha256, layers)
    return found.eval().requires_grad_(False).to(device)


def _style(kind: str, source: str, sha256: str | None, wanted: Sequence[str]) -> Features:
    if source:
        raise UserError(f"features of {kind} are shipped; write {kind}, or vgg19:{source} if that is a file of VGG-19")
    from .vgg import FEWER, vgg19

    return vgg19(SHIPPED, None, wanted, FEWER)


def _vgg19(kind: str, source: str, sha256: str | None, wanted: Sequence[str]) -> Features:
    from .vgg import vgg19

    return vgg19(source, sha256, wanted)


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

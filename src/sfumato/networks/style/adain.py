"""The decoder that turns the maps of frozen features back into images: their layers in reverse.

Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization, ICCV 2017, section 6.1.
https://arxiv.org/abs/1703.06868
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError
from ..pretrained.features import Features
from ..superres.blocks import normal


def mirror(look: Features, channels: int = 3) -> nn.Sequential:
    """What makes images of the deepest maps of features: (b, c, h, w) -> (b, channels, s · h, s · w), not clipped.

    A 3×3 convolution, continued by reflection, for each of theirs, a ReLU before each, and nearest neighbours for each
    pooling. Raises UserError for features that are not convolutions one after another, and for those of no depth.
    """
    found: list[nn.Conv2d | nn.Upsample] = []
    for name in reversed([k for k in look.names if k != "input"]):
        for part in reversed(list(look.layers.get_submodule(name).modules())):
            stride = getattr(part, "stride", 1)
            stride = stride if isinstance(stride, int) else stride[0]
            if stride > 1:
                found.append(nn.Upsample(scale_factor=stride))
            if isinstance(part, nn.Conv2d):
                found.append(nn.Conv2d(part.out_channels, part.in_channels, 3, padding=1, padding_mode="reflect"))
    convolutions = [layer for layer in found if isinstance(layer, nn.Conv2d)]
    if not convolutions or any(a.out_channels != b.in_channels for a, b in pairwise(convolutions)):
        raise UserError(
            "a decoder can mirror only features that are convolutions one after another: style, vgg19, reader"
        )
    last = convolutions[-1]
    layers: list[nn.Module] = []
    for layer in found:
        if layer is last:
            layer = nn.Conv2d(last.in_channels, channels, 3, padding=1, padding_mode="reflect")
        layers += [layer, nn.ReLU()] if isinstance(layer, nn.Conv2d) else [layer]
    made = nn.Sequential(*layers[:-1]) if isinstance(layers[-1], nn.ReLU) else nn.Sequential(*layers)
    normal(made)  # without which units of narrow layers die
    return made


@torch.no_grad()
def invert(decoder: nn.Sequential, look: Features, images: Tensor) -> None:
    """Make a mirror the inverse of its features, as nearly as least squares can, one convolution after another.

    Each learns, from what those before it make of images (b, channels, h, w), what its counterpart was given.
    """
    given: list[Tensor] = []
    convolutions = [m for m in look.layers[1:].modules() if isinstance(m, nn.Conv2d)]
    hooks = [m.register_forward_pre_hook(lambda _, x: given.append(x[0])) for m in convolutions]
    x = look(images)[-1]
    for hook in hooks:
        hook.remove()
    targets = [*reversed(given[1:]), images]
    for layer in decoder:
        if isinstance(layer, nn.Conv2d):
            target = targets.pop(0)
            weight, bias = least_squares(x, target)
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)  # type: ignore[union-attr]
        x = layer(x)


def least_squares(x: Tensor, target: Tensor, ridge: float = 1e-4) -> tuple[Tensor, Tensor]:
    """The 3×3 convolution, continued by reflection, that is nearest to a target: (b, n, h, w), (b, m, h, w).

    Returned are its weight (m, n, 3, 3) and its bias (m,). `ridge` is relative to the mean square of what it reads.
    """
    n = 9 * x.shape[1] + 1
    square = torch.zeros(n, n, dtype=torch.float64, device=x.device)
    product = torch.zeros(n, target.shape[1], dtype=torch.float64, device=x.device)
    for part, wanted in zip(x, target, strict=True):
        rows = F.unfold(F.pad(part[None], (1, 1, 1, 1), mode="reflect"), 3)[0].double()
        rows = torch.cat([rows, torch.ones_like(rows[:1])])
        square += rows @ rows.T
        product += rows @ wanted.flatten(1).double().T
    square.diagonal().add_(ridge * square.diagonal().mean())
    found = torch.linalg.solve(square, product).to(x)
    return found[:-1].T.reshape(target.shape[1], -1, 3, 3), found[-1]


def padded(image: Tensor, multiple: int) -> Tensor:
    """Images whose last row and column go on until sides are multiples: (b, c, h, w) -> (b, c, h', w')."""
    h, w = image.shape[-2:]
    return F.pad(image, (0, -w % multiple, 0, -h % multiple), mode="replicate")


def times(decoder: nn.Module) -> int:
    """How many times larger what a decoder makes is than the maps that it is given."""
    factor = 1
    for layer in decoder.modules():
        if isinstance(layer, nn.Upsample):
            factor *= int(layer.scale_factor)  # type: ignore[arg-type]
    return factor


def sight(*networks: nn.Module) -> int:
    """How many pixels on each side one depends on, behind convolutions, poolings and nearest neighbours in a row."""
    far, pixel = 0.0, 1.0
    for layer in (layer for network in networks for layer in network.modules()):
        if isinstance(layer, nn.Upsample):
            far += pixel - pixel / float(layer.scale_factor)  # type: ignore[arg-type]
            pixel /= float(layer.scale_factor)  # type: ignore[arg-type]
        elif isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            side, stride = (x if isinstance(x, int) else x[0] for x in (layer.kernel_size, layer.stride))
            far += pixel * (side - 1) / (2 if isinstance(layer, nn.Conv2d) else 1)
            pixel *= stride
    return math.ceil(far)

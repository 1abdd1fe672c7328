"""Networks that make a picture of a picture: pix2pix's U-Net, and the residual one of Johnson et al. and CycleGAN.

Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017, appendix 6.1.1.
https://arxiv.org/abs/1611.07004
Zhu et al., Unpaired Image-to-Image Translation, 2017, appendix 7.2, after Johnson et al., 2016.
https://arxiv.org/abs/1703.10593
Wang et al., High-Resolution Image Synthesis, 2018, section 3.1. https://arxiv.org/abs/1711.11585
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..superres.blocks import Residual
from ..superres.winograd import Conv3x3

Noise = Callable[..., Tensor]  # (c, h, w) -> (b, c, h, w), uniform in [0, 1), as `Batch.rand`


def instance_norm(ch: int, affine: bool = False) -> nn.GroupNorm:
    """Each map of each picture to mean 0 and variance 1; a gain and a bias a channel if `affine`: (b, ch, h, w).

    A group norm with one group a channel is the same, and several times faster. Ulyanov et al., 2016.
    https://arxiv.org/abs/1607.08022
    """
    return nn.GroupNorm(ch, ch, affine=affine)


def gaussian(*networks: nn.Module, std: float = 0.02) -> None:
    """Weights of convolutions from N(0, std), gains of norms from N(1, std), biases zero, in place."""
    for layer in (m for network in networks for m in network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, std)
        elif isinstance(layer, nn.GroupNorm) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, std)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def fitted(network: Callable[[Tensor], Tensor], image: Tensor, multiple: int, least: int = 1) -> Tensor:
    """What a network gives that takes sides of a multiple from `least` on: (b, c, h, w) -> (b, c', h, w).

    Others are continued by their last pixels to the right and down, and the result is cut.
    """
    h, w = image.shape[-2:]
    down, right = (max(-side % multiple, least - side) for side in (h, w))
    if down or right:
        image = F.pad(image, (0, right, 0, down), mode="replicate")
    return network(image)[..., :h, :w]


def by_planes(network: nn.Module, x: Tensor) -> Tensor:
    """What a network gives, one plane after another in memory where it learns on a CPU.

    Gradients of strided convolutions and of norms are twice as fast so there; without gradients it is the other way.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return network(x)
    weights = {name: p.contiguous() for name, p in network.named_parameters()}
    return functional_call(network, weights, (x.contiguous(),))


def halved(image: Tensor) -> Tensor:
    """Half the side, by the mean of 3 × 3 pixels: (b, c, h, w) -> (b, c, ⌈h / 2⌉, ⌈w / 2⌉)."""
    return F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)


def block(ch: int, norm: Callable[[int], nn.Module] = instance_norm) -> Residual:
    """Two normalised 3×3 convolutions, reflected at the edges, beside a shortcut: (b, ch, h, w) -> (b, ch, h, w)."""
    free = [nn.ReflectionPad2d(1), Conv3x3(ch, ch), norm(ch)]
    more = [nn.ReflectionPad2d(1), Conv3x3(ch, ch), norm(ch)]
    return Residual(*free, nn.ReLU(True), *more)


def entry(inputs: int, ch: int, norm: Callable[[int], nn.Module]) -> list[nn.Module]:
    """7×7 to `ch` channels, reflected at the edges: (b, inputs, h, w) -> (b, ch, h, w)."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, ch, 7, bias=False), norm(ch), nn.ReLU(True)]


def down(n: int, norm: Callable[[int], nn.Module]) -> list[nn.Module]:
    """Half the side, twice the channels: (b, n, h, w) -> (b, 2 · n, h / 2, w / 2)."""
    return [nn.Conv2d(n, 2 * n, 3, 2, 1, bias=False), norm(2 * n), nn.ReLU(True)]


def up(n: int, norm: Callable[[int], nn.Module]) -> list[nn.Module]:
    """Twice the side, half the channels: (b, 2 · n, h, w) -> (b, n, 2 · h, 2 · w)."""
    return [nn.ConvTranspose2d(2 * n, n, 3, 2, 1, 1, bias=False), norm(n), nn.ReLU(True)]


def ending(ch: int, outputs: int) -> nn.Sequential:
    """7×7 to a picture, before its tanh: (b, ch, h, w) -> (b, outputs, h, w)."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(ch, outputs, 7))


class ResnetGenerator(nn.Module):
    """Residual blocks at a fraction of the side: (b, inputs, h, w) -> (b, outputs, h, w) in [-1, 1], float32.

    `ch` channels, twice as many at each of so many halvings. Sides may be of any length.
    """

    def __init__(
        self, inputs: int, outputs: int, ch: int = 64, blocks: int = 9, halvings: int = 2, affine: bool = False
    ) -> None:
        super().__init__()
        norm = partial(instance_norm, affine=affine)
        layers = entry(inputs, ch, norm)
        for k in range(halvings):
            layers += down(ch * 2**k, norm)
        layers += [block(ch * 2**halvings, norm) for _ in range(blocks)]
        for k in reversed(range(halvings)):
            layers += up(ch * 2**k, norm)
        self.multiple = 2**halvings
        self.body, self.head = nn.Sequential(*layers), ending(ch, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        return fitted(self.draw, image, self.multiple, max(4, 2 * self.multiple))

    def draw(self, image: Tensor) -> Tensor:
        """The picture, of sides that suit."""
        return torch.tanh(by_planes(self.head, by_planes(self.body, image)).float())


class CoarseToFine(nn.Module):
    """G1 at half the side, whose last maps G2 takes up: (b, inputs, h, w) -> (b, outputs, h, w) in [-1, 1], float32.

    Wang et al., 2018, figure 3. G1 has `ch` channels at first, G2 half as many.
    """

    def __init__(self, inputs: int, outputs: int, ch: int, blocks: int, halvings: int, local: int) -> None:
        super().__init__()
        self.G1 = ResnetGenerator(inputs, outputs, ch, blocks, halvings)
        self.multiple = 2 ** (halvings + 1)
        self.enter = nn.Sequential(*entry(inputs, ch // 2, instance_norm), *down(ch // 2, instance_norm))
        self.refine = nn.Sequential(*[block(ch) for _ in range(local)], *up(ch // 2, instance_norm))
        self.head = ending(ch // 2, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        return fitted(self.draw, image, self.multiple, max(8, 2 * self.multiple))

    def draw(self, image: Tensor) -> Tensor:
        """The picture, of sides that suit."""
        x = by_planes(self.enter, image) + by_planes(self.G1.body, halved(image))
        return torch.tanh(by_planes(self.head, by_planes(self.refine, x)).float())


class UNet(nn.Module):
    """Halvings to a vector, and doublings with what was there on the way: (b, inputs, h, w) -> (b, outputs, h, w).

    The result is float32 in [-1, 1]. `ch` channels at first, twice as many at each level, at most 8 · ch. `noise`
    drops half of the values after each of the first `dropout` doublings; without it nothing is dropped. The norm is of
    each picture, which is what the paper's batch norm is at its batch of 1. Sides may be of any length.
    """

    def __init__(self, inputs: int, outputs: int, ch: int = 64, levels: int = 8, dropout: int = 3) -> None:
        super().__init__()
        widths = [ch * min(2**k, 8) for k in range(levels)]
        self.dropout, self.levels = dropout, levels
        self.downs = nn.ModuleList([nn.Sequential(nn.Conv2d(inputs, ch, 4, 2, 1))])
        for k in range(1, levels):
            last = k == levels - 1
            norm = [] if last else [instance_norm(widths[k], affine=True)]
            halving = nn.Conv2d(widths[k - 1], widths[k], 4, 2, 1, bias=last)
            self.downs.append(nn.Sequential(nn.LeakyReLU(0.2), halving, *norm))
        self.ups = nn.ModuleList()
        for k in reversed(range(levels)):
            n, m = widths[k] * (1 if k == levels - 1 else 2), widths[k - 1] if k else outputs
            norm = [instance_norm(m, affine=True)] if k else []
            self.ups.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(n, m, 4, 2, 1, bias=k == 0), *norm))

    def forward(self, image: Tensor, noise: Noise | None = None) -> Tensor:
        """As the class says."""
        return fitted(partial(self.draw, noise=noise), image, 2**self.levels)

    def draw(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """The picture, of sides that suit."""
        maps = []
        for layer in self.downs:
            x = layer(x)
            maps.append(x)
        x = maps.pop()
        for k, layer in enumerate(self.ups):
            x = layer(x)
            if maps:
                if noise is not None and k < self.dropout:
                    x = x * (noise(*x.shape[1:]) < 0.5) * 2
                x = torch.cat([maps.pop(), x], 1)
        return torch.tanh(x.float())

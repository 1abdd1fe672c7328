"""VDSR: twenty convolutions that find what a bicubic enlargement lacks, one network for several scales.

Kim, Lee & Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks, CVPR 2016.
https://arxiv.org/abs/1511.04587
The residual network of section 3.1 on luma, chroma by bicubic. Every patch is of a scale of its own (section 3.2,
multi-scale); loss, momentum, weight decay and gradients clipped to ±θ / learning rate as in sections 3.2 and 5.2.

Deviations: patches are drawn at random instead of cut on a grid. The paper leaves θ open. "small" takes half
a cosine, where the paper divides the rate by ten every twenty epochs of eighty.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import lcm

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from ...networks.superres.blocks import conv, normal, numbers
from ...networks.superres.pictures import enlarge, luma, pair, patches, shrink, trimmed, with_luma
from ...objectives.pixels import squared_error
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System, cosine


class VDSR(System):
    """A chain of convolutions beside a shortcut."""

    paper = Paper(
        "Accurate Image Super-Resolution Using Very Deep Convolutional Networks",
        "Kim, Lee & Lee",
        2015,
        "https://arxiv.org/abs/1511.04587",
    )
    recipe = Recipe(
        data="bsd", size=264, batch=64, steps=9_960, view="superres-x2", schedule=Falls(0.1, (1 / 4, 1 / 2, 3 / 4))
    )
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(depth=8, ch=24, scales="2", patch=32),
            dict(data="scenes", size=64, batch=16, steps=3_000, schedule=cosine),
        ),
        "tiny": Preset(dict(depth=4, ch=8, scales="2+4", patch=12), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        scale: int = 2,  # how many times larger pictures become if nothing else is asked for
        scales: str = "2+3+4",  # what is learned
        depth: int = 20,  # convolutions
        ch: int = 64,  # channels between them
        patch: int = 41,  # side of the squares that are learned from, pixels
        lr: float = 0.1,
        theta: float = 1e-4,  # how far a step may move a weight, but for momentum
        decay: float = 1e-4,  # of the weights
    ) -> None:
        super().__init__()
        self.scale, self.scales, self.patch = scale, numbers(scales), patch
        self.lr, self.theta, self.decay = lr, theta, decay
        widths = [1, *[ch] * (depth - 1), 1]
        layers = [layer for n, m in pairwise(widths) for layer in (conv(n, m), nn.ReLU())]
        self.F = nn.Sequential(*layers[:-1])
        normal(self.F)

    def optimizers(self) -> dict[str, Optimizer]:
        """Gradient descent with momentum, its gradients clipped before each step."""
        descent = SGD(self.parameters(), self.lr, momentum=0.9, weight_decay=self.decay)
        descent.register_step_pre_hook(self.clip)
        return {"F": descent}

    def clip(self, optimizer: Optimizer, *_: object) -> None:
        """Gradients into [-θ / rate, θ / rate], each by itself: section 3.2, adjustable gradient clipping."""
        for group in optimizer.param_groups:
            limit = self.theta / max(group["lr"], 1e-12)
            torch._foreach_clamp_min_([p.grad for p in group["params"] if p.grad is not None], -limit)
            torch._foreach_clamp_max_([p.grad for p in group["params"] if p.grad is not None], limit)

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Half the squared error of patches, each of a scale drawn for it."""
        image, _ = pair(batch.image, batch.low, self.scale)
        image = trimmed(image, lcm(*self.scales))
        drawn, blurred = batch.randint(len(self.scales)), torch.empty_like(image)
        for k, scale in enumerate(self.scales):
            rows = (drawn == k).nonzero().squeeze(1)
            blurred[rows] = enlarge(shrink(image[rows], scale), scale)
        image, blurred = patches(luma(image), luma(blurred), self.patch, batch.rand(3))
        yield {"F": squared_error(blurred + self.F(blurred).float(), image) / 2}

    def upscale(self, image: Tensor, scale: int | None = None) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        blurred = enlarge(image, scale or self.scale)
        y = luma(blurred)
        return with_luma(blurred, y + self.F(y).float()).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

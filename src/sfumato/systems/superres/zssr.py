"""ZSSR: super-resolution without a training set: a small network learns from the one picture that it enlarges.

Shocher, Cohen & Irani, "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018.
https://arxiv.org/abs/1712.06087
The picture and smaller copies of it are fathers, drawn by their size; what the blur kernel leaves of a father is its
son, from whose bicubic enlargement the network learns to make the father again. Crops, eight positions, L1 and the rate
that falls when the error stops falling: section 3.1; median of the positions and back-projection: section 3.2; known
kernels and noise: section 3.3. It learns from `low` of a batch and never sees `image`. With `kernel` in the batch that
is the blur, else bicubic; positions in which a kernel is not itself are left out.

Deviations: back-projection enlarges by bicubic, as in the authors' code, but for other kernels by the kernel's adjoint
and four times as often, as bicubic goes astray where a kernel lets little through. How many smaller copies there are,
the first weights, the window of the fit and the number of back-projections are open in the paper. Crops have a margin,
so that their sons know what lies around. The gradual increases of section 3.1 are runs one after another with a growing
`ratio`, which `tasks.enlarging.zeroshot` makes. "small" has fewer channels and steps, and half a cosine as its rate.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.superres import internal
from ...networks.superres.blocks import conv, normal
from ...networks.superres.internal import back_project, resized
from ...networks.superres.kernels import bare, bicubic_kernel, fitted, shrink_by, spread_by
from ...objectives.pixels import l1, mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine

EVERY = 50  # iterations between measurements of the error
MARGIN = 12  # pixels around a crop, of pictures with room for it


class ZSSR(System):
    """Eight convolutions beside a shortcut, of one picture."""

    paper = Paper(
        "“Zero-Shot” Super-Resolution using Deep Internal Learning",
        "Shocher, Cohen & Irani",
        2017,
        "https://arxiv.org/abs/1712.06087",
    )
    recipe = Recipe(data="set14", size=512, batch=1, steps=3_000, view="superres-x2")
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(ch=32, crop=64, patience=0.0, lr=2e-3), dict(data="scenes", size=256, steps=500, schedule=cosine)
        ),
        "tiny": Preset(dict(ch=8, depth=4, crop=16, back=2, lr=1e-2), dict(data="digits", size=32, batch=4, steps=60)),
    }

    def __init__(
        self,
        scale: int = 2,  # how many times larger pictures become
        ch: int = 64,  # channels between the convolutions
        depth: int = 8,  # convolutions
        crop: int = 128,  # side of the squares that are learned from, pixels
        copies: int = 6,  # sizes that fathers have
        smallest: float = 0.5,  # of these sizes, the picture's being 1
        noise: float = 0.0,  # standard deviation of what is added to sons; 0.04, 5 of 255, for degraded pictures
        patience: float = 1.5,  # the rate falls if the error's slope is below 1 / this of its standard error; 0 = never
        back: int = 10,  # back-projections, before the median of positions and after
        side: int = 40,  # of the largest blur kernel, pixels
        channels: int = 3,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.scale, self.crop, self.noise, self.back, self.lr, self.reach = scale, crop, noise, back, lr, depth
        self.levels, self.patience = internal.levels(copies, smallest), internal.Patience(patience)
        layers = [layer for _ in range(depth - 2) for layer in (conv(ch, ch), nn.ReLU())]
        self.F = nn.Sequential(conv(channels, ch), nn.ReLU(), *layers, conv(ch, channels))
        normal(self.F)
        normal(self.F[-1], 1e-3)
        self.kernel: Tensor
        self.bicubic = fitted(bicubic_kernel(scale), side, scale)
        self.register_buffer("kernel", self.bicubic.clone())
        self.ratio: Tensor
        self.register_buffer("ratio", torch.tensor(float(scale)))  # less than the scale on the way there

    def start(self, batch: Batch) -> None:
        """Take the kernel (1, k, k) from the batch, if it has one."""
        if "kernel" in batch:
            self.kernel.copy_(fitted(batch.kernel[0], len(self.kernel), self.scale))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam, slower each time that the error has stopped falling."""
        adam = Adam(self.F.parameters(), self.lr, fused=True)
        return {"F": internal.slowed(adam, lambda: float(self.patience.factor))}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The absolute error of fathers made from their sons."""
        if self.patience.ratio and self.iteration % EVERY == 0:
            self.measure(batch.low)
        h, w = batch.low.shape[-2:]
        if int(self.levels[0, 0] * min(h, w)) < 2 * self.scale:
            least = 4 * self.scale
            raise UserError(f"{w}×{h} pixels are too few to learn from; {least}×{least} are the least")
        level = float(self.levels[0, internal.at_turn(self.iteration, self.levels[1])])
        room = int(level * min(h, w))
        margin = MARGIN if room >= 4 * MARGIN else 0
        side = min(self.crop + 2 * margin, room) // self.scale * self.scale
        large = internal.father(batch.low, side, level, batch.rand(3), internal.positions(self.kernel))
        small = batch.noisy(self.son(large), self.noise).clamp(-1, 1)
        inside = slice(margin, side - margin)
        blurred, large = (x[..., inside, inside] for x in (resized(small, (side, side)), large))
        yield {"F": l1(blurred + self.F(blurred).float(), large)}

    def son(self, large: Tensor) -> Tensor:
        """A picture made smaller, by the kernel or, on the way to the scale, by bicubic: (b, c, h, w) -> smaller."""
        if self.ratio == self.scale:
            return shrink_by(large, bare(self.kernel), self.scale)
        h, w = (max(1, round(n / self.ratio.item())) for n in large.shape[-2:])
        return resized(large, (h, w))

    def restore(self, small: Tensor, size: tuple[int, int]) -> Tensor:
        """A bicubic enlargement and what the network adds to it: (b, c, h, w) -> (b, c, *size)."""
        blurred = resized(small, size)
        return blurred + internal.in_strips(self.F, blurred, self.reach).float()

    @torch.no_grad()
    def measure(self, low: Tensor) -> None:
        """How well the picture, no more than 256 pixels of it each way, is made from its son."""
        low = low[..., :256, :256]
        h, w = low.shape[-2:]
        error = mse(self.restore(self.son(low), (h, w)), low).mean()
        self.patience.note(self.iteration // EVERY, error)
        self.report(reconstruction=error, rate=self.patience.factor)

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w); less than that on the way to the scale."""

        def estimate(small: Tensor) -> Tensor:
            h, w = (round(n * self.ratio.item()) for n in small.shape[-2:])
            return self.corrected(self.restore(small, (h, w)), small)

        return self.corrected(internal.median(estimate, image, internal.positions(self.kernel)), image).clamp(-1, 1)

    def corrected(self, large: Tensor, small: Tensor) -> Tensor:
        """An enlargement after back-projections."""
        if self.ratio != self.scale or torch.equal(self.kernel, self.bicubic.to(self.kernel)):
            return back_project(large, small, self.son, self.back)
        adjoint = partial(spread_by, kernel=bare(self.kernel), scale=self.scale)
        return back_project(large, small, self.son, 4 * self.back, adjoint)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

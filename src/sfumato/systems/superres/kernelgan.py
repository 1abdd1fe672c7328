"""KernelGAN: the blur kernel of one picture, from a game between the picture and smaller copies of itself.

Bell-Kligler, Shocher & Irani, Blind Super-Resolution Kernel Estimation using an Internal-GAN, NeurIPS 2019.
https://arxiv.org/abs/1909.06581
G, six linear convolutions, halves the picture so that D, which sees patches of 7×7, cannot tell the result from the
picture itself: then G is the blur that made the picture. Networks, crops drawn by their gradients, LSGAN with L1, four
regularisers, the bicubic term that starts the game and fades: section 4 and the supplement. `kernel` is the response of
G to an impulse, less what is negligible, centred; that of ×4 follows from it. It learns from `low` of a batch and never
sees `image`; what it enlarges is bicubic's enlargement, corrected until the kernel makes the picture of it.

Deviations: G is applied as the one kernel that its layers amount to, which has the same gradients for a fraction of the
work. As in the authors' code, regularisers are means over the kernel, the sparse one has the power 0.2, and D's crops
the size of what G makes. Crops are drawn by their gradients out of four, not out of all. "small" takes fewer and larger
steps, under which the paper's weight of sparsity would make the kernel vanish: it is 1 there.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam, Optimizer

from ...networks.superres import kernels
from ...networks.superres.blocks import conv, normal
from ...networks.superres.internal import back_project, busy, slowed
from ...networks.superres.pictures import enlarge
from ...objectives.kernels import at_border, off_centre, off_one, spread_out
from ...objectives.pixels import mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System

SIDES = (7, 5, 3, 1, 1, 1)  # of G's filters
SIDE = sum(SIDES) - len(SIDES) + 1  # of the kernel that they amount to: 13
CROPS = 4  # of which one is chosen
GREY = 1 / 127.5  # a grey level


class KernelGAN(System):
    """A linear generator and a discriminator of patches, of one picture."""

    paper = Paper(
        "Blind Super-Resolution Kernel Estimation using an Internal-GAN",
        "Bell-Kligler, Shocher & Irani",
        2019,
        "https://arxiv.org/abs/1909.06581",
    )
    recipe = Recipe(data="div2krk", size=512, batch=1, steps=3_000, view="superres-x2")
    presets = {
        "paper": Preset(),
        "small": Preset(dict(lr=5e-4, hold=60, sparse=1.0, falls=2), dict(data="scenes", size=256, steps=600)),
        "tiny": Preset(dict(ch=8, ch_d=8, crop=32, hold=4), dict(data="digits", size=64, batch=4, steps=40)),
    }

    scale = 2

    def __init__(
        self,
        ch: int = 64,  # channels of G
        ch_d: int = 64,  # channels of D
        crop: int = 64,  # side of the squares that G sees, pixels
        bicubic: float = 5.0,  # weight of the difference from bicubic, at first
        hold: int = 200,  # iterations after which it is a hundredth
        enter: float = 5e-3,  # sparsity and centre count from when it is less than this
        sparse: float = 5.0,  # weight of the sparsity
        falls: int = 4,  # the training has so many parts, each with a tenth of the rate of the one before
        back: int = 10,  # back-projections of an enlargement
        gain: float = 0.1,  # of G's weights at first
        channels: int = 3,
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        self.crop, self.bicubic, self.hold, self.enter, self.sparse = crop, bicubic, hold, enter, sparse
        self.falls, self.back, self.lr = falls, back, lr
        self.G = kernels.DeepLinear(SIDES, ch, gain)
        hidden = [m for _ in range(5) for m in (conv(ch_d, ch_d, 1), nn.BatchNorm2d(ch_d), nn.ReLU())]
        self.D = nn.Sequential(nn.Conv2d(channels, ch_d, 7), *hidden, conv(ch_d, 1, 1), nn.Sigmoid())
        normal(self.D)
        for layer in self.D:
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)
        self.ideal = kernels.fitted(kernels.bicubic_kernel(2), SIDE, 2)
        self.near: Tensor
        self.register_buffer("near", torch.tensor(0))  # iterations in a row in which G was like bicubic
        self.since: Tensor
        self.register_buffer("since", torch.tensor(-1))  # the iteration from when on it has been called so

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for both, with a tenth of the rate in each part of the training."""
        players = {k: Adam(getattr(self, k).parameters(), self.lr, betas=(0.5, 0.999), fused=True) for k in "GD"}
        return {k: slowed(v, lambda: 0.1 ** int(self.falls * min(self.progress, 0.999))) for k, v in players.items()}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The generator's turn, then the discriminator's, both on crops with much in them."""
        large = busy(batch.low, self.crop, batch.rand(CROPS, 2), batch.rand(1))
        real = busy(batch.low, (self.crop - SIDE) // 2 + 1, batch.rand(CROPS, 2), batch.rand(1))
        weight, kernel = self.weight(), self.G.kernel()
        fake = kernels.correlate(large, kernel, 2)
        like_bicubic = mse(fake, kernels.correlate(large, self.ideal, 2))
        terms = {
            "adversarial": off(self.D(fake), 1),
            "bicubic": weight * like_bicubic,
            "sum": 0.5 * off_one(kernel),
            "border": 0.5 * at_border(kernel),
        }
        if weight < self.enter:
            terms |= {"sparse": self.sparse * spread_out(kernel), "centre": off_centre(kernel, kernels.home(SIDE, 2))}
        yield {"G": terms}
        with torch.no_grad():
            fake = batch.noisy(kernels.correlate(large, self.G.kernel(), 2), GREY)
        real = batch.noisy(real, GREY)
        with parametrize.cached():  # the norms of D's weights, which stay what they are
            terms = {"fake": 0.5 * off(self.D(fake), 0), "real": 0.5 * off(self.D(real), 1)}
        yield {"D": terms}
        if self.since < 0:
            self.near.copy_((self.near + 1) * (like_bicubic.mean() < 0.4))
            if self.near > 2:
                self.since.fill_(self.iteration)

    def weight(self) -> float:
        """Of the bicubic term: a hundredth at the end of every `hold` iterations, once G has been like bicubic."""
        held = self.iteration // self.hold - int(self.since) // self.hold if self.since >= 0 else 0
        return max(self.bicubic * 0.01**held, 1e-6 * self.bicubic)

    @torch.no_grad()
    def lost(self) -> bool:
        """Whether G has come to nothing, as the product of many layers may."""
        return bool(self.G.kernel().sum() <= 0.1)

    @torch.no_grad()
    def kernel(self, scale: int = 2) -> Tensor:
        """The blur, centred and summing to 1: (k, k), for a scale of 2 or 4; bicubic's if G has come to nothing."""
        found = self.ideal.to(self.near.device) if self.lost() else kernels.significant(self.G.kernel())
        found = kernels.centred(found, 2)
        return kernels.twice(found) if scale == 4 else found

    def upscale(self, image: Tensor) -> Tensor:
        """Images of which the kernel leaves these: (b, c, h, w) -> (b, c, 2h, 2w)."""
        shrink = partial(kernels.shrink_by, kernel=self.kernel(), scale=2)
        return back_project(enlarge(image, 2), image, shrink, self.back).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)


def off(score: Tensor, label: int) -> Tensor:
    """The mean distance of scores, a map for each image, from what they should be: (b, 1, h, w) -> (b,)."""
    return (score.float() - label).abs().flatten(1).mean(1)

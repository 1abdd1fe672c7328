"""SRCNN: three convolutions that sharpen a bicubic enlargement, the first network for super-resolution.

Dong, Loy, He & Tang, Image Super-Resolution Using Deep Convolutional Networks, TPAMI 2016.
https://arxiv.org/abs/1501.00092
The network 9-1-5 of section 4.1, or 9-5-5 of section 4.3.2 ("paper-955"), on luma alone; chroma is enlarged by bicubic
(section 4). The loss is eq. 4, on the centre that sees no border; weights begin and learn as section 3.3 says.

Deviations: patches are drawn at random, not on a grid, and small pictures are rounded to bytes. Borders are continued
by their last pixel, as in the authors' code for testing. "small" learns by Adam from larger weights, half a cosine.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ...errors import UserError
from ...networks.superres.blocks import normal
from ...networks.superres.pictures import enlarge, luma, pair, patches, with_luma
from ...objectives.pixels import squared_error
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class SRCNN(System):
    """Patch extraction, non-linear mapping, reconstruction."""

    paper = Paper(
        "Image Super-Resolution Using Deep Convolutional Networks",
        "Dong, Loy, He & Tang",
        2015,
        "https://arxiv.org/abs/1501.00092",
    )
    recipe = Recipe(data="imagenet", size=264, batch=128, steps=6_250_000, view="superres-x3")
    presets = {
        "paper": Preset(),
        "paper-955": Preset(dict(kernel=5)),
        "small": Preset(
            dict(scale=2, patch=48, adam=True, lr=3e-3, std=0.05),
            dict(data="scenes", size=64, batch=4, steps=5_000, view="superres-x2", schedule=cosine),
        ),
        "tiny": Preset(
            dict(ch=8, scale=2, patch=16, adam=True, lr=1e-2, std=0.2),
            dict(data="digits", size=16, batch=8, steps=20, view="superres-x2"),
        ),
    }

    def __init__(
        self,
        scale: int = 3,  # how many times larger pictures become
        ch: int = 64,  # filters of the first layer, twice those of the second
        kernel: int = 1,  # side of the second layer's filters, pixels
        patch: int = 33,  # side of the squares that are learned from, pixels
        std: float = 0.001,  # of the weights at first
        lr: float = 1e-4,  # a tenth of it in the last layer
        adam: bool = False,  # in place of gradient descent with momentum 0.9
    ) -> None:
        super().__init__()
        self.scale, self.patch, self.lr, self.adam = scale, patch, lr, adam
        self.border = (9 + kernel + 5 - 3) // 2  # pixels whose estimate sees what is not there
        self.inside = slice(self.border, -self.border)
        self.F = nn.Sequential(
            replicated(1, ch, 9), nn.ReLU(), replicated(ch, ch // 2, kernel), nn.ReLU(), replicated(ch // 2, 1, 5)
        )
        normal(self.F, std)

    def optimizers(self) -> dict[str, Optimizer]:
        """One, with a smaller rate for the last layer: section 3.3."""
        first, last = self.F[:4].parameters(), self.F[4].parameters()
        groups: list[dict[str, Any]] = [{"params": first}, {"params": last, "lr": self.lr / 10}]
        return {"F": Adam(groups, self.lr) if self.adam else SGD(groups, self.lr, momentum=0.9)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The squared error of patches, but for their border."""
        image, low = pair(batch.image, batch.low, self.scale)
        image, blurred = patches(image, enlarge(low, self.scale), self.patch, batch.rand(3), turn=False)
        if image.shape[-1] <= 2 * self.border:
            raise UserError(f"patches of {image.shape[-1]} px are all border; {2 * self.border + 1} are the least")
        estimate, target = (x[..., self.inside, self.inside] for x in (self.F(luma(blurred)).float(), luma(image)))
        yield {"F": squared_error(estimate, target)}

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        blurred = enlarge(image, self.scale)
        return with_luma(blurred, self.F(luma(blurred))).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)


def replicated(n: int, m: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps the side and continues the border: (b, n, h, w) -> (b, m, h, w)."""
    return nn.Conv2d(n, m, kernel, padding=kernel // 2, padding_mode="replicate")

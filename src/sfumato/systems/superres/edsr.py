"""EDSR: residual blocks without normalisation, many and wide, the residuals scaled down.

Lim, Son, Kim, Nah & Lee, Enhanced Deep Residual Networks for Single Image Super-Resolution, CVPRW 2017.
https://arxiv.org/abs/1707.02921
The single-scale network of sections 3.1 and 3.2 ("paper"), its baseline of 16 narrow blocks ("paper-baseline",
table 1), training of section 4.2 with the L1 loss, and the self-ensemble EDSR+ of section 3.4.

Deviations: the networks for x3 and x4 start from nothing, in the paper from the one for x2. "small" takes half a
cosine.
"""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.superres.blocks import DIV2K, Residual, Shift, block, conv, shuffled
from ...networks.superres.pictures import pair, patches, self_ensemble
from ...objectives.pixels import l1
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System, cosine


class EDSR(System):
    """A stack of residual blocks between two convolutions, then sub-pixel ones."""

    paper = Paper(
        "Enhanced Deep Residual Networks for Single Image Super-Resolution",
        "Lim, Son, Kim, Nah & Lee",
        2017,
        "https://arxiv.org/abs/1707.02921",
    )
    recipe = Recipe(data="div2k", size=480, batch=16, steps=300_000, view="superres-x2", schedule=Falls(0.5, (2 / 3,)))
    presets = {
        "paper": Preset(),
        "paper-x3": Preset(dict(scale=3, patch=144), dict(view="superres-x3")),
        "paper-x4": Preset(dict(scale=4, patch=192), dict(view="superres-x4")),
        "paper-baseline": Preset(dict(blocks=16, ch=64, share=1.0)),
        "small": Preset(
            dict(blocks=6, ch=32, share=1.0, patch=32, lr=2e-3),
            dict(data="scenes", size=64, batch=8, steps=5_000, schedule=cosine),
        ),
        "tiny": Preset(dict(blocks=2, ch=8, patch=16), dict(data="digits", size=16, batch=4, steps=20)),
    }

    def __init__(
        self,
        scale: int = 2,  # how many times larger pictures become
        blocks: int = 32,  # residual ones
        ch: int = 256,  # channels between convolutions
        share: float = 0.1,  # of a block's residual that is added
        patch: int = 96,  # side of the squares that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.patch, self.lr = scale, patch, lr
        self.G = nn.Sequential(
            Shift(channels, DIV2K, -1),
            conv(channels, ch),
            Residual(*[block(ch, scale=share) for _ in range(blocks)], conv(ch, ch)),
            *shuffled(ch, scale),
            conv(ch, channels),
            Shift(channels, DIV2K, +1),
        )

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The absolute error of patches."""
        image, low = patches(*pair(batch.image, batch.low, self.scale), self.patch, batch.rand(3))
        yield {"G": l1(self.G(low), image)}

    def upscale(self, image: Tensor, ensemble: bool = False) -> Tensor:
        """Images enlarged, as the mean of eight positions if asked: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return (self_ensemble(self.G, image) if ensemble else self.G(image)).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

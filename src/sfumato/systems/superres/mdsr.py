"""MDSR: one network for several scales, which share all but its entrances and exits.

Lim, Son, Kim, Nah & Lee, Enhanced Deep Residual Networks for Single Image Super-Resolution, CVPRW 2017.
https://arxiv.org/abs/1707.02921
The multi-scale network of section 3.3 and figure 5 ("paper"), its baseline of 16 blocks ("paper-baseline", table 1),
training of section 4.2, and the self-ensemble MDSR+ of section 3.4.

Deviations: the scales take turns, in the paper one is drawn for each iteration. The last convolution serves all scales,
as in the authors' later code. "small" takes half a cosine.
"""

from collections.abc import Iterator
from functools import partial
from math import lcm

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.superres.blocks import DIV2K, Residual, Shift, block, conv, numbers, shuffled
from ...networks.superres.pictures import pair, patches, self_ensemble, shrink, trimmed
from ...objectives.pixels import l1
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System, cosine


class Turnout(nn.ModuleDict):
    """Layers of which each scale takes its own: (b, c, h, w) -> (b, c, …)."""

    taken: str

    def forward(self, x: Tensor) -> Tensor:
        """Through those of the scale taken."""
        return self[self.taken](x)


class MDSR(System):
    """A stack of residual blocks between layers of each scale's own."""

    paper = Paper(
        "Enhanced Deep Residual Networks for Single Image Super-Resolution",
        "Lim, Son, Kim, Nah & Lee",
        2017,
        "https://arxiv.org/abs/1707.02921",
    )
    recipe = Recipe(data="div2k", size=480, batch=16, steps=300_000, view="superres-x4", schedule=Falls(0.5, (2 / 3,)))
    presets = {
        "paper": Preset(),
        "paper-baseline": Preset(dict(blocks=16)),
        "small": Preset(
            dict(blocks=6, ch=24, scale=2, scales="2+4", low_patch=16, lr=2e-3),
            dict(data="scenes", size=64, batch=8, steps=6_000, view="superres-x2", schedule=cosine),
        ),
        "tiny": Preset(
            dict(blocks=2, ch=8, scale=2, scales="2+4", low_patch=4),
            dict(data="digits", size=16, batch=4, steps=20, view="superres-x2"),
        ),
    }

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become if nothing else is asked for
        scales: str = "2+3+4",  # what is learned
        blocks: int = 80,  # residual ones
        ch: int = 64,  # channels between convolutions
        low_patch: int = 48,  # side of the squares of small pictures that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.scales, self.low_patch, self.lr = scale, numbers(scales), low_patch, lr
        self.turnouts = (  # a tuple, so that they are registered once, in G
            Turnout({str(s): nn.Sequential(block(ch, 5), block(ch, 5)) for s in self.scales}),
            Turnout({str(s): nn.Sequential(*shuffled(ch, s)) for s in self.scales}),
        )
        self.G = nn.Sequential(
            Shift(channels, DIV2K, -1),
            conv(channels, ch),
            self.turnouts[0],
            Residual(*[block(ch) for _ in range(blocks)], conv(ch, ch)),
            self.turnouts[1],
            conv(ch, channels),
            Shift(channels, DIV2K, +1),
        )

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The absolute error of patches of the scale whose turn it is."""
        pair(batch.image, batch.low, self.scale)
        scale = self.scales[self.iteration % len(self.scales)]
        image = trimmed(batch.image, lcm(*self.scales))
        image, low = patches(image, shrink(image, scale), scale * self.low_patch, batch.rand(3))
        yield {"G": l1(self.enlarge(low, scale), image)}

    def enlarge(self, image: Tensor, scale: int) -> Tensor:
        """What the network makes of images: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        for turnout in self.turnouts:
            turnout.taken = nearest(str(scale), turnout, "scale of this network")
        return self.G(image)

    def upscale(self, image: Tensor, scale: int | None = None, ensemble: bool = False) -> Tensor:
        """Images enlarged, as the mean of eight positions if asked: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        network = partial(self.enlarge, scale=scale or self.scale)
        return (self_ensemble(network, image) if ensemble else network(image)).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

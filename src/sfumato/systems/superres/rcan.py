"""RCAN: residual blocks that weigh their channels, in groups with shortcuts of their own, four hundred layers deep.

Zhang, Li, Li, Wang, Zhong & Fu, Image Super-Resolution Using Very Deep Residual Channel Attention Networks, ECCV 2018.
https://arxiv.org/abs/1807.02758
Residual in residual of section 3.2, channel attention of 3.3, blocks of 3.4, sizes of 3.5, training of 4.1, and the
self-ensemble RCAN+ of section 4.1.

Deviations: the networks for x3, x4 and x8 start from nothing, the authors' from the one for x2. "small" takes half a
cosine, where the paper halves the rate every 200,000 iterations.
"""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.superres.blocks import DIV2K, Residual, Shift, conv, shuffled
from ...networks.superres.pictures import pair, patches, self_ensemble
from ...objectives.pixels import l1
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System, cosine


class Attention(nn.Sequential):
    """Each channel times a weight in (0, 1) found from the means of all: (b, ch, h, w) -> (b, ch, h, w)."""

    def __init__(self, ch: int, reduction: int) -> None:
        n = max(1, ch // reduction)
        super().__init__(nn.AdaptiveAvgPool2d(1), conv(ch, n, 1), nn.ReLU(), conv(n, ch, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return x * super().forward(x)


def attentive(ch: int, reduction: int) -> Residual:
    """Two convolutions and attention beside a shortcut: figure 4."""
    return Residual(conv(ch, ch), nn.ReLU(), conv(ch, ch), Attention(ch, reduction))


HALVED = Falls(0.5, (0.2, 0.4, 0.6, 0.8))


class RCAN(System):
    """Groups of attentive blocks between two convolutions, then sub-pixel ones."""

    paper = Paper(
        "Image Super-Resolution Using Very Deep Residual Channel Attention Networks",
        "Zhang, Li, Li, Wang, Zhong & Fu",
        2018,
        "https://arxiv.org/abs/1807.02758",
    )
    recipe = Recipe(data="div2k", size=480, batch=16, steps=1_000_000, view="superres-x4", schedule=HALVED)
    presets = {
        "paper": Preset(),
        "paper-x2": Preset(dict(scale=2, patch=96), dict(view="superres-x2")),
        "small": Preset(
            dict(scale=2, groups=2, blocks=3, ch=24, reduction=4, patch=32, lr=2e-3),
            dict(data="scenes", size=64, batch=8, steps=5_000, view="superres-x2", schedule=cosine),
        ),
        "tiny": Preset(
            dict(scale=2, groups=2, blocks=1, ch=8, reduction=2, patch=16),
            dict(data="digits", size=16, batch=4, steps=20, view="superres-x2"),
        ),
    }

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become
        groups: int = 10,  # of blocks
        blocks: int = 20,  # in a group
        ch: int = 64,  # channels between convolutions
        reduction: int = 16,  # how many times fewer channels the attention squeezes them into
        patch: int = 192,  # side of the squares that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.patch, self.lr = scale, patch, lr
        body = [Residual(*[attentive(ch, reduction) for _ in range(blocks)], conv(ch, ch)) for _ in range(groups)]
        self.G = nn.Sequential(
            Shift(channels, DIV2K, -1),
            conv(channels, ch),
            Residual(*body, conv(ch, ch)),
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

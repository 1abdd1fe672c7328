"""MUNIT: a picture is content, which both domains share, and style, its domain's own; another style, another picture.

Huang, Liu, Belongie & Kautz, Multimodal Unsupervised Image-to-Image Translation, ECCV 2018.
https://arxiv.org/abs/1804.04732
Reconstruction of pictures, of content and of style (section 4, eq. 1 to 3), the game of eq. 4 with least squares, and
the optional losses of section 5.1: style-augmented cycles ("cycle") and frozen features, freed of what a domain has in
common ("perceptual", with --features vgg19:SOURCE --seen relu4_3). Networks and training of appendix B: the rate halves
every 100,000 steps.

Deviations: D learns from the fakes that G learnt from, not from others. Gains of adaptive norms begin around 1, of
layer norms at 1. Moments of layer norms are over all maps at once, the variance not corrected by one.
"""

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.pretrained.features import features
from ...networks.translation.content_style import CodeEncoder, ContentEncoder, StyledDecoder, kaiming, translated
from ...networks.translation.generators import gaussian
from ...networks.translation.patch import Halving, Pyramid
from ...objectives.adversarial import least_squares_d, least_squares_g, wins
from ...objectives.pixels import l1
from ...objectives.translation import domain_invariant, over_scales
from ...system import Batch, Falls, Late, Losses, Paper, Preset, Recipe, System, linear

WAYS = ("AtoB", "BtoA")
SMALL = dict(ch=16, mlp=64, halvings=1, blocks=3, ch_d=16, layers=3, scales=2, lr=1e-3, cycle=10.0)


class MUNIT(System):
    """For each domain an encoder of content, an encoder of style, a decoder, and discriminators at several scales."""

    paper = Paper(
        "Multimodal Unsupervised Image-to-Image Translation", "Huang et al.", 2018, "https://arxiv.org/abs/1804.04732"
    )
    recipe = Recipe(
        data="edges2shoes", size=256, batch=1, steps=1_000_000, view="unpaired",
        schedule=Falls(0.5, tuple(k / 10 for k in range(1, 10))),
    )  # fmt: skip
    presets = {
        "paper": Preset(),
        "paper-streets": Preset(dict(perceptual=1.0, cycle=10.0, features="vgg19", seen="relu4_3")),
        "small": Preset(
            SMALL,
            dict(data="scenes", size=32, batch=4, steps=2_000, view="unpaired-times", schedule=Late(linear, 0.5)),
        ),
        "tiny": Preset(
            SMALL | dict(ch=4, mlp=8, blocks=1, ch_d=4, layers=2, lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20, view="unpaired-times"),
        ),
    }

    def __init__(
        self,
        image: float = 10.0,  # weight of the error of pictures taken apart and put together again
        content: float = 1.0,  # of that of their content, after translation
        style: float = 1.0,  # of that of styles that were drawn
        cycle: float = 0.0,  # of that of pictures there and back in their own style
        perceptual: float = 0.0,  # of frozen features, where they are given
        features: str = "",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:scenes; none if empty
        seen: str = "relu4_3",  # layers of the features
        z: int = 8,  # numbers in a style
        mlp: int = 256,  # units of the decoders' MLPs
        halvings: int = 2,  # of the side, to content; two more to a style
        blocks: int = 4,  # residual ones of an encoder of content, and of a decoder
        scales: int = 3,  # discriminators of a domain, each at half the side of the one before
        layers: int = 4,  # of a discriminator that halve the side
        ch: int = 64,  # channels of the encoders' first layers
        ch_d: int = 64,  # of the discriminators'
        channels: int = 3,
        lr: float = 1e-4,
        decay: float = 1e-4,  # of the weights
    ) -> None:
        super().__init__()
        self.weights = {"image": image, "content": content, "style": style, "cycle": cycle, "perceptual": perceptual}
        self.features, self.seen, self.z, self.halvings = features, tuple(seen.split(",")), z, halvings
        self.lr, self.decay = lr, decay
        self.C, self.S, self.G, self.D = (
            nn.ModuleList([make(), make()])
            for make in (
                partial(ContentEncoder, channels, ch, halvings, blocks),
                partial(CodeEncoder, channels, z, ch, halvings + 2),
                partial(StyledDecoder, channels, ch, halvings, blocks, z, mlp),
                partial(Pyramid, scales, partial(Halving, channels, ch_d, layers)),
            )
        )
        kaiming(self.C, self.S, self.G)
        gaussian(self.D)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for encoders and decoders, and for the discriminators."""
        nets = {"G": (self.C, self.S, self.G), "D": (self.D,)}
        return {
            k: Adam(
                [p for n in some for p in n.parameters()], self.lr, (0.5, 0.999), weight_decay=self.decay, fused=True
            )
            for k, some in nets.items()
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The turn of encoders and decoders, either way; then the discriminators', with what these made."""
        real = batch.source, batch.image
        content = [c(x) for c, x in zip(self.C, real, strict=True)]
        own = [s(x) for s, x in zip(self.S, real, strict=True)]
        drawn = [batch.randn(self.z), batch.randn(self.z)]
        w, terms, fakes = self.weights, {}, []
        for k, name in enumerate("AB"):
            fake = self.G[k](content[1 - k], drawn[k])
            again = self.C[k](fake)
            terms[f"game {name}"] = 2 * over_scales(least_squares_g, self.D[k](fake))
            terms[f"image {name}"] = w["image"] * l1(self.G[k](content[k], own[k]), real[k])
            terms[f"content {name}"] = w["content"] * l1(again, content[1 - k])
            terms[f"style {name}"] = w["style"] * l1(self.S[k](fake), drawn[k])
            if w["cycle"]:
                terms[f"cycle {name}"] = w["cycle"] * l1(self.G[1 - k](again, own[1 - k]), real[1 - k])
            if self.features and w["perceptual"]:
                look = features(self.features, self.seen, device=fake.device)
                terms[f"perceptual {name}"] = w["perceptual"] * domain_invariant(look(real[1 - k]), look(fake))
            fakes.append(fake.detach())
        yield {"G": terms}
        maps = [(d(x), d(y)) for d, x, y in zip(self.D, real, fakes, strict=True)]
        yield {"D": {name: 2 * over_scales(least_squares_d, *both) for name, both in zip("AB", maps, strict=True)}}
        self.report(**{"D wins": wins(*(x[0][-1].mean((1, 2, 3)) for x in maps[1]))})

    def style(self, image: Tensor, direction: str = "AtoB") -> Tensor:
        """The styles of pictures of the domain that is gone to: (b, channels, h, w) -> (b, z)."""
        return self.S[_to(direction)](image)

    def translate(self, image: Tensor, direction: str = "AtoB", style: Tensor | None = None) -> Tensor:
        """What pictures become in the other domain, of styles (b, z) or (1, z): (b, channels, h, w) -> the same.

        `direction` is AtoB or BtoA. Without styles, all have the one in the middle, 0.
        """
        k = _to(direction)
        code = image.new_zeros(1, self.z) if style is None else style
        code = code.expand(len(image), -1)
        return translated(self.C[1 - k], lambda x: self.G[k](x, code), image, self.halvings)

    def sample(self, given: Batch) -> Tensor:
        """What the sources become, in styles drawn at random."""
        return self.translate(given.source, style=given.randn(self.z))


def _to(direction: str) -> int:
    return 1 - WAYS.index(nearest(direction, WAYS, "direction"))

"""EnhanceNet: textures for enlarged pictures, by Gram matrices patch by patch, features and a discriminator.

Sajjadi, Schölkopf & Hirsch, EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis, ICCV 2017.
https://arxiv.org/abs/1612.07919
Network of table 1, losses E, P, T and A of sections 4.2.1 to 4.2.4 with the weights of the supplement (its table 2),
discriminator of its table 1, features scaled to a mean of one (section 5.3). `losses` spells the variants of table 2 of
the paper: "paper" is ENet-PAT, "paper-e" ENet-E.

Deviations: the errors of pixels teach the network for a share of the training before other losses do. A discriminator
that is ahead has its gradient, not its turn taken away; ahead is here 80 % of the last batch. The features of "small"
are those of the small network that reads the built-in shapes, P on its layers 3 and 5, T on 1, 2 and 3.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.pretrained.features import Features, features
from ...networks.superres.blocks import Shift, block, conv, repeated
from ...networks.superres.pictures import enlarge, pair, patches
from ...networks.superres.vgg_style import Discriminator
from ...objectives.adversarial import logistic_d, nonsaturating_g
from ...objectives.perceptual import distance, texture, unit_mean
from ...objectives.pixels import mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine

COCO = (0.47614917, 0.45001204, 0.40904046)  # the mean colour of MS COCO, in the authors' code
PERCEPTUAL, TEXTURE = (0.2, 0.02), (3e-7, 1e-6, 1e-6)  # weights of the layers
SMALL = dict(blocks=3, ch=24, ch_d=8, patch=48, lr=1e-3, features="reader:shapes",
             layers="relu3+relu5+relu1+relu2+relu3")  # fmt: skip
SHORT = dict(data="scenes", size=64, batch=8, steps=5_000, schedule=cosine)


class EnhanceNet(System):
    """Residual blocks that add detail to a bicubic enlargement."""

    paper = Paper(
        "EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis",
        "Sajjadi, Schölkopf & Hirsch",
        2016,
        "https://arxiv.org/abs/1612.07919",
    )
    recipe = Recipe(data="coco", size=256, batch=64, steps=300_000, view="superres-x4")
    presets = {
        "paper": Preset(),
        "paper-e": Preset(dict(losses="E")),
        "small": Preset(SMALL, SHORT),
        "small-e": Preset(SMALL | dict(losses="E"), SHORT),
        "tiny": Preset(
            SMALL | dict(scale=2, blocks=1, ch=4, ch_d=2, patch=16, pretrain=0.02),
            dict(data="digits", size=16, batch=4, steps=20, view="superres-x2"),
        ),
    }

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become
        losses: str = "PAT",  # of E pixels, P features, A discriminator, T textures
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        layers: str = "pool2+pool5+relu1_1+relu2_1+relu3_1",  # of the features: two for P, three for T
        adversarial: float = 2.0,  # weight of A
        ahead: float = 0.8,  # accuracy above which D does not learn
        pretrain: float = 0.5,  # share of the training by E alone
        blocks: int = 10,  # residual ones
        ch: int = 64,  # channels between convolutions
        ch_d: int = 32,  # channels of D's first layer; twice as many at each of four halvings of the side
        patch: int = 128,  # side of the squares that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        if not losses or set(losses) - set("EPAT"):
            raise UserError(f"losses are letters of EPAT, not {losses!r}")
        self.scale, self.losses, self.features, self.layers = scale, losses, features, tuple(layers.split("+"))
        self.adversarial, self.ahead, self.pretrain, self.patch, self.lr = adversarial, ahead, pretrain, patch, lr
        self.G = nn.Sequential(
            Shift(channels, COCO, -1),
            conv(channels, ch),
            nn.ReLU(),
            *[block(ch) for _ in range(blocks)],
            *repeated(ch, scale, nn.ReLU),
            conv(ch, ch),
            nn.ReLU(),
            conv(ch, channels),
        )
        widths = [ch_d * 2**k for k in range(5)]
        self.D = Discriminator(widths, patch, channels, hidden=32 * ch_d, norm=None) if "A" in losses else None
        self.pretrained: Tensor
        self.skill: Tensor
        self.register_buffer("pretrained", torch.tensor(losses == "E"))
        self.register_buffer("skill", torch.zeros(2))  # shares of the last batch's reals and fakes that D got right

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {k: Adam(net.parameters(), self.lr, fused=True) for k, net in (("G", self.G), ("D", self.D)) if net}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Errors of pixels at first; then the discriminator's turn, unless it is ahead, and the generator's."""
        needs = self.losses != "E" and set(self.losses) & set("PT")
        look = features(self.features, self.layers, device=batch.image.device) if needs else None
        image, low = patches(*pair(batch.image, batch.low, self.scale), self.patch, batch.rand(3))
        fake = self.enlarge(low)
        if self.progress >= self.pretrain:
            self.pretrained.fill_(True)
        losses = self.losses if self.pretrained else "E"
        if self.D and "A" in losses:
            real_score, fake_score = self.D(image), self.D(fake.detach())
            learns = (self.skill.min() < self.ahead).float()
            yield {"D": learns * logistic_d(real_score, fake_score)}
            self.skill.copy_(torch.stack([(real_score > 0).float().mean(), (fake_score < 0).float().mean()]))
            self.report(**{"D right about reals": self.skill[0], "D right about fakes": self.skill[1]})
        yield {"G": self.terms(losses, fake, image, look)}

    def terms(self, losses: str, fake: Tensor, image: Tensor, look: Features | None) -> dict[str, Tensor]:
        """What G minimises, by name."""
        found = {"pixels": mse(fake / 2, image / 2)} if "E" in losses else {}
        if look and set(losses) & set("PT"):
            seen = [[unit_mean(x) for x in look(pictures)] for pictures in (fake, image)]
            near = [w * distance(a, b) for w, a, b in zip(PERCEPTUAL, *(maps[:2] for maps in seen), strict=True)]
            alike = [w * texture(a, b) for w, a, b in zip(TEXTURE, *(maps[2:] for maps in seen), strict=True)]
            found |= {"content": near[0] + near[1]} if "P" in losses else {}
            found |= {"texture": alike[0] + alike[1] + alike[2]} if "T" in losses else {}
        if self.D and "A" in losses:
            found["adversarial"] = self.adversarial * nonsaturating_g(self.D(fake))
        return found

    def enlarge(self, low: Tensor) -> Tensor:
        """The bicubic enlargement and what G adds: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return enlarge(low, self.scale) + self.G(low).float()

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.enlarge(image).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

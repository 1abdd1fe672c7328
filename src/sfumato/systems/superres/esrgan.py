"""ESRGAN: deeper and denser blocks without normalisation, a relativistic discriminator, features before their ReLU.

Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, ECCV Workshops 2018.
https://arxiv.org/abs/1809.00219
Network of section 3.1, relativistic average discriminator of 3.2 (eq. 1 and 2), losses of 3.3 (eq. 3), interpolation of
networks of 3.4 (eq. 4), training of 4.1: P learns by errors of pixels, then G goes on from it against D.

Deviations: the rates stay what they are, where the paper halves P's every 200,000 iterations and G's and D's at 50,000,
100,000, 200,000 and 300,000; "small" takes half a cosine. Features are compared by absolute differences, and pixels in
[0, 1], as in the authors' code. D's score has no bias, which would cancel. The features of "small" are those of the
small network that reads the built-in shapes. "paper-compact" has the network of Real-ESRGAN's small models
(2107.10833), without that paper's degradations; `sfumato upscale` comes with weights of "compact".
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.func import functional_call
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.pretrained.features import features
from ...networks.pretrained.weights import fill, locate, read
from ...networks.superres.compact import Signed, compact_net
from ...networks.superres.pictures import pair, patches
from ...networks.superres.rrdb import rrdb_net
from ...networks.superres.vgg_style import Discriminator
from ...objectives.adversarial import relativistic_d, relativistic_g, wins
from ...objectives.perceptual import distance
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class ESRGAN(System):
    """P for accuracy, G for looks, and all that lies between them."""

    paper = Paper(
        "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
        "Wang et al.",
        2018,
        "https://arxiv.org/abs/1809.00219",
    )
    recipe = Recipe(data="div2k", size=480, batch=16, steps=1_400_000, view="superres-x4")
    presets = {
        "paper": Preset(),
        "paper-16": Preset(dict(blocks=16)),
        "paper-compact": Preset(dict(network="compact", blocks=16)),
        "small": Preset(
            dict(
                blocks=2, ch=24, growth=12, ch_d=16, patch=32, lr=1e-3, lr_gan=4e-4, pretrain=0.6,
                features="reader:shapes", layer="conv5",
            ),
            dict(data="scenes", size=64, batch=8, steps=8_000, schedule=cosine),
        ),
        "compact": Preset(
            dict(
                network="compact", blocks=8, ch=48, ch_d=16, patch=64, lr=1e-3, lr_gan=2e-4, pretrain=0.7,
                features="reader:shapes", layer="conv5",
            ),
            dict(data="scenes", size=128, batch=8, steps=12_000, schedule=cosine, ema=0.999),
        ),
        "tiny": Preset(
            dict(
                scale=2, blocks=1, ch=4, growth=2, ch_d=2, patch=16, pretrain=0.02,
                features="reader:shapes", layer="conv1",
            ),
            dict(data="digits", size=16, batch=4, steps=20, view="superres-x2"),
        ),
    }  # fmt: skip

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        layer: str = "conv5_4",  # of the features
        adversarial: float = 5e-3,  # weight of the adversarial loss, the paper's λ
        pixels: float = 1e-2,  # weight of the errors of pixels, the paper's η
        pretrain: float = 5 / 7,  # share of the training that is P's
        network: str = "rrdb",  # or "compact", that of Real-ESRGAN's small models
        blocks: int = 23,  # residual-in-residual ones; of "compact": convolutions
        ch: int = 64,  # channels between convolutions
        growth: int = 32,  # channels that each convolution of a dense block adds
        ch_d: int = 64,  # channels of D's first layer; twice as many at each halving of the side, at most 8 times
        patch: int = 128,  # side of the squares that are learned from, pixels
        begin: str = "",  # file of weights that P begins with; with pretrain 0, G's and D's turns come at once
        channels: int = 3,
        lr: float = 2e-4,  # of P
        lr_gan: float = 1e-4,  # of G and D
    ) -> None:
        super().__init__()
        self.scale, self.features, self.layer, self.pretrain, self.patch = scale, features, layer, pretrain, patch
        self.adversarial, self.pixels, self.lr, self.lr_gan, self.begin = adversarial, pixels, lr, lr_gan, begin
        small = nearest(network, ("rrdb", "compact"), "network") == "compact"
        make = partial(compact_net, channels, ch, blocks) if small else partial(rrdb_net, channels, ch, blocks, growth)
        self.P, self.G = make(scale), make(scale)
        halvings = (patch // 4).bit_length() - 1  # to 4 px
        widths = [ch_d * min(2**k, 8) for k in range(halvings)]
        self.D = Discriminator(widths, patch, channels, kernel=4, hidden=100, bias=False)
        self.pretrained: Tensor
        self.register_buffer("pretrained", torch.tensor(False))

    def start(self, batch: Batch) -> None:
        """P's weights from their file, if one is named."""
        if self.begin:
            path, _ = locate(self.begin)
            fill(self.P.network if isinstance(self.P, Signed) else self.P, read(path), path)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "P": Adam(self.P.parameters(), self.lr, fused=True),
            "G": Adam(self.G.parameters(), self.lr_gan, fused=True),
            "D": Adam(self.D.parameters(), self.lr_gan, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """P's turn; once it has learned enough, those of D and of G, which begins as P ended."""
        look = features(self.features, (self.layer,), device=batch.image.device)
        image, low = patches(*pair(batch.image, batch.low, self.scale), self.patch, batch.rand(3))
        if not self.pretrained and self.progress >= self.pretrain:
            self.G.load_state_dict(self.P.state_dict())
            self.pretrained.fill_(True)
        if not self.pretrained:
            yield {"P": l1(self.P(low).float() / 2, image / 2)}
            return
        fake = self.G(low).float()
        real_score, fake_score = self.D(image), self.D(fake.detach())
        yield {"D": relativistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        with torch.no_grad():
            real_score = self.D(image)
        terms = {"content": distance(look(fake)[0], look(image)[0], power=1)}
        terms["adversarial"] = self.adversarial * relativistic_g(real_score, self.D(fake))
        yield {"G": terms | {"pixels": self.pixels * l1(fake / 2, image / 2)}}

    def interpolate(self, alpha: float) -> dict[str, Tensor]:
        """The weights of a network between P (alpha 0) and G (1), by name: eq. 4."""
        theirs = dict(self.G.named_parameters())
        return {k: torch.lerp(p, theirs[k], alpha) for k, p in self.P.named_parameters()}

    def upscale(self, image: Tensor, alpha: float = 1.0) -> Tensor:
        """As P, with alpha 0 or while it learns alone, G, or between: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        weights = self.interpolate(alpha if self.pretrained else 0.0)
        return functional_call(self.G, weights, (image,)).float().clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)

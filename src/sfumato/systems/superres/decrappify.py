"""Decrappify: a U-Net that gives back what pictures have lost, taught without an adversary until the very end (NoGAN).

Antic, Howard & Manor, Decrappification, DeOldification, and Super Resolution, fast.ai 2019.
https://www.fast.ai/posts/2019-05-03-decrappify.html
The generator learns alone by errors of pixels and features, then the critic alone to tell its results from pictures,
then both against each other for a short while, the generator only where the critic's loss is below 0.65. Networks and
rates are those of DeOldify ("artistic"): fast.ai's U-Net over a ResNet-34 (https://arxiv.org/abs/1512.03385) with
self-attention and spectral norms. "paper" brings back pixels and what JPEG took, as fast.ai's lesson 7 does;
"paper-colour" colours grey pictures, as DeOldify does. Either learns from pictures that it spoils itself.

Deviations: the encoder knows nothing unless `weights` are given, and learns with the rest. Features are VGG-19's in
place of VGG-16's, scaled to a mean of one, their weight chosen so that they count about as much. The last convolution
begins with the picture itself and has no norm. No numbers are written over pictures. One size in place of 64, 128 and
192 pixels and one cycle in place of five; the whole generator plays, not its last layers alone; rates are constant in
a phase. "small" has half a cosine over all phases, and features of the small network that reads the built-in shapes.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from ...networks.pretrained.features import Features, features
from ...networks.superres.blocks import numbers
from ...networks.superres.crappify import Crappifier
from ...networks.superres.resnet34 import Encoder, load_encoder
from ...networks.superres.unet import Critic, UNet
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...objectives.perceptual import distance, unit_mean
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine

CAUGHT_UP = 0.65  # the critic's loss below which the generator plays; it is log 2 for one that guesses
ALONE, GAME = (0.9, 0.99), (0.0, 0.9)  # decays of Adam's moments
SMALL = dict(
    noise=25.0, chance=0.6, ch=16, blocks="1+1", width=1.0, ch_d=16, halvings=3, features="reader:shapes",
    layers="relu1+relu2+relu3", content=0.05, fidelity=20.0, pretrain=0.9, critic=0.07, lr=4e-3, lr_critic=4e-3,
    lr_gan=1e-3,
)  # fmt: skip
COLOUR = dict(low=1, worst=0, noise=0.0, grey=True, chance=1.0)
SHORT = dict(data="scenes", size=64, batch=8, steps=1_500, schedule=cosine)


class Decrappify(System):
    """A generator with an optimiser for learning alone and one for the game, and a critic likewise: shared by turns."""

    paper = Paper(
        "Decrappification, DeOldification, and Super Resolution",
        "Antic, Howard & Manor",
        2019,
        "https://www.fast.ai/posts/2019-05-03-decrappify.html",
    )
    recipe = Recipe(data="imagenet", size=192, batch=11, steps=250_000, view="restoration")
    presets = {
        "paper": Preset(),
        "paper-colour": Preset(COLOUR),
        "small": Preset(SMALL, SHORT),
        "small-colour": Preset(SMALL | COLOUR, SHORT | dict(steps=1_000)),
        "tiny": Preset(
            SMALL | dict(ch=4, blocks="1", ch_d=4, halvings=2, pretrain=0.3, critic=0.3, layers="relu1"),
            dict(data="digits", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        low: int = 2,  # how many times smaller pictures were, 1 = not
        worst: int = 10,  # JPEG quality from which is drawn, 1 to 100; 0 = no JPEG
        best: int = 70,  # JPEG quality up to which is drawn
        noise: float = 0.0,  # strongest noise, its standard deviation, of 255; from 0 on for each picture
        grey: bool = False,  # whether colours are lost
        chance: float = 1.0,  # that a picture suffers each of these
        weights: str = "",  # a path or URL of torchvision's ResNet-34; none = begin from nothing
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        layers: str = "relu3_4+relu4_4+relu5_4",  # of the features
        content: float = 3.0,  # weight of the features beside pixels
        fidelity: float = 2.0,  # weight of both beside the critic in the game
        pretrain: float = 0.85,  # share of the training that is the generator's alone
        critic: float = 0.13,  # share of the training that is the critic's alone
        ch: int = 64,  # channels of the encoder's first map
        blocks: str = "3+4+6+3",  # residual ones of the encoder, at 1/4, 1/8, … of the side
        width: float = 1.5,  # of the steps back, times the channels that come in
        ch_d: int = 256,  # channels of the critic's first layer; twice as many at each further halving
        halvings: int = 4,  # of the side by the critic
        channels: int = 3,
        lr: float = 1e-3,  # of the generator alone
        lr_critic: float = 1e-3,  # of the critic alone
        lr_gan: float = 1e-5,  # of the generator in the game; five times as much for the critic
    ) -> None:
        super().__init__()
        self.crappify = Crappifier(low, worst, best, noise, grey, chance)
        self.weights, self.features, self.layers = weights, features, tuple(layers.split("+"))
        self.content, self.fidelity, self.ends = content, fidelity, (pretrain, pretrain + critic)
        self.rates = {"P": lr, "C": lr_critic, "G": lr_gan, "D": 5 * lr_gan}
        self.G = UNet(Encoder(channels, ch, numbers(blocks)), channels, width)
        self.D = Critic(channels, ch_d, halvings)
        self.phase: Tensor
        self.register_buffer("phase", torch.tensor(0))  # 0 the generator's, 1 the critic's, 2 the game

    def start(self, batch: Batch) -> None:
        """Take the encoder's weights from their file, if one is named."""
        if self.weights:
            load_encoder(self.G.encoder, self.weights)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the generator alone (P) and the critic alone (C); without momentum for both in the game (G, D)."""
        nets = [("P", self.G, ALONE), ("C", self.D, ALONE), ("G", self.G, GAME), ("D", self.D, GAME)]
        return {
            k: AdamW(net.parameters(), self.rates[k], betas, weight_decay=1e-3, fused=True) for k, net, betas in nets
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The turn of the generator or the critic alone, or of both."""
        image = batch.image
        look = features(self.features, self.layers, device=image.device)
        crappy = self.crappify(image, batch.rand, batch.randn)
        self.phase.clamp_(min=sum(self.progress >= end for end in self.ends))
        with torch.set_grad_enabled(bool(self.phase != 1)):
            fake = self.G(crappy)
        if self.phase == 0:
            yield {"P": self.terms(fake, image, look)}
            return
        loss = self.judged(image, fake.detach())
        yield {"C" if self.phase == 1 else "D": loss}
        if self.phase == 2:
            plays = (loss.detach() < CAUGHT_UP).float()
            terms = {k: self.fidelity * v for k, v in self.terms(fake, image, look).items()}
            terms["adversarial"] = nonsaturating_g(self.D(fake))
            yield {"G": {k: plays * v for k, v in terms.items()}}

    def judged(self, image: Tensor, fake: Tensor) -> Tensor:
        """The critic's mean loss, as a classifier of pictures and results: ()."""
        real_score, fake_score = self.D(image), self.D(fake)
        self.report(**{"critic wins": wins(real_score, fake_score)})
        return logistic_d(real_score, fake_score) / 2

    def terms(self, fake: Tensor, image: Tensor, look: Features) -> dict[str, Tensor]:
        """How far results are from pictures, pixel by pixel and feature by feature."""
        seen = zip(look(fake), look(image), strict=True)
        apart = torch.stack([distance(unit_mean(a), unit_mean(b), power=1) for a, b in seen]).mean(0)
        return {"pixels": l1(fake, image), "features": self.content * apart}

    def restore(self, image: Tensor) -> Tensor:
        """Images as they may have been: (b, c, h, w) -> (b, c, h, w) in [-1, 1]."""
        return self.G(image).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that are `clean`, crappified and restored."""
        return self.restore(self.crappify(given.clean, given.rand, given.randn))

"""DTN: pictures of one domain are painted in another from what a frozen network says of them, which must not change.

Taigman, Polyak & Wolf, Unsupervised Cross-Domain Image Generation, ICLR 2017. https://arxiv.org/abs/1611.02200
G is g after f (section 4). The game of three classes (eq. 3 and 4), that f says the same of what was made (eq. 5), that
targets stay as they are (eq. 6), smoothness (eq. 8), weighed as in section 5.1 for digits ("paper"), in 5.2 for faces
("paper-faces"). g and D are Radford et al.'s.

Deviations: f is a network that comes with sfumato (or a file: --features squeezenet:SOURCE, …), of which the vector of
features is taken, centred and scaled by the first batch; there, classifiers of SVHN and of faces. g has no 1×1
convolutions between its layers (5.2). The paper does not tell the optimiser; it is Radford et al.'s. Pictures of
another size are made at `size` and enlarged.
"""

from collections.abc import Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.adversarial.dcgan import Discriminator, Generator
from ...networks.pretrained import Extractor, extractor
from ...objectives.adversarial import wins
from ...objectives.pixels import mse
from ...objectives.translation import smoothness, ternary_d, ternary_g
from ...system import Batch, Late, Losses, Paper, Preset, Recipe, System, linear


class DTN(System):
    """A decoder of what a frozen network says, and a discriminator of three classes."""

    paper = Paper(
        "Unsupervised Cross-Domain Image Generation", "Taigman et al.", 2016, "https://arxiv.org/abs/1611.02200"
    )
    recipe = Recipe(data="svhn2mnist", size=32, batch=128, steps=100_000, view="unpaired")
    presets = {
        "paper": Preset(),
        "paper-faces": Preset(
            dict(features="reader:faces", alpha=100.0, beta=1.0, gamma=0.05), dict(data="faces2emoji", size=64)
        ),
        "small": Preset(
            dict(features="reader:faces", ch=24, ch_d=16, lr=1e-3, alpha=3.0, beta=15.0, gamma=3e-4),
            dict(
                data="faces", size=48, batch=16, steps=2_500, view="unpaired-ink", ema=0.995, schedule=Late(linear, 0.5)
            ),
        ),
        "tiny": Preset(
            dict(features="reader:faces", ch=2, ch_d=2, lr=1e-3),
            dict(data="faces", size=16, batch=4, steps=20, view="unpaired-ink"),
        ),
    }

    def __init__(
        self,
        features: str = "reader:digits",  # f: reader:faces, reader:scenes, …, squeezenet:SOURCE
        alpha: float = 15.0,  # weight of what f says of sources and of what they become
        beta: float = 15.0,  # of how targets change
        gamma: float = 0.0,  # of smoothness
        ch: int = 64,  # channels of the layer before the picture; twice as many at each half of the side
        ch_d: int = 64,  # of D's first layer
        size: int = 32,  # image side, pixels
        channels: int = 3,
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        self.features, self.alpha, self.beta, self.gamma = features, alpha, beta, gamma
        self.size, self.lr = size, lr
        self.G = Generator(_frozen(features, "cpu").dim, ch, size, channels)
        self.D = Discriminator(ch_d, size, channels, outputs=3)
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(_frozen(features, "cpu").dim))
        self.register_buffer("spread", torch.ones(()))
        self.known_by: Tensor
        self.register_buffer("known_by", _checksum(features))
        self.register_load_state_dict_post_hook(_same_eyes)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        nets = {"G": self.G, "D": self.D}
        return {k: Adam(n.parameters(), self.lr, (0.5, 0.999), fused=True) for k, n in nets.items()}

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Note what f says of sources and targets on average, and how much it varies."""
        said = self.said(torch.cat([batch.source, batch.image]))
        self.centre.copy_(said.mean(0))
        self.spread.copy_((said - self.centre).square().mean().sqrt())

    def said(self, image: Tensor) -> Tensor:
        """What f says of pictures, centred and scaled: (b, channels, h, w) of any size -> (b, features)."""
        found = _frozen(self.features, str(image.device))(image).features
        return (found.float() - self.centre) / self.spread

    def step(self, batch: Batch) -> Iterator[Losses]:
        """G's turn with sources and targets; then D's, with what it made of either and the targets."""
        s, t = batch.source, batch.image
        with torch.no_grad():
            said, said_t = self.said(torch.cat([s, t])).chunk(2)
        of_s, of_t = self.G(said), self.G(said_t)
        terms = {
            "game": ternary_g(self.D(of_s), self.D(of_t)),
            "constancy": self.alpha * (self.said(of_s) - said).square().mean(1),
            "identity": self.beta * mse(of_t, t),
        }
        if self.gamma:
            terms["smoothness"] = self.gamma * (smoothness(of_s) + smoothness(of_t))
        yield {"G": terms}
        found = [self.D(x) for x in (of_s.detach(), of_t.detach(), t)]
        yield {"D": ternary_d(*found)}
        self.report(**{"D wins": wins(*(x.log_softmax(1)[:, 2] for x in found[::-2]))})

    def translate(self, image: Tensor) -> Tensor:
        """What pictures become in the other domain: (b, channels, h, w) of any size -> the same size."""
        made = self.G(self.said(image))
        same = image.shape[-2:] == made.shape[-2:]
        return made if same else F.interpolate(made, image.shape[-2:], mode="bilinear", antialias=True)

    def sample(self, given: Batch) -> Tensor:
        """What the sources become."""
        return self.translate(given.source)


def _checksum(name: str) -> Tensor:
    """Of f's weights: (32,) uint8."""
    return torch.tensor(list(bytes.fromhex(_frozen(name, "cpu").sha256)), dtype=torch.uint8)


def _same_eyes(dtn: nn.Module, _: object) -> None:
    """Raise UserError if G learned to decode what another f said: of what this one says it would paint nonsense."""
    assert isinstance(dtn, DTN)
    if not torch.equal(dtn.known_by.cpu(), _checksum(dtn.features)):
        raise UserError(
            f"this dtn was trained on what another version of {dtn.features} says; train it again, or use the version "
            "of sfumato that trained it"
        )


@lru_cache(maxsize=4)
def _frozen(name: str, device: str) -> Extractor:
    return extractor(name).to(device)

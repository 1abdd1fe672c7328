"""BigGAN: a wide generator that hears of its code and its class at every layer, and codes that are cut off.

Brock, Donahue & Simonyan, Large Scale GAN Training for High Fidelity Natural Image Synthesis, ICLR 2019.
https://arxiv.org/abs/1809.11096
Networks of section 3 and appendix B with the class embedding shared by all layers and the code split among them,
truncation of section 3.1, orthogonal regularisation of eq. 3, training of appendix C. Hinge loss and projection:
https://arxiv.org/abs/1705.02894, https://arxiv.org/abs/1802.05637. "cifar10" has the widths and rates of the authors'
code for CIFAR-10. An iteration is a step of D on a batch of its own; its fakes have the classes of the batch.

Deviations: in low precision norms of weights stay in float32. Without classes, norms are told the code alone. Where
codes are cut off, statistics of the norms are those of whole codes unless `settle` is called, as `truncation_curve`
does. "small" is narrower, learns faster and steps D once.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.adversarial.biggan import Discriminator, Generator, truncated
from ...objectives.adversarial import wasserstein_g, wins
from ...objectives.orthogonal import orthogonal
from ...objectives.translation import hinge_d
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class BigGAN(System):
    """The game of the GAN on a large scale, by classes where there are any."""

    paper = Paper(
        "Large Scale GAN Training for High Fidelity Natural Image Synthesis",
        "Brock, Donahue & Simonyan",
        2018,
        "https://arxiv.org/abs/1809.11096",
    )
    recipe = Recipe(
        data="imagenet", size=128, batch=2048, steps=280_000, view="labelled", ema=0.99995,
        metrics=("frechet", "precision-recall"),
    )  # fmt: skip
    presets = {
        "paper": Preset(dict(size=128, channels=3, classes=1000)),
        "cifar10": Preset(
            dict(ch=64, attention=0, ortho=0.0, critics=1, lr=1e-4, lr_d=4e-4, size=32, channels=3, classes=10),
            dict(data="cifar10", size=32, batch=64, steps=390_000, ema=0.9999),
        ),
        "small": Preset(
            dict(z=48, ch=8, shared=32, attention=8, critics=1, lr=1e-3, lr_d=1e-3),
            dict(data="digits", size=16, batch=32, steps=3_000, ema=0.995),
        ),
        "tiny": Preset(dict(z=12, ch=2, shared=4, attention=8), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 120,  # numbers in a code, in equal parts for the first layer and every block
        ch: int = 96,  # channels next to the picture; see the networks for the others
        shared: int = 128,  # numbers that a class is embedded in
        attention: int = 64,  # side of the maps that attend to themselves, 0 = none
        size: int = 128,  # image side, pixels
        channels: int = 3,
        classes: int = 0,  # 0 = none, for pictures without labels
        ortho: float = 1e-4,  # weight of the orthogonal regularisation of G
        critics: int = 2,  # steps of D for one of G
        truncation: float = 0.0,  # numbers of a sample's code beyond it are drawn again, 0 = none are
        lr: float = 5e-5,  # of G
        lr_d: float = 2e-4,  # of D
    ) -> None:
        super().__init__()
        self.z, self.classes, self.ortho, self.critics, self.truncation = z, classes, ortho, critics, truncation
        self.lr = {"G": lr, "D": lr_d}
        self.G = Generator(z, ch, size, channels, classes, shared, attention)
        self.D = Discriminator(ch, size, channels, classes, attention)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam without momentum for each network."""
        return {
            k: Adam(net.parameters(), self.lr[k], (0.0, 0.999), eps=1e-6, fused=True)
            for k, net in (("G", self.G), ("D", self.D))
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, at the end of a round the generator's, on the classes of the batch."""
        label = self.label(batch)
        with torch.no_grad():
            fake = self.G(batch.randn(self.z), label)
        real_score, fake_score = self.D(batch.image, label), self.D(fake, label)
        yield {"D": hinge_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        if self.every(self.critics):
            losses = {"game": wasserstein_g(self.D(self.G(batch.randn(self.z), label), label))}
            if self.ortho:
                losses["ortho"] = self.ortho * orthogonal(self.filters())
            yield {"G": losses}

    def filters(self) -> Iterator[Tensor]:
        """The weights of G that are regularised: all but the class embedding, as they are before their norm is one."""
        embed = None if self.G.embed is None else self.G.embed.weight
        return (p for p in self.G.parameters() if p.dim() > 1 and p is not embed)

    def label(self, given: Batch) -> Tensor | None:
        """The classes asked for, or drawn if none are, as one-hot: (n, classes), float32; None without classes."""
        if not self.classes:
            return None
        index = given.label if "label" in given else given.randint(self.classes)
        return F.one_hot(index, self.classes).float()

    def prior(self, given: Batch) -> Tensor:
        """Normal codes, cut off at the truncation, then the class as one-hot: (n, z) or (n, z + classes)."""
        label = self.label(given)
        code = truncated(lambda: given.randn(self.z), self.truncation)
        return code if label is None else torch.cat([code, label], 1)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) or (b, z + classes) -> (b, channels, size, size)."""
        return self.G(code[:, : self.z], code[:, self.z :] if self.classes else None)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))

    @torch.no_grad()
    def settle(self, batches: Iterable[Batch]) -> None:
        """Standing statistics: those of G's norms become the mean over samples of these batches. Appendix C."""
        norms = [m for m in self.G.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta, training = [m.momentum for m in norms], self.training
        self.eval()
        for m in norms:
            m.reset_running_stats()
            m.train().momentum = None
        for batch in batches:
            self.sample(batch)
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
        self.train(training)

"""Stacked GAN: a classifier is turned round, layer by layer, by generators that each invert one of its layers.

Huang, Li, Poursaeed, Hopcroft & Belongie, Stacked Generative Adversarial Networks, CVPR 2017.
https://arxiv.org/abs/1612.04357
Adversarial, conditional and entropy loss of section 3.4 (eq. 3 to 6), independent and joint training of sections 3.2
and 3.3, drawing from the top of eq. 2; networks and weights of the authors' code for MNIST, whose stack has two
levels: a class becomes features, features become a picture. E, the classifier, learns for a first share of the
training and rests then; generators see what E makes of real pictures, and in the last share what the generator above
them makes. A weight of zero leaves a loss out; without `stack` one generator goes from class to picture, the paper's
"DCGAN" (table 1).

Deviations: E learns within the training. For CIFAR-10 the authors have other networks, whose D names classes;
"cifar10" has those of MNIST, twice as wide. Weights begin as PyTorch's do, nonlinearities of D1 are leaky, and guesses
of the noise are linear, as the authors' for CIFAR-10. "small" is narrower and learns faster.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.adversarial.stacked import Encoder, FeatureGenerator, ImageGenerator, feature_judge, image_judge
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class StackedGAN(System):
    """Generators G1, from class to features, and G0, from features to pictures; D1 and D0 judge, E is inverted."""

    paper = Paper("Stacked Generative Adversarial Networks", "Huang et al.", 2016, "https://arxiv.org/abs/1612.04357")
    recipe = Recipe(
        data="mnist", size=28, batch=100, steps=130_000, view="labelled",
        metrics=("frechet", "inception", "class-accuracy"),
    )  # fmt: skip
    presets = {
        "paper": Preset(dict(size=28, channels=1, classes=10)),
        "cifar10": Preset(
            dict(z0=16, ch=64, size=32, channels=3, classes=10), dict(data="cifar10", size=32, steps=200_000)
        ),
        "small": Preset(
            dict(z=8, z0=8, ch=8, features=64, hidden=128, encoder=0.15, lr=2e-3),
            dict(size=16, data="digits", batch=64, steps=2_500),
        ),
        "tiny": Preset(
            dict(z=4, z0=4, ch=4, features=16, hidden=16, lr=1e-3), dict(size=16, data="digits", batch=8, steps=20)
        ),
    }

    def __init__(
        self,
        z: int = 50,  # numbers in the code of features
        z0: int = 50,  # and in that of a picture
        ch: int = 32,  # channels next to the picture, of E and D0; G0 has two to four times as many
        features: int = 256,  # of E, which G1 draws
        hidden: int = 512,  # units of G1's layers; half as many of D1's and of D0's last
        stack: bool = True,  # without, G0 draws pictures from classes, and G1 and D1 are not there
        adversarial: float = 1.0,  # weight of the game, of each level
        condition: float = 1.0,  # weight of E finding in a picture what it was drawn from
        entropy: float = 10.0,  # weight of finding the noise, which makes it count
        encoder: float = 0.1,  # share of the training for E
        joint: float = 0.55,  # share after which G0 sees what G1 draws, not what E does; 1 = never
        size: int = 28,  # image side, pixels
        channels: int = 1,
        classes: int = 10,
        lr: float = 1e-4,
        beta1: float = 0.5,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.parts, self.stack, self.classes = [z if stack else 0, z0, classes], stack, classes
        self.weights = {"game": adversarial, "condition": condition, "entropy": entropy}
        self.encoder, self.joint, self.lr, self.betas = encoder, joint, lr, (beta1, 0.999)
        self.E = Encoder(ch, features, size, channels, classes)
        self.G0 = ImageGenerator(z0, features if stack else classes, ch, size, channels)
        self.D0 = image_judge(ch, hidden // 2, size, channels, z0)
        if stack:
            self.G1, self.D1 = FeatureGenerator(z, classes, features, hidden), feature_judge(features, hidden // 2, z)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {k: Adam(net.parameters(), self.lr, self.betas, fused=True) for k, net in self.named_children()}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """E's turn alone at first; then that of the discriminators, of all levels at once, and the generators'."""
        if self.progress < self.encoder:
            yield {"E": F.cross_entropy(self.E(batch.image)[1], batch.label)}
            return
        label = F.one_hot(batch.label, self.classes).float()
        with torch.no_grad():
            features = self.E(batch.image)[0]
            levels = self.drawn(batch, features, label)
        losses: dict[str, dict[str, Tensor]] = {}
        for k, ((fake, noise, _), real) in enumerate(zip(levels, (batch.image, features), strict=False)):
            judge = self.get_submodule(f"D{k}")
            (real_score, _), (score, guess) = judge(real), judge(fake)
            losses[f"D{k}"] = self.weighed(
                game=logistic_d(real_score, score) / 2, entropy=(guess - noise).square().mean(1)
            )
            self.report(**{f"D{k} wins": wins(real_score, score)})
        yield losses
        losses = {}
        for k, (fake, noise, above) in enumerate(self.drawn(batch, features, label)):
            score, guess = self.get_submodule(f"D{k}")(fake)
            losses[f"G{k}"] = self.weighed(
                game=nonsaturating_g(score),
                entropy=(guess - noise).square().mean(1),
                condition=self.missed(fake, above, k),
            )
        yield losses

    def weighed(self, **losses: Tensor) -> dict[str, Tensor]:
        """Losses times their weights, less those of no weight."""
        return {k: self.weights[k] * v for k, v in losses.items() if self.weights[k]}

    def drawn(self, batch: Batch, features: Tensor, label: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of each level from the lowest: what is drawn, the noise, and what it is drawn from."""
        if not self.stack:
            noise = batch.rand(self.parts[1])
            return [(self.G0(noise, label), noise, label)]
        upper, lower = batch.rand(self.parts[0]), batch.rand(self.parts[1])
        made = self.G1(upper, label)
        above = made.detach() if self.progress >= self.joint else features
        return [(self.G0(lower, above), lower, above), (made, upper, label)]

    def missed(self, fake: Tensor, above: Tensor, level: int) -> Tensor:
        """How far E's view of what is drawn is from what it was drawn from: squares of features, nats of classes."""
        if level == 0 and self.stack:
            return (self.E(fake)[0] - above).square().mean(1)
        logits = self.E.head(fake).float() if level else self.E(fake)[1]
        return F.cross_entropy(logits, above, reduction="none")

    def prior(self, given: Batch) -> Tensor:
        """Uniform codes in [0, 1) from the top down, then the class, drawn if none is asked: (n, z + z0 + classes)."""
        index = given.label if "label" in given else given.randint(self.classes)
        return torch.cat([given.rand(sum(self.parts[:2])), F.one_hot(index, self.classes).float()], 1)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z + z0 + classes) -> (b, channels, size, size)."""
        upper, lower, label = code.split(self.parts, 1)
        return self.G0(lower, self.G1(upper, label) if self.stack else label)

    def sample(self, given: Batch) -> Tensor:
        """Images of the classes `given.label`: (n, channels, size, size)."""
        return self.decode(self.prior(given))

    def classify(self, image: Tensor) -> Tensor:
        """Log-probabilities of the classes: (b, channels, size, size) -> (b, classes)."""
        return self.E(image)[1].log_softmax(1)

"""SRGAN: a residual network for enlargement, taught by errors of pixels or features and by a discriminator.

Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network, CVPR 2017.
https://arxiv.org/abs/1609.04802
Networks of section 2.1 and figure 4, losses of section 2.2 (eq. 3 to 6), training of section 3.2: errors of pixels
first, then the game. The columns of table 1 are presets: "paper-srresnet" (MSE), "paper-srresnet-vgg22", with the total
variation of section 3.3, "paper-srgan-mse", "paper-srgan-vgg22", and "paper" (VGG5.4); "small-…" likewise.

Deviations: "small" takes half a cosine, where the paper divides the rate by ten for the last 100,000 iterations. The
paper's 1/12.75 for features was found for VGG's first weights; torchvision's give other scales. The features of "small"
are those of the small network that reads the built-in shapes, VGG2.2 its second layer, VGG5.4 its fifth; for better
ones give --features squeezenet:SOURCE or vgg19:SOURCE with --content.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.pretrained.features import features
from ...networks.superres.blocks import Residual, conv, shuffled
from ...networks.superres.pictures import pair, patches
from ...networks.superres.vgg_style import Discriminator
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...objectives.perceptual import distance
from ...objectives.pixels import mse, total_variation
from ...system import Batch, Falls, Losses, Paper, Preset, Recipe, System, constant, cosine

SMALL = dict(blocks=4, ch=24, ch_d=16, patch=48, lr=1e-3, pretrain=0.6, features="reader:shapes", rescale=1.0)
SHORT = dict(data="scenes", size=64, batch=8, steps=8_000, schedule=cosine)


class SRGAN(System):
    """SRResNet, alone or against a discriminator."""

    paper = Paper(
        "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
        "Ledig et al.",
        2016,
        "https://arxiv.org/abs/1609.04802",
    )
    recipe = Recipe(
        data="imagenet", size=192, batch=16, steps=1_200_000, view="superres-x4", schedule=Falls(0.1, (11 / 12,))
    )
    presets = {
        "paper": Preset(),
        "paper-srgan-vgg22": Preset(dict(content="relu2_2")),
        "paper-srgan-mse": Preset(dict(content="mse")),
        "paper-srresnet": Preset(dict(content="mse", adversarial=0.0), dict(steps=1_000_000, schedule=constant)),
        "paper-srresnet-vgg22": Preset(
            dict(content="relu2_2", adversarial=0.0, variation=2e-8, pretrain=0.0),
            dict(steps=1_000_000, schedule=constant),
        ),
        "small": Preset(SMALL | dict(content="relu5"), SHORT),
        "small-srgan-vgg22": Preset(SMALL | dict(content="relu2"), SHORT),
        "small-srgan-mse": Preset(SMALL | dict(content="mse"), SHORT),
        "small-srresnet": Preset(SMALL | dict(content="mse", adversarial=0.0), SHORT),
        "small-srresnet-vgg22": Preset(
            SMALL | dict(content="relu2", adversarial=0.0, variation=2e-8, pretrain=0.0), SHORT
        ),
        "tiny": Preset(
            SMALL | dict(scale=2, blocks=1, ch=4, ch_d=2, patch=16, pretrain=0.02, content="relu2"),
            dict(data="digits", size=16, batch=4, steps=20, view="superres-x2"),
        ),
    }

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become
        content: str = "relu5_4",  # what is compared: "mse" of pixels, or a layer of the features
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        rescale: float = 1 / 12.75,  # of features
        adversarial: float = 1e-3,  # weight of the adversarial loss; 0 = no discriminator
        variation: float = 0.0,  # weight of the total variation
        pretrain: float = 5 / 6,  # share of the training by errors of pixels alone
        blocks: int = 16,  # residual ones
        ch: int = 64,  # channels of G
        ch_d: int = 64,  # channels of D's first layer; twice as many at each of three halvings of the side
        patch: int = 96,  # side of the squares that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.content, self.features, self.rescale = scale, content, features, rescale
        self.adversarial, self.variation, self.pretrain = adversarial, variation, pretrain
        self.patch, self.lr = patch, lr
        self.G = nn.Sequential(
            conv(channels, ch, 9),
            nn.PReLU(),
            Residual(*[normalised(ch) for _ in range(blocks)], conv(ch, ch), nn.BatchNorm2d(ch)),
            *shuffled(ch, scale, nn.PReLU),
            conv(ch, channels, 9),
        )
        widths = [ch_d, 2 * ch_d, 4 * ch_d, 8 * ch_d]
        self.D = Discriminator(widths, patch, channels, hidden=16 * ch_d) if adversarial else None
        self.pretrained: Tensor
        self.register_buffer("pretrained", torch.tensor(pretrain == 0))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {k: Adam(net.parameters(), self.lr, fused=True) for k, net in (("G", self.G), ("D", self.D)) if net}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Errors of pixels at first; then the discriminator's turn, and the generator's."""
        look = self.eye(batch.image.device)  # now, so that weights that are not there are missed at once
        image, low = patches(*pair(batch.image, batch.low, self.scale), self.patch, batch.rand(3), turn=False)
        fake = self.enlarge(low)
        if self.progress >= self.pretrain:
            self.pretrained.fill_(True)
        if not self.pretrained:
            yield {"G": {"mse": mse(fake, image)}}
            return
        if self.D:
            real_score, fake_score = self.D(image), self.D(fake.detach())
            yield {"D": logistic_d(real_score, fake_score)}
            self.report(**{"D wins": wins(real_score, fake_score)})
        terms = {"content": distance(look(fake), look(image))}
        if self.variation:
            terms["variation"] = self.variation * total_variation(fake)
        if self.D:
            terms["adversarial"] = self.adversarial * nonsaturating_g(self.D(fake))
        yield {"G": terms}

    def eye(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """What images are compared by: themselves, or their features."""
        if self.content == "mse":
            return lambda image: image
        network = features(self.features, (self.content,), device=device)
        return lambda image: self.rescale * network(image)[0]

    def enlarge(self, low: Tensor) -> Tensor:
        """What G makes of images, which it sees in [0, 1]: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.G((low + 1) / 2).float()

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.enlarge(image).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that `low` is of, enlarged."""
        return self.upscale(given.low)


def normalised(ch: int) -> Residual:
    """Two normalised convolutions and a PReLU beside a shortcut: figure 4."""
    return Residual(conv(ch, ch), nn.BatchNorm2d(ch), nn.PReLU(), conv(ch, ch), nn.BatchNorm2d(ch))

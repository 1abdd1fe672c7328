"""pix2pixHD: maps of classes and objects are painted coarsely, then finely, and each object in a style of its own.

Wang, Liu, Zhu, Tao, Kautz & Catanzaro, High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs,
CVPR 2018. https://arxiv.org/abs/1711.11585
G1 and G2 of section 3.1, G1 learning first, then both; three discriminators and their matched features of 3.2 (eq. 2
to 5), with least squares; edges of objects of 3.3; the encoder E, whose features are averaged over objects, and the
clusters of 3.4, among which `sfumato translate --style` chooses.

Deviations: G1 sees the mean of 3 × 3 pixels of what G2 sees, in both stages, and the coarser discriminators of the
first stage stay for the second; the authors reduce files and begin with new ones. Frozen features (3.2, last paragraph)
have to be given: --features vgg19:SOURCE. The menu is fitted to the first 20,000 objects.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.pretrained.features import features
from ...networks.translation.generators import CoarseToFine, ResnetGenerator, gaussian, halved, instance_norm
from ...networks.translation.instances import USUAL, Chosen, Menu, averaged, described, outlined
from ...networks.translation.patch import PatchGAN, Pyramid
from ...objectives.adversarial import least_squares_d, least_squares_g
from ...objectives.translation import deep_heavy, layers_matched
from ...system import Batch, Late, Losses, Paper, Preset, Recipe, System, linear

SMALL = dict(legend=27, ch=40, blocks=3, halvings=2, local=1, scales=2, ch_d=24, layers=2, lr=8e-4, coarse=0.35)


class Pix2PixHD(System):
    """A coarse and a fine generator, discriminators at several scales, and an encoder of styles."""

    paper = Paper(
        "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
        "Wang et al.",
        2017,
        "https://arxiv.org/abs/1711.11585",
    )
    recipe = Recipe(data="cityscapes", size=1024, batch=1, steps=595_000, view="maps", schedule=Late(linear, 0.5))
    presets = {
        "paper": Preset({}, dict(aspect="2:1")),
        "small": Preset(SMALL, dict(data="scenes", size=64, batch=4, steps=1_500)),
        "tiny": Preset(
            SMALL | dict(ch=8, blocks=1, halvings=1, ch_d=4, layers=1, ch_e=2, clusters=2, coarse=0.02),
            dict(data="scenes", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        legend: int = 35,  # classes that the maps tell apart
        objects: bool = True,  # whether objects of one class are told apart
        z: int = 3,  # numbers that E says of an object; 0 = no encoder, and one style
        clusters: int = 10,  # styles of a class on the menu
        coarse: float = 0.5,  # share of the training that is G1's alone
        matching: float = 10.0,  # weight of the discriminators' features, the paper's λ
        perceptual: float = 10.0,  # weight of frozen features, where they are given
        features: str = "",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes; none if empty
        seen: str = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1",  # layers of the features
        blocks: int = 9,  # residual ones of G1
        halvings: int = 4,  # of G1's side
        local: int = 3,  # residual blocks of G2
        scales: int = 3,  # discriminators, each at half the side of the one before
        layers: int = 3,  # of a discriminator that halve the side
        ch: int = 64,  # channels of G1's first layer; half as many in G2
        ch_e: int = 16,  # of E's
        ch_d: int = 64,  # of the discriminators'
        channels: int = 3,
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        self.legend, self.objects, self.coarse, self.lr = legend, objects, coarse, lr
        self.matching, self.perceptual = matching, perceptual
        self.features, self.seen = features, tuple(seen.split(","))
        known = legend + 1
        self.G = CoarseToFine(known + z, channels, ch, blocks, halvings, local)
        self.E = ResnetGenerator(channels, z, ch_e, 0, halvings) if z else None
        self.menu = Menu(legend, clusters, max(z, 1))
        self.D = Pyramid(scales, partial(PatchGAN, known + channels, ch_d, layers, instance_norm, 2))
        gaussian(self)
        self.fine: Tensor
        self.register_buffer("fine", torch.tensor(False))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the generators and the encoder, and for the discriminators."""
        painters = [*self.G.parameters(), *(self.E.parameters() if self.E is not None else ())]
        both = {"G": painters, "D": list(self.D.parameters())}
        return {k: Adam(p, self.lr, (0.5, 0.999), fused=True) for k, p in both.items()}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Both sides' turn at once, at half the side as long as G1 learns alone."""
        if self.progress >= self.coarse:
            self.fine.fill_(True)
        known, region = outlined(batch.semantic, batch.instance * self.objects, self.legend)
        image, told = batch.image, known
        if self.E is not None:
            found = self.E(image)
            told = torch.cat([known, averaged(found, region)], 1)
            self.menu.note(found, batch.semantic)
        if not self.fine:
            image, known, told = (halved(x) for x in (image, known, told))
        fake = self.G(told) if self.fine else self.G.G1(told)
        real_maps, fake_maps = (self.D(torch.cat([known, x], 1), 0 if self.fine else 1) for x in (image, fake))
        pairs = [(real[-1], made[-1]) for real, made in zip(real_maps, fake_maps, strict=True)]
        terms = {"adversarial": torch.stack([2 * least_squares_g(made) for _, made in pairs]).sum()}
        terms["matching"] = self.matching * layers_matched(real_maps, fake_maps)
        if self.features:
            look = features(self.features, self.seen, device=image.device)
            terms["perceptual"] = self.perceptual * deep_heavy(look(image), look(fake))
        yield {"G": terms, "D": torch.stack([least_squares_d(real, made) for real, made in pairs]).sum()}

    @torch.no_grad()
    def finish(self, batches: Iterable[Batch]) -> None:
        """Cluster what E says of objects, class by class."""
        if self.E is not None:
            found = (
                (self.E(b.image), b.semantic, outlined(b.semantic, b.instance * self.objects, self.legend)[1])
                for b in batches
            )
            self.menu.fit(described(*some) for some in found)

    def styles(self, kind: int) -> int:
        """How many styles a class has on the menu."""
        return int(self.menu.held[kind]) if self.E is not None else 0

    def translate(
        self, semantic: Tensor, instance: Tensor, style: Chosen = USUAL, chance: Tensor | None = None
    ) -> Tensor:
        """Maps painted: (b, h, w), (b, h, w) int64 -> (b, channels, h, w).

        `style` numbers the style of a class, (class, 0), or of an object, (class, object). The others have the most
        frequent ones or, by `chance` (b, legend) in [0, 1), any, as often as they were seen.
        """
        instance = instance * self.objects
        told, _ = outlined(semantic, instance, self.legend)
        if self.E is not None:
            told = torch.cat([told, self.menu(semantic, instance, style, chance)], 1)
        if self.fine:
            return self.G(told)
        return F.interpolate(self.G.G1(halved(told)), semantic.shape[1:], mode="bilinear", antialias=True)

    def sample(self, given: Batch) -> Tensor:
        """Maps painted in styles drawn at random."""
        return self.translate(given.semantic, given.instance, chance=given.rand(self.legend))

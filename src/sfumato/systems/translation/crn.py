"""CRN: a map of classes is painted by a cascade of refinements, from 4 pixels up, without an adversary.

Chen & Koltun, Photographic Image Synthesis with Cascaded Refinement Networks, ICCV 2017.
https://arxiv.org/abs/1707.09405
Modules of section 3.1; the loss of features of 3.2 (eq. 1), each layer's weight one over its size at first, and from
half of the training on such that all contribute alike; several pictures for one map, of which the best learns, of 3.3
(eq. 2).

Deviations: the best picture is chosen as a whole, not class by class (eq. 3). Features have to be given as the paper's
are, --features vgg19:SOURCE with --seen conv1_2,conv2_2,conv3_2,conv4_2,conv5_2; "small" has those of the small network
that reads the built-in shapes. Edges of objects are seen too, with --no-objects none.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.pretrained.features import features
from ...networks.translation.crn import Cascade
from ...networks.translation.instances import outlined
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class CRN(System):
    """A cascade of refinement modules and frozen features to learn by."""

    paper = Paper(
        "Photographic Image Synthesis with Cascaded Refinement Networks",
        "Chen and Koltun",
        2017,
        "https://arxiv.org/abs/1707.09405",
    )
    recipe = Recipe(data="cityscapes", size=1024, batch=1, steps=595_000, view="maps")  # 200 times 2,975 pictures
    presets = {
        "paper": Preset({}, dict(aspect="2:1")),
        "small": Preset(
            dict(legend=27, widths="96,96,64,48,24", features="reader:shapes", seen="relu1,relu2,relu3", lr=1e-3),
            dict(data="scenes", size=64, batch=4, steps=1_500, schedule=cosine),
        ),
        "tiny": Preset(
            dict(legend=27, widths="6,4,4", images=2, features="reader:shapes", seen="relu1,relu2", lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20),
        ),
    }

    def __init__(
        self,
        legend: int = 35,  # classes that the maps tell apart
        objects: bool = True,  # whether objects of one class are told apart
        widths: str = "1024,1024,1024,1024,1024,512,512,128,32",  # channels of the modules, the coarsest first
        images: int = 1,  # pictures of one map, of which the best learns
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        seen: str = "conv1_2,conv2_2,conv3_2,conv4_2,conv5_2",  # layers of the features
        alike: float = 0.5,  # share of the training after which all layers contribute alike
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        if not all(width.isdigit() and int(width) for width in widths.split(",")):
            raise UserError(f"--widths {widths}: give the channels of each module, like 256,128,64")
        self.legend, self.objects, self.images, self.channels = legend, objects, images, channels
        self.features, self.seen, self.alike, self.lr = features, tuple(seen.split(",")), alike, lr
        self.G = Cascade(legend + 1, images * channels, [int(width) for width in widths.split(",")])
        self.usual: Tensor
        self.register_buffer("usual", torch.ones(1 + len(self.seen)))  # what each layer contributed of late

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The differences of pixels and features, of the best picture of each map."""
        look = features(self.features, self.seen, device=batch.image.device)
        painted = self.paint(batch.semantic, batch.instance)
        real, fake = ([x, *look(x)] for x in (batch.image, painted.flatten(0, 1)))
        terms = torch.stack(
            [
                (a[:, None] - b.unflatten(0, (-1, self.images))).abs().flatten(2).mean(2)
                for a, b in zip(real, fake, strict=True)
            ]
        )
        if self.progress < self.alike:
            self.usual.lerp_(terms.detach().mean((1, 2)), 0.02 if self.iteration else 1.0)
        weight = torch.ones_like(self.usual) if self.progress < self.alike else self.usual.mean() / self.usual
        yield {"G": (terms * weight[:, None, None]).sum(0).amin(1)}

    def paint(self, semantic: Tensor, instance: Tensor) -> Tensor:
        """All pictures of each map, not clipped: (b, h, w), (b, h, w) int64 -> (b, images, channels, h, w)."""
        known, _ = outlined(semantic, instance * self.objects, self.legend)
        return self.G(known).unflatten(1, (self.images, self.channels))

    def translate(self, semantic: Tensor, instance: Tensor) -> Tensor:
        """Maps painted, the first picture of each: (b, h, w), (b, h, w) int64 -> (b, channels, h, w)."""
        return self.paint(semantic, instance)[:, 0].clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """Maps painted, one picture of each at random."""
        painted, which = self.paint(given.semantic, given.instance), given.randint(self.images, 1)[:, 0]
        return painted[torch.arange(len(which), device=which.device), which].clamp(-1, 1)

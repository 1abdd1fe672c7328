"""mGANprior: a picture from several codes of a generator, which undoes damage because generators draw undamaged ones.

Gu, Shen & Zhou, Image Processing Using Multi-Code GAN Prior, CVPR 2020. https://arxiv.org/abs/1912.07116
Maps of N codes at a layer are added with an importance for each channel (section 3.1), both are optimised in pixels and
features (3.2), and the picture is compared after the same damage: none, grey, small, with a hole (3.3). A system of one
or a few pictures: it learns those of the first batch, or `damaged` of it if they are damaged already, and `mask` (1
where pixels are known) for a hole. The task `restore` trains it in memory.

Deviations: Adam where the authors descend with momentum. The features are those of `features` and are compared by their
directions. In style-based generators codes are points of W. Where a hole is not given, it is the middle of the picture.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.optim import Adam, Optimizer

from ...generators import open_generator
from ...networks.editing.damage import Damaged, damaged
from ...networks.editing.held import Held
from ...networks.editing.multicode import MultiCode
from ...networks.editing.sight import sight
from ...objectives.inversion import feature_distance, masked_mse
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class MGANPrior(Damaged, System):
    """Codes and importances of a few pictures; the generator in H is left as it is."""

    paper = Paper(
        "Image Processing Using Multi-Code GAN Prior", "Gu, Shen & Zhou", 2019, "https://arxiv.org/abs/1912.07116"
    )
    recipe = Recipe(data="celeba-hq", size=1024, batch=1, steps=3_000)
    presets = {
        "paper": Preset(),
        "small": Preset(
            dict(codes=8, side=8), dict(data="faces", size=64, batch=1, steps=300, schedule=cosine)
        ),
        "tiny": Preset(dict(codes=3, side=8, pictures=3), dict(data="digits", size=16, batch=4, steps=20)),
    }  # fmt: skip

    def __init__(
        self,
        generator: str | System = "",  # the run folder of the generator
        damage: str = "none",  # to undo: superres-x2, superres-x4, superres-x8, grey, inpaint
        codes: int = 20,  # of a picture
        side: int = 16,  # of the maps where codes meet, pixels
        features: str = "style",  # or reader:faces, squeezenet:FILE, vgg19:FILE
        perceptual: float = 0.5,  # weight of the distance of these features
        pictures: int = 1,  # at once, the first rows of the first batch
        size: int = 1024,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        lr: float = 0.05,
    ) -> None:
        super().__init__()
        self.H = Held(open_generator(generator, size, channels, aspect), isinstance(generator, System))
        self.features, self.perceptual, self.lr = features, perceptual, lr
        self.code = MultiCode(self.H.system, self.H.system.prior(Batch(2)), pictures, codes, side)
        self.blank(damage, pictures, channels, size, aspect)

    def start(self, batch: Batch) -> None:
        """What is known of the pictures; codes as the generator draws them."""
        self.know(batch)
        drawn = Batch(len(self.given) * self.code.codes, device=batch.device, seed=int(batch.randint(1 << 31)[0]))
        self.code.begin(self.H.system, self.H.system.prior(drawn))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for codes and importances; the latter are a share of a channel each, and slower for that."""
        importance: dict[str, Any] = dict(params=[self.code.importance], lr=self.lr / self.code.codes)
        return {"codes": Adam([dict(params=[self.code.code]), importance], self.lr)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The error after the same damage, in pixels and features."""
        estimate = damaged(self.code(self.H.system), self.damage, self.mask)
        mask = self.mask if self.damage == "inpaint" else None
        look = sight(self.features, batch.device)
        yield {
            "codes": {
                "pixels": masked_mse(estimate, self.given, mask),
                "features": self.perceptual
                * feature_distance(look(self.whole(estimate)), look(self.whole(self.given)), mask),
            }
        }

    def restored(self) -> Tensor:
        """The pictures as they are: (pictures, channels, h, w) in [-1, 1]."""
        return self.code(self.H.system).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """Pictures, chosen at random from those that were restored: (n, channels, h, w)."""
        return self.restored()[given.randint(len(self.given))]

"""CycleGAN: pictures of one domain become pictures of another and come back, without a single pair.

Zhu, Park, Isola & Efros, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, ICCV 2017.
https://arxiv.org/abs/1703.10593
Objective of section 3 (eq. 1 to 3) with least squares, the memory of 50 pictures, and the rate that falls in the second
half, of section 4; networks and training of appendix 7: six blocks for 128 pixels ("paper-128"), nine from 256 on, the
identity loss of section 5.2 ("paper-identity"). As there, half of D's loss is taken, and the whole of G's.

Deviations: fakes in the memory are rounded to bytes. Pictures are not enlarged and cropped at random; mirror them with
--flip.
"""

from collections.abc import Iterator

from torch import Tensor
from torch.optim import Adam, Optimizer

from ...errors import nearest
from ...networks.translation.generators import ResnetGenerator, gaussian
from ...networks.translation.history import History
from ...networks.translation.patch import FIELDS, PatchGAN
from ...objectives.adversarial import least_squares_d, least_squares_g, wins
from ...objectives.pixels import l1
from ...system import Batch, Late, Losses, Paper, Preset, Recipe, System, linear

SMALL = dict(blocks=3, ch=16, ch_d=16, field=16, lr=8e-4)
SHORT = dict(data="scenes", size=32, batch=4, steps=2_000, view="unpaired-night")


class CycleGAN(System):
    """G from A to B, F from B to A, and a discriminator for each domain."""

    paper = Paper(
        "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        "Zhu et al.",
        2017,
        "https://arxiv.org/abs/1703.10593",
    )
    recipe = Recipe(
        data="horse2zebra", size=256, batch=1, steps=267_000, view="unpaired", schedule=Late(linear, 0.5)
    )  # 200 times 1,335 pictures
    presets = {
        "paper": Preset(),
        "paper-identity": Preset(dict(identity=0.5)),
        "paper-128": Preset(dict(blocks=6), dict(size=128)),
        "small": Preset(SMALL, SHORT),
        "small-identity": Preset(SMALL | dict(identity=0.5), SHORT),
        "tiny": Preset(
            dict(blocks=1, ch=4, ch_d=4, field=16, history=6, lr=2e-3),
            dict(data="scenes", size=16, batch=4, steps=20, view="unpaired-night"),
        ),
    }

    def __init__(
        self,
        cycle: float = 10.0,  # weight of the error of what has gone there and back, the paper's λ
        identity: float = 0.0,  # weight, in λ, of what a generator changes in pictures that need no change; 0.5 in 5.2
        field: int = 70,  # side of the discriminators' patches, pixels: 1, 16, 34, 70, 142 or 286
        history: int = 50,  # fakes of each domain that are shown again
        blocks: int = 9,  # residual ones
        ch: int = 64,  # channels of the generators' first layer; four times as many in the blocks
        ch_d: int = 64,  # of the discriminators'
        channels: int = 3,
        size: int = 256,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        nearest(str(field), map(str, FIELDS), "side of patches")
        self.cycle, self.identity, self.lr = cycle, identity, lr
        self.G, self.F = (ResnetGenerator(channels, channels, ch, blocks) for _ in range(2))
        self.DA, self.DB = (PatchGAN(channels, ch_d, FIELDS[field]) for _ in range(2))
        self.past_A, self.past_B = (History(history, channels, size, aspect) for _ in range(2))
        gaussian(self)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for both generators, and for both discriminators."""
        nets = {"G": (self.G, self.F), "D": (self.DA, self.DB)}
        return {
            k: Adam([p for n in both for p in n.parameters()], self.lr, (0.5, 0.999), fused=True)
            for k, both in nets.items()
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The generators' turn, there and back from either side; then the discriminators', with what they made."""
        a, b = batch.source, batch.image
        fake_b, fake_a = self.G(a), self.F(b)
        terms = {
            "A to B": 2 * least_squares_g(self.DB(fake_b)[-1]),
            "B to A": 2 * least_squares_g(self.DA(fake_a)[-1]),
            "cycle A": self.cycle * l1(self.F(fake_b), a),
            "cycle B": self.cycle * l1(self.G(fake_a), b),
        }
        if self.identity:
            terms["identity A"] = self.cycle * self.identity * l1(self.F(a), a)
            terms["identity B"] = self.cycle * self.identity * l1(self.G(b), b)
        yield {"G": terms}
        real_a, real_b = self.DA(a)[-1], self.DB(b)[-1]
        shown_a = self.DA(self.past_A(fake_a, batch.rand(2)))[-1]
        shown_b = self.DB(self.past_B(fake_b, batch.rand(2)))[-1]
        yield {"D": {"A": least_squares_d(real_a, shown_a), "B": least_squares_d(real_b, shown_b)}}
        self.report(**{"D wins": wins(real_b.mean((1, 2, 3)), shown_b.mean((1, 2, 3)))})

    def translate(self, image: Tensor, direction: str = "AtoB") -> Tensor:
        """What pictures become in the other domain: (b, channels, h, w) of any size -> the same size.

        `direction` is AtoB or BtoA.
        """
        return (self.G if nearest(direction, ("AtoB", "BtoA"), "direction") == "AtoB" else self.F)(image)

    def reconstruct(self, image: Tensor) -> Tensor:
        """Pictures of domain A, there and back: (b, channels, h, w) -> the same."""
        return self.F(self.G(image))

    def sample(self, given: Batch) -> Tensor:
        """What the sources become."""
        return self.G(given.source)

"""FUNIT: a picture's pose in the looks of another class, of which a few pictures are enough, seen for the first time.

Liu et al., Few-Shot Unsupervised Image-to-Image Translation, ICCV 2019. https://arxiv.org/abs/1905.01723
Generator of section 3.1, whose class code is the mean over the pictures of a class; discriminator of 3.2, a score for
each class and patch, of which the class in question is judged; losses of 3.3 (eq. 3 to 7): the game by hinges, content
reconstruction, matched features, and the penalty of the gradient at reals. Networks and training as in appendix A and
the authors' code, whose averaged weights paint.

Deviations: the penalty is of each picture's own mean score, so that it does not depend on the batch; in that code it is
divided by the square of the batch. Gains of adaptive norms begin around 1, scores have no bias, and pictures are
not cropped at random.
"""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor
from torch.optim import Optimizer, RMSprop

from ...networks.translation.content_style import CodeEncoder, ContentEncoder, StyledDecoder, kaiming, translated
from ...networks.translation.generators import gaussian, instance_norm
from ...networks.translation.patch import ClassPatches
from ...objectives.adversarial import r1, wins
from ...objectives.pixels import l1
from ...objectives.translation import hinge_d, hinge_g
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class FUNIT(System):
    """Encoders of content and of class, a decoder, and a discriminator of patches for every class."""

    paper = Paper(
        "Few-Shot Unsupervised Image-to-Image Translation", "Liu et al.", 2019, "https://arxiv.org/abs/1905.01723"
    )
    recipe = Recipe(data="animal-faces", size=128, batch=64, steps=100_000, view="few-shot", ema=0.999)
    presets = {
        "paper": Preset(dict(classes=119)),
        "small": Preset(
            dict(ch=16, z=16, mlp=64, halvings=2, ch_d=16, levels=3, lr=5e-4, penalty=1.0, reconstruction=1.0),
            dict(data="shapes", size=32, batch=8, steps=2_000, view="few-shot-seen", ema=0.99),
        ),
        "tiny": Preset(
            dict(ch=4, z=4, mlp=8, halvings=2, blocks=1, ch_d=4, levels=2, lr=1e-3),
            dict(data="shapes", size=16, batch=4, steps=20, view="few-shot-seen"),
        ),
    }

    def __init__(
        self,
        reconstruction: float = 0.1,  # weight of the error of pictures in the looks of their own class
        matching: float = 1.0,  # of the discriminator's features
        penalty: float = 10.0,  # of D's gradient at reals
        z: int = 64,  # numbers in a class's code
        mlp: int = 256,  # units of the decoder's MLP
        halvings: int = 3,  # of the side, to content; one more to a class's code
        blocks: int = 2,  # residual ones of the encoder of content, and of the decoder
        levels: int = 5,  # sides at which D looks, each half the one before
        ch: int = 64,  # channels of the encoders' first layers
        ch_d: int = 64,  # of the discriminator's
        channels: int = 3,
        classes: int = 119,
        lr: float = 1e-4,
        decay: float = 1e-4,  # of the weights
    ) -> None:
        super().__init__()
        self.reconstruction, self.matching, self.penalty = reconstruction, matching, penalty
        self.halvings, self.lr, self.decay = halvings, lr, decay
        self.C = ContentEncoder(channels, ch, halvings, blocks)
        self.S = CodeEncoder(channels, z, ch, halvings + 1)
        self.G = StyledDecoder(channels, ch, halvings, blocks, z, mlp, instance_norm)
        self.D = ClassPatches(channels, classes, ch_d, levels)
        kaiming(self.C, self.S, self.G)
        gaussian(self.D)

    def optimizers(self) -> dict[str, Optimizer]:
        """RMSprop for encoders and decoder, and for the discriminator."""
        painters = chain(self.C.parameters(), self.S.parameters(), self.G.parameters())
        both = {"G": list(painters), "D": list(self.D.parameters())}
        return {k: RMSprop(p, self.lr, weight_decay=self.decay) for k, p in both.items()}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The painters' turn, with one picture of a class; then D's, with that picture and what they made."""
        a, b = batch.source, batch.image
        content = self.C(a)
        fake, same = self.G(content, self.S(b)), self.G(content, self.S(a))
        made, of_made = self.D(fake, batch.label)
        kept, of_kept = self.D(same, batch.source_label)
        with torch.no_grad():
            of_b, of_a = self.D(b, batch.label)[1], self.D(a, batch.source_label)[1]
        yield {
            "G": {
                "game": (hinge_g(made) + hinge_g(kept)) / 2,
                "reconstruction": self.reconstruction * l1(same, a),
                "matching": self.matching * (l1(of_made, of_b) + l1(of_kept, of_a)),
            }
        }
        real, shown = self.D(b, batch.label)[0], self.D(fake.detach(), batch.label)[0]
        terms = {"game": hinge_d(real, shown)}
        if self.penalty:
            terms["penalty"] = self.penalty * r1(lambda x: self.D(x, batch.label)[0].mean((1, 2, 3)), b)
        yield {"D": terms}
        self.report(**{"D wins": wins(real.mean((1, 2, 3)), shown.mean((1, 2, 3)))})

    def translate(self, image: Tensor, examples: Tensor) -> Tensor:
        """Pictures in the looks of the class that examples are of: (b, channels, h, w), (k, channels, …) -> as image.

        Both may be of any size.
        """
        return self.painted(image, self.S(examples).mean(0, keepdim=True))

    def painted(self, image: Tensor, code: Tensor) -> Tensor:
        """Pictures in the looks of classes of such codes: (b, channels, h, w), (b or 1, z) -> (b, channels, h, w)."""
        code = code.expand(len(image), -1)
        return translated(self.C, lambda x: self.G(x, code), image, self.halvings)

    def sample(self, given: Batch) -> Tensor:
        """The sources in the looks of other classes, of each of which one picture is given."""
        return self.painted(given.source, self.S(given.other))

"""DGP: the generator itself gives way to a picture, layer after layer, and what it knows undoes the picture's damage.

Pan et al., Exploiting Deep Generative Prior for Versatile Image Restoration and Manipulation, ECCV 2020.
https://arxiv.org/abs/2003.13659
The code and the generator are optimised together, under the distance of what its own discriminator sees (section 3.1,
3.2), from the nearest of 500 drawn codes, and progressively: early layers first, then more of them (3.2). The damage is
done to the generator's picture before it is compared. A system of one or a few pictures: it learns those of the first
batch, or `damaged` of it if they are damaged already, and `mask` (1 where pixels are known) for a hole. The task
`restore` trains it in memory.

Deviations: what parameters move by is stored, for each picture. Stages are shares of the training that are alike, and
unlock equal numbers of parameters in the order in which the generator uses them. Small pictures are enlarged before the
discriminator looks. Pixels count beside it, as in the authors' program. The code is in W where there is W.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...generators import open_generator
from ...networks.editing.damage import Damaged, damaged
from ...networks.editing.held import Held
from ...networks.editing.inside import maps_of, order_of_use
from ...networks.editing.spaces import Drawing, lift
from ...networks.stylegan.latents import StyleSpaces
from ...objectives.inversion import masked_mse
from ...objectives.perceptual import distance
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class DGP(Damaged, System):
    """A code and changes of the generator for each of a few pictures; the generator in H is what it was."""

    paper = Paper(
        "Exploiting Deep Generative Prior for Versatile Image Restoration and Manipulation",
        "Pan et al.",
        2020,
        "https://arxiv.org/abs/2003.13659",
    )
    recipe = Recipe(data="imagenet", size=256, batch=1, steps=1_000)
    presets = {
        "paper": Preset(),
        "small": Preset(dict(lr=2e-3, lr_code=2e-2), dict(data="faces", size=64, batch=1, steps=200)),
        "tiny": Preset(
            dict(pictures=3, stages=2, drawn=8, lr=1e-3), dict(data="digits", size=16, batch=4, steps=20)
        ),
    }  # fmt: skip

    def __init__(
        self,
        generator: str | System = "",  # the run folder of the generator
        damage: str = "none",  # to undo: superres-x2, superres-x4, superres-x8, grey, inpaint
        stages: int = 5,  # shares of the training, with more of the generator in each
        drawn: int = 500,  # codes among which the first is looked for
        seen: float = 1.0,  # weight of what the discriminator sees
        pixels: float = 1.0,  # weight of the squared error
        pictures: int = 1,  # at once, the first rows of the first batch
        size: int = 256,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        lr: float = 1e-4,  # of the generator
        lr_code: float = 1e-3,  # of the code
    ) -> None:
        super().__init__()
        found = open_generator(generator, size, channels, aspect)
        if not isinstance(getattr(found, "D", None), nn.Module):
            raise UserError("dgp compares pictures by the generator's discriminator, and this one has none")
        self.H = Held(found, isinstance(generator, System))
        self.stages, self.drawn, self.seen, self.pixels = stages, drawn, seen, pixels
        self.lr, self.lr_code = lr, lr_code
        self.space = "w" if isinstance(found, StyleSpaces) else "z"
        draw = self.drawing()
        example = self.codes(Batch(1))
        self.names = order_of_use(draw, lambda: draw(example))
        held = dict(draw.named_parameters())
        self.code = nn.Parameter(torch.zeros(pictures, example.shape[1]))
        self.change = nn.ParameterList(torch.zeros(pictures, held[k].numel()) for k in self.names)
        self.blank(damage, pictures, channels, size, aspect)

    def drawing(self) -> Drawing:
        """The generator as one module from codes to pictures."""
        return Drawing(self.H.system, self.space)

    def codes(self, given: Batch) -> Tensor:
        """Codes as the generator draws them."""
        with torch.no_grad():
            code = lift(self.H.system, self.H.system.prior(given), "z", self.space)
        assert isinstance(code, Tensor)
        return code

    def start(self, batch: Batch) -> None:
        """What is known of the pictures, and the nearest of some codes for each; a generator without changes."""
        self.know(batch)
        pool = self.codes(Batch(self.drawn, device=batch.device, seed=int(batch.randint(1 << 31)[0])))
        draw = self.drawing()
        with torch.no_grad():
            for row in range(len(self.given)):
                apart = [self.apart(draw(part), slice(row, row + 1)) for part in pool.split(32)]
                self.code[row] = pool[torch.cat([terms["seen"] + terms["pixels"] for terms in apart]).argmin()]
            for change in self.change:
                change.zero_()

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for codes and changes, at rates of their own."""
        code: dict[str, Any] = dict(params=[self.code], lr=self.lr_code)
        return {"G": Adam([code, dict(params=list(self.change))], self.lr)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The error after the same damage, with as much of the generator as the hour allows."""
        stage = min(self.stages, int(self.progress * self.stages) + 1)
        yield {"G": self.apart(self.draw(ceil(len(self.names) * stage / self.stages)), slice(None))}

    def draw(self, free: int | None = None) -> Tensor:
        """The pictures, not clipped, of which the gradient moves the first `free` parameters or all: (pictures, …)."""
        draw = self.drawing()
        held, images = dict(draw.named_parameters()), []
        for row, code in enumerate(self.code):
            parts = [c[row] if free is None or k < free else c[row].detach() for k, c in enumerate(self.change)]
            moved = {name: held[name] + part.view_as(held[name]) for name, part in zip(self.names, parts, strict=True)}
            images.append(functional_call(draw, moved, (code[None],)))
        return torch.cat(images)

    def apart(self, image: Tensor, rows: slice) -> dict[str, Tensor]:
        """How far pictures (b, …) are from what is given of some rows, b or one: terms (b,)."""
        given, mask = self.given[rows], self.mask[rows]
        estimate = damaged(image, self.damage, mask)
        ours, theirs = maps_of(self.H.system.D, self.whole(estimate)), maps_of(self.H.system.D, self.whole(given))
        seen = torch.stack([distance(a, b.expand_as(a), 1) for a, b in zip(ours, theirs, strict=True)]).mean(0)
        known = mask if self.damage == "inpaint" else None
        return {"seen": self.seen * seen, "pixels": self.pixels * masked_mse(estimate, given, known)}

    def restored(self) -> Tensor:
        """The pictures as they are: (pictures, channels, h, w) in [-1, 1]."""
        return self.draw().clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """Pictures, chosen at random from those that were restored: (n, channels, h, w)."""
        return self.restored()[given.randint(len(self.given))]

"""Augmentations with a chance p that follows how much a discriminator overfits.

Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, section 3 and appendix B.
https://arxiv.org/abs/2006.06676
"""

from math import pi

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ... import aspect as shape
from ...errors import UserError
from . import augment
from .latents import Given

KINDS = "bgcfno"  # blitting, geometry, colour, filters, noise, cut-out
LUMA = 3**-0.5  # each colour's part of the axis of greys


class Augment(nn.Module):
    """Each augmentation of the `kinds` asked, each with chance p: (b, c, h, w) -> (b, c, h, w).

    Numbers are drawn by `draw`, so that the rest is a function. Raises UserError for kinds that are unknown.
    """

    def __init__(self, size: int, kinds: str = KINDS, aspect: str = shape.SQUARE) -> None:
        super().__init__()
        if unknown := set(kinds) - set(KINDS):
            raise UserError(f"augmentations {''.join(sorted(unknown))!r} are unknown; take letters of {KINDS}")
        self.sides, self.kinds = shape.sides(size, aspect), kinds
        for side in set(self.sides):
            made = (*augment.wavelet_matrices(side), augment.band_matrices(side))
            for name, matrix in zip(("doubling", "halving", "bands"), made, strict=True):
                self.register_buffer(f"{name}{side}", matrix, persistent=False)

    def draw(self, given: Given, p: Tensor, channels: int) -> dict[str, Tensor]:
        """Numbers for one batch: what happens to each picture, by the names of `forward`."""
        drawn, (high, wide) = dict[str, Tensor](), self.sides
        if "b" in self.kinds:
            drawn["flip"] = (given.rand() < p) & (given.rand() < 0.5)
            drawn["turns"] = torch.where(given.rand() < p, given.randint(4), 0)
            shift = ((given.rand(2) * 2 - 1) * 0.125 * p.new_tensor([high, wide])).round().long()
            drawn["shift"] = torch.where(given.rand(1) < p, shift, 0)
        if "g" in self.kinds:
            drawn["back"], drawn["moved"] = self._back(given, p)
        if "c" in self.kinds:
            drawn["colour"] = colours(given, p)
        if "f" in self.kinds:
            drawn["gains"] = band_gains(given, p)
        if "n" in self.kinds:
            spread = torch.where(given.rand() < p, given.randn().abs() * 0.1, 0.0)
            drawn["noise"] = given.randn(channels, high, wide) * spread[:, None, None, None]
        if "o" in self.kinds:
            drawn["centre"], drawn["on"] = given.rand(2), given.rand() < p
        return drawn

    def forward(self, image: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """Pictures after what was drawn, in the order of algorithm 1, float32."""
        with torch.autocast(image.device.type, enabled=False):
            x = image.float()
            if "flip" in drawn:
                x = augment.blitted(x, drawn["flip"], drawn["turns"], drawn["shift"])
            if "back" in drawn:
                down, across = ((self.matrix("doubling", n), self.matrix("halving", n)) for n in self.sides)
                there = augment.warped(x, drawn["back"], down, across)
                x = torch.where(drawn["moved"][:, None, None, None], there, x)
            if "colour" in drawn:
                x = augment.recoloured(x, drawn["colour"])
            if "gains" in drawn:
                x = augment.filtered(x, drawn["gains"], *(self.matrix("bands", n) for n in self.sides))
            if "noise" in drawn:
                x = x + drawn["noise"]
            return augment.cut(x, drawn["centre"], drawn["on"]) if "on" in drawn else x

    def matrix(self, name: str, side: int) -> Tensor:
        """What `augment` has for lines of so many pixels: "doubling", "halving" or "bands"."""
        return self.get_buffer(f"{name}{side}")

    def _back(self, given: Given, p: Tensor) -> tuple[Tensor, Tensor]:
        """Geometry as the way from a pixel to its source: (b, 2, 3); whether there is any: (b,)."""
        turning = 1 - (1 - p).sqrt()  # of two rotations at least one has the chance p
        moved = torch.stack([given.rand() < q for q in (p, turning, p, turning, p)], 1)
        size = torch.where(moved[:, 0], given.randn() * 0.2, 0.0)
        first = torch.where(moved[:, 1], (given.rand() * 2 - 1) * pi, 0.0)
        long = torch.where(moved[:, 2], given.randn() * 0.2, 0.0)
        second = torch.where(moved[:, 3], (given.rand() * 2 - 1) * pi, 0.0)
        shift = torch.where(moved[:, 4, None], given.randn(2) * 0.125 * p.new_tensor(self.sides[::-1]), 0.0)
        ways = (
            scaled(-size, -size), rotated(-first), scaled(-long, long), rotated(-second)
        )  # fmt: skip
        linear = ways[0] @ ways[1] @ ways[2] @ ways[3]
        return torch.cat([linear, -(linear @ shift[:, :, None])], 2), moved.any(1)


def scaled(x: Tensor, y: Tensor) -> Tensor:
    """Scales of 2 to the powers x and y: (b,), (b,) -> (b, 2, 2)."""
    return torch.diag_embed(torch.stack([x, y], 1).exp2())


def rotated(angle: Tensor) -> Tensor:
    """Rotations, radians: (b,) -> (b, 2, 2)."""
    c, s = angle.cos(), angle.sin()
    return torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)


def colours(given: Given, p: Tensor) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation, each with chance p, as one map: (b, 3, 4)."""
    bright = torch.where(given.rand() < p, given.randn() * 0.2, 0.0)
    contrast = torch.where(given.rand() < p, given.randn() * 0.5, 0.0).exp2()
    flip = torch.where(given.rand() < p, (given.rand() < 0.5).float(), 0.0)
    hue = torch.where(given.rand() < p, (given.rand() * 2 - 1) * pi, 0.0)
    saturation = torch.where(given.rand() < p, given.randn(), 0.0).exp2()
    return colour_map(bright, contrast, flip, hue, saturation)


def colour_map(bright: Tensor, contrast: Tensor, flip: Tensor, hue: Tensor, saturation: Tensor) -> Tensor:
    """To add, multiply, turn greys over (1 or 0), turn around them (radians) and stretch from them: (b, 3, 4)."""
    eye = torch.eye(3, device=bright.device)
    greys = torch.full((3, 3), LUMA**2, device=bright.device)  # the projection on the axis of greys
    x = LUMA
    across = torch.tensor([[0.0, -x, x], [x, 0.0, -x], [-x, x, 0.0]], device=bright.device)  # v -> axis × v
    turned = [t[:, None, None] for t in (contrast, flip, hue, saturation)]
    c, f, h, s = turned
    spin = greys + h.cos() * (eye - greys) + h.sin() * across
    stretch = greys + s * (eye - greys)
    linear = stretch @ spin @ (eye - 2 * f * greys)
    shift = (linear * c) @ bright[:, None, None].expand(-1, 3, 1)
    return torch.cat([linear * c, shift], 2)


def band_gains(given: Given, p: Tensor) -> Tensor:
    """Gains of four bands, each amplified with chance p and all then normalised to the power expected: (b, 4)."""
    power = torch.tensor(augment.POWER, device=p.device)
    gains = torch.ones(4, device=p.device)
    made = []
    for band in range(4):
        amplified = torch.where(given.rand() < p, given.randn(), 0.0).exp2()
        one = torch.where(torch.arange(4, device=p.device) == band, amplified[:, None], gains)
        made.append(one / (one.square() @ power).sqrt()[:, None])
    return torch.stack(made).prod(0)


class Chance(nn.Module):
    """The chance p, which moves every four batches by what the scores say, and all that it needs, as buffers.

    `target` is the overfitting aimed at; p goes from 0 to 1 in `pictures` real ones at the fastest. Eq. 1:
    r_t = E[sign D(real)], or r_v = (E[D(real)] - E[D(held)]) / (E[D(real)] - E[D(fake)]) with pictures held out.
    """

    p: Tensor
    sums: Tensor

    def __init__(self, target: float, pictures: int = 500_000, p: float = 0.0) -> None:
        super().__init__()
        self.target, self.pictures = target, pictures
        self.register_buffer("p", torch.tensor(p))
        self.register_buffer("sums", torch.zeros(6))  # sign, score of real; of fake; of held; counts of real, of held

    @torch.no_grad()
    def note(self, real: Tensor, fake: Tensor, held: Tensor | None = None, weight: Tensor | None = None) -> None:
        """Add up scores of one batch: real and fake (b,), and of held-out pictures (b,), where `weight` is one."""
        real, fake = real.detach().float(), fake.detach().float()
        zero, count = real.new_zeros(()), real.new_tensor(float(len(real)))
        other = (zero, zero) if held is None or weight is None else ((held * weight).sum(), weight.sum())
        self.sums += torch.stack([real.sign().sum(), real.sum(), fake.sum(), other[0], count, other[1]])

    def overfitting(self) -> tuple[Tensor, Tensor]:
        """r_t and r_v of what was noted."""
        sign, real, fake, held, count, kept = self.sums
        count, kept = count.clamp(min=1), kept.clamp(min=1)
        gap = real / count - fake / count
        return sign / count, (real / count - held / kept) / torch.where(gap.abs() < 1e-6, 1.0, gap)

    @torch.no_grad()
    def adjust(self, validation: bool = False) -> Tensor:
        """Move p by as much as pictures were noted, and forget them; the measure that it went by."""
        if dist.is_initialized():
            dist.all_reduce(self.sums)
        found = self.overfitting()[int(validation)]
        step = (found - self.target).sign() * self.sums[4] / self.pictures
        self.p.copy_((self.p + step).clamp(0, 1))
        self.sums.zero_()
        return found


def held_out(image: Tensor, share: float) -> Tensor:
    """Which pictures are kept from training, about `share` of them, by their content alone: (b, c, h, w) -> (b,) bool.

    The sum of a picture's bytes says it, which mirroring does not change.
    """
    total = ((image + 1) * 127.5).round().long().sum((1, 2, 3))
    return (total * 2_654_435_761) % (1 << 32) < int(share * (1 << 32))


def replaced(image: Tensor, out: Tensor) -> Tensor:
    """The batch with rows marked `out` replaced by others: (b, …), (b,) bool -> (b, …)."""
    order = out.long().argsort(stable=True)
    kept = (~out).sum().clamp(min=1)
    return image[order[torch.arange(len(out), device=out.device) % kept]]

"""Maps of classes and objects, (b, h, w) int64, as networks that paint them see them; a menu of styles by class.

Wang et al., High-Resolution Image Synthesis, 2018, sections 3.3 and 3.4. https://arxiv.org/abs/1711.11585
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ...errors import UserError

UNKNOWN = 255  # of classes: nobody said what this is; 0 of objects: there is none
GOLDEN = (5**0.5 - 1) / 2
Chosen = Mapping[tuple[int, int], int]  # the styles of classes, (class, 0), and of single objects, (class, object)
USUAL: Chosen = {}


def one_hot(semantic: Tensor, classes: int) -> Tensor:
    """A plane for each class, 1 where it is, float32: (b, h, w) -> (b, classes, h, w). Unknown places are 0 in all.

    Raises UserError for a class that there is not.
    """
    top = int(semantic.where(semantic != UNKNOWN, 0).max())
    if top >= classes:
        raise UserError(f"the maps have class {top}, and this network tells {classes} apart: give --legend {top + 1}")
    return (semantic[:, None] == torch.arange(classes, device=semantic.device).view(1, -1, 1, 1)).float()


def regions(semantic: Tensor, instance: Tensor) -> Tensor:
    """What each object shows of each class has a number of its own, and so has what is left of a class in each picture.

    (b, h, w), (b, h, w) -> (b, h, w), numbers from 0 without a gap over the whole batch.
    """
    picture = torch.arange(len(semantic), device=semantic.device).view(-1, 1, 1)
    key = semantic + (UNKNOWN + 1) * (instance + picture * (int(instance.max()) + 1))
    return torch.unique(key, return_inverse=True)[1]


def boundaries(semantic: Tensor, instance: Tensor) -> Tensor:
    """1 where one of four neighbours is of another object, or class if neither is of one: (b, h, w) -> (b, 1, h, w).

    Section 3.3.
    """
    number = torch.where(instance > 0, instance + UNKNOWN + 1, semantic)
    found = torch.zeros(number.shape, dtype=torch.bool, device=number.device)
    right, below = number[:, :, 1:] != number[:, :, :-1], number[:, 1:] != number[:, :-1]
    found[:, :, 1:] |= right
    found[:, :, :-1] |= right
    found[:, 1:] |= below
    found[:, :-1] |= below
    return found[:, None].float()


def outlined(semantic: Tensor, instance: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """What is painted by: planes of classes and edges, (b, classes + 1, h, w), and `regions` (b, h, w)."""
    planes = [one_hot(semantic, classes), boundaries(semantic, instance)]
    return torch.cat(planes, 1), regions(semantic, instance)


def means(features: Tensor, region: Tensor) -> Tensor:
    """What features are on the mean of each region: (b, c, h, w), (b, h, w) of numbers below n -> (n, c)."""
    rows, places = features.movedim(1, -1).flatten(0, -2).float(), region.flatten()
    n = int(places.max()) + 1
    count = torch.bincount(places, minlength=n).clamp(min=1)
    return rows.new_zeros(n, rows.shape[1]).index_add(0, places, rows) / count[:, None]


def averaged(features: Tensor, region: Tensor) -> Tensor:
    """Every place has the mean of its region: (b, c, h, w), (b, h, w) -> (b, c, h, w). Section 3.4, figure 4."""
    return means(features, region)[region].movedim(-1, 1)


def described(features: Tensor, semantic: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """The mean features and the class of every region: (b, c, h, w), (b, h, w), (b, h, w) -> (n, c), (n,) int64."""
    return means(features, region), means(semantic[:, None], region)[:, 0].round().long()


def k_means(points: Tensor, k: int, seed: int = 0, rounds: int = 30) -> tuple[Tensor, Tensor]:
    """Centres of k clusters and how many points each has, the largest first: (n, d) -> (m, d), (m,), m = min(k, n).

    Lloyd's algorithm from the seeds of k-means++ (Arthur & Vassilvitskii, 2007).
    """
    random = torch.Generator(points.device).manual_seed(seed)
    centres = points[torch.randint(len(points), (1,), generator=random, device=points.device)]
    while len(centres) < min(k, len(points)):
        far = torch.cdist(points, centres).amin(1).square() + 1e-12
        centres = torch.cat([centres, points[torch.multinomial(far, 1, generator=random)]])
    for _ in range(rounds):
        nearest = torch.cdist(points, centres).argmin(1)
        count = torch.bincount(nearest, minlength=len(centres))
        total = torch.zeros_like(centres).index_add(0, nearest, points)
        centres = torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], centres)
    order = count.argsort(descending=True, stable=True)
    return centres[order], count[order]


class Menu(nn.Module):
    """The features of a few styles for each class: buffers, so that a checkpoint has them."""

    styles: Tensor
    shares: Tensor  # of a class's objects, that have this style or one before it
    held: Tensor

    def __init__(self, classes: int, most: int, z: int) -> None:
        super().__init__()
        self.register_buffer("shares", torch.ones(classes, most))
        self.register_buffer("styles", torch.zeros(classes, most, z))
        self.register_buffer("held", torch.zeros(classes, dtype=torch.int64))

    @torch.no_grad()
    def note(self, features: Tensor, semantic: Tensor) -> None:
        """While there is no menu yet: one style for each class, the mean of late. (b, z, h, w), (b, h, w)."""
        classes = len(self.held)
        place = semantic.where(semantic < classes, classes)
        there = torch.bincount(place.flatten(), minlength=classes + 1)[:classes] > 0
        now = means(features, place)
        now = torch.cat([now, now.new_zeros(classes + 1 - len(now), now.shape[1])])[:classes]
        weight = torch.where(self.held > 0, 0.05, 1.0)[:, None]
        self.styles[:, 0] = torch.where(there[:, None], torch.lerp(self.styles[:, 0], now, weight), self.styles[:, 0])
        self.held.clamp_(min=there.long())

    @torch.no_grad()
    def fit(self, described: Iterable[tuple[Tensor, Tensor]], most: int = 20_000) -> None:
        """Cluster regions class by class, the first `most` of those described: see `described`."""
        found, count = [], 0
        for some in described:
            found.append(some)
            if (count := count + len(some[0])) >= most:
                break
        points, kinds = (torch.cat(parts) for parts in zip(*found, strict=True))
        for c in range(len(self.held)):
            if len(own := points[kinds == c]):
                centres, sizes = k_means(own, self.styles.shape[1])
                self.styles[c, : len(centres)] = centres
                self.shares[c, : len(centres)] = sizes.cumsum(0) / len(own)
                self.held[c] = len(centres)

    def forward(
        self,
        semantic: Tensor,
        instance: Tensor,
        chosen: Chosen = USUAL,
        chance: Tensor | None = None,
    ) -> Tensor:
        """The features of every place: (b, h, w), (b, h, w) -> (b, z, h, w); 0 where nothing is known.

        What is not `chosen` has the most frequent style of its class or, with `chance` (b, classes), uniform in [0, 1),
        one drawn as often as it was seen: objects of a class go on from its chance by the golden ratio, so that few of
        them differ well.
        """
        known = semantic < len(self.held)
        kind = semantic.where(known, 0)
        number = torch.zeros_like(kind)
        if chance is not None:
            drawn = (chance.gather(1, kind.flatten(1)).view(kind.shape) + GOLDEN * instance) % 1
            number = (drawn[..., None] >= self.shares[kind]).sum(-1)
        for (c, thing), style in sorted(chosen.items()):
            number = number.where((kind != c) | (thing > 0) & (instance != thing), style)
        found = self.styles[kind, number % self.held.clamp(min=1)[kind]]
        return (found * known[..., None]).movedim(-1, 1)

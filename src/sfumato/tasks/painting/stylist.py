"""Who paints pictures in a style, part by part: an AdaIN for any style, a network that learned its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.reach import reach
from ...networks.style.adain import sight
from ...networks.style.transform import TransformNet
from ...objectives.style import moments
from ..enlarging.enlarge import TILE, held
from ..enlarging.method import Method
from ..enlarging.tiles import Box, Layer, Resampled, tiles

THUMBNAIL = 1024  # pixels of the longer side of what a network that sees the whole picture gets to see of it
STRIP = 32  # rows of it that are made at a time
Moments = tuple[Tensor, Tensor]  # mean and standard deviation of each channel, (r, c) each
Show = Callable[[float, Tensor], None]  # is told what share is done, and the picture so far
Look = Callable[[np.ndarray], AbstractContextManager[Method]]


@dataclass(frozen=True)
class Stylist:
    """A way to paint: part by part after a look at the whole picture, or only as a whole.

    Pictures with regions are arrays (h, w, 3 + r) and images (1, 3 + r, h, w): r planes beside the colours say how far
    each style has a place.
    """

    words: str
    identity: str  # differs where results differ
    look: Look | None = None  # at a picture: what paints its parts, (1, 3 + r, h, w) -> the same
    whole: Callable[[Tensor, Tensor | None, Show], Tensor] | None = None  # (1, 3, h, w), (1, r, h, w) -> (1, 3, h, w)
    regions: bool = False  # whether each style can have a region of its own
    keeps: bool = False  # whether it sees to kept colours itself


def blended(system: Any, styles: Sequence[Tensor], weights: Sequence[float]) -> Moments:
    """The moments of several styles as one: images (1, 3, h, w) of any size, weights that sum to one -> (1, c) each.

    Huang & Belongie, 2017, eq. 15, as AdaIN is linear in both moments.
    """
    means, stds = zip(*(moments(system.E(style)[-1]) for style in styles), strict=True)
    shares = torch.tensor(weights).to(means[0])[:, None]
    return (torch.cat(means) * shares).sum(0, keepdim=True), (torch.cat(stds) * shares).sum(0, keepdim=True)


def by_adain(system: Any, targets: Moments, strength: float, device: torch.device) -> Look:
    """A `Stylist`'s look: an AdaIN that gives region r the moments in row r of the targets.

    Without regions there is one row. The picture's own moments are taken over all of it before a part is painted, so
    that parts fit each other, and are what the whole picture would give.
    """

    @contextmanager
    def looked(colour: np.ndarray) -> Iterator[Method]:
        planes = colour.shape[2]

        def painter(own: Moments) -> Callable[[Tensor], Tensor]:
            return partial(_painted, system, own, targets, strength)

        memory = reach(painter(targets), planes, device).memory
        far = -(-sight(system.look(device), system.D) // system.times) * system.times
        with torch.inference_mode():
            own = survey(system, held(colour, str(device)), max(1, planes - 3), far)
        yield Method("", painter(own), 1, planes, far, memory, system.times, device=str(device))

    return looked


def survey(system: Any, picture: Layer, regions: int, far: int, side: int = TILE) -> Moments:
    """The moments of a whole picture's deepest maps, in each of some regions: (regions, c), (regions, c).

    It is seen in tiles of a side, a multiple of `system.times`, with so many pixels around each.
    """
    sums: Any = [0.0, 0.0, 0.0]
    for box, _, _ in tiles(picture.height, picture.width, side):
        edges = min(picture.height, box.bottom + far), min(picture.width, box.right + far)
        wide = Box(max(0, box.top - far), max(0, box.left - far), *edges)
        maps, weights = _seen(system, picture.part(wide))
        rows, columns = (
            slice((a - b) // system.times, -(-(end - b) // system.times))
            for a, b, end in ((box.top, wide.top, box.bottom), (box.left, wide.left, box.right))
        )
        found = maps[0, :, rows, columns].double().flatten(1)
        share = weights[0, :, rows, columns].double().flatten(1)
        for k, power in enumerate((torch.ones_like(found[:1]), found, found.square())):
            sums[k] = sums[k] + share @ power.T
    mean, square = (x / sums[0].clamp(min=1e-12) for x in sums[1:])
    return mean.float(), ((square - mean.square()).clamp(min=0) + 1e-5).sqrt().float()


def _seen(system: Any, part: Tensor) -> tuple[Tensor, Tensor]:
    """The deepest maps of the colours of a part, and the regions' weights at their size, which sum to one at most."""
    maps = system.E(part[:, :3])[-1]
    if part.shape[1] == 3:
        return maps, torch.ones_like(maps[:, :1])
    h, w = part.shape[-2:]
    regions = F.pad((part[:, 3:] + 1) / 2, (0, -w % system.times, 0, -h % system.times), mode="replicate")
    weights = F.avg_pool2d(regions, system.times) if system.times > 1 else regions
    return maps, weights / weights.sum(1, keepdim=True).clamp(min=1)


def _painted(system: Any, own: Moments, targets: Moments, strength: float, part: Tensor) -> Tensor:
    """A part with its regions, painted: (1, 3 + r, h, w) -> the same.

    As far as the strength is below 1, the picture gets back what the decoder loses of it.
    """
    maps, weights = _seen(system, part)
    restyled = maps
    for k, (mean, std, new_mean, new_std) in enumerate(zip(*own, *targets, strict=True)):
        gain = (new_std / std)[:, None, None]
        other = (maps - mean[:, None, None]) * gain + new_mean[:, None, None]
        restyled = restyled + strength * weights[:, k : k + 1] * (other - maps)
    h, w = part.shape[-2:]
    image = system.D(restyled).float()[..., :h, :w]
    if strength < 1:
        image = image + (1 - strength) * (part[:, :3] - system.D(maps).float()[..., :h, :w])
    return torch.cat([image.clamp(-1, 1), part[:, 3:]], 1)


def by_transform(network: TransformNet, weights: Tensor, strength: float, device: torch.device) -> Look:
    """A `Stylist`'s look: a network that learned its styles, mixed by weights (1, styles).

    It normalises the maps of a picture, so that the parts of a large one take the statistics of its thumbnail. A
    strength below 1 mixes the result with the picture.
    """

    @contextmanager
    def looked(colour: np.ndarray) -> Iterator[Method]:
        planes = colour.shape[2]

        def paint(part: Tensor) -> Tensor:
            image = part[:, :3]
            return torch.cat([torch.lerp(image, network(image, weights), strength), part[:, 3:]], 1)

        with network.as_of(thumbnail(colour).to(device), weights):
            memory = reach(paint, planes, device).memory
            yield Method("", paint, 1, planes, network.reach, memory, 4, device=str(device))

    return looked


def thumbnail(colour: np.ndarray, side: int = THUMBNAIL) -> Tensor:
    """The colours of a picture, made smaller if its longer side is above `side`: (h, w, 3 + r) -> (1, 3, h', w')."""
    picture = held(colour[..., :3])
    scale = min(1.0, side / max(picture.height, picture.width))
    height, width = (max(1, round(n * scale)) for n in (picture.height, picture.width))
    small = picture if scale == 1 else Resampled(picture, height, width)
    strips = [Box(top, 0, min(top + STRIP, height), width) for top in range(0, height, STRIP)]
    return torch.cat([small.part(strip) for strip in strips], 2)

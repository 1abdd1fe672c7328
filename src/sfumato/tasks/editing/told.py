"""What the reader of a rendered world tells of pictures, as numbers with names."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...errors import UserError, nearest
from ...networks.pretrained import factor_reader
from ...networks.pretrained.world_reader import Reading, Spec, WorldReader
from ..model import Model

WORLDS = ("faces", "scenes")


def world_reader(model: Model, world: str | None = None) -> WorldReader:
    """The reader of the world asked for, else of that which a model was trained on. Raises UserError if it is none."""
    name = world or model.facts.source
    if world is None and name not in WORLDS:
        raise UserError(
            f"{model.name} was trained on {name}, which no reader knows; say with --world what its pictures are like: "
            f"{', '.join(WORLDS)}"
        )
    return factor_reader(nearest(name, WORLDS, "world")).to(model.device)


def read(reader: WorldReader, images: Tensor) -> Reading:
    """What is read in pictures, a few at a time, without gradients: (b, c, h, w) in [-1, 1]."""
    with torch.no_grad():
        readings = [reader.read(part.to(reader.mean.device)) for part in images.split(128)]
    if len(readings) == 1:
        return readings[0]
    factors = {name: torch.cat([r.factors[name] for r in readings]) for name in readings[0].factors}
    rest = {
        k: torch.cat([getattr(r, k) for r in readings]) for k in ("features", "points", "parts", "identity", "known")
    }
    return Reading(factors=factors, **rest)


def named_values(spec: Spec) -> Iterator[tuple[str, str, int | None]]:
    """What can be told by a number: name, factor, and the value if it is the chance of one; -1: of any but none.

    Numbers have the factor's name, as have factors that are there or not ("glasses", "oak"); others are "hair:long".
    """
    for factor, values in spec.factors.items():
        if not values:
            yield factor, factor, None
        elif values[0] in ("no", "none"):
            yield factor, factor, -1
        if len(values) > 2 or (values and values[0] not in ("no", "none")):
            yield from ((f"{factor}:{v}", factor, k) for k, v in enumerate(values) if not v.isdigit() and v != "none")


def told(spec: Spec, reading: Reading) -> dict[str, Tensor]:
    """All of `named_values` of some pictures: numbers in the world's units, chances in [0, 1]: name -> (b,)."""
    found = {}
    for name, factor, value in named_values(spec):
        read = reading.factors[factor]
        found[name] = read if value is None else 1 - read[:, 0] if value == -1 else read[:, value]
    return found

"""Pictures of one domain and of another: pairs, and two unpaired sets with the hidden truth beside them."""

from functools import partial

import numpy as np
from torch import Tensor

from ...errors import UserError
from ..labels import held_out
from ..prepare import Pictures
from .draw import Draw, ask, images, pixels, planes


def paired(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), a picture, and image (b, c, h, w), what it is translated to: the source's own pairs."""
    (source,) = ask(pictures, draw.rows, "source")
    return {"source": pixels(source, draw), "image": images(pictures, draw.rows, draw)}


def paired_map(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), the map of classes in the colours of the legend, and image (b, c, h, w)."""
    (semantic,) = ask(pictures, draw.rows, "semantic")
    return {"source": pixels(coloured(pictures, semantic), draw), "image": images(pictures, draw.rows, draw)}


def coloured(pictures: Pictures, semantic: np.ndarray) -> np.ndarray:
    """A map of classes as a picture, black where it is unknown: (n, h, w) -> uint8 (n, h, w, channels)."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(pictures.truth.palette)] = pictures.truth.palette
    if pictures.channels == 1:
        colours = np.rint(colours @ np.array([[0.299], [0.587], [0.114]])).astype(np.uint8)
    return colours[semantic]


def paired_edges(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), outlines in black on white, and image (b, c, h, w)."""
    (found,) = ask(pictures, draw.rows, "edges")
    drawn = np.repeat(np.where(found, np.uint8(0), np.uint8(255))[..., None], pictures.channels, axis=-1)
    return {"source": pixels(drawn, draw), "image": images(pictures, draw.rows, draw)}


def paired_night(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), a place by day, and image (b, c, h, w), the same place at night."""
    day, night = ask(pictures, draw.rows, "day", "night")
    return {"source": pixels(day, draw), "image": pixels(night, draw)}


def unpaired_as(first: str, second: str, pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w) of domain A; image (b, c, h, w) of domain B, of none of A's pictures; hidden (b, c, h, w).

    `hidden` is what `source` looks like in domain B. It is there to measure by, and no system may learn from it.
    """
    assert draw.survey is not None
    source, hidden = ask(pictures, draw.rows, first, second)
    (image,) = ask(pictures, draw.among(draw.survey), second)
    return {"source": pixels(source, draw), "image": pixels(image, draw), "hidden": pixels(hidden, draw)}


unpaired_night = partial(unpaired_as, "day", "night")
unpaired_dusk = partial(unpaired_as, "day", "dusk")
unpaired_old = partial(unpaired_as, "young", "old")


def unpaired_times(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), places by day; image (b, c, h, w), other places at dawn, dusk or night, in any weather.

    A place by day has not one partner, but one for each of these times.
    """
    assert draw.survey is not None
    (source,) = ask(pictures, draw.rows, "day")
    return {"source": pixels(source, draw), "image": images(pictures, draw.among(draw.survey), draw)}


def by_other_times(pictures: Pictures, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """The pictures of domain B that do not show the day: sorted indices. Raises UserError if there is none."""
    rows = domain_b(pictures)
    times = pictures.truth.factor("time", [pictures.names[i] for i in rows.tolist()])
    rows = rows[times != pictures.truth.factors["time"].index("day")]
    if not len(rows):
        raise UserError(f"{len(pictures)} pictures of {pictures.source or 'the source'} all show the day")
    return rows


def unpaired_ink(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w), pictures as they are; image (b, c, h, w), others drawn in ink; hidden (b, c, h, w).

    `hidden` is `source` drawn in ink. It is there to measure by, and no system may learn from it.
    """
    assert draw.survey is not None
    hidden, image = (ask(pictures, rows, "ink")[0] for rows in (draw.rows, draw.among(draw.survey)))
    source = images(pictures, draw.rows, draw)
    return {"source": source, "image": pixels(image, draw), "hidden": pixels(hidden, draw)}


def unpaired(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w) of domain A and image (b, c, h, w) of domain B, drawn independently.

    The domains are the source's own, or, of a source of pairs, one side of one half and the other side of the other;
    then there is hidden (b, c, h, w), the other side of `source`, to measure by: no system may learn from it.
    """
    assert draw.survey is not None
    image = images(pictures, draw.among(draw.survey), draw)
    own = images(pictures, draw.rows, draw)
    if "domain" in pictures.truth.fields:
        return {"source": own, "image": image}
    (source,) = ask(pictures, draw.rows, "source")
    return {"source": pixels(source, draw), "image": image, "hidden": own}


def objects(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) with its objects, background (b, c, h, w): another picture's place, with nothing in it.

    matte (b, 1, h, w) in [0, 1] is how much of a pixel the objects and their shadows cover. empty (b, c, h, w) is the
    picture's own place without its objects: there to measure by, and no system may learn from it.
    """
    matte, empty = ask(pictures, draw.rows, "matte", "empty")
    other = draw.among(np.arange(len(pictures)))
    other = np.where(other == draw.rows, (other + 1) % len(pictures), other)
    (background,) = ask(pictures, other, "empty")
    return {
        "image": images(pictures, draw.rows, draw),
        "background": pixels(background, draw),
        "matte": planes(matte[:, None], draw),
        "empty": pixels(empty, draw),
    }


def domain_a(pictures: Pictures) -> np.ndarray:
    """The pictures of domain A: sorted indices. Raises UserError if either domain is empty."""
    rows = _domains(pictures)
    if not len(rows[0]) or not len(rows[1]):
        raise UserError(
            f"{len(pictures)} pictures of {pictures.source or 'the source'} leave none for one of two domains"
        )
    return rows[0]


def domain_b(pictures: Pictures, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """The pictures of domain B: sorted indices."""
    return _domains(pictures)[1]


def _domains(pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """As the source says; else two halves, by a hash of each name, so that no picture is in both."""
    if "domain" in pictures.truth.fields:
        second = pictures.truth.factor("domain", pictures.names) == 1
    else:
        second = np.array([held_out(f"domain of {name}", 0.5) for name in pictures.names], bool)
    return np.flatnonzero(~second), np.flatnonzero(second)

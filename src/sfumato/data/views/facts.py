"""Pictures with what is said of each: its class, a sentence, its factors, another picture of who is in it."""

import re
from dataclasses import replace

import numpy as np
from torch import Tensor

from ...errors import UserError
from ..prepare import Pictures
from ..text import encode
from .draw import Draw, images, named, tensor

POSE = ("yaw", "pitch", "age", "expression")
HELD = (
    6  # every so many-th class is left out by `few-shot-seen`, from the first on; of `shapes`, a kind and a colour each
)
_TAKEN = ("image", "n", "seed", "first", "total", "device")  # what a batch calls something else


def image(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w)."""
    return {"image": images(pictures, draw.rows, draw)}


def restoration(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and clean (b, c, h, w), the same once more: for systems that spoil it to have it restored."""
    found = images(pictures, draw.rows, draw)
    return {"image": found, "clean": found}


def labelled(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and label (b,) int64."""
    return {"image": images(pictures, draw.rows, draw), "label": tensor(pictures.labels[draw.rows], draw)}


def semi(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) without labels, and as many others, `labelled` (b, c, h, w), with their label (b,).

    The labelled ones come from the few of `labelled_rows`; the unlabelled ones from everywhere.
    """
    assert draw.survey is not None
    rows = draw.among(draw.survey)
    return {
        "image": images(pictures, draw.rows, draw),
        "labelled": images(pictures, rows, draw),
        "label": tensor(pictures.labels[rows], draw),
    }


def caption(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and caption (b, 201) int64: the characters of one of its sentences (see `data/text.py`).

    Mirrored pictures have a sentence that says neither left nor right; those of which there is none are not mirrored.
    """
    sentences = pictures.truth.captions(named(pictures, draw.rows))
    if draw.flip is not None:
        neutral = [[s for s in some if not re.search(r"\b(left|right)\b", s, re.IGNORECASE)] for some in sentences]
        draw = replace(draw, flip=draw.flip & np.array([bool(some) for some in neutral]))
        sentences = [n if turned else s for n, s, turned in zip(neutral, sentences, draw.flip, strict=True)]  # type: ignore[arg-type]
    said = [some[bits % len(some)] for some, bits in zip(sentences, draw.bits.tolist(), strict=True)]
    return {"image": images(pictures, draw.rows, draw), "caption": tensor(encode(said), draw)}


def factors(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and every factor that the source knows, by its name: (b,), int64 or float32."""
    names = named(pictures, draw.rows)
    known = {name: pictures.truth.factor(name, names) for name in pictures.truth.factors}
    fields = {f"{k}_" if k in _TAKEN else k: tensor(v, draw) for k, v in known.items()}
    return {"image": images(pictures, draw.rows, draw), **fields}


def people(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w), identity (b,) int64, and other (b, c, h, w): another picture of the same person.

    Where the source knows them: yaw, pitch (b,) float32 in degrees to the right and up, age (b,) float32, expression
    (b,) int64, and other_yaw, other_pitch, other_age, other_expression (b,).
    """
    assert draw.survey is not None
    who = draw.survey[draw.rows]
    rows = np.array([_other(draw.survey, row, bits) for row, bits in zip(draw.rows, draw.bits.tolist(), strict=True)])
    fields = {"image": images(pictures, draw.rows, draw), "identity": tensor(who, draw)}
    fields["other"] = images(pictures, rows, draw)
    for prefix, some in (("", draw.rows), ("other_", rows)):
        for name in POSE:
            if name in pictures.truth.factors:
                values = pictures.truth.factor(name, named(pictures, some))
                if name == "yaw" and draw.flip is not None:
                    values = np.where(draw.flip, -values, values)
                fields[prefix + name] = tensor(values, draw)
    return fields


def few_shot(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """source (b, c, h, w) and source_label (b,) int64; image (b, c, h, w) and label (b,) int64, of any class.

    other (b, c, h, w) is another picture of the class of `image`, the same one if there is no other.
    """
    assert draw.survey is not None
    rows = draw.among(draw.survey)
    again = np.array([_other(pictures.labels, row, bits) for row, bits in zip(rows, draw.bits.tolist(), strict=True)])
    return {
        "source": images(pictures, draw.rows, draw),
        "source_label": tensor(pictures.labels[draw.rows], draw),
        "image": images(pictures, rows, draw),
        "label": tensor(pictures.labels[rows], draw),
        "other": images(pictures, again, draw),
    }


def every_class(pictures: Pictures, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """The pictures whose class is known: see `with_label`."""
    return with_label(pictures)


def seen_classes(pictures: Pictures, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """Those of them whose class is not held out: sorted indices. Raises UserError if there is none."""
    rows = with_label(pictures)
    rows = rows[pictures.labels[rows] % HELD != 0]
    if not len(rows):
        raise UserError(f"{pictures.source or 'the source'} has too few classes to hold out every {HELD}th")
    return rows


def _other(who: np.ndarray, row: int, bits: int) -> int:
    """Another picture of who is in picture `row`, or of its class; the same one if there is no other."""
    same = np.flatnonzero(who == who[row])
    same = same[same != row]
    return int(same[bits % len(same)]) if len(same) else row


def identities(pictures: Pictures, per_class: int = 0, seed: int = 0) -> np.ndarray:
    """Who is in each picture: (n,) int64."""
    return pictures.truth.factor("identity", pictures.names)


def with_others(pictures: Pictures) -> np.ndarray:
    """The pictures of people of whom there are at least two. Raises UserError if there is none."""
    who = identities(pictures)
    _, inverse, counts = np.unique(who, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[inverse] > 1)
    if not len(rows):
        raise UserError(f"{pictures.source or 'the source'} has no two pictures of one person")
    return rows


def labelled_rows(pictures: Pictures, per_class: int, seed: int) -> np.ndarray:
    """`per_class` pictures of every class (all, where there are fewer), the same for the same seed: sorted indices."""
    order = np.argsort(np.random.PCG64(np.random.SeedSequence([seed, 2])).random_raw(len(pictures)), kind="stable")
    shuffled = pictures.labels[order]
    return np.sort(np.concatenate([order[shuffled == c][:per_class] for c in range(len(pictures.classes))]))


def with_label(pictures: Pictures) -> np.ndarray:
    """The pictures whose class is known. Raises UserError if there is none."""
    known = np.flatnonzero(pictures.labels >= 0)
    if not pictures.classes or not len(known):
        raise UserError(
            f"{pictures.source or 'the source'} has no labels, which the views 'labelled' and 'semi' need: put "
            "the pictures of each class in a folder of its own, or give a csv of lines like photo1.png,cat"
        )
    return known


def with_few(pictures: Pictures) -> np.ndarray:
    """All pictures, as of some the class is known. Raises UserError if of none."""
    with_label(pictures)
    return np.arange(len(pictures))

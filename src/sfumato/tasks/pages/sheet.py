"""A view of some pictures on one sheet: a column for each field, or a card for each picture, and a legend."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...data.batches import Batches
from ...data.prepare import Pictures
from ...data.text import decode
from ...data.truth import Truth
from ...system import Batch
from . import shades
from .legends import ARROWS, fastest, legends
from .paper import GAP, PAPER, Heading, Row, card, enlarged, table

SIDE = 80  # pixels at least, to which small pictures are enlarged
POINT = (230, 60, 60)
MOST = {
    "clips": 2,
    "rendered-x2": 2,
    "rendered-x4": 2,
    "people": 4,
    "factors": 4,
    "few-shot": 4,
    "few-shot-seen": 4,
}  # pictures, or 8, if nobody says how many
COLUMNS, CARDS, PEOPLE = 8, 4, 7  # fields, cards, and pictures of one person, side by side
_SHADES = {
    "edges": shades.edges, "depth": shades.depth, "normals": shades.normals, "matte": shades.matte,
    "instance": shades.objects,
}  # fmt: skip


def sheet(pictures: Pictures, view: str, n: int | None = None, seed: int = 0) -> Image.Image:
    """The first n pictures of a view, everything that belongs to them, and what the colours mean.

    Raises UserError if the source cannot serve the view.
    """
    n = min(n or MOST.get(view, 8), len(pictures))
    feed = Batches(pictures, view=view, batch=n, seed=seed)
    batch, zoom = feed.at(0), max(1, ceil(SIDE / pictures.size))
    headings: Sequence[Heading] = ()
    rows: Sequence[Row]
    if view == "people" and feed.survey is not None:
        rows = _people(pictures, batch, feed.survey, zoom)
    elif "clip" in batch:
        headings, rows = _clips(batch, zoom)
    elif "source_label" in batch:
        headings, rows = _examples(pictures, batch, zoom)
    elif "labelled" not in batch and any(v.ndim == 1 or k == "caption" for k, v in batch.fields.items()):
        rows = _cards(pictures, batch, zoom)
    else:
        headings, rows = _columns(pictures.truth, batch, zoom)
    return table(headings, rows, legends(batch, pictures.truth))


def _columns(truth: Truth, batch: Batch, zoom: int) -> tuple[Sequence[Heading], Sequence[Row]]:
    """A row for each picture, a column for each field; where these are few, several pictures to a row."""
    drawn: dict[str, np.ndarray] = {}
    notes: dict[str, str] = {}
    for name, value in batch.fields.items():
        notes[name] = f"(b, {', '.join(map(str, value.shape[1:]))})"
        if name == "semantic":
            drawn[name] = shades.classes(value, truth.palette)
        elif name in _SHADES:
            drawn[name] = _SHADES[name](value)
        elif value.ndim == 4:
            drawn[name] = shades.pictures(value)
    wide = zoom * batch.image.shape[-1]
    cells = {name: enlarged(values, wide // values.shape[2]) for name, values in drawn.items()}
    if "keypoints" in batch:
        name = "keypoints, boxes"
        notes[name] = f"{notes['keypoints']} {notes['boxes']}"
        cells[name] = [_pointed(*some) for some in zip(cells["image"], batch.keypoints, batch.boxes, strict=True)]
    beside = max(1, COLUMNS // len(cells))
    gap = Image.new("RGB", (GAP, 1), PAPER)
    each = [[*some, gap] for some in zip(*cells.values(), strict=True)]
    rows: list[Row] = [("", [x for some in each[k : k + beside] for x in some][:-1]) for k in range(0, batch.n, beside)]
    return ([(name, notes[name]) for name in cells] + [("", "")]) * beside, rows


def _clips(batch: Batch, zoom: int) -> tuple[Sequence[Heading], Sequence[Row]]:
    """A strip of frames for each field of each picture."""
    rows: list[Row] = []
    for i in range(batch.n):
        for name in ("clip", *ARROWS, "depth", "low"):
            if name in batch:
                some = batch.fields[name][i]
                values = (
                    shades.motion(some, fastest(batch)) if name in ARROWS else _SHADES.get(name, shades.pictures)(some)
                )
                rows.append((name, enlarged(values, zoom * batch.clip.shape[-1] // some.shape[-1])))
        rows.append(("", ()))
    return [(f"frame {k}", "") for k in range(batch.clip.shape[1])], rows[:-1]


def _examples(pictures: Pictures, batch: Batch, zoom: int) -> tuple[Sequence[Heading], Sequence[Row]]:
    """A row for each source, with the example of another class and one more of that class; below each its class."""
    classes = {"source": "source_label", "image": "label", "other": "label"}
    cells = []
    for name, label in classes.items():
        images = enlarged(shades.pictures(batch.fields[name]), zoom)
        said = [_said(pictures, "label", k) for k in batch.fields[label]]
        cells.append([card(image, [text], image.width) for image, text in zip(images, said, strict=True)])
    return [(name, "") for name in classes], [("", some) for some in zip(*cells, strict=True)]


def _cards(pictures: Pictures, batch: Batch, zoom: int) -> list[Row]:
    """Each picture with what is said of it below."""
    said = decode(batch.caption.numpy()) if "caption" in batch else [""] * batch.n
    cards = []
    for i, image in enumerate(enlarged(shades.pictures(batch.image), zoom)):
        facts = {k: v[i] for k, v in batch.fields.items() if v.ndim == 1}
        lines = [_said(pictures, k, v) for k, v in facts.items()]
        cards.append(card(image, [said[i], *lines], max(image.width, 150)))
    return [("", cards[k : k + CARDS]) for k in range(0, len(cards), CARDS)]


def _people(pictures: Pictures, batch: Batch, who: np.ndarray, zoom: int) -> list[Row]:
    """A row for each person, from those who look to the left to those who look to the right."""
    truth = pictures.truth
    rows: list[Row] = []
    for person in dict.fromkeys(batch.identity.tolist()):
        some = np.flatnonzero(who == person)
        names = [pictures.names[i] for i in some.tolist()]
        order = np.argsort(truth.factor("yaw", names)) if "yaw" in truth.factors else np.arange(len(some))
        order = order[np.linspace(0, len(order) - 1, min(PEOPLE, len(order))).astype(int)]
        names = [names[i] for i in order]
        known = {k: truth.factor(k, names) for k in ("yaw", "pitch", "age", "expression") if k in truth.factors}
        images = enlarged(np.repeat(pictures.images[some[order]], 3 // pictures.channels, axis=-1), zoom)
        lines = [[_said(pictures, k, v[i]) for k, v in known.items()] for i in range(len(order))]
        cards = [card(image, text, image.width) for image, text in zip(images, lines, strict=True)]
        rows.append((f"person {person}", cards))
    return rows


def _said(pictures: Pictures, name: str, value: Tensor | float) -> str:
    """A factor and its value; what speaks for itself without the factor."""
    names = pictures.classes if name == "label" else pictures.truth.factors.get(name, ())
    said = names[int(value)] if names else f"{float(value):.2g}"
    return said if name in ("label", "expression") else f"{name.replace('_', ' ')}: {said}"


def _pointed(image: Image.Image, points: Tensor, boxes: Tensor) -> Image.Image:
    """A picture with its boxes and keypoints."""
    shown = image.copy()
    pen, r, sides = ImageDraw.Draw(shown), max(1.5, min(image.size) / 64), torch.tensor(image.size)
    for k, box in enumerate((boxes * sides.repeat(2)).tolist()):
        if not np.isnan(box).any():
            colour = tuple(shades.objects(torch.tensor([[[k + 1]]]))[0, 0, 0].tolist())
            pen.rectangle([box[0], box[1], box[2] - 1, box[3] - 1], outline=colour)
    for x, y in (points * sides).tolist():
        if not np.isnan(x + y):
            pen.ellipse([x - r, y - r, x + r, y + r], POINT, PAPER)
    return shown

"""Text and pictures on a page: a table of pictures with headings, cards with text below."""

from collections.abc import Iterable, Sequence
from functools import cache
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT = (255, 255, 255), (40, 42, 54), (128, 132, 146)
GAP, MARGIN = 8, 20  # pixels
TEXT, SMALL = 14, 12  # sizes of letters

Cells = Sequence[Image.Image]
Row = tuple[str, Cells]  # what is written beside it; without cells it is a gap
Heading = tuple[str, str]  # a name, and a note below it


def table(headings: Sequence[Heading], rows: Sequence[Row], legends: Sequence[Image.Image]) -> Image.Image:
    """Headings over columns, labels beside rows, legends below."""
    columns = max(len(cells) for _, cells in rows)
    wide = [max(cells[k].width for _, cells in rows if len(cells) > k) for k in range(columns)]
    for k, heading in enumerate(headings[:columns]):
        wide[k] = max(wide[k], *(ceil(font(size).getlength(x)) for x, size in zip(heading, (TEXT, SMALL), strict=True)))
    high = [max((c.height for c in cells), default=GAP) for _, cells in rows]
    left = MARGIN + max(ceil(font(TEXT).getlength(label)) + GAP if label else 0 for label, _ in rows)
    top = MARGIN + (TEXT + SMALL + 12 if headings else 0)
    width = max(left + sum(wide) + GAP * (columns - 1), *(MARGIN + x.width for x in legends), 0) + MARGIN
    height = top + sum(high) + GAP * len(high) + sum(x.height + GAP for x in legends) - GAP + MARGIN
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    x = [left + sum(wide[:k]) + GAP * k for k in range(columns)]
    for (name, note), at in zip(headings, x, strict=False):
        pen.text((at, MARGIN), name, INK, font(TEXT))
        pen.text((at, MARGIN + TEXT + 4), note, FAINT, font(SMALL))
    for (label, cells), tall in zip(rows, high, strict=True):
        pen.text((MARGIN, top + tall / 2), label, INK, font(TEXT), anchor="lm")
        for cell, at in zip(cells, x, strict=False):
            page.paste(cell, (at, top))
        top += tall + GAP
    for legend in legends:
        page.paste(legend, (MARGIN, top))
        top += legend.height + GAP
    return page


def card(image: Image.Image, lines: Iterable[str], width: int) -> Image.Image:
    """A picture with lines of text below, wrapped."""
    text = [piece for line in lines if line for piece in _wrapped(line, width)]
    found = Image.new("RGB", (width, image.height + 6 + (SMALL + 4) * len(text) + 4), PAPER)
    found.paste(image)
    for k, line in enumerate(text):
        ImageDraw.Draw(found).text((0, image.height + 6 + (SMALL + 4) * k), line, INK, font(SMALL))
    return found


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip() if lines[-1] else word
        if font(SMALL).getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The letters that come with Pillow."""
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow without FreeType"
    return found


def enlarged(values: np.ndarray, zoom: int) -> list[Image.Image]:
    """Pictures whose pixels are squares of so many: uint8 (b, h, w, 3) -> b of them."""
    return [Image.fromarray(v.repeat(zoom, axis=0).repeat(zoom, axis=1)) for v in values]

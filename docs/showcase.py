"""Put recorded results side by side, as the README shows them: `python docs/showcase.py`. Trains and draws nothing."""

from pathlib import Path

import numpy as np
from PIL import Image

from sfumato.tasks.pages.paper import GAP, PAPER, card

HOME = Path(__file__).parent
CELL = 66  # pixels of a row of pictures of 64 px, with what is between them
Piece = tuple[str, str, tuple[tuple[int, int, int, int], ...]]  # text, picture, and boxes of it, one below another
# Boxes are left, upper, right and lower, pixels.
ROWS: tuple[tuple[Piece, ...], ...] = (
    (("dcgan, portraits", "dcgan-faces32", ((0, 0, 1058, 2 * CELL),)),),
    (
        ("spade, from a map to a clear day", "translation-maps", ((0, 0, 528, CELL), (0, 6 * CELL, 528, 7 * CELL))),
        ("pix2pix, from day to night", "translation-night", ((0, 0, 528, 2 * CELL),)),
    ),
    (
        ("neural-style, photographs in the style of water", "style-fast", ((0, 0, 394, 196),)),
        ("as rendered", "dlss", ((0, 14, 192, 206),)),
        ("dlss, twice as wide and high", "dlss", ((1188, 14, 1380, 206),)),
        ("the truth", "dlss", ((1386, 14, 1578, 206),)),
    ),
)


def main() -> None:
    """Draw docs/showcase.png."""
    rows = [beside([captioned(*piece) for piece in pieces]) for pieces in ROWS]
    page = Image.new("RGB", (max(r.width for r in rows), sum(r.height + GAP for r in rows) - GAP), PAPER)
    y = 0
    for row in rows:
        page.paste(row, (0, y))
        y += row.height + GAP
    page.save(HOME / "showcase.png", optimize=True)


def captioned(text: str, name: str, boxes: tuple[tuple[int, int, int, int], ...]) -> Image.Image:
    """Pieces of a recorded picture, one below another, above a line of text."""
    with Image.open(HOME / "results" / f"{name}.png") as held:
        pieces = np.concatenate([np.asarray(held.convert("RGB").crop(box)) for box in boxes])
    return card(Image.fromarray(pieces), [text], pieces.shape[1])


def beside(images: list[Image.Image]) -> Image.Image:
    """Pictures from left to right."""
    found = Image.new("RGB", (sum(i.width + GAP for i in images) - GAP, max(i.height for i in images)), PAPER)
    x = 0
    for image in images:
        found.paste(image, (x, 0))
        x += image.width + GAP
    return found


if __name__ == "__main__":
    main()

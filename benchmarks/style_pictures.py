"""The pictures that the benchmarks of style work on, and how theirs are laid out.

Contents are Kodak's photographs; styles and exemplars are pictures of textures (Embark's, MIT or Apache-2.0), emoji
(Noto's, Apache-2.0) and the built-in scenes in ink. Real features are the compressed VGG-19 of ../shared/data (MIT).
"""

import io
import tarfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sfumato.data.worlds.scenes import Scenes

DATA = Path(__file__).parents[1] / "../shared/data"
REAL = f"vgg19:{DATA}/features/vgg19_16x_collabdistill/trained_models/wct_se_16x_new/20191109-211322_E20.pth"


@cache
def kodak(number: int, left: int, side: int) -> Tensor:
    """A square as high as one of Kodak's photographs: (1, 3, side, side)."""
    with Image.open(next((DATA / "superres/kodak24").rglob(f"{number:02d}.png"))) as file:
        return sized(file.crop((left, 0, left + file.height, file.height)), side)


@cache
def exemplar(name: str, side: int) -> Tensor:
    """Water, bricks, emoji or ink: (1, 3, side, side)."""
    folder = DATA / "datasets/textures_embark/imgs"
    if name == "water":
        return sized(Image.open(folder / "1.jpg").convert("RGB"), side)
    if name == "bricks":
        return sized(Image.open(folder / "bricks.png").convert("RGB").crop((0, 215, 135, 350)), side)
    if name == "ink":
        world = Scenes()
        drawn = world.render(world.vary(world.factors(np.arange(4)), style="ink"), 256).image
        return sized(
            Image.fromarray(np.concatenate([np.concatenate(drawn[:2], 1), np.concatenate(drawn[2:], 1)])), side
        )
    with tarfile.open(DATA / "datasets/noto_emoji_72.tar.gz") as archive:
        names = sorted(m.name for m in archive if "emoji_u1f3" in m.name or "emoji_u1f4" in m.name)[::9][:25]
        sheet = Image.new("RGB", (360, 360), "white")
        for k, name in enumerate(names):
            held = archive.extractfile(name)
            icon = Image.open(io.BytesIO(held.read() if held else b"")).convert("RGBA")
            sheet.paste(icon, (k % 5 * 72, k // 5 * 72), icon)
    return sized(sheet, side)


def sized(image: Image.Image, side: int) -> Tensor:
    """A picture as a batch of one: (1, 3, side, side) in [-1, 1]."""
    pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].contiguous() / 127.5 - 1


def board(path: Path, rows: Sequence[tuple[str, Iterable[Tensor]]], headings: Sequence[str] = ()) -> str:
    """Write square pictures in rows with a name each, under headings, and give the Markdown that shows them."""
    table = [(label, list(pictures)) for label, pictures in rows]
    side = table[0][1][0].shape[-1] + 2
    wide, left, top = max(len(p) for _, p in table), 84, 16 if headings else 2
    sheet = Image.new("RGB", (left + wide * side, top + len(table) * side), "white")
    pen = ImageDraw.Draw(sheet)
    for k, text in enumerate(headings):
        pen.text((left + k * side, 2), text, fill="black")
    for j, (label, pictures) in enumerate(table):
        pen.text((2, top + j * side + 4), label, fill="black")
        for k, image in enumerate(pictures):
            pixels = ((image[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            sheet.paste(Image.fromarray(pixels), (left + k * side, top + j * side))
    sheet.save(path, optimize=True)
    return f"![{', '.join(label for label, _ in table)}]({path.name})"

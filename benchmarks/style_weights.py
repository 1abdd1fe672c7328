"""Train and ship the network that `sfumato stylise` paints with when nobody gives another.

    OMP_NUM_THREADS=1 python benchmarks/style_weights.py [--steps 700]

Writes src/sfumato/networks/pretrained/style_adain.safetensors: an adain of the preset "shipped", whose decoder learns
to paint what the shipped features see. Pictures, all of which may be trained on: Kodak's photographs but the last four,
exemplars of textures, emoji, game tiles, the built-in scenes and faces; half of them in other colours, so that styles
differ by more than photographs do. The same command goes on where it was stopped.
"""

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

import sfumato
from sfumato.data.worlds.faces import Faces
from sfumato.data.worlds.scenes import Scenes
from sfumato.tasks.painting.styles import SHIPPED
from sfumato.tasks.train import resume

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
RUN, PICTURES = ROOT / "runs/benchmark/style-adain", ROOT / "runs/benchmark/style-pictures"
SIDE, SEED = 96, 0


def main() -> None:
    """Cut, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=700)
    asked = parser.parse_args()
    if not PICTURES.exists():
        cut(PICTURES)
    if (RUN / "config.json").exists():
        model = resume(RUN, steps=asked.steps, evaluate=False)
    else:
        model = sfumato.train(
            "adain", preset="shipped", data=PICTURES, size=SIDE, steps=asked.steps, evaluate=False, out=RUN, threads=1,
            precision="float32", seed=SEED, flip=True,
        )  # fmt: skip
    model.facts = type(model.facts)(**vars(model.facts) | {"source": "openly licensed pictures"})
    model.save(SHIPPED)
    SHIPPED.chmod(0o644)
    print(f"{SHIPPED}: {SHIPPED.stat().st_size / 1e6:.2f} MB")


def cut(folder: Path) -> None:
    """Squares of all pictures as files, half of them in other colours."""
    random = np.random.default_rng(SEED)
    folder.mkdir(parents=True)
    squares = [*photographs(random), *textures(random), *emoji(random), *tiles(random), *worlds()]
    for k, square in enumerate(squares):
        image = recoloured(square, random) if random.random() < 0.5 else square
        image.save(folder / f"{k:05}.png", compress_level=1)
    print(f"{len(squares)} pictures in {folder}")


def squares(image: Image.Image, n: int, random: np.random.Generator) -> list[Image.Image]:
    """Random crops at random scales."""
    found = []
    for _ in range(n):
        side = min(int(SIDE * 2 ** random.uniform(0, 2)), *image.size)
        left, top = (int(random.integers(full - side + 1)) for full in image.size)
        crop = image.crop((left, top, left + side, top + side))
        found.append(crop.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    return found


def photographs(random: np.random.Generator) -> list[Image.Image]:
    """Crops of Kodak's photographs."""
    paths = sorted((DATA / "superres/kodak24").rglob("*.png"))[:20]
    return [square for path in paths for square in squares(Image.open(path).convert("RGB"), 60, random)]


def textures(random: np.random.Generator) -> list[Image.Image]:
    """Crops of exemplars."""
    paths = sorted((DATA / "datasets/textures_embark/imgs").glob("[1-5].*"))
    return [square for path in paths for square in squares(Image.open(path).convert("RGB"), 80, random)]


def packed(name: str, step: int) -> list[Image.Image]:
    """Every so many-th picture of an archive, on white."""
    found = []
    with tarfile.open(DATA / "datasets" / name) as archive:
        members = sorted((m for m in archive.getmembers() if m.name.endswith(".png")), key=lambda m: m.name)
        for member in members[::step]:
            file = archive.extractfile(member)
            assert file is not None
            image = Image.open(io.BytesIO(file.read())).convert("RGBA")
            found.append(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
    return found


def sheet(images: list[Image.Image], columns: int, random: np.random.Generator) -> list[Image.Image]:
    """Pictures side by side, a sheet of columns × columns each, cropped at random."""
    n = columns**2
    found = []
    for start in range(0, len(images) - n + 1, n):
        side = images[start].width
        whole = Image.new("RGB", (columns * side, columns * side))
        for k, image in enumerate(images[start : start + n]):
            whole.paste(image.resize((side, side)), (k % columns * side, k // columns * side))
        found += squares(whole, 4, random)
    return found


def emoji(random: np.random.Generator) -> list[Image.Image]:
    """Crops of sheets of emoji."""
    return sheet(packed("noto_emoji_72.tar.gz", 6), 3, random)


def tiles(random: np.random.Generator) -> list[Image.Image]:
    """Crops of sheets of game tiles."""
    return sheet(packed("crawl_tiles_cc0.tar.gz", 3), 4, random)


def worlds() -> list[Image.Image]:
    """Scenes and faces."""
    return [Image.fromarray(x) for world in (Scenes(), Faces()) for x in world.render(np.arange(150), SIDE).image]


def recoloured(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Channels mixed by a random matrix, with gains and shifts."""
    values = np.asarray(image).astype(float) / 127.5 - 1
    mix = np.eye(3)[random.permutation(3)] + random.normal(0, 0.25, (3, 3))
    values = values @ mix * 2 ** random.uniform(-0.5, 0.5, 3) + random.uniform(-0.3, 0.3, 3)
    return Image.fromarray(((values.clip(-1, 1) + 1) * 127.5 + 0.5).astype(np.uint8))


if __name__ == "__main__":
    main()

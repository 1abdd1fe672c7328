"""Draw every view of the built-in worlds into docs/views and write docs/views.md: `python docs/gallery.py`."""

import inspect
from pathlib import Path

import numpy as np
from PIL import Image

from sfumato.data.prepare import Pictures
from sfumato.data.views import VIEWS
from sfumato.data.worlds.source import WorldSource, open_faces, open_scenes
from sfumato.data.worlds.truth import face_truth, scene_truth
from sfumato.tasks.pages.sheet import sheet

HOME = Path(__file__).parent
PICTURES, PEOPLE = 600, 30  # of each world, the first to train on; of so many people
SIZE = 96  # pixels
GROUPS = {
    "What is said of a picture": ("labelled", "few-shot", "few-shot-seen", "caption", "factors", "people"),
    "What is known of its pixels": ("maps", "edges", "depth", "normals", "keypoints"),
    "Pairs": ("paired-map", "paired-edges", "paired-night", "paired"),
    "Two domains without pairs": (
        "unpaired-night",
        "unpaired-dusk",
        "unpaired-times",
        "unpaired-ink",
        "unpaired-old",
        "unpaired",
    ),
    "Objects and places": ("objects",),
    "Clips": ("clips", "rendered-x2", "rendered-x4"),
    "Enlarging": ("superres-x2", "superres-x3", "superres-x4", "superres-x8"),
    "Restoring": ("restoration",),
}
SHOWN = {  # by view: which world, how many pictures, the seed
    "people": ("faces", 4, 3), "keypoints": ("faces", 8, 2), "unpaired-old": ("faces", 6, 0), "maps": ("scenes", 6, 9),
    "unpaired-night": ("scenes", 6, 5), "unpaired-dusk": ("scenes", 6, 2), "unpaired-ink": ("scenes", 6, 0),
    "objects": ("scenes", 6, 8), "clips": ("faces", 1, 5), "factors": ("scenes", 4, 6), "caption": ("scenes", 8, 9),
    "few-shot": ("faces", 3, 0), "few-shot-seen": ("scenes", 3, 0),
    "superres-x2": ("faces", 4, 0), "superres-x3": ("faces", 4, 1), "superres-x4": ("faces", 4, 2),
    "superres-x8": ("faces", 4, 4), "rendered-x2": ("scenes", 1, 11), "rendered-x4": ("scenes", 1, 3),
}  # fmt: skip
ALSO = {"clips-scenes": ("clips", "scenes", 1, 11), "maps-faces": ("maps", "faces", 6, 1)}  # further pictures of a view


def main() -> None:
    """Draw and write."""
    (HOME / "views").mkdir(exist_ok=True)
    worlds = {"scenes": some(open_scenes()), "faces": some(open_faces())}
    drawn = {view: (view, *SHOWN.get(view, ("scenes", 8, 0))) for group in GROUPS.values() for view in group} | ALSO
    for name, (view, world, n, seed) in drawn.items():
        if set(VIEWS[view].needs) <= worlds[world].truth.fields:
            save(sheet(worlds[world], view, n, seed), HOME / "views" / f"{name}.png")
    (HOME / "views.md").write_text(page(), encoding="utf-8")


def some(source: WorldSource) -> Pictures:
    """The first pictures of a world as they would be prepared."""
    assert source.world is not None
    indices = source.indices()[:20_000]
    if source.name == "faces":
        indices = indices[source.world.factors(indices)["identity"] < PEOPLE]
    indices = indices[:PICTURES]
    names = tuple(f"{i:07}" for i in indices)
    images = source.world.render(indices, SIZE).image
    truth = {"scenes": scene_truth, "faces": face_truth}[source.name]()
    labels = indices % len(source.world.classes)
    return Pictures(images, labels, source.world.classes, names, (), (), source.name, source.name, truth)


def save(drawn: Image.Image, path: Path) -> None:
    """With a palette of its own, dithered, for half the bytes; what is paper stays white."""
    palette = drawn.quantize(255, Image.Quantize.MEDIANCUT, kmeans=3)
    few = drawn.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    indices = np.array(few)
    indices[(np.array(drawn) == 255).all(axis=-1)] = 255
    found = Image.fromarray(indices, "P")
    found.putpalette([*(few.getpalette() or [])[: 3 * 255], 255, 255, 255])
    found.save(path, optimize=True)


def page() -> str:
    """Every view: what is in it, and how to see it."""
    parts = [INTRODUCTION]
    for title, views in GROUPS.items():
        parts.append(f"## {title}\n")
        for view in views:
            world = SHOWN.get(view, ("scenes",))[0]
            parts.append(f"### {view}\n\n{described(view)}\n")
            for name in (view, *(k for k in ALSO if ALSO[k][0] == view)):
                if (HOME / "views" / f"{name}.png").exists():
                    parts.append(f"![{view}](views/{name}.png)\n")
            if (HOME / "views" / f"{view}.png").exists():
                parts.append(f"```console\n$ sfumato data {world} --view {view} --show {view}.png\n```\n")
    return "\n".join(parts)


def described(view: str) -> str:
    """The docstring of a view as prose, of views made by `partial` that of what they are made of."""
    make = VIEWS[view].fields
    text = inspect.cleandoc(getattr(make, "func", make).__doc__ or "")
    given = getattr(make, "args", ())
    if not given:
        return text
    return (
        f"Domain A is {given[0]}, domain B {given[1]}.\n\n{text}"
        if len(given) == 2
        else f"{text} Here s is {given[0]}."
    )


INTRODUCTION = """# Views

A *view* is the shape of a batch: which tensors it holds. `--view` of `sfumato train` chooses it, and each system names
its own. `sfumato data SOURCE --view VIEW --show FILE.png` draws one. Every picture on this page was drawn so, by
`python docs/gallery.py`.

Shapes are (b, c, h, w): pictures in a batch, channels, height, width. Pictures are float32 in [-1, 1]. The views
`image`, `labelled` and `semi` need nothing but pictures and classes; the others need to be told more, by a
[built-in world](worlds.md) or by files beside the pictures ([data](data.md)). A source that does not know enough says
what is missing, and which files would tell it.

What is called *hidden* or *empty* is there to measure by. No system may learn from it.
"""


if __name__ == "__main__":
    main()

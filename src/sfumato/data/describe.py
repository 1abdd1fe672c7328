"""What is in a source: counts, formats, sizes, classes, and what is broken."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .cache import Packed, Progress, decoded
from .decode import REMARKS, Fitting
from .prepare import Skipped, arranged, listed
from .sources import open_source


@dataclass(frozen=True)
class Description:
    """The content of a source, every picture of it decoded once."""

    name: str
    kind: str
    pictures: int  # usable ones
    formats: dict[str, int]  # "PNG": 12, the most frequent first
    modes: dict[str, int]  # as Pillow names them: "RGB", "RGBA", "L", "P", "I;16" …
    sizes: dict[str, int]  # "72×72": 3583
    remarks: dict[str, int]  # what will be done to how many: "with transparency: …"
    classes: dict[str, int]
    splits: dict[str, int]
    ignored: dict[str, int]  # extensions of files that are no pictures
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    grey: bool  # whether no picture has colour
    thumbnails: np.ndarray  # uint8 (up to 64, 64, 64, 3): a cross-section


def describe(
    data: str | Path, labels: Path | None = None, progress: Progress | None = None, view: str = "image"
) -> Description:
    """Decode everything in a source, as a view needs it, and count it. Raises UserError if there is nothing there."""
    source = open_source(data, view)
    content, shown = Packed(), []
    formats, modes, sizes, remarks = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    grey, stride = True, 1
    for done, (item, result) in enumerate(decoded(source.items(64), Fitting(64)), 1):
        if isinstance(result, str):
            content.skipped.append((item.name, result))
            continue
        if len(content.names) % stride == 0:
            shown.append(np.broadcast_to(result.pixels, (64, 64, 3)))
            if len(shown) == 128:  # keep every second, and from now on half as many
                shown, stride = shown[::2], 2 * stride
        content.names.append(item.name)
        content.labels.append(item.label)
        content.splits.append(item.split)
        formats[result.format] += 1
        modes[result.mode] += 1
        sizes[f"{result.width}×{result.height}"] += 1
        remarks.update(text for bit, text in REMARKS.items() if result.remarks & bit and not text.startswith("smaller"))
        grey &= result.pixels.shape[2] == 1
        if progress:
            progress(done, source.count())
    content.notes, content.ignored = source.notes, dict(source.ignored)
    content.classes = list(source.classes) if source.classes is not None else None
    if source.labels_file:
        content.labels_file = source.labels_file[0], source.labels_file[1].decode("latin-1")
    whole = arranged(source, content, labels)
    counts = np.bincount(whole.labels[whole.labels >= 0], minlength=len(whole.classes))
    return Description(
        source.name,
        source.kind,
        len(content.names),
        dict(formats.most_common()),
        dict(modes.most_common()),
        dict(sizes.most_common()),
        dict(remarks.most_common()),
        classes=dict(zip(whole.classes, counts.tolist(), strict=True)),
        splits=dict(Counter(whole.splits.tolist())),
        ignored=content.ignored,
        skipped=listed(content),
        notes=whole.notes,
        grey=grey,
        thumbnails=np.stack(shown[:: max(1, len(shown) // 64)][:64]) if shown else np.empty((0, 64, 64, 3), np.uint8),
    )

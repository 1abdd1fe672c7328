"""Say what is in a source of pictures."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from ..aspect import SQUARE, sides
from ..data.batches import Batches
from ..data.describe import Description, describe
from ..data.pictures import save_grid
from ..data.prepare import prepare
from ..data.views import VIEWS
from ..errors import UserError, nearest
from .pages.sheet import sheet

SHOWN = 12  # lines of each list
GRID = 64  # pictures
FAULTS = 20


def inspect(
    source: str | Path,
    *,
    show: str | Path | None = None,
    view: str = "image",
    size: int = 64,
    aspect: str = SQUARE,
    n: int | None = None,
    seed: int = 0,
    fit: str = "crop",
    labels: str | Path | None = None,
) -> Description:
    """Print what is in a source and what of it is broken and why; write n pictures as a view shows them to `show`.

    Raises UserError if the source cannot serve the view.
    """
    if view != "image" and not show:
        raise UserError(f"where is the view {view!r} to be drawn? Add --show {view}.png")
    nearest(view, VIEWS, "view")
    sides(size, aspect)
    labels = Path(labels) if labels else None
    found = describe(source, labels, view=view)
    console = Console(highlight=False, soft_wrap=True)
    _print(console, found)
    if show:
        pictures = prepare(source, size=size, aspect=aspect, fit=fit, labels=labels, view=view)  # type: ignore[arg-type]
        Path(show).parent.mkdir(parents=True, exist_ok=True)
        if view == "image":
            n = min(n or GRID, len(pictures))
            save_grid(Batches(pictures, batch=n, seed=seed).at(0).image, Path(show))
        else:
            sheet(pictures, view, n, seed).save(show)
        console.print(f"some of them: {show}", markup=False)
    return found


def _print(console: Console, found: Description) -> None:
    console.print(
        f"{found.name}: {found.kind}, {found.pictures:,} usable pictures, {'grey' if found.grey else 'colour'}"
    )
    for title, counts in (
        ("formats", found.formats),
        ("modes", found.modes),
        ("sizes", found.sizes),
        ("classes", found.classes),
        ("splits", found.splits),
        ("other files", found.ignored),
    ):
        if counts:
            console.print(f"  {_counts(title, counts)}", markup=False)
    for text, count in found.remarks.items():
        console.print(f"  {count:,} {text}", markup=False)
    for note in found.notes:
        console.print(f"  {note}", markup=False)
    if found.skipped:
        console.print(f"  {len(found.skipped):,} are broken and will be skipped:")
        for name, reason in found.skipped[:FAULTS]:
            console.print(f"    {name}: {reason}", markup=False)
        if len(found.skipped) > FAULTS:
            console.print(f"    … and {len(found.skipped) - FAULTS:,} more")


def _counts(title: str, counts: Mapping[str, int]) -> str:
    shown = sorted(counts.items(), key=lambda x: -x[1])
    text = ", ".join(f"{k} {v:,}" for k, v in shown[:SHOWN])
    return f"{title}: {text}" + (f" … and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")

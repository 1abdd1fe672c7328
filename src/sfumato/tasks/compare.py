"""Set runs side by side."""

from collections.abc import Sequence
from pathlib import Path

from .report import print_comparison, write_comparison


def compare(runs: Sequence[str | Path], *, out: str | Path | None = None) -> None:
    """Print runs side by side, and write a page with their samples if `out` is given."""
    paths = [Path(r) for r in runs]
    print_comparison(paths)
    if out:
        write_comparison(paths, Path(out))

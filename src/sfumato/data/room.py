"""Room for the cache: what is old goes, and what does not fit is said before it is begun."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from ..errors import UserError

ADVICE = "set SFUMATO_CACHE to a folder on a disk with space"
LIMIT = 50.0  # GB of pictures that a cache keeps, unless $SFUMATO_CACHE_GB says otherwise


def make_room(folder: Path, needed: int) -> None:
    """Remove what killed runs left, and the pictures used longest ago if all with `needed` more bytes pass the limit.

    Raises UserError if the disk has no space for so many bytes, or the limit is no number.
    """
    _sweep(folder)
    held = sorted((_last_used(path), path) for path in folder.glob("*.pictures"))
    excess = sum(size for (_, size), _ in held) + needed - limit()
    for (_, size), path in held:
        if excess <= 0:
            break
        with suppress(OSError):  # another process may have removed it, or holds it open where that matters
            path.unlink()
            excess -= size
    if needed > shutil.disk_usage(folder).free:
        raise UserError(no_space(folder, needed))


def limit() -> float:
    """How many bytes of pictures are kept. Raises UserError if $SFUMATO_CACHE_GB is no number."""
    text = os.environ.get("SFUMATO_CACHE_GB") or str(LIMIT)
    try:
        return float(text) * 1e9
    except ValueError:
        raise UserError(f"SFUMATO_CACHE_GB is {text!r}; it must be a number of gigabytes") from None


def no_space(folder: Path, needed: int) -> str:
    """That the disk is too full."""
    free = shutil.disk_usage(folder).free
    return f"the decoded pictures need about {_mb(needed)} in {folder}, where {_mb(free)} are free; {ADVICE}"


def touch(path: Path) -> None:
    """Note that a file of the cache has been used now."""
    with suppress(OSError):
        os.utime(path)


def _last_used(path: Path) -> tuple[float, int]:
    """When, and how large it is."""
    try:
        stat = path.stat()
    except OSError:
        return 0.0, 0
    return stat.st_mtime, stat.st_size


def _mb(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"


def _sweep(folder: Path) -> None:
    """Remove temporaries of runs that were killed: those nobody has touched for a day."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > 86_400:
                path.unlink()

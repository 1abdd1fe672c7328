"""Folders and archives in which files beside the pictures tell more about them, by what a view asks for."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ..decode import strict_pillow
from ..source import Source
from .clips import open_clips
from .coco import open_coco
from .cub import open_cub
from .emoji import open_emoji
from .known import Known, told
from .omniglot import open_omniglot
from .pairs import open_domains, open_joined, open_pairs
from .place import Place
from .segmented import open_segmented
from .sentences import open_sentences

__all__ = ["LAYOUTS", "bare", "open_layout"]

_MAPS = (open_segmented,)

# view -> the layouts that can serve it, the most particular first; other views are served by the pictures alone
LAYOUTS: Mapping[str, tuple[Callable[[Place], Source | None], ...]] = {
    "labelled": (open_omniglot,),
    "semi": (open_omniglot,),
    "factors": (open_omniglot,),
    "caption": (partial(open_cub, captions=True), partial(open_coco, captions=True), open_emoji, open_sentences),
    "keypoints": (partial(open_cub, captions=False), partial(open_coco, captions=False)),
    "maps": _MAPS,
    "edges": _MAPS,
    "paired": (open_pairs, open_segmented, open_joined),
    "paired-map": _MAPS,
    "paired-edges": _MAPS,
    "unpaired": (open_domains, open_joined),
    "clips": (open_clips,),
}


def open_layout(path: Path, view: str) -> Source | None:
    """A file or folder understood as this view needs it, None if it is laid out in no way that serves it.

    Raises UserError if it is, but cannot be read.
    """
    place = Place(path)
    with strict_pillow():
        return next((found for opener in LAYOUTS.get(view, ()) if (found := opener(place))), None)


def bare(source: Source) -> Source:
    """A source of pictures alone, which says by an example what would tell more."""
    return told(source, lambda fitting: Known(source.name))

"""The shapes of a batch: functions from rows of pictures to named tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...errors import UserError, nearest
from ..prepare import Pictures
from . import domains, facts, frames, maps, superres
from .draw import Draw
from .facts import labelled_rows

__all__ = ["VIEWS", "Draw", "View", "labelled_rows", "view_of"]


def every(pictures: Pictures) -> np.ndarray:
    """All of them."""
    return np.arange(len(pictures))


@dataclass(frozen=True)
class View:
    """A shape of a batch."""

    fields: Callable[[Pictures, Draw], dict[str, Tensor]]  # makes it; its docstring says what is in it
    needs: tuple[str, ...] = ()  # fields of the truth
    rows: Callable[[Pictures], np.ndarray] = every  # indices of the pictures that it can be about
    survey: Callable[[Pictures, int, int], np.ndarray] | None = None  # (pictures, per class, seed) -> `Draw.survey`
    mirrors: bool = True  # whether all of it stays true when its pictures are mirrored


VIEWS: Mapping[str, View] = {
    "image": View(facts.image),
    "labelled": View(facts.labelled, rows=facts.with_label),
    "semi": View(facts.semi, rows=facts.with_few, survey=facts.labelled_rows),
    "caption": View(facts.caption, ("captions",)),
    "factors": View(facts.factors, mirrors=False),
    "people": View(facts.people, ("identity",), facts.with_others, facts.identities),
    "few-shot": View(facts.few_shot, rows=facts.with_label, survey=facts.every_class),
    "few-shot-seen": View(facts.few_shot, rows=facts.seen_classes, survey=facts.seen_classes),
    "maps": View(maps.maps, ("semantic", "instance")),
    "edges": View(maps.edges, ("edges",)),
    "depth": View(maps.depth, ("depth",)),
    "normals": View(maps.normals, ("normals",)),
    "keypoints": View(maps.keypoints, ("keypoints", "boxes")),
    "clips": View(maps.clips, ("clip",)),
    "rendered-x2": View(frames.x2, ("clip", "clip depth", "back")),
    "rendered-x4": View(frames.x4, ("clip", "clip depth", "back")),
    "objects": View(domains.objects, ("matte", "empty")),
    "paired": View(domains.paired, ("source",)),
    "paired-map": View(domains.paired_map, ("semantic",)),
    "paired-edges": View(domains.paired_edges, ("edges",)),
    "paired-night": View(domains.paired_night, ("day", "night")),
    "unpaired": View(domains.unpaired, ("domain",), domains.domain_a, domains.domain_b),
    "unpaired-night": View(domains.unpaired_night, ("day", "night"), domains.domain_a, domains.domain_b),
    "unpaired-dusk": View(domains.unpaired_dusk, ("day", "dusk"), domains.domain_a, domains.domain_b),
    "unpaired-times": View(domains.unpaired_times, ("day", "time"), domains.domain_a, domains.by_other_times),
    "unpaired-old": View(domains.unpaired_old, ("young", "old"), domains.domain_a, domains.domain_b),
    "unpaired-ink": View(domains.unpaired_ink, ("ink",), domains.domain_a, domains.domain_b),
    "superres-x2": View(superres.x2),
    "superres-x3": View(superres.x3),
    "superres-x4": View(superres.x4),
    "superres-x8": View(superres.x8),
    "restoration": View(facts.restoration),
}


def view_of(name: str, pictures: Pictures) -> View:
    """A view by its name. Raises LookupError for an unknown one, UserError if the source lacks what it needs."""
    view = VIEWS[nearest(name, VIEWS, "view")]
    known = pictures.truth.fields
    if name == "unpaired" and "source" in known:  # a source of pairs is unpaired by halves
        return view
    missing = next((field for field in view.needs if field not in known), None)
    if missing or (name == "factors" and not pictures.truth.factors):
        reason = pictures.truth.lacks(missing or "factors")
        raise UserError(f"{pictures.source or 'the source'} cannot be seen as {name!r}: {reason}")
    return view

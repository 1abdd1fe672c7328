"""Measure pictures against references, or alone."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ..data.source import hidden, is_picture
from ..data.whole import read_whole
from ..errors import UserError
from ..metrics import quality
from ..metrics.quality import MEASURES, Convention, Measure, of_pictures

ARROW = {"lower": "↓", "higher": "↑"}
SHOWN = 5  # names of pictures that an error lists


@dataclass(frozen=True)
class Measured:
    """What one measure found in every picture, and what the values depend on."""

    measure: str
    better: str
    says: str
    values: tuple[float, ...]  # one a picture
    pictures: tuple[str, ...]
    why_not: str = ""  # why there are no values

    @property
    def mean(self) -> float:
        """Over the pictures."""
        return math.fsum(self.values) / len(self.values) if self.values else math.nan

    def as_dict(self) -> dict[str, Any]:
        """For JSON, where an infinite value is None."""
        held = {"measure": self.measure, "better": self.better, "says": self.says}
        if self.why_not:
            return held | {"why_not": self.why_not}
        finite = {name: _finite(v) for name, v in zip(self.pictures, self.values, strict=True)}
        return held | {"mean": _finite(self.mean), "values": finite}


def measure(
    reference: str | Path,
    image: str | Path | None = None,
    *,
    luma: bool = False,
    crop_border: int = 0,
    niqe: str | None = None,
    sff: str | None = None,
    lpips: str | None = None,
    heads: str | None = None,
    as_json: bool = False,
    quiet: bool = False,
) -> list[Measured]:
    """Compare a picture with its reference, or the pictures of two folders by name, by every measure that applies.

    Without `image`, what `reference` is or holds is judged alone. `luma` compares Y of BT.601 where a measure doesn't
    choose its planes itself; `crop_border` pixels are shaved off first. `niqe` and `sff` are files that replace
    the shipped models; `lpips` is a network and its weights, "alex:FILE", with its linear `heads`.
    Prints a table, or JSON. Raises UserError.
    """
    convention = Convention("luma" if luma else "rgb", crop_border)
    measures = _chosen(niqe, sff, lpips, heads, alone=image is None)
    found = _measured(list(_pairs(Path(reference), Path(image) if image else None)), measures, convention)
    if as_json:
        print(json.dumps([m.as_dict() for m in found], indent=2))
    elif not quiet:
        _print(found)
    return found


def _chosen(niqe: str | None, sff: str | None, lpips: str | None, heads: str | None, *, alone: bool) -> list[Measure]:
    """The measures to take, with the models asked for."""
    chosen = dict(MEASURES)
    if niqe:
        model = quality.load_natural(niqe)
        chosen["niqe"] = replace(
            chosen["niqe"],
            compute=lambda _, x, c: quality.niqe(x, replace(quality.Y, border=c.border), model),
            sees=f"Y of BT.601, model {Path(niqe).name}",
        )
    if sff:
        detector = quality.load_detector(sff)
        compute = of_pictures(lambda x, y: quality.sff(x, y, detector))
        chosen["sff"] = replace(chosen["sff"], compute=compute, sees=f"RGB in patches, detector {Path(sff).name}")
    if lpips:
        backbone, _, weights = lpips.partition(":")
        if not weights or not heads:
            raise UserError("LPIPS needs --lpips NETWORK:FILE (alex, vgg or squeeze) and --heads FILE")
        network = quality.load_lpips(backbone, weights, heads)
        chosen["lpips"] = Measure(
            "lpips", of_pictures(network), "lower", (0, math.inf), f"{backbone}, heads {Path(heads).name}"
        )
    return [m for m in chosen.values() if not (alone and m.reference)]


def _measured(
    pairs: Sequence[tuple[str, Path, Path]], measures: Sequence[Measure], convention: Convention
) -> list[Measured]:
    values: dict[str, list[float]] = {m.name: [] for m in measures}
    why_not: dict[str, str] = {}
    for name, first, second in pairs:
        reference, image = _loaded(first, second)
        for m in measures:
            if m.name in why_not:
                continue
            try:
                if m.colour and reference.shape[1] == 1:
                    raise ValueError("it compares colours, and the picture is grey")
                with torch.inference_mode():
                    values[m.name].append(m.compute(reference, image, convention).item())
            except ValueError as error:
                why_not[m.name] = str(error) if len(pairs) == 1 else f"{name}: {error}"
    names = tuple(name for name, _, _ in pairs)
    return [
        Measured(m.name, m.better, m.says(convention), (), (), why_not[m.name])
        if m.name in why_not
        else Measured(m.name, m.better, m.says(convention), tuple(values[m.name]), names)
        for m in measures
    ]


def _pairs(reference: Path, image: Path | None) -> Iterator[tuple[str, Path, Path]]:
    """Name, reference and image: one, or one for each name in two folders."""
    if image is None:
        image = reference
    for path in (reference, image):
        if not path.exists():
            raise UserError(f"there is no picture or folder {path}")
    if reference.is_dir() != image.is_dir():
        raise UserError(f"one of {reference} and {image} is a folder; give two pictures or two folders")
    if not reference.is_dir():
        yield image.name, reference, image
        return
    ours, theirs = _named(reference), _named(image)
    lonely = sorted(ours.keys() ^ theirs.keys())
    if lonely:
        more = f" and {len(lonely) - SHOWN} more" if len(lonely) > SHOWN else ""
        raise UserError(
            f"{reference} and {image} differ in names of pictures: {', '.join(lonely[:SHOWN])}{more}"
            " lie in one alone; give every picture its reference's name"
        )
    for name in sorted(ours):
        yield name, ours[name], theirs[name]


def _named(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without extension."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_picture(path.name) and not hidden(path.name):
            if path.stem in found:
                raise UserError(f"{folder} has both {found[path.stem].name} and {path.name}; names must differ")
            found[path.stem] = path
    if not found:
        raise UserError(f"{folder} holds no pictures")
    return found


def _loaded(reference: Path, image: Path) -> tuple[Tensor, Tensor]:
    """Both as float32 (1, c, h, w) in [-1, 1], in colour if one of them is."""
    x, y = (torch.from_numpy(read_whole(p)).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (reference, image))
    if x.shape[-2:] != y.shape[-2:]:
        sizes = " and ".join(f"{p} {v.shape[-1]}×{v.shape[-2]}" for p, v in ((reference, x), (image, y)))
        raise UserError(f"measures compare pictures of one size; {sizes} pixels")
    channels = max(x.shape[1], y.shape[1])
    return x.expand(-1, channels, -1, -1), y.expand(-1, channels, -1, -1)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(found: Sequence[Measured]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    several = max((len(m.values) for m in found), default=0) > 1
    table = Table(box=None)
    for heading in ("measure", "", "mean" if several else "value", *(("least", "most") if several else ()), "of"):
        table.add_column(heading, justify="left" if heading in ("measure", "", "of") else "right")
    for m in found:
        spread = (min(m.values), max(m.values)) if several and m.values else ()
        cells = [f"{v:.4f}" for v in (m.mean, *spread)] if m.values else []
        cells += ["–"] * ((3 if several else 1) - len(cells))
        table.add_row(m.measure, ARROW[m.better], *cells, m.why_not or m.says)
    console.print(table)
    if several:
        console.print(f"{len(next(m for m in found if m.values).values):,} pictures")

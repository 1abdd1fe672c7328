"""Measures against people's opinions."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ..errors import UserError
from ..metrics import quality
from ..metrics.quality import MEASURES, Agreement

OPINION = "mos"  # the column of a table of scores that says what people thought
FUSIONS: dict[str, Callable[[Tensor], Tensor]] = {"rrf": quality.reciprocal_rank, "ras": quality.ras}


def rank(scores: str | Path, *, as_json: bool = False, quiet: bool = False) -> dict[str, Agreement]:
    """How well the columns of a csv file agree with its column `mos`, best first; other columns' text is passed over.

    Rank-aggregated fusions of all columns are added as `rrf` and `ras`; for them a measure that sfumato knows counts
    in its own direction and any other as higher is better, unless its name begins with "-".
    Prints a table, or JSON. Raises UserError.
    """
    path = Path(scores)
    columns = _columns(path)
    if OPINION not in columns:
        raise UserError(f"{path} has no column {OPINION!r} of opinion scores; it has {', '.join(columns) or 'none'}")
    opinions = columns.pop(OPINION)
    if not columns:
        raise UserError(f"{path} has no column of scores beside {OPINION!r}")
    if len(columns) > 1:
        upwards = torch.stack([v if _upwards(name) else -v for name, v in columns.items()], 1)
        columns = {name: fuse(upwards) for name, fuse in FUSIONS.items()} | columns
    found = {}
    for name, values in columns.items():
        try:
            found[name] = quality.agreement(values, opinions)
        except ValueError as error:
            raise UserError(f"{path}, column {name!r}: {error}") from None
    found = dict(sorted(found.items(), key=lambda x: -abs(x[1].srcc)))
    if as_json:
        print(json.dumps({k: v.as_dict() for k, v in found.items()}, indent=2))
    elif not quiet:
        _print_ranked(found, len(opinions))
    return found


def _columns(path: Path) -> dict[str, Tensor]:
    """The columns of a csv file that hold numbers, by lower-case name: (n,) float64."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"can't read {path}: {getattr(error, 'strerror', None) or error}") from None
    names = [name.strip().lower() for name in header]
    if len(set(names)) < len(names):
        raise UserError(f"{path} has two columns of one name")
    found: dict[str, Tensor] = {}
    for i, name in enumerate(names):
        cells = [row[i].strip() if i < len(row) else "" for row in rows]
        numbers = [_number(cell) for cell in cells]
        if all(n is None for n in numbers):
            continue
        if None in numbers:
            line = numbers.index(None) + 2
            raise UserError(f"{path}, line {line}: {cells[line - 2]!r} in column {name!r} is no number")
        found[name] = torch.tensor(numbers, dtype=torch.float64)
    return found


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _upwards(name: str) -> bool:
    known = MEASURES.get(name)
    return known.better == "higher" if known else name != "lpips" and not name.startswith("-")


def _print_ranked(found: Mapping[str, Agreement], n: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None)
    for heading in ("measure", "PLCC", "SRCC", "KRCC", "RMSE"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for name, a in found.items():
        table.add_row(name, *(f"{v:.4f}" for v in (a.plcc, a.srcc, a.krcc, a.rmse)))
    console.print(table)
    console.print(f"{n:,} pictures; PLCC and RMSE after a logistic curve of five parameters")

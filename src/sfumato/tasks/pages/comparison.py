"""Runs side by side, in a terminal and on a page, with the best marked where it may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ... import catalog
from ...aspect import SQUARE
from ...errors import UserError
from ...training.checkpoint import write_text
from .charts import number
from .page import document, picture, section, table
from .record import Record

SAME = {  # what two values of a measure must share to be ranked, and how it is called
    "sha256": "extractor weights",
    "resize": "resizing",
    "reference": "reference",
    "size": "picture size",
    "aspect": "picture shape",
    "n_fake": "number of images",
    "n_real": "number of real pictures",
}


@dataclass(frozen=True)
class Row:
    """One property of every run: a cell each, which of them are best, and why none is marked if they cannot be."""

    name: str
    cells: tuple[str, ...]
    best: tuple[int, ...] = ()
    note: str = ""


def compare_table(runs: Sequence[Path]) -> list[Row]:
    """Rows that set runs side by side: what they are, what differs in their settings, their cost, their measures.

    A measure is ranked only if it was taken alike everywhere. Raises UserError for less than two runs or for what
    is no run.
    """
    return _rows(_records(runs))


def print_comparison(runs: Sequence[Path], console: Console | None = None) -> None:
    """Print runs side by side; the best of a ranked measure has a star."""
    records = _records(runs)
    rows = _rows(records)
    shown = Table(box=None)
    for heading in ("", *(r.path.resolve().name for r in records)):
        shown.add_column(Text(heading), overflow="fold")
    for row in rows:
        cells = [Text(f"{c} *" if i in row.best else c, "bold" * (i in row.best)) for i, c in enumerate(row.cells)]
        shown.add_row(Text(row.name), *cells)
    console = console or Console(highlight=False)
    console.print(shown)
    if any(row.best for row in rows):
        console.print("* the best, measured alike")
    for row in rows:
        if row.note:
            console.print(Text(f"! {row.name.split(' ')[0]}: {row.note}"), soft_wrap=True)


def write_comparison(runs: Sequence[Path], out: Path) -> Path:
    """Write runs side by side, with their newest samples, as one HTML file. Raises UserError."""
    records = _records(runs)
    rows = _rows(records)
    names = [r.path.resolve().name for r in records]
    figures = []
    for name, record in zip(names, records, strict=True):
        step, path = record.samples[-1] if record.samples else (0, None)
        image = picture(path, f"samples of {name} after step {step:,}") if path else ""
        caption = f"{escape(name)} · step {step:,}" if image else f"{escape(name)} · no samples"
        figures.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    cells = [
        [
            escape(row.name),
            *(
                f'<span class="best">{escape(c)}</span>' if i in row.best else escape(c)
                for i, c in enumerate(row.cells)
            ),
        ]
        for row in rows
    ]
    notes = [f'<p class="note">{escape(row.name)}: {escape(row.note)}.</p>' for row in rows if row.note]
    title = " and ".join(dict.fromkeys(r.system for r in records))
    body = [
        f'<header><p class="kicker">{len(records)} runs side by side</p><h1>{escape(title)}</h1></header>',
        section("Samples", f'<div class="side">{"".join(figures)}</div>'),
        section("Figures", table(["", *names], cells), *notes),
    ]
    write_text(out, document(f"{title}: comparison", body))
    return out


def _records(runs: Sequence[Path]) -> list[Record]:
    if len(runs) < 2:
        raise UserError("a comparison needs two runs or more: sfumato compare RUN RUN")
    return [Record.of(Path(run)) for run in runs]


def _size(record: Record) -> str:
    """Of its pictures: "64 px", or "64 px at 3:2" where they are no squares."""
    recipe = record.part("recipe")
    shape = recipe.get("aspect", SQUARE)
    return f"{recipe.get('size', '?')} px" + (f" at {shape}" if shape != SQUARE else "")


def _rows(records: Sequence[Record]) -> list[Row]:
    def row(name: str, cell: Any) -> Row:
        return Row(name, tuple(str(cell(r)) for r in records))

    return [
        row("system", lambda r: r.system),
        row("preset", lambda r: r.config.get("preset", "")),
        row("data", lambda r: f"{r.source}, {_size(r)}"),
        *_differences(records),
        row("parameters", _parameters),
        row("steps", lambda r: number(r.step)),
        row("images", lambda r: number(r.images)),
        row("images/s", lambda r: number(round(r.rate)) if r.rate else ""),
        row("seconds", lambda r: number(round(r.seconds))),
        row("warnings", lambda r: number(len(r.warnings))),
        *_measures(records),
    ]


def _differences(records: Sequence[Record]) -> list[Row]:
    """The settings that are not the same in all runs."""
    settings = []
    for r in records:
        hyper = r.part("system").get("hyper") or {}
        seed = {"seed": r.config.get("seed")}
        recipe = {k: v for k, v in r.part("recipe").items() if k not in ("data", "size", "aspect", "steps")}
        settings.append({**hyper, **recipe, **seed})
    names = dict.fromkeys(k for s in settings for k in s)
    cells = {k: tuple(str(s.get(k, "")) for s in settings) for k in names}
    return [Row(k, c) for k, c in cells.items() if len(set(c)) > 1]


def _parameters(record: Record) -> str:
    """How many parameters the networks have; empty for a system that cannot be built any more."""
    try:
        return number(sum(p.numel() for p in catalog.rebuild(record.part("system")).parameters()))
    except (LookupError, TypeError, ValueError):
        return ""


def _measures(records: Sequence[Record]) -> list[Row]:
    """A row for every value of every measure. The first value of a measure is ranked, if it was taken alike."""
    taken = [{str(m.get("metric")): m for m in r.measures} for r in records]
    rows = []
    for metric in dict.fromkeys(k for t in taken for k in t):
        found = [t.get(metric) for t in taken]
        names = dict.fromkeys(k for m in found if m for k in m["values"])
        for i, name in enumerate(names):
            values = [m["values"].get(name) if m else None for m in found]
            cells = tuple(number(v) if isinstance(v, int | float) else "–" for v in values)
            better = next((m.get("better") for m in found if m), None)
            note = _unlike(found, records) if i == 0 else ""
            arrow = {"lower": " ↓", "higher": " ↑"}.get(str(better), "") if i == 0 else ""
            rows.append(Row(name + arrow, cells, () if note or i else _best(values, better), note))
    return rows


def _best(values: Sequence[Any], better: Any) -> tuple[int, ...]:
    numbers = [v for v in values if isinstance(v, int | float)]
    if len(set(numbers)) < 2 or better not in ("lower", "higher"):
        return ()
    top = min(numbers) if better == "lower" else max(numbers)
    return tuple(i for i, v in enumerate(values) if v == top)


def _unlike(found: Sequence[Mapping[str, Any] | None], records: Sequence[Record]) -> str:
    """Why values of a measure cannot be ranked, or nothing."""
    recipes = [r.part("recipe") for r in records]
    sizes = [{"size": recipe.get("size"), "aspect": recipe.get("aspect", SQUARE)} for recipe in recipes]
    taken = [{**m, **s} for m, s in zip(found, sizes, strict=True) if m]
    differ = []
    for key, called in SAME.items():
        seen = dict.fromkeys(str(m.get(key)) for m in taken)
        if len(seen) > 1:
            shown = [s[:12] if key == "sha256" else f"{int(s):,}" if s.isdecimal() else s for s in seen]
            differ.append(f"{called} ({', '.join(shown)})")
    return f"not ranked, it was not measured alike: {'; '.join(differ)} differ" if differ else ""

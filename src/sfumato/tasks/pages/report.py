"""A run's report: one HTML file that holds its samples, curves, measures, and everything that made it."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from ...aspect import SQUARE
from ...training.checkpoint import write_text
from .charts import COLOURS, Curve, dot_scale, line_chart, number, thin
from .page import bullets, document, facts, picture, section, table
from .record import Record

SAMPLES = 24  # grids that a page shows at most


def write_report(run: Path) -> Path:
    """Write `report.html` into a run folder from what the folder holds, and return its path.

    Raises UserError if it is no run, or the page cannot be written.
    """
    record = Record.of(Path(run))
    body = [
        _head(record),
        section("Samples over time", _samples(record)),
        section("Losses", _curves(record)),
        section("Measures", *_measures(record.measures)),
        section("What happened", _events(record)),
        section("Data", _data(record)),
        section("How it was made", *_making(record)),
    ]
    path = record.path / "report.html"
    write_text(path, document(f"{record.system} on {record.source}", body))
    return path


def _head(record: Record) -> str:
    paper, created = record.part("paper"), str(record.config.get("created", "")).replace("T", ", ")[:17]
    kicker = " · ".join(x for x in (record.path.resolve().name, created) if x)
    cited = f'<p class="note">{escape(_text(paper, "authors"))} ({escape(_text(paper, "year"))}), {_link(paper)}.</p>'
    numbers = [
        ("steps", number(record.step)),
        ("images seen", number(record.images)),
        ("training time", duration(record.seconds)),
        ("images a second", number(round(record.rate))),
    ]
    figures = "".join(f"<div><dt>{escape(k)}</dt><dd>{v}</dd></div>" for k, v in numbers)
    return (
        f'<header><p class="kicker">{escape(kicker)}</p><h1>{escape(record.system)} <small>on</small> '
        f"{escape(record.source)}</h1>{_verdict(record)}{cited if paper else ''}"
        + (f'<dl class="numbers">{figures}</dl>' if record.lines else "")
        + "</header>"
    )


def _verdict(record: Record) -> str:
    """How the run went, in a few sentences."""
    n = len(record.warnings)
    troubles = f"{n} warning{'s' if n != 1 else ''}" if n else "no warnings"
    if record.broken:
        state = f"Diverged: {', '.join(record.broken[:4])} no longer finite at step {record.step:,}."
    elif not record.lines:
        state = "Nothing was logged yet."
    elif record.progress < 1:
        state = f"Not finished: {record.progress:.0%} of the budget is spent, with {troubles}."
    else:
        state = f"Finished, with {troubles}."
    rest = []
    if record.lines and record.progress < 1:
        rest.append(f"<code>sfumato resume {escape(str(record.path))}</code> continues it.")
    rest += [_judged(m) for m in record.measures if m.get("metric") == "frechet"]
    bad = " bad" if record.broken else ""
    return f'<p class="verdict{bad}"><strong>{escape(state)}</strong> {" ".join(x for x in rest if x)}</p>'


def _judged(measure: Mapping[str, Any]) -> str:
    """Where a Fréchet distance lies among the distances that give it meaning."""
    value, anchors = measure["values"].get("frechet"), _numbers(measure.get("anchors"))
    if not isinstance(value, int | float):
        return ""
    said = f"The Fréchet distance to {escape(_text(measure, 'reference') or 'the real pictures')} is {number(value)}"
    beside = ", ".join(f"{escape(k)} {number(v)}" for k, v in anchors.items())
    return f"{said}; beside it: {beside}." if beside else f"{said}."


def _samples(record: Record) -> str:
    """The grids as radio buttons: the chosen one is large, the arrow keys go through time."""
    chosen = thin(record.samples, SAMPLES - 1) if record.samples else []
    images = [(step, picture(path, f"samples after step {step:,}")) for step, path in chosen]
    images = [(step, image) for step, image in images if image]
    labels = [
        f'<label><input type="radio" name="step"{" checked" if i == len(images) - 1 else ""} '
        f'aria-label="step {step:,}">{image}<span>step {step:,}</span></label>'
        for i, (step, image) in enumerate(images)
    ]
    lost = len(chosen) - len(images)
    note = f'<p class="note">{lost} of the sample pictures could not be read.</p>' if lost else ""
    return f'<fieldset class="film">{"".join(labels)}</fieldset>{note}' if labels else note


def _curves(record: Record) -> str:
    marks = {e["step"]: str(e.get("text", e["event"])) for e in record.warnings}
    figures = [_figure(title, curves, marks) for title, curves in _panels(record)]
    return f'<div class="charts">{"".join(figures)}</div>' if any(figures) else ""


def _panels(record: Record) -> Iterator[tuple[str, Mapping[str, Curve]]]:
    """A panel a player, one for every other reported value, and one for learning rates that change."""
    losses = sorted(k for k in record.curves if "/" in k)
    for player, names in groupby(losses, key=lambda k: k.split("/")[0]):
        yield player, {k.split("/", 1)[1]: record.curves[k] for k in names}
    for name, curve in record.curves.items():
        if "/" not in name:
            yield name, {name: curve}
    rates = record.learning_rates
    if any(len({y for _, y in curve}) > 1 for curve in rates.values()):
        yield "learning rate", rates


def _figure(title: str, curves: Mapping[str, Curve], marks: Mapping[float, str]) -> str:
    drawn = line_chart(curves, marks=marks)
    if not drawn:
        return f'<figure><h3>{escape(title)}</h3><p class="note">None of its figures is finite.</p></figure>'
    shown = [k for k in curves if any(y == y for _, y in curves[k])]
    keys = ""
    for i, k in enumerate(shown):
        name = escape(k) if k != title else ""
        keys += f'<li><i style="background:var(--c{i % COLOURS})"></i>{name} <b>{number(curves[k][-1][1])}</b></li>'
    return f'<figure><h3>{escape(title)}</h3><ul class="key">{keys}</ul>{drawn}</figure>'


def _measures(measures: list[dict[str, Any]]) -> Iterator[str]:
    if not measures:
        return
    rows, taken = [], dict[str, list[str]]()
    for m in measures:
        arrow = {"lower": "↓", "higher": "↑"}.get(_text(m, "better"), "")
        taken.setdefault(_taken(m), []).append(escape(_text(m, "metric")))
        for i, (name, value) in enumerate(_numbers(m["values"]).items()):
            label = f"{escape(name)} {arrow}" if i == 0 else f'<span class="soft">{escape(name)}</span>'
            rows.append([label, f'<span class="value">{number(value)}</span>' if i == 0 else number(value)])
    yield table(["measure", "value"], rows)
    alone = len(taken) == 1
    yield bullets((how if alone else f"{', '.join(names)}: {how}" for how, names in taken.items()), "plain note")
    for m in measures:
        anchors, values = _numbers(m.get("anchors")), _numbers(m["values"])
        if anchors and values:
            yield f"<h3>{escape(next(iter(values)))} <span class='soft'>on a logarithmic scale</span></h3>"
            yield dot_scale(anchors | {"this model": next(iter(values.values()))}, "this model")
    warnings = dict.fromkeys(str(w) for m in measures for w in m.get("warnings") or ())
    yield bullets((escape(w) for w in warnings), "events")


def _taken(m: Mapping[str, Any]) -> str:
    """What a value depends on, in words."""
    counts = [number(m[k]) for k in ("n_fake", "n_real") if isinstance(m.get(k), int) and m[k]]
    hashed = _text(m, "sha256")
    return (
        f'extractor {escape(_text(m, "extractor"))} <code title="SHA-256 of its weights: {escape(hashed)}">'
        f"{escape(hashed[:8])}</code>, {escape(_text(m, 'resize'))}; {' generated against '.join(counts)} pictures"
        + (f" of {escape(_text(m, 'reference'))}" if len(counts) > 1 else "")
    )


def _events(record: Record) -> str:
    items = [f"<b>step {e['step']:,} · {escape(str(e['event']))}</b>{escape(_text(e, 'text'))}" for e in record.events]
    return bullets(items, "events")


def _data(record: Record) -> str:
    data, classes = record.part("data"), [str(c) for c in record.part("data").get("classes") or ()]
    skipped = data.get("skipped") or 0
    side = _text(data, "size") or _text(record.part("recipe"), "size")
    side += " px" if side else ""
    shape = _text(data, "aspect").replace(SQUARE, "")
    colour = {1: "grey", 3: "colour", 4: "colour with transparency"}.get(data.get("channels", 0), "")
    shown = ", ".join(classes[:20]) + (f" and {len(classes) - 20} more" if len(classes) > 20 else "")
    listed = '<a href="skipped.csv">skipped.csv</a>' if (record.path / "skipped.csv").exists() else "skipped.csv"
    return facts(
        [
            ("source", escape(_text(data, "source"))),
            ("pictures", number(data["n"]) if isinstance(data.get("n"), int) else ""),
            ("as trained on", escape(", ".join(x for x in (side, shape, colour) if x))),
            ("classes", f"{len(classes)}: {escape(shown)}" if classes else ""),
            ("skipped", f"{escape(str(skipped))}, each with its reason in {listed}" if skipped else ""),
            ("notes", bullets((escape(str(x)) for x in data.get("notes") or ()), "plain")),
            ("fingerprint", f"<code>{escape(_text(data, 'fingerprint'))}</code>" if data.get("fingerprint") else ""),
        ]
    )


def _making(record: Record) -> Iterator[str]:
    c = record.config
    if c.get("command"):
        yield f"<pre>{escape(str(c['command']))}</pre>"
    choices = {k: v for k, v in record.part("choices").items() if isinstance(v, dict)}
    if choices:
        rows = [[escape(str(k)), escape(_text(v, "value")), escape(_text(v, "why"))] for k, v in choices.items()]
        yield table(["machine", "chosen", "because"], rows)
    recipe, hyper = record.part("recipe"), record.part("system").get("hyper") or {}
    versions = record.part("versions") or {"sfumato": c.get("sfumato", "")}
    yield facts(
        [
            ("preset", escape(_text(c, "preset"))),
            ("hyperparameters", _settings(hyper) if isinstance(hyper, Mapping) else ""),
            ("recipe", _settings(recipe)),
            ("budget", _settings({k: v for k, v in record.part("budget").items() if v})),
            ("seed", escape(_text(c, "seed"))),
            ("device", escape(_text(c, "device"))),
            ("platform", escape(_text(c, "platform"))),
            ("versions", _settings(versions)),
        ]
    )


def duration(seconds: float) -> str:
    """A time as people say it: 48 s, 2 min 41 s, 3 h 07 min."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else f"{m} min {s:02d} s" if m else f"{s} s"


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{escape(str(k))}&nbsp;<b>{escape(_plain(v))}</b>" for k, v in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):  # a system that this one was built on
        return str(value.get("name", "…"))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _numbers(values: Any) -> dict[str, float]:
    """The entries that are numbers."""
    if not isinstance(values, Mapping):
        return {}
    return {str(k): v for k, v in values.items() if isinstance(v, int | float)}


def _text(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    return "" if found is None else str(found)


def _link(paper: Mapping[str, Any]) -> str:
    title, url = f"<cite>{escape(_text(paper, 'title'))}</cite>", _text(paper, "url")
    return f'<a href="{escape(url)}">{title}</a>' if url.startswith(("https://", "http://")) else title

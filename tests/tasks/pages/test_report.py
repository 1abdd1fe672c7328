"""Reports and comparisons from run folders made up here, whole and damaged."""

import base64
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from sfumato.errors import UserError
from sfumato.tasks.pages import charts
from sfumato.tasks.pages.comparison import compare_table, print_comparison, write_comparison
from sfumato.tasks.pages.record import Record
from sfumato.tasks.pages.report import write_report

EVIL = '<script>alert("x")</script>&'

CONFIG = {
    "sfumato": "0.1.0",
    "versions": {"sfumato": "0.1.0", "python": "3.12.1", "torch": "2.13.0"},
    "platform": "Linux-6.1-x86_64",
    "command": "sfumato train dcgan --data digits --steps 3000",
    "created": "2026-01-31T12:34:56+01:00",
    "system": {"name": "dcgan", "hyper": {"size": 32, "channels": 1, "ch": 32, "z": 64}},
    "preset": "small",
    "recipe": {"data": "digits", "size": 32, "batch": 64, "steps": 3000, "view": "image", "metrics": ["frechet"],
               "schedule": "constant", "clip": 0.0, "ema": 0.0},
    "data": {"source": "digits", "fingerprint": "0f3a99c1", "n": 1437, "size": 32, "channels": 1,
             "classes": [str(i) for i in range(10)], "notes": ["enlarged from 8 px"], "skipped": 3},
    "seed": 0,
    "device": "cpu",
    "choices": {"precision": {"value": "float32", "why": "bfloat16 took 2.6× as long in a 12 ms probe"},
                "threads": {"value": 2, "why": "1 took 1.8× as long"},
                "memory": {"value": "kept", "why": "glibc reuses freed memory"}},
    "budget": {"steps": 3000, "images": None, "minutes": None},
    "paper": {"title": "Unsupervised Representation Learning", "authors": "Radford et al.", "year": 2015,
              "url": "https://arxiv.org/abs/1511.06434"},
}  # fmt: skip
FRECHET = {
    "metric": "frechet", "values": {"frechet": 3.21}, "better": "lower", "extractor": "reader:digits",
    "sha256": "ab12cd34" * 8, "resize": "bilinear to 32", "n_fake": 2048, "n_real": 360,
    "reference": "digits, held out",
    "warnings": ["360 pictures for 512 features: the value is biased"],
    "anchors": {"two real halves": 0.84, "the mean picture": 91.0, "noise": 240.0},
}  # fmt: skip
MODES = FRECHET | {
    "metric": "modes",
    "values": {"modes": 10, "smallest share": 0.07},
    "better": "higher",
    "anchors": None,
}


def figures(step, **values):
    line = {"step": step, "images": step * 64, "seconds": step / 20, "lr": {"G": 2e-4, "D": 2e-4}, "values": values}
    return json.dumps(line)


@pytest.fixture
def run(tmp_path):
    """A run as it should be, with one warning and one figure that is not finite."""
    folder = tmp_path / "00007-dcgan-digits"
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "measures.json").write_text(json.dumps([FRECHET, MODES]))
    rng = np.random.default_rng(0)
    lines = []
    for step in range(50, 3001, 50):
        noise = rng.normal(0, 0.15)
        values = {"D/real": 0.6 + noise, "D/fake": 0.5 - noise, "G/loss": 4 * math.exp(-step / 500) + 0.8 + noise}
        lines.append(figures(step, **values, **{"D wins": None if step == 500 else 0.7}))
    lines.insert(20, json.dumps({"step": 1000, "event": "warning", "text": "the samples have collapsed"}))
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n" + '{"step": 3050, "images": 19')
    for step in (0, 1500, 3000):
        pixels = rng.integers(0, 255, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "samples" / f"{step:09d}.png")
    return folder


def edit(run, **changes):
    (run / "config.json").write_text(json.dumps(CONFIG | changes))


def page(run):
    return write_report(run).read_text(encoding="utf-8")


class Whole(HTMLParser):
    """Checks that tags are balanced and collects what they name outside the page."""

    VOID = {"meta", "img", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_report_has_everything_of_a_run(run):
    text = page(run)
    for said in (
        "dcgan", "digits", "Radford et al.", "1511.06434", "Finished, with 1 warning.", "3,000", "192,000",
        "2 min 30 s", "1,280", "the samples have collapsed", "3.21", "two real halves 0.84", "reader:digits",
        "ab12cd34", "2,048 generated against 360 pictures of digits, held out", "bilinear to 32",
        "for 512 features", "smallest share", "1,437", "enlarged from 8 px", "0f3a99c1", "3, each",
        "bfloat16 took 2.6×", "glibc reuses", "sfumato train dcgan --data digits", "3.12.1", "Linux-6.1",
        "2026-01-31, 12:34",
    ):  # fmt: skip
        assert said in text, said
    assert "3050" not in text, "the torn last line is left out"


def test_a_report_is_one_file_without_scripts(run):
    found = Whole(page(run))
    assert "script" not in found.tags
    assert [x for x in found.links if not x.startswith("data:image/")] == ["https://arxiv.org/abs/1511.06434"]
    assert "url(" not in page(run)
    assert sorted(p.name for p in run.iterdir()) == [
        "config.json",
        "log.jsonl",
        "measures.json",
        "report.html",
        "samples",
    ]


def test_samples_are_embedded_with_the_newest_chosen(run):
    labels = re.findall(r"<label>.*?</label>", page(run))
    assert [bool(re.search("checked", x)) for x in labels] == [False, False, True]
    for label, path in zip(labels, sorted((run / "samples").iterdir()), strict=True):
        assert base64.b64decode(re.search(r"base64,([^\"]+)", label)[1]) == path.read_bytes()


def test_large_samples_are_reduced(run):
    pixels = np.random.default_rng(0).integers(0, 255, (2000, 1000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(run / "samples" / "000003000.png")
    held = re.findall(r"data:image/jpeg;base64,([^\"]+)", page(run))
    assert len(held) == 1
    assert Image.open(io.BytesIO(base64.b64decode(held[0]))).size == (640, 1280)


def test_many_samples_are_thinned(run):
    for step in range(1, 100):
        (run / "samples" / f"{step:09d}.png").write_bytes((run / "samples" / "000000000.png").read_bytes())
    text = page(run)
    assert text.count("<label>") <= 24
    assert "step 0<" in text
    assert "step 3,000<" in text


def test_broken_samples_are_counted(run):
    (run / "samples" / "000003000.png").write_bytes(b"\x89PNG nothing")
    (run / "samples" / "000001500.png").write_bytes((run / "samples" / "000001500.png").read_bytes()[:200])
    text = page(run)
    assert text.count("<label>") == 1
    assert "2 of the sample pictures could not be read" in text


def test_everything_is_escaped(run):
    def spoil(value):
        if isinstance(value, dict):
            return {k + EVIL if k in ("ch", "threads", "torch") else k: spoil(v) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v) for v in value]
        return value + EVIL if isinstance(value, str) else value

    edit(run, **spoil(CONFIG))
    (run / "measures.json").write_text(json.dumps([spoil(FRECHET) | {"values": {EVIL: 1.0}, "metric": "frechet"}]))
    events = [json.dumps({"step": 9, "event": EVIL, "text": EVIL}), figures(9, **{EVIL: 1.0, f"D/{EVIL}": 2.0})]
    (run / "log.jsonl").write_text("\n".join(events))
    text = page(run)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    Whole(text)


def test_a_link_that_is_no_web_address_is_none(run):
    edit(run, paper=CONFIG["paper"] | {"url": "javascript:alert(1)"})
    assert "javascript" not in page(run)


@pytest.mark.parametrize("missing", ["log.jsonl", "measures.json", "samples"])
def test_parts_may_be_absent(run, missing):
    path = run / missing
    path.rename(run.parent / "elsewhere")
    Whole(page(run))


def test_settings_may_be_absent(run):
    (run / "config.json").write_text('{"system": {"name": "gan"}}')
    text = page(run)
    Whole(text)
    assert "gan" in text


def test_what_is_no_run_is_refused(tmp_path, run):
    with pytest.raises(UserError, match="not a run"):
        write_report(tmp_path)
    (run / "measures.json").write_text("[{")
    with pytest.raises(UserError, match="sfumato evaluate"):
        write_report(run)


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([], "Nothing was logged yet"),
        ([figures(1200, **{"G/loss": 1.0})], "Not finished: 40% of the budget is spent, with no warnings."),
        ([figures(3000, **{"G/loss": 1.0})], "Finished, with no warnings."),
        ([figures(50, **{"G/loss": 1.0}), figures(100, **{"G/loss": None})],
         "Diverged: G/loss no longer finite at step 100"),
        (['{"step": 100, "images": 1, "values": {"G/loss": NaN}, "lr": {}}'], "Diverged: G/loss"),
    ],
)  # fmt: skip
def test_the_verdict_is_true(run, lines, verdict):
    (run / "log.jsonl").write_text("".join(line + "\n" for line in lines))
    text = page(run)
    assert verdict in text
    assert ("sfumato resume" in text) == ("Not finished" in text or "Diverged" in text)


@pytest.mark.parametrize(
    ("budget", "progress"),
    [
        ({"steps": 6000, "images": None, "minutes": None}, 0.5),
        ({"steps": None, "images": 192_000, "minutes": None}, 1.0),
        ({"steps": 10_000, "images": None, "minutes": 10}, 0.3),
        ({"steps": None, "images": None, "minutes": 2.5}, 1.0),
    ],
)
def test_progress_is_of_whatever_limits(run, budget, progress):
    edit(run, budget=budget)
    assert Record.of(run).progress == pytest.approx(progress)


def drawn(svg):
    """The points of every path of a chart by class, in the drawing's units."""
    paths = {}
    for path in ET.fromstring(svg).iter("path"):
        points = [tuple(map(float, p.split())) for p in re.findall(r"[ML]([\d.-]+ [\d.-]+)", path.get("d"))]
        paths.setdefault(path.get("class"), []).append(points)
    return paths


def test_a_curve_is_where_its_values_are():
    svg = charts.line_chart({"loss": [(0, 0.0), (50, 1.0), (100, 0.5)]})
    ((first, peak, last),) = drawn(svg)["line"]
    assert first[0] == charts.LEFT
    assert last[0] == charts.WIDTH - charts.RIGHT
    assert peak[0] == pytest.approx((first[0] + last[0]) / 2)
    assert peak[1] < last[1] < first[1], "up is more"
    assert last[1] == pytest.approx((first[1] + peak[1]) / 2, abs=0.1)
    assert "step 50\nloss  1" in "".join(ET.fromstring(svg).itertext())


def test_wide_positive_curves_are_logarithmic():
    ((a, b, c),) = drawn(charts.line_chart({"x": [(0, 1.0), (1, 100.0), (2, 10_000.0)]}))["line"]
    assert b[1] == pytest.approx((a[1] + c[1]) / 2, abs=0.1)
    ((a, b, c),) = drawn(charts.line_chart({"x": [(0, -1.0), (1, 100.0), (2, 10_000.0)]}))["line"]
    assert b[1] - c[1] > 50 * (a[1] - b[1]), "a logarithm of what is negative there is not"


def test_gaps_stay_gaps():
    svg = charts.line_chart({"x": [(0, 1.0), (1, math.nan), (2, 2.0), (3, 3.0)]})
    (path,) = [p.get("d") for p in ET.fromstring(svg).iter("path") if p.get("class") == "line"]
    assert path.count("M") == 2
    assert "nan" not in svg
    assert charts.line_chart({"x": [(0, math.nan)]}) == ""


def test_smoothing_is_an_average_without_bias():
    constant = charts.moving_average([(i, 5.0) for i in range(500)])
    assert all(y == pytest.approx(5.0) for _, y in constant)
    rng = np.random.default_rng(0)
    noisy = charts.moving_average([(i, float(rng.normal())) for i in range(4000)])
    assert np.std([y for _, y in noisy[200:]]) == pytest.approx(1 / math.sqrt(199), rel=0.3)


def test_long_curves_are_short_on_the_page_and_keep_their_peaks():
    curve = [(i, math.sin(i / 500)) for i in range(100_000)]
    curve[77_777] = (77_777, 3.0)
    kept = charts.extremes(curve, 240)
    assert len(kept) <= 242
    assert (77_777, 3.0) in kept
    assert kept == sorted(kept)
    assert len(charts.line_chart({"x": curve})) < 30_000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 25, 50, 75, 100]), (0, 3000, [0, 1000, 2000, 3000]), (-0.3, 0.72, [-0.25, 0, 0.25, 0.5])],
)
def test_ticks_are_round(low, high, expected):
    assert charts.ticks(low, high, 4) == pytest.approx(expected)
    assert charts.log_ticks(0.02, 300) == pytest.approx([0.1, 1, 10, 100])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000032, "3.2e-05"), (3.14159, "3.142"), (10, "10"), (12345.6, "12,346"), (192000, "192,000"),
     (math.nan, "not finite")],
)  # fmt: skip
def test_numbers_read_well(value, text):
    assert charts.number(value) == text


@pytest.fixture
def pair(run):
    other = run.parent / "00008-dcgan-digits"
    (other / "samples").mkdir(parents=True)
    (other / "config.json").write_text(json.dumps(CONFIG | {"seed": 1}))
    (other / "log.jsonl").write_text(figures(3000, **{"G/loss": 1.0}) + "\n")
    better = [FRECHET | {"values": {"frechet": 2.5}}, MODES | {"values": {"modes": 9, "smallest share": 0.0}}]
    (other / "measures.json").write_text(json.dumps(better))
    return [run, other]


def rows(pair):
    return {row.name: row for row in compare_table(pair)}


def test_the_better_run_is_marked(pair):
    found = rows(pair)
    assert found["frechet ↓"].cells == ("3.21", "2.5")
    assert found["frechet ↓"].best == (1,)
    assert found["modes ↑"].best == (0,)
    assert found["smallest share"].best == (), "only the first value of a measure has a direction"
    assert found["seed"].cells == ("0", "1")
    assert found["images/s"].cells == ("1,280", "1,280")
    assert "batch" not in found, "what is the same is not said"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "ff" * 32}, "extractor weights (ab12cd34ab12, ffffffffffff) differ"),
        ({"n_fake": 512}, "number of images (2,048, 512) differ"),
        ({"reference": "digits, the pictures trained on"}, "reference"),
        ({"n_real": 100, "resize": "none"}, "resizing (bilinear to 32, none); number of real pictures (360, 100)"),
    ],
)
def test_what_was_not_measured_alike_is_not_ranked(pair, change, why):
    (pair[1] / "measures.json").write_text(json.dumps([FRECHET | {"values": {"frechet": 2.5}} | change]))
    row = rows(pair)["frechet ↓"]
    assert row.best == ()
    assert why in row.note


def test_pictures_of_another_size_are_not_ranked(pair):
    (pair[1] / "config.json").write_text(json.dumps(CONFIG | {"recipe": CONFIG["recipe"] | {"size": 64}}))
    assert "picture size (32, 64)" in rows(pair)["frechet ↓"].note
    (pair[1] / "config.json").write_text(json.dumps(CONFIG | {"recipe": CONFIG["recipe"] | {"aspect": "3:2"}}))
    assert (
        "picture shape (1:1, 3:2)" in rows(pair)["frechet ↓"].note
        and rows(pair)["data"].cells[1] == "digits, 32 px at 3:2"
    )


def test_a_measure_that_one_run_lacks(pair):
    (pair[1] / "measures.json").unlink()
    row = rows(pair)["frechet ↓"]
    assert (row.cells, row.best, row.note) == (("3.21", "–"), (), "")


def test_a_comparison_is_printed(pair):
    held = io.StringIO()
    print_comparison(pair, Console(file=held, width=120))
    (line,) = [x.strip() for x in held.getvalue().splitlines() if x.strip().startswith("frechet")]
    assert line.split() == ["frechet", "↓", "3.21", "2.5", "*"]


def test_a_comparison_is_written(pair):
    out = pair[0].parent / "compared.html"
    assert write_comparison(pair, out) == out
    text = out.read_text()
    Whole(text)
    assert '<span class="best">2.5</span>' in text
    assert "no samples" in text
    assert text.count("<img") == 1


def test_one_run_is_no_comparison(run):
    with pytest.raises(UserError, match="two runs"):
        compare_table([run])

"""The preset that draws the built-in digits, on real files: dcgan's `small` on MNIST and on an archive of emoji.

    python benchmarks/real.py --mnist FOLDER --emoji ARCHIVE [--steps 1500 1800]

FOLDER holds MNIST idx files. Runs are kept in runs/benchmark and continued if they have not seen enough steps. Writes
docs/results/real.md, and a picture of the emoji, whose licence allows it.
"""

import argparse
import json
from pathlib import Path

import sfumato
from pages import RESULTS, record
from sfumato.data.pictures import save_grid
from systems import RUNS


def trained(name: str, data: Path, size: int, steps: int) -> sfumato.Model:
    """The model after at least so many steps."""
    run = RUNS / f"dcgan-{name}"
    if not run.exists():
        return sfumato.train("dcgan", data=data, size=size, steps=steps, out=run)
    model = sfumato.load(run)
    return model if model.step >= steps and (run / "measures.json").exists() else sfumato.resume(run, steps=steps)


def row(name: str, model: sfumato.Model) -> str:
    """What was measured, as a line of a table."""
    assert model.path
    found = {r["metric"]: r for r in json.loads((model.path / "measures.json").read_text())}
    fd, modes = found["frechet"], found.get("modes", {}).get("values", {})
    classes, share = (modes["modes"], f"{modes['smallest share']:.1%}") if modes else ("–", "–")
    anchors = [f"{fd['anchors'][k]:.3g}" for k in ("two real halves", "the mean picture", "noise")]
    return (
        f"| {name} | {model.facts.size} px | {model.step:,} | {fd['values']['frechet']:.3g} | {' / '.join(anchors)} "
        f"| {classes} | {share} | `{fd['extractor']}` |"
    )


def main() -> None:
    """Train both and write them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--emoji", type=Path, required=True)
    parser.add_argument("--steps", type=int, nargs=2, default=(1500, 1800), metavar="N")
    given = parser.parse_args()
    mnist = trained("mnist", given.mnist, 32, given.steps[0])
    emoji = trained("emoji", given.emoji, 64, given.steps[1])
    save_grid(emoji.sample(48), RESULTS / "real-emoji.png", columns=12)
    lines = [
        "`sfumato train dcgan --data SOURCE --size SIZE`: the preset `small`, as it is. The readers read the built-in",
        "pictures, so a distance through them compares runs, and is no absolute measure of other pictures.",
        "",
        "| pictures | size | steps | Fréchet distance | of two real halves / the mean picture / noise | classes "
        "| smallest share | extractor |",
        "|---|---|---|---|---|---|---|---|",
        row("MNIST, the 10,000 test pictures", mnist),
        row("Noto emoji, 3,583 pictures", emoji),
        "",
        "![Emoji drawn by dcgan](real-emoji.png)",
    ]
    record("real", "The same preset on real files", lines, "python benchmarks/real.py --mnist FOLDER --emoji ARCHIVE")


if __name__ == "__main__":
    main()

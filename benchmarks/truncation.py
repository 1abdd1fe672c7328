"""What truncation of codes trades: samples of `biggan` at several thresholds, their fidelity and their diversity.

    python benchmarks/truncation.py                  seeds 0 1 2; a seed trains in about 5 core-minutes, or is there
    python benchmarks/truncation.py --quick          40 steps, seed 0, into a folder of its own; nothing is recorded

Preset `small` on the built-in digits. Finished runs are kept in runs/benchmark, where benchmarks/systems.py has its
own, and are not trained again. Writes docs/results/truncation.md and truncation.png.
"""

import argparse
from itertools import pairwise

import sfumato
from pages import RESULTS, record
from sfumato.tasks.truncation import Point, truncation_curve
from systems import RUNS, trained

THRESHOLDS = (0.2, 0.5, 1.0, 1.5, 2.0, 0.0)  # the last is none
FIDELITY, DIVERSITY = ("precision", "inception"), ("recall", "spread")


def curve(seed: int, quick: bool) -> list[Point]:
    """The points of one seed; the picture is of seed 0."""
    if quick:
        run = RUNS / "quick" / f"biggan-{seed}"
        if not (run / "model.safetensors").exists():
            sfumato.train("biggan", preset="small", steps=40, seed=seed, out=run, evaluate=False, quiet=True)
        model = sfumato.load(run)
        return truncation_curve(model, THRESHOLDS, 200)
    out = RESULTS / "truncation.png" if seed == 0 else None
    return truncation_curve(trained("biggan", seed), THRESHOLDS, 1024, out=out)


def ordered(values: list[float], rising: bool) -> str:
    """How many of the steps from one threshold to the next go the way they should."""
    steps = [(b > a) if rising else (b < a) for a, b in pairwise(values)]
    return f"{sum(steps)} of {len(steps)}"


def main() -> None:
    """Train what is not trained yet, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few steps of seed 0, to try the command")
    given = parser.parse_args()
    found = []
    for seed in [0] if given.quick else given.seeds:
        print(f"seed {seed}", flush=True)
        found.append(curve(seed, given.quick))
    keys = (*FIDELITY, *DIVERSITY, "frechet")
    lines = [
        "Preset `small` of `biggan` on the built-in digits, measured by `reader:digits` on 1,024 samples against the",
        "held-out digits: fidelity by precision and an Inception score (at most 10), diversity by recall and the mean",
        "distance of two samples of a class, both by the Fréchet distance. A value for each seed. Rows of the picture",
        "are the thresholds.",
        "",
        "![Samples at each threshold](truncation.png)",
        "",
        "| threshold | precision ↑ | Inception score ↑ | recall ↑ | spread ↑ | Fréchet distance ↓ |",
        "|---|---|---|---|---|---|",
    ]
    for k, threshold in enumerate(THRESHOLDS):
        cells = [" / ".join(f"{getattr(points[k], key):.3g}" for points in found) for key in keys]
        lines.append(f"| {threshold or 'none'} | {' | '.join(cells)} |")
    lines += ["", "Steps from a threshold to the next larger one that lose fidelity or gain diversity:", ""]
    for key in (*FIDELITY, *DIVERSITY):
        ways = [ordered([getattr(p, key) for p in points], key in DIVERSITY) for points in found]
        lines.append(f"- {key}: {' / '.join(ways)}")
    if given.quick:
        print("\n".join(lines))
    else:
        record("truncation", "What truncation trades", lines)


if __name__ == "__main__":
    main()

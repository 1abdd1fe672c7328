"""What each loss of Stacked GAN is worth: an Inception-style score of the whole and of what is left of it.

    python benchmarks/stacked_gan.py                  all rows, seed 0; about 9 core-minutes
    python benchmarks/stacked_gan.py --seeds 0 1 2    as many again for each seed
    python benchmarks/stacked_gan.py --quick          60 steps, seed 0, into a folder of its own; nothing is recorded

Preset `small` on the built-in digits, all rows by the same steps. The score is exp E KL(p(y|x) | p(y)) by
`reader:digits`, of 2048 pictures, which is the paper's with its own classifier in the place of Inception (table 1); at
most 10. Finished rows are kept in runs/benchmark and not trained again. Writes docs/results/stacked_gan.md.
"""

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

import sfumato
from pages import record

RUNS = Path("runs/benchmark")
STEPS, QUICK = 1_500, 60
MEASURES = ("inception", "frechet", "class-accuracy")
ROWS: dict[str, dict[str, Any]] = {  # in the order of the paper's table, best first; the last two are ours
    "SGAN": {},
    "SGAN, no joint training": dict(joint=1.0),
    "one generator: adversarial + conditional + entropy": dict(stack=False),
    "one generator: adversarial": dict(stack=False, condition=0.0, entropy=0.0),
    "one generator: adversarial + entropy": dict(stack=False, condition=0.0),
    "one generator: adversarial + conditional": dict(stack=False, entropy=0.0),
    "SGAN, no entropy loss": dict(entropy=0.0),
    "SGAN, no conditional loss": dict(condition=0.0),
}
PAPER = dict(zip(ROWS, ("8.59", "8.37", "7.16", "6.16", "5.40", "5.40", "–", "–"), strict=True))


def measured(row: int, seed: int, steps: int, runs: Path) -> dict[str, float]:
    """The figures of one row from one seed: of its finished run, resumed or trained now if there is none."""
    run = runs / f"stacked-gan-{row}-{seed}"
    if not (run / "measures.json").exists():
        begun = process_time()
        if (run / "resume").exists() and any((run / "resume").glob("*.safetensors")):
            sfumato.resume(run, quiet=True)
        else:
            for old in sorted(run.rglob("*"), reverse=True):
                old.unlink() if old.is_file() else old.rmdir()
            options = [*ROWS.values()][row]
            sfumato.train(
                "stacked-gan", preset="small", steps=steps, seed=seed, out=run, metrics=MEASURES, quiet=True, **options
            )
        print(f"  trained and measured in {process_time() - begun:.0f} s of a core", flush=True)
    held = json.loads((run / "measures.json").read_text())
    return {k: v for result in held for k, v in result["values"].items()}


def main() -> None:
    """Train what is not trained yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--quick", action="store_true", help="few steps of seed 0, to try the command")
    given = parser.parse_args()
    steps, seeds, runs = (QUICK, [0], RUNS / "quick") if given.quick else (STEPS, given.seeds, RUNS)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ROWS}
    for seed in seeds:
        for row, name in enumerate(ROWS):
            print(f"seed {seed}: {name}", flush=True)
            found[name].append(measured(row, seed, steps, runs))
            print("  " + ", ".join(f"{k} {v:.3g}" for k, v in found[name][-1].items()), flush=True)
    lines = [
        f"Preset `small` on the built-in digits, {steps:,} steps each, a value for each seed: {seeds}.",
        "Inception score by `reader:digits` (at most 10) and Fréchet distance of 2048 pictures; class accuracy is how",
        "often the reader sees the class that was asked. The paper's column is its table 1: CIFAR-10, another score.",
        "",
        "| row | Inception score ↑ | Fréchet distance ↓ | class accuracy ↑ | paper ↑ |",
        "|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        keys = ("inception", "frechet", "class-accuracy")
        cells = [" / ".join(f"{f[k]:.3g}" for f in figures if k in f) for k in keys]
        lines.append(f"| {name} | {' | '.join(cells)} | {PAPER[name]} |")
    if given.quick:
        print("\n".join(lines))
    else:
        command = f"python benchmarks/stacked_gan.py --seeds {' '.join(map(str, seeds))}"
        record("stacked_gan", "What each loss of Stacked GAN is worth", lines, command)


if __name__ == "__main__":
    main()

"""What unlabelled pictures are worth: ssgan with 10 labels a class against the same classifier on these labels alone.

    python benchmarks/semi.py MNIST_FOLDER [--seeds 0 1 2]

MNIST_FOLDER holds MNIST idx files, such as the 10,000 test pictures; a fifth of them, chosen by name, is held out and
measured on. Finished runs are kept in runs/benchmark. Writes docs/results/semi.md.
"""

import argparse
from pathlib import Path

import sfumato
from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from systems import DOCS, RUNS

STEPS, HOLDOUT = 8_000, 0.2
PAGE = DOCS / "results" / "semi.md"


def accuracy(data: Path, seed: int, unlabelled: bool) -> float:
    """Of the held-out pictures, the share that the classifier names rightly, from its finished run or trained now."""
    run = RUNS / f"ssgan-mnist{'' if unlabelled else '-labels-alone'}-{seed}"
    if (run / "model.safetensors").exists():
        model = sfumato.resume(run, evaluate=False, quiet=True)
    else:
        model = sfumato.train(
            "ssgan", data=data, holdout=HOLDOUT, steps=STEPS, seed=seed, unlabelled=unlabelled, size=28, out=run,
            evaluate=False, quiet=True,
        )  # fmt: skip
    test = prepare(data, size=28, channels=1, split="test", holdout=HOLDOUT)
    batch = next(Batches(test, view="labelled").epoch(len(test)))
    return (model.classify(batch.image).argmax(1) == batch.label).float().mean().item()


def main() -> None:
    """Train both for every seed, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    lines = [
        "# What unlabelled pictures are worth",
        "",
        "`ssgan` sees 10 labels a class of MNIST, and the other pictures without labels; beside it the same classifier",
        f"sees the labels alone. Preset `small` at 28 px, {STEPS:,} steps, accuracy on the held-out fifth of 10,000",
        "pictures. Regenerate with `python benchmarks/semi.py MNIST_FOLDER`.",
        "",
        "| seed | with the unlabelled | labels alone | difference, points |",
        "|---|---|---|---|",
    ]
    for seed in given.seeds:
        both, alone = (accuracy(given.mnist, seed, unlabelled) for unlabelled in (True, False))
        lines.append(f"| {seed} | {both:.2%} | {alone:.2%} | {100 * (both - alone):+.1f} |")
        print(lines[-1], flush=True)
        PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

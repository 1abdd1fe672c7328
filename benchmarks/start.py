"""How long until something happens: the command line's help, and the README's first training from start to report.

    python benchmarks/start.py [--seed 0]

Wants a quiet machine. Writes docs/results/start.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

from pages import record

ROUNDS = 11


def seconds(*arguments: str) -> float:
    """By the clock, of one command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sfumato", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Time both and write them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="0")
    given = parser.parse_args()
    seconds("--help")  # the first compiles the modules
    shown = statistics.median(seconds("--help") for _ in range(ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        trained = seconds("train", "dcgan", "--data", "digits", "--seed", given.seed, "--out", f"{folder}/run")
    lines = [
        "| command | seconds by the clock |",
        "|---|---|",
        f"| `sfumato --help`, median of {ROUNDS} | {shown:.2f} |",
        f"| `sfumato train dcgan --data digits`, with samples, measures and report | {trained:.0f} |",
    ]
    record("start", "How long until something happens", lines)


if __name__ == "__main__":
    main()

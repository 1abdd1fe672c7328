"""How many pictures a second the built-in worlds draw, and whether their memory stays flat.

    python benchmarks/worlds.py [--threads 2] [--rounds 3] [--pictures 1000000]    # writes docs/results/worlds.md

Required on two cores: 2,000 a second at 32 px and 300 at 128 px, image only. The clock's figure is of the best round;
that by processor time is what the threads would do if nothing else ran. Then an epoch of a million pictures of `scenes`
is drawn with its label at 16 px, as a view asks for it, and the memory must not grow after the first tenth.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np

from pages import record
from sfumato.data.worlds import Faces, Scenes
from sfumato.data.worlds.truth import scene_truth

REQUIRED = {32: 2000, 128: 300}
BATCH = 250


def measure(world: Scenes | Faces, n: int, size: int, truth: bool, rounds: int, threads: int) -> tuple[float, float]:
    """Pictures a second by the clock, and by processor time if `threads` cores were free."""
    clock, processor = [], []
    for r in range(rounds + 1):
        start, spent = time.perf_counter(), time.process_time()
        world.render(np.arange(r * n, (r + 1) * n), size, truth=truth)
        clock.append(time.perf_counter() - start)
        processor.append((time.process_time() - spent) / threads)
    return n / min(clock[1:]), n / min(processor[1:])


def speed(threads: int, rounds: int) -> Iterator[str]:
    """A table of how fast both worlds are, and what of it is too slow."""
    yield f"Pictures a second, {threads} threads, best of {rounds} rounds."
    yield "\n| world | side, px | by the clock | by processor time | with the truth, by processor time | asked |"
    yield "|---|---|---|---|---|---|"
    for name, world in (("scenes", Scenes(threads=threads)), ("faces", Faces(threads=threads))):
        for size, n in ((32, 2048), (64, 512), (128, 256), (256, 64)):
            clock, processor = measure(world, n, size, False, rounds, threads)
            _, known = measure(world, n // 4, size, True, 1, threads)
            asked = f"{REQUIRED[size]:,}" if size in REQUIRED else ""
            yield f"| {name} | {size} | {clock:,.0f} | {processor:,.0f} | {known:,.0f} | {asked} |"


def flat(n: int) -> Iterator[str]:
    """How memory grows over n pictures."""
    truth = scene_truth()
    yield f"\nMemory in use at most while {n:,} pictures of `scenes` with their labels are drawn at 16 px:\n"
    yield "| pictures | MiB |\n|---|---|"
    for start in range(0, n, BATCH):
        truth.get(["night"], [f"{i:07}" for i in range(start, start + BATCH)], 16)
        if (done := start + BATCH) % (n // 10) == 0:
            yield f"| {done:,} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=1_000_000, help="over which memory must stay flat")
    given = parser.parse_args()
    record("worlds", "How fast the worlds are", [*speed(given.threads, given.rounds), *flat(given.pictures)])


if __name__ == "__main__":
    main()

"""How many pictures a second the built-in worlds draw, image only, and with the truth.

    python benchmarks/worlds.py [--threads 2] [--rounds 3]

Required on two cores: 2,000 a second at 32 px and 300 at 128 px. Prints the best of some rounds, and beside it the
figure by processor time, which other work on the machine disturbs less. The memory after an epoch of a hundred thousand
must be that after the first thousand.
"""

import argparse
import resource
import time

import numpy as np

from sfumato.data.worlds import Faces, Scenes

REQUIRED = {32: 2000, 128: 300}


def measure(world: Scenes | Faces, n: int, size: int, truth: bool, rounds: int, threads: int) -> tuple[float, float]:
    """Pictures a second by the clock, and by processor time if `threads` cores were free."""
    clock, processor = [], []
    for r in range(rounds + 1):
        start, spent = time.perf_counter(), time.process_time()
        world.render(np.arange(r * n, (r + 1) * n), size, truth=truth)
        clock.append(time.perf_counter() - start)
        processor.append((time.process_time() - spent) / threads)
    return n / min(clock[1:]), n / min(processor[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    slow = []
    print(f"pictures a second, {given.threads} threads, best of {given.rounds}")
    for name, world in (("scenes", Scenes(threads=given.threads)), ("faces", Faces(threads=given.threads))):
        for size, n in ((32, 2048), (64, 512), (128, 256), (256, 64)):
            clock, processor = measure(world, n, size, False, given.rounds, given.threads)
            known, _ = measure(world, n // 4, size, True, 1, given.threads)
            print(f"{name:7} {size:4} px {clock:8.0f}  ({processor:.0f} by processor time; {known:.0f} with the truth)")
            if processor < REQUIRED.get(size, 0):
                slow.append(f"{name} at {size} px")
        first = memory(world, 0)
        print(f"{name:7} memory grows by {memory(world, 100_000) - first:.0f} MiB over 100,000 pictures at 16 px")
    if slow:
        raise SystemExit(f"too slow: {', '.join(slow)}")


def memory(world: Scenes | Faces, n: int) -> float:
    """The most that has been in use, MiB, once n more pictures have been drawn."""
    for start in range(0, max(n, 2048), 1024):
        world.render(np.arange(start, start + 1024), 16)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

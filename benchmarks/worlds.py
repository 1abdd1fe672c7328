"""How many pictures a second the built-in worlds draw, image only, and with the truth.

    python benchmarks/worlds.py [--threads 2] [--rounds 3] [--memory]

Required on two cores: 2,000 a second at 32 px and 300 at 128 px. Prints the best of some rounds, and beside it the
figure by processor time, which other work on the machine disturbs less. The memory after an epoch of a hundred thousand
must be that after the first thousand. With --memory nothing is timed: 200,000 pictures of `scenes` are drawn at 32 px,
as a view asks for them, and the memory must not grow after the first tenth.
"""

import argparse
import resource
import time

import numpy as np

from sfumato.data.worlds import Faces, Scenes
from sfumato.data.worlds.truth import scene_truth

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


def speed(threads: int, rounds: int) -> None:
    """Print how fast both worlds are. Exits with an error if one is slower than required."""
    slow = []
    print(f"pictures a second, {threads} threads, best of {rounds}")
    for name, world in (("scenes", Scenes(threads=threads)), ("faces", Faces(threads=threads))):
        for size, n in ((32, 2048), (64, 512), (128, 256), (256, 64)):
            clock, processor = measure(world, n, size, False, rounds, threads)
            known, _ = measure(world, n // 4, size, True, 1, threads)
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
    return used()


def used() -> float:
    """The most memory that has been in use so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def flat(n: int = 200_000, batch: int = 250) -> None:
    """Print how memory grows over n pictures; exits with an error if it does after the first tenth."""
    truth, first = scene_truth(), 0.0
    for start in range(0, n, batch):
        truth.get(["night"], [f"{i:07}" for i in range(start, start + batch)], 32)
        done = start + batch
        if done == n // 10:
            first = used()
        if done % (n // 10) == 0:
            print(f"{done:8,} pictures  {used():8.1f} MiB", flush=True)
    if used() > first + 4:
        raise SystemExit(f"memory has grown by {used() - first:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    if given.memory:
        flat()
    else:
        speed(given.threads, given.rounds)


if __name__ == "__main__":
    main()

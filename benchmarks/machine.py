"""What the choices of `sfumato.training.machine` cost and gain, as a Markdown table: `python benchmarks/machine.py`.

Each case is a process of its own. `step` is a step of D and G of a DCGAN (64 px, 32 channels, batch 64); `layer` is the
first layer of the paper's discriminator forwards and backwards (64 channels, batch 128: activations of 34 MB, above
the size from which glibc maps every tensor afresh). The two sides of a comparison take turns, `--rounds` times; the
table has medians. Time on the clock is what counts, and needs a quiet machine; time of the processor is disturbed less.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

SIDES = {  # name of a comparison -> its sides: SFUMATO_MALLOC, work, threads (0 = all cores), precision
    "freed memory: default → kept, layer": [("default", "layer", 1, "float32"), ("keep", "layer", 1, "float32")],
    "freed memory: default → kept, step": [("default", "step", 1, "float32"), ("keep", "step", 1, "float32")],
    "threads: 1 → all, step": [("keep", "step", 1, "float32"), ("keep", "step", 0, "float32")],
    "precision: float32 → bfloat16, step": [("keep", "step", 1, "float32"), ("keep", "step", 1, "bfloat16")],
}
SECONDS = 3.0  # of work in each process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        work, threads, precision = options.case
        print(json.dumps(measure(work, int(threads), precision)))
        return
    print("| choice | clock, ms | gain | processor, ms | gain | peak, MB |\n|---|---|---|---|---|---|")
    for name, sides in SIDES.items():
        rounds = [[run(*side) for side in sides] for _ in range(options.rounds)]
        cells = []
        for what in ("clock", "processor"):
            gain = median(first[what] / second[what] for first, second in rounds)
            cells += [" → ".join(f"{median(r[i][what] for r in rounds):.0f}" for i in (0, 1)), f"{gain:.2f}×"]
        peaks = " → ".join(f"{median(r[i]['peak'] for r in rounds):.0f}" for i in (0, 1))
        print(f"| {name} | {' | '.join(cells)} | {peaks} |", flush=True)
    print("\n| choice | value | why |\n|---|---|---|")
    milliseconds, choices = probe()
    for name, (value, why) in choices.items():
        print(f"| {name} | {value} | {why} |")
    print(f"\nAll choices together took {milliseconds:.0f} ms (median of 5, after the first).")


def run(malloc: str, work: str, threads: int, precision: str) -> dict[str, float]:
    """One case in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--case", work, str(threads), precision]
    quiet = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(
        command, env=quiet | {"SFUMATO_MALLOC": malloc}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def probe() -> tuple[float, dict[str, tuple[str | int, str]]]:
    """Milliseconds that all choices take, and the choices, with the threads left free to choose."""
    import torch

    from sfumato.training.machine import prepare_machine

    os.environ.pop("OMP_NUM_THREADS", None)
    times, choices = [], {}
    for _ in range(6):
        begin = perf_counter()
        choices = prepare_machine(torch.device("cpu"))
        times.append(1e3 * (perf_counter() - begin))
    return median(times[1:]), {k: (c.value, c.why) for k, c in choices.items()}


def measure(work: str, threads: int, precision: str) -> dict[str, float]:
    """Median milliseconds of one piece of work, on the clock and of the processor, and the peak memory in MB."""
    import torch

    from sfumato.training.machine import PRECISIONS, keep_memory, usable_cores

    keep_memory()
    torch.set_num_threads(threads or usable_cores())
    torch.manual_seed(0)
    once = step() if work == "step" else layer()
    clock, processor, begin = [], [], perf_counter()
    while perf_counter() - begin < SECONDS or len(clock) < 6:
        start, used = perf_counter(), process_time()
        with torch.autocast("cpu", PRECISIONS[precision], enabled=precision != "float32"):
            once()
        clock.append(1e3 * (perf_counter() - start))
        processor.append(1e3 * (process_time() - used))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"clock": median(clock[2:]), "processor": median(processor[2:]), "peak": peak}


def layer() -> Callable[[], None]:
    """The first layer of a discriminator, forwards and backwards."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)).to(memory_format=torch.channels_last)
    image = torch.rand(128, 3, 64, 64).to(memory_format=torch.channels_last)
    return lambda: net(image).mean().backward()


def step() -> Callable[[], None]:
    """A step of the discriminator and the generator of a small DCGAN."""
    import torch
    from torch import nn

    def up(a: int, c: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(a, c, 4, 2, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU()]

    def down(a: int, c: int) -> list[nn.Module]:
        return [nn.Conv2d(a, c, 4, 2, 1, bias=False), nn.BatchNorm2d(c), nn.LeakyReLU(0.2)]

    ch, z, b = 32, 100, 64
    widths = [8 * ch, 4 * ch, 2 * ch, ch]
    ups = [m for a, c in pairwise(widths) for m in up(a, c)]
    downs = [m for a, c in pairwise(widths[::-1]) for m in down(a, c)]
    G = nn.Sequential(nn.ConvTranspose2d(z, 8 * ch, 4), *ups, nn.ConvTranspose2d(ch, 3, 4, 2, 1), nn.Tanh())
    D = nn.Sequential(nn.Conv2d(3, ch, 4, 2, 1), nn.LeakyReLU(0.2), *downs, nn.Conv2d(8 * ch, 1, 4))
    nets = [net.to(memory_format=torch.channels_last) for net in (D, G)]
    adams = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in nets]
    real = torch.rand(b, 3, 64, 64).to(memory_format=torch.channels_last) * 2 - 1
    bce = nn.functional.softplus

    def once() -> None:
        fake = G(torch.randn(b, z, 1, 1))
        losses = [bce(D(fake.detach())).mean() + bce(-D(real)).mean(), bce(-D(fake)).mean()]
        for net, adam, loss in zip(nets, adams, losses, strict=True):
            adam.zero_grad()
            loss.backward(inputs=list(net.parameters()))
        for adam in adams:
            adam.step()

    return once


if __name__ == "__main__":
    main()

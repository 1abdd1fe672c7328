"""What the trainer costs beside a loop written by hand.

    python benchmarks/overhead.py

Trains dcgan's small networks on the same batches, by turns in one process: once through training.loop with the log's
figures taken every 50 steps, once by the shortest loop that does the same updates. Writes docs/results/overhead.md.
"""

import statistics
import time

import torch

from pages import record
from sfumato import catalog
from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.objectives.adversarial import logistic_d, nonsaturating_g
from sfumato.system import System
from sfumato.training.loop import Budget, begin, train

STEPS, ROUNDS = 25, 12


def build() -> System:
    """Dcgan, small, on digits."""
    torch.manual_seed(0)
    hyper = dict(catalog.find("dcgan").presets["small"].hyper)
    return catalog.build("dcgan", **hyper, size=32, channels=1).to(memory_format=torch.channels_last)


def by_trainer(system: System, feed: Batches) -> float:
    """Seconds of STEPS iterations through the trainer."""
    state = begin(system)
    begun = time.perf_counter()
    for _ in train(state, feed, Budget(steps=STEPS)):
        if state.step % STEPS == 0:
            {k: float(v) for k, v in state.values.items()}
    return time.perf_counter() - begun


def by_hand(system: System, feed: Batches) -> float:
    """Seconds of the same updates, written out."""
    g, d = system.optimizers().values()
    begun = time.perf_counter()
    for step in range(STEPS):
        batch = feed.at(step)
        with torch.no_grad():
            fake = system.G(batch.rand(system.z) * 2 - 1)
        system.D.zero_grad(set_to_none=True)
        logistic_d(system.D(batch.image), system.D(fake)).backward()
        d.step()
        system.G.zero_grad(set_to_none=True)
        loss = nonsaturating_g(system.D(system.G(batch.rand(system.z) * 2 - 1)))
        loss.backward(inputs=list(system.G.parameters()))
        g.step()
    return time.perf_counter() - begun


def main() -> None:
    """Time both by turns and print the ratio."""
    feed = Batches(prepare("digits", size=32), batch=64)
    by_trainer(build(), feed), by_hand(build(), feed)
    pairs = [(by_trainer(build(), feed), by_hand(build(), feed)) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(x) / STEPS * 1e3 for x in zip(*pairs, strict=True))
    lines = ["| loop | ms an iteration |", "|---|---|", f"| sfumato | {a:.1f} |", f"| by hand | {b:.1f} |", ""]
    record("overhead", "What the trainer costs", [*lines, f"Median ratio of {ROUNDS} pairs: {ratio:.3f}."])


if __name__ == "__main__":
    main()

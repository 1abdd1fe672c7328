"""The ResNet generator of CycleGAN, and a step of its training, against the form in which they are published.

    OMP_NUM_THREADS=1 python benchmarks/translation_speed.py [--size 256] [--rounds 2] [--quick]

The published form is read here plainly: reflection pads, convolutions with biases, `InstanceNorm2d`, plain Adam. Both
are run in turns in one process, and times are of the processor, the least of the rounds. The published form is run
first with memory as the system gives it, then both are with freed memory kept, as sfumato keeps it. About 4 minutes of
one core.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from pages import record
from sfumato import catalog
from sfumato.formats.translation import resnet
from sfumato.networks.translation.generators import ResnetGenerator
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train
from sfumato.training.machine import keep_memory


class Block(nn.Module):
    """A residual block as published."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        one = [nn.ReflectionPad2d(1), nn.Conv2d(ch, ch, 3), nn.InstanceNorm2d(ch)]
        two = [nn.ReflectionPad2d(1), nn.Conv2d(ch, ch, 3), nn.InstanceNorm2d(ch)]
        self.conv_block = nn.Sequential(*one, nn.ReLU(True), *two)

    def forward(self, x: Tensor) -> Tensor:
        """(b, ch, h, w) -> (b, ch, h, w)."""
        return x + self.conv_block(x)


def generator(ch: int, blocks: int) -> nn.Sequential:
    """The generator as published."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ch, 7), nn.InstanceNorm2d(ch), nn.ReLU(True)]
    for n in (ch, 2 * ch):
        layers += [nn.Conv2d(n, 2 * n, 3, 2, 1), nn.InstanceNorm2d(2 * n), nn.ReLU(True)]
    layers += [Block(4 * ch) for _ in range(blocks)]
    for n in (4 * ch, 2 * ch):
        layers += [nn.ConvTranspose2d(n, n // 2, 3, 2, 1, 1), nn.InstanceNorm2d(n // 2), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(ch, 3, 7), nn.Tanh())


def critic(ch: int) -> nn.Sequential:
    """The discriminator of 70 × 70 pixels as published."""
    layers: list[nn.Module] = [nn.Conv2d(3, ch, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for n, stride in ((ch, 2), (2 * ch, 2), (4 * ch, 1)):
        layers += [nn.Conv2d(n, 2 * n, 4, stride, 1), nn.InstanceNorm2d(2 * n), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * ch, 1, 4, 1, 1))


def published_step(ch: int, blocks: int, a: Tensor, b: Tensor) -> Callable[[], None]:
    """A step as published: generators with the discriminators frozen, then these one after the other."""
    nets = [generator(ch, blocks), generator(ch, blocks), critic(ch), critic(ch)]
    there, back, of_a, of_b = nets
    of_g = Adam([*there.parameters(), *back.parameters()], 2e-4, (0.5, 0.999))
    of_d = Adam([*of_a.parameters(), *of_b.parameters()], 2e-4, (0.5, 0.999))
    squared, absolute = nn.MSELoss(), nn.L1Loss()

    def judged(scores: Tensor, real: bool) -> Tensor:
        return squared(scores, torch.full_like(scores, float(real)))

    def step() -> None:
        fake_b, fake_a = there(a), back(b)
        again_a, again_b = back(fake_b), there(fake_a)
        for p in (*of_a.parameters(), *of_b.parameters()):
            p.requires_grad_(False)
        of_g.zero_grad()
        loss = judged(of_b(fake_b), True) + judged(of_a(fake_a), True)
        (loss + 10 * absolute(again_a, a) + 10 * absolute(again_b, b)).backward()
        of_g.step()
        for p in (*of_a.parameters(), *of_b.parameters()):
            p.requires_grad_(True)
        of_d.zero_grad()
        for d, real, fake in ((of_a, a, fake_a), (of_b, b, fake_b)):
            (0.5 * (judged(d(real), True) + judged(d(fake.detach()), False))).backward()
        of_d.step()

    return step


class Feed:
    """The same two pictures for ever."""

    def __init__(self, a: Tensor, b: Tensor) -> None:
        self.fields = {"source": a, "image": b}

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """As `training.loop.Feed` says."""
        return Batch(seed=step, **self.fields)


def our_step(ch: int, blocks: int, a: Tensor, b: Tensor) -> Iterator[Any]:
    """Steps of the trainer, laid out as it lays systems out."""
    system = catalog.build("cyclegan", ch=ch, ch_d=ch, blocks=blocks, size=a.shape[-1])
    return train(begin(system.to(memory_format=torch.channels_last)), Feed(a, b), Budget(steps=1_000))


def seconds(runs: list[Callable[[], object]], rounds: int) -> list[float]:
    """The least time of each, taken in turns."""
    best = [float("inf")] * len(runs)
    for k in range(rounds + 1):
        for i, run in enumerate(runs):
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start) if k else best[i]
    return best


def without_gradients(network: nn.Module, image: Tensor) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.inference_mode():
            return network(image)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small networks, one round, nothing written")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.size, chosen.rounds = 64, 1
    torch.manual_seed(0)
    torch.set_num_threads(1)
    ch, blocks = (16, 2) if chosen.quick else (64, 9 if chosen.size >= 256 else 6)
    a, b = torch.rand(2, 1, 3, chosen.size, chosen.size) * 2 - 1
    theirs = generator(ch, blocks).eval()
    ours = ResnetGenerator(3, 3, ch, blocks).eval()
    state = resnet({f"model.{k}": v for k, v in theirs.state_dict().items()}, __file__).network.state_dict()  # type: ignore[arg-type]
    ours.load_state_dict(state)
    ours.to(memory_format=torch.channels_last)
    draws = [without_gradients(theirs, a), without_gradients(ours, a)]
    apart = (draws[0]() - draws[1]()).abs().max().item()
    learn = published_step(ch, blocks, a, b)
    before = [seconds([run], max(1, chosen.rounds // 2))[0] for run in (draws[0], learn)]
    kept = keep_memory()
    steps = our_step(ch, blocks, a, b)
    inference, training = seconds(draws, chosen.rounds), seconds([learn, lambda: next(steps)], chosen.rounds)
    lines = [
        f"{blocks} blocks, {ch} channels, one picture of {chosen.size}×{chosen.size}, float32, one thread; "
        f"processor time, the least of {chosen.rounds} rounds in turns. Results differ by {apart:.1e} at most.",
        f"Memory: {kept}.",
        "",
        "| | published form | with memory kept | sfumato | times faster | with memory kept in both |",
        "|---|---|---|---|---|---|",
    ]
    for name, first, (published, own) in (
        ("a picture", before[0], inference),
        ("a training step", before[1], training),
    ):
        lines.append(
            f"| {name} | {first:.2f} s | {published:.2f} s | {own:.2f} s | {first / own:.2f} | {published / own:.2f} |"
        )
    if chosen.quick:
        print("\n".join(lines))
    else:
        record("translation_speed", "The speed of the residual generator", lines)


if __name__ == "__main__":
    main()

"""StyleGAN2 as it is computed here beside a straightforward reading of the published reference, in one run.

    python benchmarks/stylegan_speed.py [--size 64] [--batch 16] [--rounds 5]

The reference form makes weights for each picture and convolves in groups, and filters by inserting zeros, padding and
convolving with the square filter. It is written out below on the same parameters, and must give the same pictures,
scores and gradients. Times are CPU seconds of this process, on one thread, by turns; ratios are medians of those of
the rounds. Writes docs/results/stylegan-speed.md; 4 core-minutes.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pages import record
from sfumato import catalog
from sfumato.networks.stylegan import fir, stylegan2
from sfumato.networks.stylegan.equalised import Conv, minibatch_std
from sfumato.networks.stylegan.modulated import StyledConv, ToPicture, demodulation, modulated
from sfumato.objectives.adversarial import logistic_d, nonsaturating_g, r1
from sfumato.objectives.path_length import path_lengths, path_penalty
from sfumato.training.machine import keep_memory

KERNEL = fir.lowpass((1, 3, 3, 1))


def upfirdn(x: Tensor, up: int, down: int, before: int, after: int) -> Tensor:
    """Zeros inserted, zeros around, the square filter, every so many pixels."""
    b, c, h, w = x.shape
    x = F.pad(x.reshape(b, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(b, c, h * up, w * up)
    x = F.pad(x, [before, after, before, after])
    x = F.conv2d(x.reshape(b * c, 1, *x.shape[2:]), (KERNEL * up**2)[None, None])
    return x.view(b, c, *x.shape[2:])[:, :, ::down, ::down]


def grouped(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: bool = False) -> Tensor:
    """Weights for each picture, all pictures as groups of one."""
    b, n, h, w = x.shape
    own = weight[None] * style[:, None, :, None, None]
    if demodulate:
        own = own * (own.square().sum((2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None, None]
    m, k = weight.shape[0], weight.shape[-1]
    x = x.reshape(1, b * n, h, w)
    if up:
        own = own.flip(3, 4).transpose(1, 2).reshape(b * n, m, k, k)
        y = F.conv_transpose2d(x, own, stride=2, groups=b)
        return upfirdn(y.view(b, m, *y.shape[2:]) * 4, 1, 1, 1, 1)
    y = F.conv2d(x, own.reshape(b * m, n, k, k), padding=k // 2, groups=b)
    return y.view(b, m, *y.shape[2:])


def activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * sqrt(2)


def styled(layer: StyledConv, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
    y = grouped(x, layer.weight / sqrt(layer.weight[0].numel()), style, True, layer.kernel is not None)
    return activated(y + noise * layer.strength + layer.bias[None, :, None, None])


def picture(layer: ToPicture, x: Tensor, style: Tensor) -> Tensor:
    weight = (layer.weight / sqrt(layer.weight.shape[1]))[:, :, None, None]
    return grouped(x, weight, style, False) + layer.bias[None, :, None, None]


def synthesis(G: stylegan2.Synthesis, w: Tensor, noise: list[Tensor]) -> Tensor:
    """Pictures of W+ by G's parameters."""
    styles = G.styles(w)
    tints = styles[len(G.convs) :]
    x = styled(G.convs[0], G.constant.repeat(len(w), 1, 1, 1), styles[0], noise[0])
    image = picture(G.pictures[0], x, tints[0])
    for k in range(1, len(G.pictures)):
        for i in (2 * k - 1, 2 * k):
            x = styled(G.convs[i], x, styles[i], noise[i])
        image = upfirdn(image, 2, 1, 2, 1) + picture(G.pictures[k], x, tints[k])
    return image


def plain(layer: Conv, x: Tensor) -> Tensor:
    """A layer of D."""
    weight = layer.weight / sqrt(layer.weight[0].numel())
    if layer.scale:
        pad = layer.side // 2
        x = F.conv2d(upfirdn(x, 1, 1, pad + 1, pad + 1), weight, stride=2)
    else:
        x = F.conv2d(x, weight, padding=layer.side // 2)
    x = x if layer.bias is None else x + layer.bias[None, :, None, None]
    return activated(x) if layer.leaky else x


def discriminator(D: stylegan2.Discriminator, image: Tensor) -> Tensor:
    """Scores by D's parameters."""
    x = plain(D.picture, image)
    for block in D.blocks:
        y = plain(block.convs[1], plain(block.convs[0], x))
        x = (y + plain(block.shortcut, x)) / sqrt(2)
    x = plain(D.conv, minibatch_std(x, D.group))
    return D.score(D.dense(x.flatten(1))).squeeze(1)


class Form:
    """One way to compute both networks: `ours`, or the reference's on contiguous tensors."""

    def __init__(self, system: nn.Module, ours: bool, batch: int, size: int) -> None:
        self.system, self.ours, self.batch = system, ours, batch
        layout = torch.channels_last if ours else torch.contiguous_format
        system.to(memory_format=layout)
        generator = torch.Generator().manual_seed(0)
        self.real = (torch.rand(batch, 3, size, size, generator=generator) * 2 - 1).contiguous(memory_format=layout)
        self.code = torch.randn(batch, system.z, generator=generator)
        self.noise = [torch.randn(batch, 1, *s, generator=generator) for s in system.G.noises]
        self.look = torch.randn(batch // 2, 3, size, size, generator=generator)

    def G(self, w: Tensor) -> Tensor:
        """Pictures of W+."""
        noise = [n[: len(w)] for n in self.noise]
        return self.system.G(w, noise) if self.ours else synthesis(self.system.G, w, noise)

    def D(self, image: Tensor) -> Tensor:
        """Scores."""
        return self.system.D(image) if self.ours else discriminator(self.system.D, image)

    def w(self, n: int | None = None) -> Tensor:
        """W+ of the first n codes."""
        return self.system.extend(self.system.mapping(self.code[:n]))

    def sample(self) -> Tensor:
        """Pictures, without gradients."""
        with torch.no_grad():
            return self.G(self.w())

    def slopes(self, loss: Tensor, *nets: nn.Module) -> list[Tensor]:
        """Gradients of a loss by the parameters of networks."""
        return list(torch.autograd.grad(loss, [p for net in nets for p in net.parameters()], allow_unused=True))

    def d_step(self) -> list[Tensor]:
        """D's turn."""
        return self.slopes(logistic_d(self.D(self.real), self.D(self.sample())), self.system.D)

    def g_step(self) -> list[Tensor]:
        """G's turn."""
        return self.slopes(nonsaturating_g(self.D(self.G(self.w()))), self.system.M, self.system.G)

    def r1_step(self) -> list[Tensor]:
        """D's regulariser."""
        return self.slopes(r1(self.D, self.real).mean(), self.system.D)

    def path_step(self) -> list[Tensor]:
        """G's regulariser."""
        w = self.w(self.batch // 2)
        penalty = path_penalty(path_lengths(self.G(w), w, self.look), torch.zeros(()))
        return self.slopes(penalty.mean(), self.system.M, self.system.G)


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, str]:
    """Seconds of both, by turns, after a round that does not count; a row of the table."""
    both = (ours, theirs)
    seconds = [[timed(run) for run in (both if i % 2 else both[::-1])] for i in range(rounds + 1)][1:]
    pairs = [pair if (i + 1) % 2 else pair[::-1] for i, pair in enumerate(seconds)]
    a, b = (statistics.median(p[k] for p in pairs) for k in (0, 1))
    ratio = statistics.median(p[1] / p[0] for p in pairs)
    row = f"| {name} | {a * 1e3:.2f} | {b * 1e3:.2f} | {ratio:.1f}× |"
    print(row, flush=True)
    return a, b, row


def with_gradient(f: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    """A call of f and the gradients of all that it is given."""
    inputs = tuple(x.detach().clone().requires_grad_() for x in inputs)
    slope = torch.randn_like(f(*inputs))  # in the layout of the output
    return lambda: torch.autograd.grad(f(*inputs), inputs, slope)


def operations(batch: int, rounds: int) -> list[str]:
    """Each operation with its gradient: 32 channels at 32 px, or from or to 64."""
    rows = []
    x, weight, style = torch.randn(batch, 32, 32, 32), torch.randn(32, 32, 3, 3) / 17, torch.rand(batch, 32) + 0.5
    large, nhwc = torch.randn(batch, 32, 64, 64), torch.channels_last

    def mod(x: Tensor, weight: Tensor, style: Tensor, kernel: Tensor | None = None) -> Tensor:
        return modulated(x, weight, style, kernel) * demodulation(weight, style)[:, :, None, None]

    x_, w_, l_ = (t.contiguous(memory_format=nhwc) for t in (x, weight, large))
    cases = {
        "modulated convolution": (mod, (x_, w_, style), lambda *a: grouped(*a, True), (x, weight, style)),
        "modulated convolution to twice the side": (
            lambda *a: mod(*a, KERNEL), (x_, w_, style), lambda *a: grouped(*a, True, True), (x, weight, style)),
        "filter to twice the side": (lambda x: fir.up(x, KERNEL), (x_,), lambda x: upfirdn(x, 2, 1, 2, 1), (x,)),
        "filter to half the side": (lambda x: fir.down(x, KERNEL), (l_,), lambda x: upfirdn(x, 1, 2, 1, 1), (large,)),
        "filter, then convolution to half the side": (
            lambda x, w: fir.conv_down(x, w, KERNEL), (l_, w_),
            lambda x, w: F.conv2d(upfirdn(x, 1, 1, 2, 2), w, stride=2), (large, weight)),
        "picture of a style (1×1)": (
            lambda x, w, s: (w * s[:, None]) @ x.permute(0, 2, 3, 1).flatten(1, 2).mT, (x_, weight[:3, :, 0, 0], style),
            lambda x, w, s: grouped(x, w[:, :, None, None], s, False), (x, weight[:3, :, 0, 0], style)),
    }  # fmt: skip
    for name, (f, given, g, other) in cases.items():
        rows.append(compare(name, with_gradient(f, *given), with_gradient(g, *other), rounds)[2])
    return rows


def close(a: list[Tensor], b: list[Tensor]) -> float:
    """The largest difference of two lists of tensors, in units of the largest number of each tensor."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return max(((x - y).abs().max() / y.abs().max().clamp(min=1e-6)).item() for x, y in pairs)


def forms(size: int, batch: int, **hyper: int) -> tuple[Form, Form]:
    """Both, on the same parameters, of the preset `small` with other widths if they are given."""
    chosen = dict(catalog.find("stylegan2").presets["small"].hyper) | hyper
    made = []
    for ours in (True, False):
        torch.manual_seed(0)
        system = catalog.build("stylegan2", **chosen, size=size, channels=3)
        for conv in system.G.convs:
            nn.init.constant_(conv.strength, 0.1)
        made.append(Form(system, ours, batch, size))
    return made[0], made[1]


STEPS = {
    "sampling": "sample",
    "D's step": "d_step",
    "G's step": "g_step",
    "R1": "r1_step",
    "path length": "path_step",
}


def whole(size: int, batch: int, rounds: int, **hyper: int) -> list[str]:
    """Sampling, each part of a training step, and a training step with what comes now and then."""
    ours, theirs = forms(size, batch, **hyper)
    rows, spent = [], {}
    for name, method in STEPS.items():
        a, b = getattr(ours, method), getattr(theirs, method)
        *spent[name], row = compare(name, a, b, rounds)
        difference = close([a()], [b()]) if name == "sampling" else close(a(), b())
        rows.append(f"{row[:-1]}| {difference:.0e} |")
    step = [
        spent["D's step"][k] + spent["G's step"][k] + spent["R1"][k] / 16 + spent["path length"][k] / 8 for k in (0, 1)
    ]
    rows.append(f"| **training step** | {step[0] * 1e3:.0f} | {step[1] * 1e3:.0f} | **{step[1] / step[0]:.1f}×** | |")
    return rows


def halves(size: int, batch: int, rounds: int) -> str:
    """Our G's and D's steps in bfloat16 beside float32."""
    form, _ = forms(size, batch)

    def low() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            form.d_step()
            form.g_step()

    fast, slow, _ = compare("bfloat16 beside float32", low, lambda: (form.d_step(), form.g_step()), rounds)
    return f"In bfloat16 by autocast the steps of D and G take {fast / slow:.1f}× the time of float32 on this machine."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="image side, pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "CPU milliseconds of one thread, batch "
        f"{given.batch}, float32, of the form used here (`channels_last`) and of the reference form (its own layout):",
        "weights for each picture, convolutions in groups; zeros inserted, padding, the square filter.",
        f"Ratios are medians over {given.rounds} rounds by turns. Memory: {keep_memory()}.",
        f"torch {torch.__version__}, {platform.machine()}.", "",
        "Operations with their gradients, 32 channels, 32 px (the smaller side):", "",
        "| operation | here, ms | reference, ms | ratio |", "|---|---|---|---|", *operations(given.batch, given.rounds),
    ]  # fmt: skip
    for title, hyper in (("preset `small`", {}), ("twice as wide", dict(ch=32, ch_max=128))):
        head = f"| {title} | here, ms | reference, ms | ratio | difference |"
        lines += [
            "",
            f"Networks at {given.size} px, {title}; the difference is the largest of pictures or gradients:",
            "",
        ]
        lines += [head, "|---|---|---|---|---|", *whole(given.size, given.batch, given.rounds, **hyper)]
    lines += [
        "",
        "A training step is D's and G's with a sixteenth of R1 and an eighth of the path length, without Adam.",
        "Gradients differ by more than rounding where it moves an activation across the kink of a leaky ReLU.",
    ]
    lines += ["", halves(given.size, given.batch, 2)]
    record(
        "stylegan-speed", "Speed of StyleGAN2 beside its reference form", lines, "python benchmarks/stylegan_speed.py"
    )


if __name__ == "__main__":
    main()

"""Super-resolution without a training set, on pictures whose truth is known.

    python benchmarks/zero_shot.py                          # every table: about an hour on one core
    python benchmarks/zero_shot.py --tables ideal kernels   # these alone
    python benchmarks/zero_shot.py --quick                  # a picture or two of each, few steps, nothing kept

`ideal`: Set5 by bicubic. `published`: blurred by the kernels that come with ZSSR, beside supervised networks.
`kernels`: KernelGAN on kodak24 blurred by 20 Gaussians. `blind`: KernelGAN and ZSSR on some of these. `speed`: a step
of ours and of the published procedure, in turns. Reads ../shared/data; what was computed is kept in
runs/benchmark/zero-shot.json and not computed again. Writes docs/results/zero-shot.md.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from math import log10, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from pages import record
from sfumato import catalog
from sfumato.data.whole import read_whole
from sfumato.formats.superres import read_upscaler
from sfumato.metrics import quality
from sfumato.metrics.quality import Convention
from sfumato.networks.superres.kernels import bicubic_kernel, fitted, gaussian_kernel, shrink_by
from sfumato.networks.superres.pictures import enlarge
from sfumato.system import Batch
from sfumato.tasks.enlarging.method import choose_method, shipped
from sfumato.tasks.enlarging.zeroshot import find_kernel, read_kernel, zero_shot
from sfumato.training.loop import Budget, begin, train
from sfumato.training.machine import keep_memory

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data/superres"
KEPT = ROOT / "runs/benchmark/zero-shot.json"
KERNELS = {
    "random, 2.2 / 2.8 px²": DATA / "zssr/kernel_example/BSD100_100_lr_rand_ker_c_X2_0.mat",
    "of an old photo, 3.8 / 4.1 px²": DATA / "zssr/real_example/charlie_0.mat",
}
BLIND = (0, 5, 10, 15)  # of the 20 kernels, each with a photo of its own

Row = Iterator[str]


def image_of(path: Path) -> Tensor:
    """A picture in [-1, 1] whose sides are even: (1, c, h, w)."""
    image = torch.from_numpy(read_whole(path)).permute(2, 0, 1)[None].float() / 127.5 - 1
    h, w = (n // 2 * 2 for n in image.shape[-2:])
    return image[..., :h, :w]


def as_bytes(image: Tensor) -> Tensor:
    """Rounded as a file would be."""
    return image.add(1).mul(127.5).round().clamp(0, 255).div(127.5).sub(1)


def psnr(high: Tensor, image: Tensor) -> float:
    """Of Y, two pixels shaved, both rounded to bytes, dB."""
    return quality.psnr(high.double(), as_bytes(image).double(), Convention("luma", 2)).item()


def set5() -> list[tuple[str, Tensor]]:
    """Its five pictures."""
    names = ("baby", "bird", "butterfly", "head", "woman")
    return [(n, image_of(DATA / f"Set5/image_SRF_2/img_{i:03}_SRF_2_HR.png")) for i, n in enumerate(names, 1)]


def photos() -> list[Path]:
    """Kodak's."""
    return sorted(DATA.glob("kodak24/*/*.png"))


def gaussians() -> list[tuple[tuple[float, float], float]]:
    """Variances (pixels²) and angles of 20 kernels, as Bell-Kligler et al., section 5, draw them but for the noise."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.rand(3, generator=generator).tolist() for _ in range(20)]
    return [((0.6 + 4.4 * u, 0.6 + 4.4 * v), pi * t) for u, v, t in drawn]


def blurred(i: int) -> tuple[Tensor, Tensor, Tensor]:
    """Photo i, what kernel i leaves of it, and that kernel."""
    kernel = gaussian_kernel(20, *gaussians()[i])
    paths = photos()
    high = image_of(paths[i % len(paths)])
    return high, as_bytes(shrink_by(high, kernel, 2)), kernel


class Kept:
    """Figures by name, on disk as soon as they are known."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.values = json.loads(KEPT.read_text()) if KEPT.exists() and not quick else {}

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """What was computed before, or is now."""
        if name not in self.values:
            start = time.process_time()
            self.values[name] = compute()
            print(f"{name} ({time.process_time() - start:.0f} s of processor time)", flush=True)
            if not self.quick:
                KEPT.parent.mkdir(parents=True, exist_ok=True)
                KEPT.write_text(json.dumps(self.values, indent=1))
        return self.values[name]


def timed(compute: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """A result, and the seconds of processor time that it took."""
    start = time.process_time()
    found = compute()
    return found, time.process_time() - start


def supervised() -> dict[str, Callable[[Tensor], Tensor]]:
    """Networks that learned from bicubic reductions of other pictures."""
    found = {}
    public = ROOT / "../shared/data/weights/srgan_leftthomas"
    for path in sorted(public.glob("*2*.pth")):
        found[f"SRResNet ({path.stem})"] = read_upscaler(path).upscale
    if (own := shipped(2)) and "x2" in own.name and (network := choose_method(scale=2).network):
        found["shipped"] = network
    return found


def compared(kept: Kept, label: str, high: Tensor, low: Tensor, kernels: dict[str, Tensor | None]) -> dict[str, float]:
    """PSNR of bicubic, of the supervised networks, and of ZSSR with each of some kernels; its seconds."""

    def compute() -> dict[str, float]:
        values = {"bicubic": psnr(high, enlarge(low, 2))}
        with torch.inference_mode():
            values |= {name: psnr(high, network(low)) for name, network in supervised().items()}
        for name, kernel in kernels.items():
            large, seconds = timed(lambda k=kernel: zero_shot(low, 2, kernel=k, steps=20 if kept.quick else None))
            values |= {name: psnr(high, large), f"{name}, s": seconds}
        return values

    return kept.get(label, compute)


def table(rows: dict[str, dict[str, float]], first: str) -> Row:
    """Figures of each row, the columns being those of the first; their means last."""
    columns = list(next(iter(rows.values())))
    yield f"| {first} | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, values in rows.items():
        yield f"| {name} | {' | '.join(f'{values[c]:.{2 if abs(values[c]) < 100 else 0}f}' for c in columns)} |"
    if len(rows) > 1:
        means = [statistics.mean(v[c] for v in rows.values()) for c in columns]
        yield f"| mean | {' | '.join(f'{m:.2f}' for m in means)} |"


def ideal(kept: Kept) -> Row:
    """Set5, made smaller by bicubic."""
    rows = {}
    for name, high in set5()[2 : 3 if kept.quick else 5] + ([] if kept.quick else set5()[:2]):
        low = as_bytes(shrink_by(high, bicubic_kernel(2), 2))
        rows[name] = compared(kept, f"ideal {name}", high, low, {"ZSSR": None})
    yield "PSNR of Y in dB, two pixels shaved, and ZSSR's seconds of processor time."
    yield ""
    yield from table(rows, "picture")


def published(kept: Kept) -> Row:
    """Set5 and the picture of ZSSR's examples, by the two kernels that come with it."""
    pictures = [*set5(), ("bsd_001", image_of(DATA / "zssr/example_with_gt/bsd_001_gt.png"))]
    yield "PSNR of Y in dB. *Bicubic kernel* is ZSSR told nothing; *known kernel* is ZSSR told the kernel."
    for label, path in KERNELS.items():
        kernel, rows = read_kernel(path, 2), {}
        for name, high in pictures[2:3] if kept.quick else pictures:
            low = as_bytes(shrink_by(high, kernel, 2))
            told = {"ZSSR, bicubic kernel": None, "ZSSR, known kernel": kernel}
            rows[name] = compared(kept, f"{path.stem} {name}", high, low, told)
        yield from ("", f"Kernel {label}:", "")
        yield from table(rows, "picture")


def away(found: Tensor, truth: Tensor) -> tuple[float, float]:
    """PSNR in dB with the largest true entry as peak, and the norm of the difference over the truth's, in 20 × 20."""
    found, truth = fitted(found, 20, 2), fitted(truth, 20, 2)
    difference = found - truth
    return 10 * log10(truth.max() ** 2 / difference.square().mean()), (difference.norm() / truth.norm()).item()


def kernels(kept: Kept) -> Row:
    """KernelGAN on 20 photos, each blurred by a kernel of its own."""

    def compute(i: int) -> dict[str, float]:
        _, low, truth = blurred(i)
        found, seconds = timed(lambda: find_kernel(low, steps=20 if kept.quick else None))
        (ours, error), (plain, plain_error) = away(found, truth), away(bicubic_kernel(2), truth)
        return {
            "KernelGAN, dB": ours, "bicubic, dB": plain, "KernelGAN, relative error": error,
            "bicubic, relative error": plain_error, "s": seconds,
        }  # fmt: skip

    rows = {}
    for i, ((u, v), angle) in list(enumerate(gaussians()))[: 1 if kept.quick else 20]:
        rows[f"{i}: {u:.1f}, {v:.1f}, {angle / pi * 180:.0f}°"] = kept.get(f"kernel {i}", lambda i=i: compute(i))
    yield "Variances in pixels², the angle of the first. PSNR of the kernel with the largest true entry as peak, and"
    yield "the norm of the difference over that of the truth, in a frame of 20 × 20; beside them those of bicubic."
    yield "Seconds of processor time."
    yield ""
    yield from table(rows, "kernel")


def blind(kept: Kept) -> Row:
    """The whole chain on photos of which only the reduction is known, cut to 512 pixels each way."""
    rows, few = {}, 20 if kept.quick else None
    for i in BLIND[:1] if kept.quick else BLIND:
        high, _, truth = blurred(i)
        high = high[..., -512:, :512]
        low = as_bytes(shrink_by(high, truth, 2))
        found = torch.tensor(kept.get(f"blind kernel {i}", lambda x=low: find_kernel(x, steps=few).tolist()))
        told = {"ZSSR, bicubic kernel": None, "ZSSR, found kernel": found, "ZSSR, true kernel": truth}
        rows[f"photo and kernel {i}"] = compared(kept, f"blind {i}", high, low, told)
    yield "PSNR of Y in dB; seconds of processor time of ZSSR."
    yield ""
    yield from table(rows, "picture")


class Published:
    """KernelGAN as published: every layer of G run on the crop, twice an iteration, in the plain layout."""

    def __init__(self) -> None:
        system = catalog.build("kernelgan")
        sides = (7, 5, 3, 1, 1, 1)
        widths = [1, *[64] * 5, 1]
        self.G = nn.Sequential(
            *[nn.Conv2d(widths[i], widths[i + 1], k, 2 if i == 5 else 1, bias=False) for i, k in enumerate(sides)]
        )
        self.D = system.D
        self.optimizers = [Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in (self.G, self.D)]
        self.bicubic = bicubic_kernel(2)[None, None]

    def step(self, large: Tensor, real: Tensor) -> None:
        """Both players' turns on a crop of 64 and one of 26."""
        planes = large.transpose(0, 1)
        fake = self.G(planes)
        wanted = nn.functional.conv2d(planes, self.bicubic, stride=2, padding=3)[..., 3:-3, 3:-3]
        kernel = torch.zeros(1, 1, 25, 25)
        kernel[0, 0, 12, 12] = 1
        for layer in self.G:
            kernel = nn.functional.conv2d(kernel, layer.weight)
        loss = (1 - self.D(fake.transpose(0, 1))).mean() + 5 * (fake - wanted).square().mean()
        loss = loss + 0.5 * (1 - kernel.sum()).abs() + 5 * kernel.abs().clamp(min=1e-9).pow(0.2).mean()
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        fake = self.G(planes).transpose(0, 1).detach()
        loss = (self.D(fake).mean() + (1 - self.D(real)).mean()) / 2
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()


def speed(kept: Kept) -> Row:
    """Milliseconds of a step of ours and of the published procedure, in turns, and what all steps take."""

    def compute() -> dict[str, float]:
        torch.manual_seed(0)
        picture = torch.rand(1, 3, 256, 256) * 2 - 1
        published_gan, small, zssr = Published(), *(catalog.find(n).presets["small"] for n in ("kernelgan", "zssr"))
        runs = {
            "KernelGAN": stepper("kernelgan", "small", picture.expand(small.recipe.get("batch", 1), -1, -1, -1)),
            "ZSSR": stepper("zssr", "small", picture),
            "ZSSR published": stepper("zssr", "paper", picture),
            "KernelGAN published": lambda: published_gan.step(picture[..., :64, :64], picture[..., :26, :26]),
        }
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(3 if kept.quick else 12):
            for name, run in runs.items():
                taken[name].append(timed(run)[1])
        values = {f"{name}, ms": 1e3 * statistics.median(times[1:]) for name, times in taken.items()}
        values["KernelGAN, steps"] = small.recipe["steps"]
        values["ZSSR, steps"] = zssr.recipe["steps"]
        return values

    found = kept.get("speed", compute)
    rows = {}
    for name in ("KernelGAN", "ZSSR"):
        ours, theirs = found[f"{name}, ms"] * found[f"{name}, steps"], found[f"{name} published, ms"] * 3_000
        rows[name] = (found[f"{name}, ms"], found[f"{name}, steps"], found[f"{name} published, ms"], ours, theirs)
    both = [sum(r[i] for r in rows.values()) for i in (3, 4)]
    yield "| | a step of ours, ms | steps | a published step, ms | steps | all of ours, s | all of theirs, s | ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, (ms, steps, old, ours, theirs) in rows.items():
        yield (
            f"| {name} | {ms:.1f} | {steps:.0f} | {old:.1f} | 3000 | {ours / 1e3:.1f} | {theirs / 1e3:.1f} "
            f"| {theirs / ours:.1f}× |"
        )
    yield f"| the chain | | | | | {both[0] / 1e3:.1f} | {both[1] / 1e3:.1f} | {both[1] / both[0]:.1f}× |"


def stepper(name: str, preset: str, low: Tensor) -> Callable[[], object]:
    """What takes one training step of a system at each call."""
    cls = catalog.find(name)
    system = catalog.build(name, **cls.presets[preset].hyper).to(memory_format=torch.channels_last)

    class Feed:
        def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
            return Batch(seed=step, low=low)

    training = train(begin(system), Feed(), Budget(steps=10_000))
    return lambda: next(training)


TABLES: dict[str, tuple[str, Callable[[Kept], Row]]] = {
    "ideal": ("Set5 ×2, made smaller by bicubic", ideal),
    "published": ("Blurred by the kernels that come with ZSSR", published),
    "kernels": ("Twenty kernels, found by KernelGAN", kernels),
    "blind": ("The chain on photos of unknown blur", blind),
    "speed": ("Speed", speed),
}


def main() -> None:
    """Compute what is asked for, and write all tables that are known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--quick", action="store_true", help="a picture or two of each, few steps, nothing kept")
    given = parser.parse_args()
    keep_memory()
    kept = Kept(given.quick)
    lines = [
        "ZSSR and KernelGAN learn from the one picture that they are given, with their presets `small`. One thread of"
    ]
    lines += ["a shared machine; seconds are of processor time.", ""]
    for name, (title, rows) in TABLES.items():
        if name in given.tables:
            kept.values.pop(f"table {name}", None)
            kept.get(f"table {name}", lambda rows=rows: list(rows(kept)))
        whole = kept.values.get(f"table {name}", [f"Not measured yet: `--tables {name}`."])
        lines += [f"## {title}", "", *whole, ""]
    if given.quick:
        print("\n".join(lines))
    else:
        record("zero-shot", "Super-resolution without a training set", lines[:-1], "python benchmarks/zero_shot.py")


if __name__ == "__main__":
    main()

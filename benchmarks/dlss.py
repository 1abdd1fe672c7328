"""Supersampling of rendered frames: bicubic, version 1, accumulation without a network, version 2; and frames a second.

    python benchmarks/dlss.py [--seed 0] [--quick]

Trains the small presets of dlss1 and dlss on the world `scenes` (runs/benchmark; once), then enlarges held-out clips of
24 frames from 128 to 256 px, which is four times the size and three times the length of what was learned from.
--quick takes untrained networks and two short clips, and records nothing. Writes docs/results/dlss.md and its picture.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

import sfumato
from pages import RESULTS, record
from sfumato import catalog
from sfumato.data.pictures import to_bytes
from sfumato.data.views import Draw
from sfumato.data.views.frames import sampled
from sfumato.data.worlds import Scenes
from sfumato.data.worlds.source import TEST_START
from sfumato.networks.superres.temporal import appeared, enlarged, foremost, warp
from sfumato.system import System

RUNS = Path("runs/benchmark")
CLIPS, FRAMES, SIZE, NEAR = 12, 24, 256, 9.0
SETTLED = 8  # the first frame that counts as settled
CROP, SHOWN = 64, ((1, 20), (4, 20), (9, 20))  # pixels of the picture's details; clips and frames that they are of
Clip = Mapping[str, Tensor]
Method = Callable[[Clip], Tensor]


def trained(name: str, seed: int, quick: bool) -> System:
    """A small preset, from its finished run or trained now."""
    run = RUNS / f"{name}-scenes-{seed}"
    if quick:
        return catalog.build(name, **catalog.find(name).presets["small"].hyper).eval()
    if (run / "model.safetensors").exists():
        return sfumato.resume(run, evaluate=False, quiet=True).system.eval()
    print(f"training {name} into {run}", flush=True)
    return sfumato.train(name, seed=seed, out=run, evaluate=False, threads=1).system.eval()


def clips(index: int, frames: int, jittered: bool) -> Clip:
    """A held-out clip as the view `rendered-x2` has it, of any length; or all samples from the same place in pixels."""
    seen = Scenes().clip(index, frames, 2 * SIZE, back=True)
    shape, start = ((1, frames), 0) if jittered else ((frames, 1), 5)  # of places, 5 is nearest to the centre
    fine, metres, back = (a.reshape(*shape, *a.shape[1:]) for a in (seen.image, seen.depth, seen.motion))
    rows = np.arange(shape[0])
    made = sampled(fine, metres, back, 2, NEAR, Draw(rows, lambda x: x, np.full(len(rows), start, np.uint64)))
    return made if jittered else {k: v.transpose(0, 1) for k, v in made.items() if k != "image"}


def bicubic(clip: Clip) -> Tensor:
    """Each frame enlarged by interpolation between its samples, where they lie."""
    return enlarged(clip["low"].flatten(0, 1), clip["jitter"].flatten(0, 1), 2).clamp(-1, 1)[None]


def psnr(frames: Tensor, clip: Clip) -> Tensor:
    """Decibels of each frame: (1, t, c, h, w) -> (t,)."""
    return 10 * torch.log10(4 / (frames - clip["clip"])[0].square().mean((1, 2, 3)))


def flicker(frames: Tensor, clip: Clip) -> float:
    """How much settled frames differ from the one before, moved to where it is now, of 255; where it could be seen."""
    total, pixels = 0.0, 0.0
    for k in range(SETTLED, frames.shape[1]):
        back, near = foremost(clip["back"][:, k], clip["depth"][:, k])
        hidden = appeared(near, back, clip["depth"][:, k - 1]).float()
        moved = 2 * F.interpolate(back, scale_factor=2)
        there = 1 - F.interpolate(hidden, scale_factor=2)
        total += float(((frames[:, k] - warp(frames[:, k - 1], moved)).abs().mean(1, keepdim=True) * there).sum())
        pixels += float(there.sum())
    return total / pixels * 127.5


def table(methods: Mapping[str, tuple[Method, bool]], number: int, frames: int) -> tuple[list[str], list[Image.Image]]:
    """Figures of all methods over all clips, and details of frames."""
    curves: dict[str, list[Tensor]] = {name: [] for name in methods}
    unrest: dict[str, list[float]] = {name: [] for name in (*methods, "the truth")}
    details = []
    for i in range(number):
        both = {jittered: clips(TEST_START + i, frames, jittered) for jittered in (True, False)}
        found = {name: method(both[jittered]) for name, (method, jittered) in methods.items()}
        for name, (_, jittered) in methods.items():
            curves[name].append(psnr(found[name], both[jittered]))
            unrest[name].append(flicker(found[name], both[jittered]))
        unrest["the truth"].append(flicker(both[True]["clip"], both[True]))
        details += [detail(found, both[True], k) for clip, k in SHOWN if clip == i and k < frames]
        print(f"clip {i + 1} of {number}", {k: round(float(v[-1].mean()), 2) for k, v in curves.items()}, flush=True)
    rows = []
    for name in (*methods, "the truth"):
        restless = f"{np.mean(unrest[name]):.3f}"
        if name in curves:
            mean = torch.stack(curves[name])
            figures = [mean[:, 0], mean[:, 3], mean[:, SETTLED:].mean(1)]
            rows.append(f"| {name} | {' | '.join(f'{float(x.mean()):.2f}' for x in figures)} | {restless} |")
        else:
            rows.append(f"| {name} | | | | {restless} |")
    return rows, details


def detail(found: Mapping[str, Tensor], clip: Clip, k: int) -> Image.Image:
    """The most detailed square of a frame, as rendered small, by each method, and as it should be."""
    truth = clip["clip"][0, k]
    busy = F.avg_pool2d((truth - F.avg_pool2d(truth[None], 5, 1, 2)[0]).abs().mean(0)[None, None], CROP, 8)[0, 0]
    top, left = (8 * int(x) for x in divmod(int(busy.argmax()), busy.shape[1]))
    small = F.interpolate(clip["low"][:, k], scale_factor=2)[0]
    shown = {"rendered": small} | {name: frames[0, k] for name, frames in found.items()} | {"the truth": truth}
    sheet = Image.new("RGB", (len(shown) * (3 * CROP + 6) - 6, 3 * CROP + 14), "white")
    for i, (name, frame) in enumerate(shown.items()):
        square = Image.fromarray(to_bytes(frame[None, :, top : top + CROP, left : left + CROP])[0])
        sheet.paste(square.resize((3 * CROP, 3 * CROP), Image.Resampling.NEAREST), (i * (3 * CROP + 6), 14))
        ImageDraw.Draw(sheet).text((i * (3 * CROP + 6), 0), name, "black")
    return sheet


def speed(system: System, clip: Clip, threads: int) -> float:
    """Frames a second of version 2 from 128 to 256 px, the best of three rounds of ten."""
    torch.set_num_threads(threads)
    given = {name: clip[name][:, 1] for name in ("low", "jitter", "back", "depth")}
    best = float("inf")
    with torch.inference_mode():
        _, history = system.frame(**given)
        for _ in range(3):
            start = time.perf_counter(), time.process_time()
            for _ in range(10):
                _, history = system.frame(**given, history=history)
            clock, processor = time.perf_counter() - start[0], (time.process_time() - start[1]) / threads
            best = min(best, processor if threads == 1 else clock)
    torch.set_num_threads(1)
    return 10 / best


def main() -> None:
    """Train, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    one, two = (trained(name, given.seed, given.quick) for name in ("dlss1", "dlss"))
    bare = catalog.build("dlss", **catalog.find("dlss").presets["small"].hyper).eval()

    def temporal(system: System) -> Method:
        return lambda clip: system.supersample(*(clip[name] for name in ("low", "jitter", "back", "depth")))

    def single(clip: Clip) -> Tensor:
        return one.supersample(clip["low"], clip["jitter"])

    methods = {
        "bicubic": (bicubic, False), "version 1": (single, False), "bicubic, jittered": (bicubic, True),
        "version 1, jittered": (single, True), "version 2, no network": (temporal(bare), True),
        "version 2": (temporal(two), True),
    }  # fmt: skip
    rows, details = table(methods, 2 if given.quick else CLIPS, 10 if given.quick else FRAMES)
    clip = clips(TEST_START, 2, True)
    rates = {threads: speed(two, clip, threads) for threads in (1, 2)}
    lines = [
        f"The first {CLIPS} held-out clips of `scenes`, {FRAMES} frames from 128 to 256 px; a frame rendered small has",
        "one sample a pixel, the truth is the mean of 2×2 pixels of a render of 512 px. Version 1 and 2 are the small",
        f"presets of `dlss1` and `dlss` (seed {given.seed}), which learned from clips of 8 frames from 32 to 64 px.",
        "Jittered samples lie elsewhere in each frame; version 1 and bicubic know where, and are shown without, too.",
        "",
        f"| method | PSNR, first frame, dB | fourth | from frame {SETTLED + 1} on | flicker, of 255 |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "Flicker is the mean difference of a frame from the one before, moved by the motion vectors, where what is",
        "seen could be seen before; that of the truth is rain, snow, water, clouds and the resampling.",
        "",
        f"Version 2 makes {rates[1]:.1f} frames a second from 128 to 256 px on one thread, by processor time, and",
        f"{rates[2]:.1f} on two, by the clock ({sum(p.numel() for p in two.parameters()):,} parameters).",
        "",
        "![details](dlss.png)",
    ]
    if given.quick:
        print("\n".join(lines))
        return
    sheet = Image.new("RGB", (details[0].width, sum(d.height + 8 for d in details)), "white")
    for i, one_detail in enumerate(details):
        sheet.paste(one_detail, (0, i * (one_detail.height + 8)))
    sheet.save(RESULTS / "dlss.png", optimize=True)
    record("dlss", "Supersampling of rendered frames", lines)


if __name__ == "__main__":
    main()

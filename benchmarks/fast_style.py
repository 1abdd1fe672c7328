"""Feed-forward styles: how near they come to an optimisation, how quick they are, and what their settings do.

    OMP_NUM_THREADS=1 python benchmarks/fast_style.py [--quick]

Trains a fast-style, 3,000 steps, and a cin of four styles, 2,400, ten and twelve minutes of one core, resumed
where they were stopped; then measures, about three minutes. --quick is a trial of everything, whose page goes nowhere.
Contents are Kodak's photographs, of which the last four are never trained on; styles are two exemplars of textures, a
sheet of emoji and one of game tiles, all of which may be shown. The adain is that of style_weights.py, trained before.
"""

import argparse
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import sfumato
from pages import RESULTS, record
from sfumato.data.pictures import grid
from sfumato.data.worlds.scenes import Scenes
from sfumato.networks.style.painting import painting
from sfumato.objectives.style import moments, moments_distance
from sfumato.tasks.model import load
from sfumato.tasks.painting.paint import neural_style
from sfumato.tasks.painting.steady import Steady, flicker
from sfumato.tasks.painting.styles import read_style
from sfumato.tasks.stylise import stylise
from sfumato.tasks.train import resume
from style_weights import DATA, ROOT, packed

RUNS = ROOT / "runs/benchmark"
STYLES = RUNS / "styles"
ADAIN = RUNS / "style-adain"  # that style_weights.py trains
SIDE, PAINTING = 96, 144  # pixels
STEPS = 500  # of the optimisation, the paper's
FAST = dict(style=str(STYLES / "0-water.png"), side=PAINTING)
CIN = dict(styles=str(STYLES), count=4, side=PAINTING)


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    if not STYLES.exists():
        write_styles()
    contents = held_out()
    fast = trained("fast-style", 20 if quick else 3_000, quick, **FAST)
    cin = trained("cin", 20 if quick else 2_400, quick, **CIN)
    lines = [
        *compared(fast, contents, 20 if quick else STEPS),
        *blended(cin, contents),
        *strengths(contents),
        *films(6 if quick else 24),
        *large(),
    ]
    if quick:
        print("\n".join(lines))
    else:
        record("fast-style", "Styles in one pass", lines, "python benchmarks/fast_style.py")


def write_styles() -> None:
    """Four pictures to paint like."""
    STYLES.mkdir(parents=True)
    for k, name in enumerate(("water", "ink")):
        Image.open(DATA / f"datasets/textures_embark/imgs/{k + 1}.jpg").convert("RGB").save(STYLES / f"{k}-{name}.png")
    for k, name, archive, side, step in (
        (2, "emoji", "noto_emoji_72", 64, 170),
        (3, "tiles", "crawl_tiles_cc0", 32, 61),
    ):
        n = 256 // side
        pieces = [p.resize((side, side)) for p in packed(f"{archive}.tar.gz", step)[: n**2]]
        whole = Image.new("RGB", (256, 256), "white")
        for i, piece in enumerate(pieces):
            whole.paste(piece, (i % n * side, i // n * side))
        whole.save(STYLES / f"{k}-{name}.png")


def held_out() -> Tensor:
    """Squares of the photographs that nothing is trained on: (4, 3, SIDE, SIDE) in [-1, 1]."""
    paths = sorted((DATA / "superres/kodak24").rglob("*.png"))[20:]
    images = [Image.open(p).convert("RGB").crop((128, 0, 640, 512)).resize((SIDE, SIDE)) for p in paths]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def trained(name: str, steps: int, quick: bool, **hyper: object) -> torch.nn.Module:
    """A system of the preset "small", on squares of the other photographs."""
    run = RUNS / f"{name}{'-quick' if quick else ''}"
    if (run / "config.json").exists():
        return resume(run, steps=steps, evaluate=False).system
    model = sfumato.train(
        name, data=photographs(), size=SIDE, steps=steps, evaluate=False, out=run, threads=1, precision="float32",
        **hyper,
    )  # fmt: skip
    return model.system


def photographs() -> Path:
    """Squares of twenty photographs as files."""
    folder = RUNS / "style-contents"
    if not folder.exists():
        folder.mkdir(parents=True)
        for path in sorted((DATA / "superres/kodak24").rglob("*.png"))[:20]:
            photograph = Image.open(path).convert("RGB")
            for side in (512, 256):
                for left in range(0, photograph.width - side + 1, side // 2):
                    for top in range(0, photograph.height - side + 1, side // 2):
                        square = photograph.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
                        square.save(folder / f"{path.stem}-{side}-{left}-{top}.png")
    return folder


def compared(system: torch.nn.Module, contents: Tensor, steps: int) -> list[str]:
    """The loss and the time of one pass against those of an optimisation of the same loss."""
    style = painting(FAST["style"], PAINTING)[None].float() / 127.5 - 1
    losses, seconds = [], []
    begun = time.process_time()
    for moment in neural_style(
        contents, [style], steps=steps, levels=1, stroke=PAINTING / SIDE, layer=system.layer,
        layers="+".join(system.layers), alpha=system.alpha, beta=system.beta, variation=system.variation,
    ):  # fmt: skip
        losses.append(sum(moment.losses.values()))
        seconds.append((time.process_time() - begun) / len(contents))
        painted = moment.image
    with torch.no_grad():
        final, ours, as_is = (total(system, x, contents) for x in (painted, system.stylise(contents), contents))
        passes = timed(lambda: system.stylise(contents[:1]))
    grid(torch.cat([contents, painted, system.stylise(contents).detach()]), columns=4).save(RESULTS / "style-fast.png")
    lines = [
        f"Loss of neural-style (α {system.alpha:g}, β {system.beta:g}) at {SIDE} px in the style of water, the mean of "
        "four photographs that the network has never seen; process time of one thread, of one picture.", "",
        "| | loss | seconds a picture |", "|---|---|---|", f"| the photograph itself | {as_is:.2f} | |",
    ]  # fmt: skip
    for k in (25, 50, 100, 200, 350, steps):
        if k <= steps:
            lines.append(f"| neural-style, {k} steps of L-BFGS | {losses[k - 1]:.2f} | {seconds[k - 1]:.2f} |")
    lines += [
        f"| fast-style, one pass | {ours:.2f} | {passes:.4f} |", "",
        f"One pass is at {ours / final:.2f} of the loss that {steps} steps come to ({final:.2f}), and "
        f"{seconds[-1] / passes:,.0f} times faster.", "",
        "![above photographs, then neural-style, below fast-style](style-fast.png)", "",
    ]  # fmt: skip
    return lines


def total(system: torch.nn.Module, painted: Tensor, contents: Tensor) -> float:
    """The mean loss of some pictures."""
    return sum(float(v.mean()) for v in system.losses(painted, contents).values())


def timed(run, rounds: int = 15) -> float:  # type: ignore[no-untyped-def]
    """The median process time of a call, seconds."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return float(np.median(times[2:]))


def blended(system: torch.nn.Module, contents: Tensor) -> list[str]:
    """From one style of a network to another, and its loss in each."""
    rows = []
    with torch.no_grad():
        for a, b in ((0, 1), (2, 3)):
            for share in torch.linspace(0, 1, 5).tolist():
                weights = torch.zeros(1, 4)
                weights[0, a], weights[0, b] = 1 - share, share
                rows.append(system.stylise(contents[a : a + 1], weights))
    grid(torch.cat(rows), columns=5).save(RESULTS / "style-cin.png")
    return [
        "One cin network of four styles. From water to ink and from emoji to game tiles, the gains and shifts mixed in "
        "quarters:", "", "![blends of styles](style-cin.png)", "",
    ]  # fmt: skip


def strengths(contents: Tensor) -> list[str]:
    """What strength does to the moments and to the content, of an adain."""
    system = load(ADAIN, device="cpu").system
    paths = sorted(STYLES.iterdir())
    lines = ["An adain of the preset `shipped`: distance of the moments of its layers from the style's, relative to "
             "strength 0, and of its deepest maps from the photograph's, relative to 1; means of four photographs in "
             "four styles:", "",
             "| strength | style | content |", "|---|---|---|"]  # fmt: skip
    found = []
    with torch.no_grad():
        seen = system.E(contents)[-1]
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
            far = []
            for path in paths:
                style = read_style(str(path), PAINTING)
                maps = system.E(system.stylise(contents, style, strength))
                pairs = zip(maps, system.E(style), strict=True)
                style_far = sum(float(moments_distance(moments(a), moments(b)).mean()) for a, b in pairs)
                far.append((style_far, float((maps[-1] - seen).square().mean())))
            found.append(np.mean(far, 0))
        for strength, (style_far, content_far) in zip((0.0, 0.25, 0.5, 0.75, 1.0), found, strict=True):
            lines.append(f"| {strength:g} | {style_far / found[0][0]:.3f} | {content_far / found[-1][1]:.3f} |")
        pictures = []
        for k, path in enumerate(paths):
            style = read_style(str(path), PAINTING)
            fitted = torch.nn.functional.interpolate(style, size=(SIDE, SIDE), mode="bilinear", antialias=True)
            each = [system.stylise(contents[k : k + 1], style, s) for s in (0.33, 0.67, 1.0)]
            pictures += [contents[k : k + 1], fitted, *each]
        passes = timed(lambda: system.stylise(contents[:1], style))
    grid(torch.cat(pictures), columns=5).save(RESULTS / "style-adain.png")
    monotone = all(b[0] < a[0] for a, b in pairwise(found))
    word = "Monotone." if monotone else "Not monotone."
    return [*lines, "", f"{word} One picture of {SIDE} px takes {passes:.3f} s, its style included.", "",
            "![photograph, style, strength 0.33, 0.67 and 1](style-adain.png)", ""]  # fmt: skip


def films(n: int) -> list[str]:
    """Flicker of a film, painted frame by frame and steadily."""
    system = load(ADAIN, device="cpu").system
    frames = clip(n)
    style = read_style(str(STYLES / "1-ink.png"), PAINTING)
    with torch.no_grad():
        painted = torch.cat([system.stylise(frame[None], style) for frame in frames])
    mix = Steady()
    steady = torch.cat([mix(f[None], p[None]) for f, p in zip(frames, painted, strict=True)])
    still, alone, kept = (flicker(frames, x) for x in (frames, painted, steady))
    return [
        f"Flicker: a film of {n} frames of a built-in scene with the grain of a camera (σ 3 of 255), through which "
        "a part of another one moves, in the style of ink. The mean absolute change of still pixels from frame to "
        "frame, of 255:", "", "| film | painted frame by frame | steadily |", "|---|---|---|",
        f"| {still:.2f} | {alone:.2f} | {kept:.2f} |", "",
        f"Where the film moves, the two paintings differ by {difference(frames, painted, steady):.2f} of 255.", "",
    ]  # fmt: skip


def clip(n: int) -> Tensor:
    """A still scene with grain, over which a square of another one moves: (n, 3, SIDE, SIDE)."""
    scenes = torch.from_numpy(Scenes().render(np.arange(2), SIDE).image).permute(0, 3, 1, 2).float() / 127.5 - 1
    noise = torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 3 / 127.5
    frames = scenes[:1].repeat(n, 1, 1, 1)
    for k in range(n):
        left = 2 * k
        frames[k, :, 40:88, left : left + 48] = scenes[1, :, 40:88, 40:88]
    return (frames + noise).clamp(-1, 1)


def difference(frames: Tensor, painted: Tensor, steady: Tensor) -> float:
    """How far the steady painting is from the other where the film changes by more than 0.3."""
    moving = (frames[1:] - frames[:-1]).abs().amax(1, keepdim=True) > 0.3
    return float((painted - steady)[1:].abs().mean(1, keepdim=True)[moving].mean() * 127.5)


def large() -> list[str]:
    """Time and memory of the command for large pictures, in a process of its own each."""
    lines = ["The adain from file to file, one thread; memory above that of an empty picture's process:", "",
             "| picture | seconds of one core | memory, MB |", "|---|---|---|"]  # fmt: skip
    base = None
    for side in (64, 1024, 2048):
        path = RUNS / f"style-{side}.png"
        Image.fromarray(Scenes().render(np.arange(1), side).image[0]).save(path)
        command = [sys.executable, __file__, "--paint", str(path)]
        seconds, memory = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        base = base or (seconds, memory)
        if side > 64:
            lines.append(f"| {side} × {side} | {seconds - base[0]:.1f} | {memory - base[1]:.0f} |")
    return [*lines, ""]


def paint(path: str) -> None:
    """One picture, as the command would; prints process time and the peak of memory, MB."""
    stylise(path, style=STYLES / "1-ink.png", model=ADAIN, out=f"{path}.painted.png", quiet=True)
    print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--paint"]:
        paint(sys.argv[2])
    else:
        main()

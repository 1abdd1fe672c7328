"""Style, textures and inverted features by optimisation: the pictures and figures that their papers show.

    OMP_NUM_THREADS=1 python benchmarks/style.py [--quick] [PART …]

Writes docs/results/style.md and the pictures beside it, part by part: features, sweep, curve, colours, masks, texture,
inversion, memory; all by default. About four minutes on one core. What is done is kept in runs/benchmark/style and not
done again; --quick takes a few steps for each, and writes into runs/benchmark/style-quick alone.
`style_pictures` says which pictures are used.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pages import RESULTS, record
from sfumato.networks.pretrained.features import features
from sfumato.networks.pretrained.vgg import STAGES
from sfumato.objectives import style
from sfumato.tasks.painting import paint
from sfumato.training.machine import keep_memory
from style_pictures import REAL, board, exemplar, kodak
from style_words import ABOUT, NOTES

ROOT = Path(__file__).parents[1]
QUICK = "--quick" in sys.argv
KEPT = ROOT / ("runs/benchmark/style-quick" if QUICK else "runs/benchmark/style")
SHOWN = KEPT if QUICK else RESULTS
SIDE = 64 if QUICK else 128


def last(moments: Iterable[paint.Moment]) -> paint.Moment:
    """The end of it."""
    return deque(moments, maxlen=1)[0]


def steps(n: int) -> int:
    """So many, or a few."""
    return 6 if QUICK else n


def painted(content: Tensor, painting: Tensor, **options: object) -> Tensor:
    """A content in a style."""
    return last(paint.neural_style(content, [painting], **{"steps": steps(75), "levels": 2} | options)).image


def random_network() -> str:
    """Features of a VGG-19 of random weights, as wide as the compressed one."""
    torch.manual_seed(0)
    widths = [3, *[w for (_, n), w in zip(STAGES.items(), (16, 32, 64, 128, 128), strict=True) for _ in range(n)]]
    state = {"conv0.weight": 255 * torch.eye(3).view(3, 3, 1, 1), "conv0.bias": torch.full((3,), -127.5)}
    places = [f"conv{s}{i}" for s, n in STAGES.items() for i in range(1, n + 1)]
    for place, (n, m) in zip(places, pairwise(widths), strict=True):
        state |= {f"{place}.weight": torch.randn(m, n, 3, 3) * math.sqrt(2 / 9 / n), f"{place}.bias": torch.zeros(m)}
    save_file(state, KEPT / "random.safetensors")
    return f"vgg19:{KEPT}/random.safetensors"


def shipped_and_real() -> list[str]:
    """The shipped features beside others."""
    pairs = [
        (kodak(21, 100, SIDE), exemplar("water", SIDE)),
        (kodak(23, 128, SIDE), exemplar("emoji", SIDE)),
        (kodak(8, 100, SIDE), exemplar("ink", SIDE)),
    ]
    world = {"layers": "stem+high+middle+low", "layer": "middle"}
    kinds: dict[str, dict[str, object]] = {
        "shipped": {"features": "style"},
        "real, narrow": {"features": REAL},
        "random": {"features": random_network()},
        "reader:scenes": {"features": "reader:scenes", **world},
    }
    rows = [("content", [c for c, _ in pairs]), ("style", [s for _, s in pairs])]
    look = features(REAL, tuple(f"relu{k}_1" for k in range(1, 6)))
    lines = ["| features | seconds a picture | style left, as the real ones see it |", "|---|---|---|"]
    for name, options in kinds.items():
        begun = time.process_time()
        found = [painted(c, s, **options) for c, s in pairs]
        spent = (time.process_time() - begun) / len(pairs)
        left = []
        for image, (content, painting) in zip(found, pairs, strict=True):
            aim = [style.mean_gram(m) for m in look(painting)]
            after, before = (style.style(look(x), aim, style.relative(aim)).item() for x in (image, content))
            left.append(after / before)
        lines.append(f"| {name} | {spent:.1f} | {', '.join(f'{x:.0%}' for x in left)} |")
        rows.append((name, found))
    return [board(SHOWN / "style-features.png", rows), "", *lines]


def sweep() -> list[str]:
    """Weights of the style over that of the content, by layers: figure 3 of the paper."""
    content, painting = kodak(21, 100, SIDE), exemplar("emoji", SIDE)
    ratios = (1, 10, 100, 1000)
    rows = []
    for n in range(1, 6):
        layers = "+".join(f"relu{k}_1" for k in range(1, n + 1))
        found = [painted(content, painting, beta=b, layers=layers, steps=steps(45)) for b in ratios]
        rows.append((f"to relu{n}_1", found))
    return [board(SHOWN / "style-sweep.png", rows, [f"beta/alpha {b}" for b in ratios])]


def curve() -> list[str]:
    """Losses on the way, of both optimisers and of both beginnings."""
    content, painting = kodak(21, 100, SIDE), exemplar("water", SIDE)
    moments = (10, 20, 40, 80, 160) if not QUICK else (2, 4, 6)
    lines = ["| gradients | " + " | ".join(map(str, moments)) + " |", "|---" * (len(moments) + 1) + "|"]
    kinds: dict[str, dict[str, object]] = {
        "L-BFGS": {},
        "Adam, 0.02": {"optimizer": "adam"},
        "Adam, 0.1": {"optimizer": "adam", "lr": 0.1},
        "L-BFGS from noise": {"begin": "noise"},
        "Adam, 0.1, from noise": {"optimizer": "adam", "lr": 0.1, "begin": "noise"},
    }
    for name, options in kinds.items():
        found = [sum(m.losses.values()) for m in
                 paint.neural_style(content, [painting], steps=moments[-1], levels=1, **options)]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(f"{found[k - 1]:.3f}" for k in moments) + " |")
    return lines


def colours() -> list[str]:
    """The three choices of colours, and two styles blended."""
    content, painting = kodak(23, 128, SIDE), exemplar("water", SIDE)
    kinds = ("style", "content", "matched")
    rows = [("colours", [painting, *[painted(content, painting, colours=k) for k in kinds]])]
    blend = [painting, exemplar("bricks", SIDE)]
    shares = [last(paint.neural_style(content, blend, weights=[1 - k / 3, k / 3], steps=steps(75), levels=2)).image
              for k in range(4)]  # fmt: skip
    return [board(SHOWN / "style-colours.png", [*rows, ("blended", shares)], ["", *kinds])]


def masks() -> list[str]:
    """A style for the sky and another for the land."""
    content = kodak(21, 100, SIDE)
    mask = torch.zeros(1, 2, SIDE, SIDE)
    mask[:, 0, : SIDE // 2], mask[:, 1, SIDE // 2 :] = 1, 1
    both = [exemplar("emoji", SIDE), exemplar("water", SIDE)]
    whole = last(paint.neural_style(content, both, mask=mask, steps=steps(75), levels=2)).image
    part = last(paint.neural_style(content, both, mask=mask * torch.tensor([0.0, 1.0]).view(1, 2, 1, 1),
                                   steps=steps(75), levels=2)).image  # fmt: skip
    return [
        board(SHOWN / "style-masks.png", [("", [content, whole, part])], ["content", "above, below", "below alone"])
    ]


def texture() -> list[str]:
    """Layer by layer, and without a network: figure 2 of the paper."""
    names = ("water", "bricks", "emoji")
    rows = [("exemplar", [exemplar(n, SIDE) for n in names])]
    for n in range(1, 6):
        layers = "+".join(f"relu{k}_1" for k in range(1, n + 1))
        found = [last(paint.texture(exemplar(k, SIDE), steps=steps(120), layers=layers, levels=2)).image for k in names]
        rows.append((f"to relu{n}_1", found))
    plain = [
        last(paint.texture(exemplar(n, SIDE), steps=steps(150), statistics="portilla-simoncelli", levels=2))
        for n in names
    ]
    rows.append(("Portilla and\nSimoncelli", [m.image for m in plain]))
    left = ", ".join(f"{m.losses['image/statistics']:.2f}" for m in plain)
    return [
        board(SHOWN / "style-texture.png", rows),
        "",
        f"Squared differences of the statistics that remain, of about 2,100: {left}.",
    ]


def inversion() -> list[str]:
    """Reconstructions by depth, twice: figure 6 of the paper, and its normalised error."""
    image = kodak(23, 128, SIDE)
    lines = [
        "| layer | error of features | PSNR to the picture, dB | between two reconstructions, dB |",
        "|---|---|---|---|",
    ]
    rows = [("picture", [image])]
    for layer, smooth in (("relu1_1", 1.7), ("relu2_1", 1.7), ("relu3_1", 17.0), ("relu4_1", 17.0), ("relu5_1", 171.0)):
        end = last(paint.invert_features(image, layer, steps=steps(400), repeats=2, smooth=smooth))
        apart = [-10 * ((a - b) / 2).square().mean().log10().item()
                 for a, b in ((end.image, image), (end.image[:1], end.image[1:]))]  # fmt: skip
        lines.append(f"| {layer} | {end.losses['image/features']:.3f} | {apart[0]:.1f} | {apart[1]:.1f} |")
        rows.append((layer, list(end.image[:, None])))
    return [board(SHOWN / "style-inversion.png", rows), "", *lines]


PROCESS = """
import resource, sys, torch
from sfumato.tasks.painting import paint
torch.set_num_threads(1)
side = int(sys.argv[1])
torch.manual_seed(0)
content, painting = torch.rand(2, 1, 3, side, side) * 2 - 1
for _ in paint.neural_style(content, [painting], steps=2, levels=1, features=sys.argv[2]):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def memory() -> list[str]:
    """The most that a process takes at full size."""
    lines = ["| pixels | shipped features, GB | real, narrow, GB |", "|---|---|---|"]
    for side in (256, 512, 1024)[: 1 if QUICK else 3]:
        found = [subprocess.run([sys.executable, "-c", PROCESS, str(side), kind], capture_output=True, text=True,
                                check=True).stdout.strip() for kind in ("style", REAL)]  # fmt: skip
        lines.append(f"| {side}×{side} | " + " | ".join(f"{float(x):.2f}" for x in found) + " |")
    return lines


PARTS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "features": ("The shipped features beside others", shipped_and_real),
    "sweep": ("neural-style: weight and depth of the style", sweep),
    "curve": ("neural-style: the loss on its way", curve),
    "colours": ("neural-style: colours, and two styles", colours),
    "masks": ("neural-style: regions", masks),
    "texture": ("texture: layer by layer", texture),
    "inversion": ("feature-inversion: error by depth", inversion),
    "memory": ("Memory", memory),
}


def main() -> None:
    """Do the parts that are asked for, and write the page of all that were done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args().parts or list(PARTS)
    torch.set_num_threads(1)
    keep_memory()
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in asked:
        if not (KEPT / f"{name}.json").exists():
            begun = time.process_time()
            lines = PARTS[name][1]()
            (KEPT / f"{name}.json").write_text(json.dumps(lines))
            print(f"{name}: {time.process_time() - begun:.0f} s", flush=True)
    lines = [ABOUT]
    for name, (title, _) in PARTS.items():
        if (KEPT / f"{name}.json").exists():
            lines += ["", f"## {title}", "", NOTES[name], "", *json.loads((KEPT / f"{name}.json").read_text())]
    if not QUICK:
        record("style", "Style, textures and inverted features, by optimisation", lines)


if __name__ == "__main__":
    main()

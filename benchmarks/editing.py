"""What edits of a generator of faces move, and what they leave: directions, mixing, masks, brushes, units.

    python benchmarks/editing.py [--generator runs/benchmark/stylegan2-faces64-0] [--quick]

All is judged by reader:faces. Parts that were measured by this reader with this state of the generator are not measured
again (runs/benchmark/editing). Writes docs/results/editing.md and its pictures; about five core-minutes.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import sfumato
from pages import RESULTS, record
from sfumato.data.pictures import save_grid, save_images
from sfumato.tasks.edit import edit, mixed
from sfumato.tasks.editing import codes, removal
from sfumato.tasks.editing.brush import Colour, Sketch, Warp, session
from sfumato.tasks.editing.codes import PARTS
from sfumato.tasks.editing.dissect import dissect
from sfumato.tasks.editing.finding import by_reader
from sfumato.tasks.editing.told import read, told, world_reader

HOME = Path("runs/benchmark/editing")
ASKED = (
    "yaw", "pitch", "age", "light_x", "smile", "mouth_open", "glasses", "beard", "hair:long", "hair:bald",
    "hair_colour:black", "hair_colour:blond", "background:blue", "background:pink",
)  # fmt: skip
MIXED = ("yaw", "pitch", "hair", "glasses", "beard", "age", "expression", "light_x", "hair_colour", "background")
CLASSES = ("hair", "clothes", "face", "neck", "glasses", "beard")


def told_of(model: sfumato.Model, images: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What the reader says of pictures by name, and who they are."""
    reader = world_reader(model, "faces")
    reading = read(reader, images)
    return told(reader.spec, reading), reading.identity


def directions(model: sfumato.Model, n: int, pictures: Path) -> list[dict[str, Any]]:
    """Samples moved by -2 and +2 along each direction: what was asked moves, what else, and who it is."""
    found = by_reader(model, n=n, space="w+")
    start = codes.lift(model.system, model.prior(64, seed=77), "z", "w+")
    images = codes.render(model, start, "w+")
    with torch.no_grad():
        best = int(model.system.D(images).argmax())  # the one that is pictured
    base, who = told_of(model, images)
    strangers = torch.cdist(who, who).sum().item() / (64 * 63)
    rows, shown = [], []
    for name in (a for a in ASKED if a in found.names):
        step = found.step(name)
        less, more = (codes.render(model, start + k * step, "w+") for k in (-2, 2))
        (low, _), (high, other) = told_of(model, less), told_of(model, more)
        change = {k: ((high[k] - low[k]).mean() / base[k].std().clamp(min=0.02)).item() for k in ASKED}
        spread = sorted(abs(v) for k, v in change.items() if k.split(":")[0] != name.split(":")[0])
        rows.append(
            {
                "name": name, "score": found.scores[found.names.index(name)], "moved": change[name],
                "rises": (high[name] > low[name]).float().mean().item(), "others": sum(spread) / len(spread),
                "most": max(
                    (k for k in change if k.split(":")[0] != name.split(":")[0]), key=lambda k: abs(change[k])
                ),
                "most moved": spread[-1], "identity": (other - who).norm(dim=1).mean().item() / strangers,
            }
        )  # fmt: skip
        shown += [codes.render(model, start[best, None] + k * step, "w+") for k in (-3, -1.5, 0, 1.5, 3)]
    save_grid(torch.cat(shown), pictures / "editing-directions.png", columns=10)
    return rows


def mixing(model: sfumato.Model, n: int, pictures: Path) -> dict[str, list[float]]:
    """How far each factor follows the picture that gives its coarse, middle or fine layers: correlations."""
    first, giver = (codes.lift(model.system, model.prior(n, seed=s), "z", "w+") for s in (5, 6))
    theirs, _ = told_of(model, codes.render(model, giver, "w+"))
    found: dict[str, list[float]] = {name: [] for name in MIXED}
    rows = [codes.render(model, first[:8], "w+"), codes.render(model, giver[:8], "w+")]
    for part in PARTS:
        images = codes.render(model, mixed(model.system, first, giver, "w+", part), "w+")
        values, _ = told_of(model, images)
        for name in MIXED:
            pairs = [(values[k], theirs[k]) for k in values if k == name or k.startswith(f"{name}:")]
            pairs = [(a, b) for a, b in pairs if min(a.std(), b.std()) > 0.02]
            found[name].append(
                sum(torch.corrcoef(torch.stack(p))[0, 1].item() for p in pairs) / max(1, len(pairs)) if pairs else 0.0
            )
        rows.append(images[:8])
    save_grid(torch.cat(rows), pictures / "editing-mixing.png", columns=8)
    return found


def masks(model: sfumato.Model) -> dict[str, float]:
    """How much a picture changes in and out of the mask of an edit, mean of 8 pictures, in levels of 255."""
    half = -torch.ones(1, model.facts.channels, model.facts.size, model.facts.size)
    half[..., : model.facts.size // 2, :] = 1
    there = half[0, 0] > 0
    inside, outside = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = save_images(half, Path(folder))[0]
        for k in range(8):
            made = edit(model, k, {"sefa0": 3.0}, mask=path, out=Path(folder) / "edit.png")
            moved = (made.images[1] - made.images[0]).abs().mean(0) * 127.5
            inside.append(moved[there].mean().item())
            outside.append(moved[~there].max().item())
    return {"inside": sum(inside) / 8, "outside": max(outside)}


def brushes(model: sfumato.Model) -> list[dict[str, float | str]]:
    """What is left of a wish after the steps that 0.2 s of a core allow, median of 8 samples."""
    side, rows = model.facts.size, []
    mask = torch.zeros(side, side)
    mask[side // 16 : side // 4, side // 16 : side // 4] = 1
    drawing = -torch.ones(1, model.facts.channels, side, side)
    drawing[..., side // 2 - 1 : side // 2 + 2, side // 4 : -side // 4] = 1
    around = (torch.nn.functional.max_pool2d(drawing[:, :1], 9, 1, 4)[0, 0] > 0).float()
    for kind in ("colour", "sketch", "warp"):
        left, cost = [], []
        for k in range(8):
            painted = session(model, k)
            wish = {
                "colour": Colour(mask, torch.tensor([0.8, -0.5, -0.5])[:, None, None]),
                "sketch": Sketch(around, drawing),
                "warp": Warp(around, painted.image, (side // 16, 0)),
            }[kind]
            painted.wishes.append(wish)
            before, begun = painted.step(), time.process_time()
            painted.solve(1e9, steps=4)
            cost.append((time.process_time() - begun) / 4)
            painted.reset()
            painted.wishes.append(wish)
            painted.solve(1e9, steps=max(1, int(0.2 / sorted(cost)[len(cost) // 2])))
            left.append(painted.unmet() / before)
        middle = sorted(cost)[4]
        rows.append({"kind": kind, "seconds": middle, "steps": int(0.2 / middle), "left": sorted(left)[4]})
    return rows


def units(model: sfumato.Model, n: int, classes: Sequence[str], pictures: Path) -> list[dict[str, Any]]:
    """Classes removed by their units, and what happens to the rest."""
    made = dissect(model, n=n, out=pictures / "editing-units.png")
    rows = []
    for name in classes:
        if made.shares[made.classes.index(name)] < 2 * removal.FEWEST:
            continue
        found = removal.remove(model, made, name, n=n // 2, out=pictures / f"editing-without-{name}.png")
        drawn = made.drawn().get(name, [])
        best = made.overlaps[:, made.classes.index(name)].max().item()
        rows.append(
            {"name": name, "layer": made.layer, "drawn": len(drawn), "best": best, "units": len(found.units),
             "of": found.of, "removed": found.removed, "kept": found.kept}
        )  # fmt: skip
    return rows


def main() -> None:
    """Measure what was not measured yet and write all down."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--generator", default="runs/benchmark/stylegan2-faces64-0")
    asked.add_argument(
        "--quick",
        action="store_true",
        help="few samples, to try the command; writes no page, and pictures beside what was measured",
    )
    options = asked.parse_args()
    torch.set_num_threads(1)
    model = sfumato.load(options.generator)
    model.path = None  # nothing is written into the run
    few = options.quick
    place = HOME if few else RESULTS
    HOME.mkdir(parents=True, exist_ok=True)

    stamp = f"{Path(options.generator).name}-{model.step}-{world_reader(model, 'faces').sha256[:8]}"

    def part(name: str, measure: Callable[[], Any]) -> Any:
        path = HOME / f"{stamp}-{'quick-' if few else ''}{name}.json"
        if not path.exists():
            begun = time.process_time()
            found = measure()
            path.write_text(json.dumps(found))
            print(f"{name}: {time.process_time() - begun:.0f} s", flush=True)
        return json.loads(path.read_text())

    print(model, flush=True)
    moved = part("directions", lambda: directions(model, 512 if few else 3000, place))
    given = part("mixing", lambda: mixing(model, 64 if few else 256, place))
    masked = part("masks", lambda: masks(model))
    painted = part("brushes", lambda: brushes(model))
    removed = part("units", lambda: units(model, 64, CLASSES[:1], place) if few else units(model, 256, CLASSES, place))
    lines = [
        f"A stylegan2 of the built-in faces, {model.facts.size} px, {model.step:,} steps of training. All is judged by",
        "reader:faces, whose own errors are in it.",
        "",
        "## Directions",
        "",
        "64 samples moved from -2 to +2 standard deviations along a reader's direction of W+. Moves are in standard",
        "deviations of the factor among samples; identity is the distance to who it was at +2, 1 being a stranger's.",
        "",
        "| direction | score | moves | rises in | other factors, mean | most moved of them | identity |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {r['name']} | {r['score']:.2f} | {r['moved']:+.2f} | {r['rises']:.0%} | {r['others']:.2f} | "
            f"{r['most']} {r['most moved']:.2f} | {r['identity']:.2f} |"
            for r in moved
        ),
        "",
        "![directions](editing-directions.png)",
        "",
        "## Mixing",
        "",
        "Correlation of a factor with that of the picture which gives its coarse, middle or fine layers.",
        "",
        "| factor | coarse | middle | fine |",
        "|---|---|---|---|",
        *(f"| {name} | {a:.2f} | {b:.2f} | {c:.2f} |" for name, (a, b, c) in given.items()),
        "",
        "Rows: pictures, those that give, and mixtures by coarse, middle and fine layers.",
        "",
        "![mixing](editing-mixing.png)",
        "",
        "## Masks",
        "",
        f"Along sefa0 by 3, within a mask: pixels change by {masked['inside']:.1f} of 255 inside, on average, and",
        f"outside by {masked['outside']:.0f} at most.",
        "",
        "## Brushes",
        "",
        "What is left of a wish, mean squares, after as many steps as fit into 0.2 s of a core; medians of 8 samples.",
        "",
        "| brush | a step, ms | steps | left |",
        "|---|---|---|---|",
        *(f"| {r['kind']} | {1000 * r['seconds']:.0f} | {r['steps']} | {r['left']:.1%} |" for r in painted),
        "",
        "## Units",
        "",
        "| class | layer | units that draw it | best overlap | units zeroed | gone | rest unchanged |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {r['name']} | `{r['layer']}` | {r['drawn']} | {r['best']:.2f} | {r['units']} of {r['of']} | "
            f"{r['removed']:.0%} | {r['kept']:.0%} |"
            for r in removed
        ),
        "",
        "The unit that agrees most with each class, lit where it is above its threshold:",
        "",
        "![units](editing-units.png)",
        "",
        *(f"![without {removed[0]['name']}](editing-without-{removed[0]['name']}.png)" for _ in removed[:1]),
    ]
    if few:
        print("\n".join(lines))
    else:
        record("editing", "Editing", lines)


if __name__ == "__main__":
    main()

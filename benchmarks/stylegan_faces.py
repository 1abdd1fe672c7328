"""What the StyleGAN line shows on `faces`: even paths, few pictures, no leaks, and layers that do different things.

    OMP_NUM_THREADS=1 python benchmarks/stylegan_faces.py [path ada leak mixing] [--quick] [--only-measure]

- path: stylegan beside stylegan2, `small-64` at 10,000 steps each, the latter also with a path length of more weight:
  path length, separability, Fréchet distance of 10,000 pictures with its cost, and truncation. 15 core-minutes to
  measure; 45 to train each, if it is not there.
- ada: stylegan2-ada beside stylegan2 on 500 pictures at 16 px, three seeds, p over time; 15 core-minutes a run,
  or 26 with --steps 17000, which seeds 0 and 1 have had.
- leak: what the reader finds in pictures of these, beside real ones, and real ones under augmentations. 1 core-minute.
- mixing: which factors follow another picture's coarse, middle and fine layers. 1 core-minute.

Trained runs are kept in runs/benchmark and gone on with; figures too, by the reader that they were found with. What is
there is measured, and docs/results/stylegan-faces.md and its pictures are written anew. --quick trains for 20 steps,
measures 64 pictures, in other folders, and writes nothing to docs.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sfumato
from pages import RESULTS, Part, by_parts, record_parts
from sfumato.data.batches import Batches
from sfumato.data.pictures import save_grid, save_images
from sfumato.data.prepare import prepare
from sfumato.networks.pretrained import factor_reader
from sfumato.networks.stylegan.adaptive import Augment
from sfumato.system import Batch
from sfumato.tasks.evaluate import evaluate
from sfumato.tasks.latent_measures import points
from sfumato.tasks.model import Model

HOME = Path("runs/benchmark")
FEW, SIDE = 500, 16  # pictures that ada is trained on, and pixels
SAME: dict[str, Any] = dict(r1=0.01, lr=2e-3)  # R1's weight as the paper has it for CIFAR-10, where D may overfit
QUALITY = ["frechet", "precision-recall"]
SEEDS = (0, 1, 2)
PSI = (0.3, 0.5, 0.7, 0.85, 1.0)
SETUPS: dict[str, tuple[str, dict[str, object]]] = {  # a column's runs: the first part is its system's name
    "stylegan": ("faces64", {}),
    "stylegan2": ("faces64", {}),
    "stylegan2, path 50": ("faces64-path50", dict(mapping=4, path=50.0)),
}
LAYERS = {"coarse": range(4), "middle": range(4, 6), "fine": range(6, 10)}  # at 64 px: 4 and 8, 16, 32 and 64 px


def given(arguments: argparse.Namespace, many: int) -> int:
    """How many pictures are measured."""
    return 64 if arguments.quick else many


def trained(name: str, system: str, steps: int, arguments: argparse.Namespace, **options: object) -> Model | None:
    """A model from its run in runs/benchmark, trained now or gone on with if it is not; None if that is not wanted."""
    run = HOME / (f"{name}-quick" if arguments.quick else name)
    steps = 20 if arguments.quick else steps
    there = (run / "model.safetensors").exists()
    model = sfumato.load(run, device="cpu") if there else None
    if model is not None and model.step >= steps:
        return model
    if arguments.only_measure:
        print(f"{run} is not trained to step {steps:,}", flush=True)
        return None
    print(f"training {run}", flush=True)
    if (run / "resume").exists() and any((run / "resume").glob("*.safetensors")):
        sfumato.resume(run, steps=steps, evaluate=False, quiet=True)
    else:
        sfumato.train(system, out=run, steps=steps, evaluate=False, quiet=True, threads=1, **options)  # type: ignore[arg-type]
    return sfumato.load(run, device="cpu")


@lru_cache
def seen_by() -> str:
    """Which reader of faces is shipped: the first letters of its checksum."""
    return factor_reader("faces").sha256[:8]


def place(arguments: argparse.Namespace) -> Path:
    """Where figures are kept."""
    return HOME / f"stylegan-faces-{seen_by()}{'-quick' if arguments.quick else ''}.json"


def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """All that were found before, by their keys."""
    return json.loads(place(arguments).read_text()) if place(arguments).exists() else {}


def kept(key: str, compute: Callable[[], Any], arguments: argparse.Namespace) -> Any:
    """A figure that was found before, else found now; its core-seconds are printed."""
    if key not in figures(arguments):
        start = time.process_time()
        value = compute()
        print(f"{key}: {time.process_time() - start:.0f} core-seconds", flush=True)
        place(arguments).write_text(json.dumps(figures(arguments) | {key: value}, indent=1) + "\n")
    return figures(arguments)[key]


def measured(model: Model, metrics: list[str], n: int, arguments: argparse.Namespace, note: str = "") -> dict[str, Any]:
    """Values by name, and the CPU seconds that they took."""

    def compute() -> dict[str, float]:
        start, out = time.process_time(), HOME / f"{name}.json"
        found = evaluate(model, metrics=metrics, data="faces", extractor="reader:faces", n=n, out=out, quiet=True)
        out.unlink()
        return {k: v for r in found for k, v in r.values.items()} | {"seconds": time.process_time() - start}

    name = f"{model.path.name if model.path else ''} step {model.step} {note}{'+'.join(metrics)} n={n}"
    return dict(kept(name, compute, arguments))


def path(arguments: argparse.Namespace) -> list[str]:
    columns, pictures = dict[str, dict[str, str]](), list[str]()
    curves = dict[str, dict[float, str]]()
    for name, (suffix, more) in SETUPS.items():
        system = name.split(",")[0]
        model = trained(f"{system}-{suffix}-0", system, 10_000, arguments, preset="small-64", seed=0, **more)
        if model is None:
            continue
        found = measured(model, ["path-length"], given(arguments, 2_000), arguments)
        lengths = {k: f"{v:.2f}" for k, v in found.items() if k != "seconds"}
        found = measured(model, ["separability"], given(arguments, 5_000), arguments)
        lengths |= {k: f"{v:.3g}" for k, v in found.items() if k != "seconds"}
        found = measured(model, ["frechet"], given(arguments, 10_000), arguments)
        lengths |= {"Fréchet distance": f"{found['frechet']:.3f}", "its core-seconds": f"{found['seconds']:.0f}"}
        columns[name] = lengths | {"pictures seen": f"{model.step * 16:,}", "parameters": f"{model.parameters:,}"}
        curves[name] = {}
        for psi in PSI:
            model.system.psi = psi  # type: ignore[assignment]
            note = f"psi={psi} "
            found = measured(model, QUALITY, given(arguments, 2_000), arguments, note)
            curves[name][psi] = f"{found['frechet']:.2f} | {found['precision']:.3f} | {found['recall']:.3f}"
        model.system.psi = 1.0  # type: ignore[assignment]
        shown([model.sample(24, seed=1)], f"{system}-{suffix}", arguments, 8)
        pictures.append(f"\n![samples of {name}]({system}-{suffix}.png)")
    if not columns:
        return []
    first = next(iter(columns.values()))
    attributes = sum(max(1, len(values)) for values in factor_reader("faces").spec.factors.values())
    rows = [f"| {k} | {' | '.join(c[k] for c in columns.values())} |" for k in first]
    cells = [f"| {psi:g} | {' | '.join(c[psi] for c in curves.values())} |" for psi in PSI]
    heads = " | ".join(f"{s}: Fréchet distance ↓ | precision ↑ | recall ↑" for s in curves)
    return [
        "## stylegan beside stylegan2 at equal data\n",
        "`small-64`, seed 0. Path length (↓) over 2,000 paths, by features of the reader in LPIPS' form; separability "
        f"(↓) of 5,000 pictures by {attributes} attributes; Fréchet distance (↓) of 10,000 pictures against 2,000 held "
        "out. The mapping network of stylegan has four layers in this preset, that of stylegan2 two. The last column "
        "has four and a weight of the path length of 50, for the paper's 2, which is meant for 150 times as many "
        "pictures.\n",
        f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows,
        "\nTruncation in W (2,000 pictures):\n",
        f"| ψ | {heads} |", "|---" * (3 * len(curves) + 1) + "|", *cells,
        *pictures, "",
    ]  # fmt: skip


def few() -> Path:
    """The first pictures of `faces` as files."""
    folder = HOME / f"faces-{FEW}"
    if len(list(folder.glob("*.png"))) < FEW:
        images = next(Batches(prepare("faces", size=32), batch=FEW).epoch(FEW)).image
        save_images(images, folder)
    return folder


def stretches(
    name: str, system: str, each: int, last: int, arguments: argparse.Namespace, **options: object
) -> Model | None:
    """A run on few pictures, a copy of which is kept every so many steps until the last; None if there is none."""
    model, last = None, 20 if arguments.quick else last
    for steps in [*range(each, last, each), last]:
        model = trained(name, system, steps, arguments, preset="small", data=few(), size=SIDE, **options)
        if model is not None and model.step == steps:
            assert model.path is not None
            copy = model.path.with_name(f"{model.path.name}-at-{steps}")
            if not copy.exists():
                shutil.copytree(model.path, copy, ignore=shutil.ignore_patterns("resume", "tensorboard", "samples"))
    return model


def runs_of_few(arguments: argparse.Namespace, systems: list[str]) -> dict[str, list[Model]]:
    """Each system's runs on few pictures, one a seed."""
    found: dict[str, list[Model]] = {}
    for seed in SEEDS[:1] if arguments.quick else SEEDS:
        for system in systems:
            name = f"{system}-faces{FEW}-{seed}"
            model = stretches(name, system, 5_000, arguments.steps, arguments, seed=seed, **SAME)
            if model is not None:
                found.setdefault(system, []).append(model)
    return found


def by_step(model: Model, arguments: argparse.Namespace) -> dict[int, dict[str, float]]:
    """What is found of a run at each step that a copy of it was kept at, and at its last."""
    assert model.path is not None
    copies = [sfumato.load(path, device="cpu") for path in HOME.glob(f"{model.path.name}-at-*")]
    states = {m.step: m for m in [*copies, model]}
    return {step: measured(m, QUALITY, given(arguments, 2_000), arguments) for step, m in states.items()}


def table(found: dict[str, list[Model]], arguments: argparse.Namespace) -> list[str]:
    """Fréchet distance of runs, one a seed, by step; precision and recall at the last step of each."""
    curves = [(name, k, by_step(m, arguments)) for name, models in found.items() for k, m in enumerate(models)]
    at = sorted({step for _, _, curve in curves for step in curve})
    lines = [f"| | seed | {' | '.join(f'{step:,}' for step in at)} | precision ↑ | recall ↑ |"]
    lines.append("|---" * (len(at) + 4) + "|")
    for name, seed, curve in curves:
        cells = " | ".join(f"{curve[step]['frechet']:.2f}" if step in curve else "" for step in at)
        last = curve[max(curve)]
        lines.append(f"| {name} | {seed} | {cells} | {last['precision']:.3f} | {last['recall']:.3f} |")
    return lines


def better(found: dict[str, list[Model]], arguments: argparse.Namespace) -> list[str]:
    """In how many seeds the augmentations pay, each at the last step that both of its runs were measured at."""
    pairs = list(zip(found.get("stylegan2-ada", []), found.get("stylegan2", []), strict=False))
    won = 0
    for models in pairs:
        ours, plain = (by_step(model, arguments) for model in models)
        at = max(ours.keys() & plain.keys(), default=None)
        won += at is not None and ours[at]["frechet"] < plain[at]["frechet"]
    if not pairs:
        return []
    words = f"stylegan2-ada is better than stylegan2 in {won} of {len(pairs)} seeds."
    return [f"At the last step that both runs of a seed were measured at, {words}", ""]


def chance(model: Model) -> list[tuple[int, float]]:
    """p by step, as the log has it."""
    assert model.path is not None
    lines = [json.loads(line) for line in (model.path / "log.jsonl").read_text().splitlines()]
    return [(x["step"], x["values"]["p"]) for x in lines if "p" in x.get("values", {})]


def ada(arguments: argparse.Namespace) -> list[str]:
    found = runs_of_few(arguments, arguments.systems)
    if not found:
        return []
    lines = [
        f"## {FEW} pictures\n",
        f"`small` with {', '.join(f'`{k}={v:g}`' for k, v in SAME.items())}, at {SIDE} px on the first {FEW} pictures "
        f"of `faces`, against {given(arguments, 2_000):,} held-out ones, by the reader of faces: Fréchet distance (↓) "
        "by step, then precision and recall at the last step of each run. Runs may be gone on with beyond the steps "
        "asked; they are measured where a copy was kept and at their last step.\n",
        *table(found, arguments), "",
        *better(found, arguments),
    ]  # fmt: skip
    moved = [chance(m) for m in found.get("stylegan2-ada", [])]
    if moved and moved[0]:
        at = [int(k * (len(moved[0]) - 1) / 10) for k in range(11)]
        lines += ["The chance p of each augmentation over the training:\n"]
        lines += [f"| step | {' | '.join(f'{moved[0][k][0]:,}' for k in at)} |", "|---" * 12 + "|"]
        for seed, p in enumerate(moved):
            lines.append(f"| seed {seed} | {' | '.join(f'{p[min(k, len(p) - 1)][1]:.2f}' for k in at)} |")
        late = [v for p in moved for _, v in p[3 * len(p) // 4 :]]
        lines.append(f"\nIn the last quarter it is between {min(late):.2f} and {max(late):.2f}.\n")
    for system, models in found.items():
        shown([models[0].sample(16, seed=1)], f"{system}-faces{FEW}", arguments, 16)
        lines.append(f"{system}, seed 0: ![samples]({system}-faces{FEW}.png)\n")
    return lines


FACTORS = ("hair_colour", "skin", "clothes", "background")  # that a change of hue would change


def seen(images: Tensor) -> dict[str, Tensor]:
    """What the reader finds: values of factors, whether it is a face, and how far clothes are from below it, degrees.

    By the reader's map of parts, which turns as pictures do up to some 30°; its keypoints do not.
    """
    reader, parts = factor_reader("faces"), []
    with torch.inference_mode():
        parts = [reader.read(x) for x in images.split(250)]
    names, n = reader.spec.parts, parts[0].parts.shape[-1]
    side = (torch.arange(n) + 0.5) / n

    def middle(part: str) -> Tensor:
        share = torch.cat([r.parts[:, names.index(part)] for r in parts])
        share = share / share.sum((1, 2), keepdim=True).clamp(min=1e-6)
        return torch.stack([(share * side).sum((1, 2)), (share * side[:, None]).sum((1, 2))], 1)

    down = middle("clothes") - middle("face")
    found = {k: torch.cat([r.factors[k] for r in parts]).argmax(1) for k in FACTORS}
    found["known"] = torch.cat([r.known for r in parts]) >= 0.5
    found["tilt"] = torch.rad2deg(torch.atan2(down[:, 0], down[:, 1]))
    return found


def apart(a: Tensor, b: Tensor, kinds: int) -> float:
    """Half the sum of differences of the shares of values: 0 if alike, 1 if nothing is shared."""
    shares = [torch.bincount(x, minlength=kinds).double() / len(x) for x in (a, b)]
    return (shares[0] - shares[1]).abs().sum().item() / 2


def leak(arguments: argparse.Namespace) -> list[str]:
    n = given(arguments, 2_000)
    pictures = prepare("faces", size=SIDE, split="test")
    held = next(Batches(pictures, batch=n).epoch(n)).image
    true = next(Batches(prepare(few(), size=SIDE), batch=FEW).epoch(FEW)).image
    augment = Augment(SIDE, "bgc")
    sets: dict[str, Tensor] = {f"the {FEW} pictures": true, "held out": held}
    for p in (0.1, 0.4):
        drawn = augment.draw(Batch(len(held), seed=0), torch.tensor(p), 3)
        sets[f"held out, augmented with p = {p}"] = augment(held, drawn).clamp(-1, 1)
    arguments.only_measure = True
    found = runs_of_few(arguments, arguments.systems)
    if not found:
        return []
    for system, models in found.items():
        for seed, model in enumerate(models):
            sets[f"{system}, seed {seed}"] = model.sample(n, seed=7)
    kinds = {k: len(factor_reader("faces").spec.factors[k]) for k in FACTORS}
    base, rows = seen(true), []
    for name, images in sets.items():
        look = seen(images)
        hues = [f"{apart(look[k], base[k], kinds[k]):.3f}" for k in FACTORS]
        tilted = (look["tilt"].abs() > 10).double().mean().item()
        known = look["known"].double().mean().item()
        rows.append(f"| {name} | {known:.1%} | {tilted:.2%} | {' | '.join(hues)} |")
    return [
        "## Do augmentations leak?\n",
        f"{n:,} pictures of each, as the reader of faces finds them: the share that it knows as faces; the share whose "
        "clothes are more than 10° from straight below the face; how far the shares of the values of factors of colour "
        f"are from those of the {FEW} pictures (0 to 1). Real pictures under augmentations are what a leak would look "
        "like.\n",
        f"| | known ↑ | tilted ↓ | {' ↓ | '.join(FACTORS)} ↓ |", "|---" * 7 + "|", *rows, "",
    ]  # fmt: skip


def mixing(arguments: argparse.Namespace) -> list[str]:
    lines, n = [], given(arguments, 1_000)
    for system in ("stylegan", "stylegan2"):
        arguments.only_measure = True
        model = trained(f"{system}-faces64-0", system, 10_000, arguments)
        if model is None:
            continue

        def compute(model: Model = model) -> dict[str, dict[str, float]]:
            return mixed(model, n)

        found = kept(f"{system} step {model.step} mixing n={n}", compute, arguments)
        names = list(next(iter(found.values())))
        lines += [f"### {system}\n", f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
        lines += [f"| {k} | {' | '.join(f'{found[part][k]:.2f}' for part in found)} |" for k in names]
        lines += [f"\n![one, another, coarse, middle and fine of the other](mixing-{system}.png)\n"]
        first, second = points(model, "w", 16, 3).chunk(2)
        rows = [first, second, *(swapped(model, first, second, part) for part in LAYERS)]
        with torch.no_grad():
            shown([model.system.synthesis(w) for w in rows], f"mixing-{system}", arguments, 8)  # type: ignore[operator]
    if not lines:
        return []
    return [
        "## Which layers decide what\n",
        f"{n:,} pictures whose coarse (4 and 8 px), middle (16) or fine layers (32 and 64) are another's: how far each "
        "factor goes over to the other's, of 1: for names the share of pictures that take the other's where both "
        "differ, less the share that do so by chance; for numbers the slope of the change on the difference.\n",
        *lines, "Pictures: one, another, then the one with the other's coarse, middle, and fine layers.\n",
    ]  # fmt: skip


def swapped(model: Model, first: Tensor, second: Tensor, part: str) -> Tensor:
    """W+ of the first with the second's layers of a part."""
    w = model.system.extend(first).clone()  # type: ignore[operator]
    w[:, list(LAYERS[part])] = second[:, None]
    return w


def mixed(model: Model, n: int) -> dict[str, dict[str, float]]:
    """How far factors go over to another picture's, by the part of the layers that is the other's."""
    reader, found = factor_reader("faces"), dict[str, dict[str, float]]()
    first, second = points(model, "w", 2 * n, 0).chunk(2)

    def read(w: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            parts = [reader.read(model.system.synthesis(x).clamp(-1, 1)).factors for x in w.split(64)]  # type: ignore[operator]
        return {k: torch.cat([p[k] for p in parts]) for k in parts[0]}

    one, other = read(first), read(second)
    for part in LAYERS:
        both, found[part] = read(swapped(model, first, second, part)), {}
        for name, values in reader.spec.factors.items():
            a, b, c = one[name], other[name], both[name]
            if values:
                a, b, c = (x.argmax(1) for x in (a, b, c))
                differ = a != b
                by_chance = ((c != a) & (c != b) & differ).double().sum() / max(1, len(values) - 2)
                share = (((c == b) & differ).double().sum() - by_chance) / differ.double().sum().clamp(min=1)
                found[part][name] = share.item()
            else:
                found[part][name] = (((c - a) * (b - a)).sum() / (b - a).square().sum()).item()
    return found


def shown(rows: list[Tensor], name: str, arguments: argparse.Namespace, columns: int) -> None:
    """Pictures as docs/results/NAME.png; quick ones elsewhere."""
    save_grid(torch.cat(rows).clamp(-1, 1), (HOME if arguments.quick else RESULTS) / f"{name}.png", columns=columns)


PARTS: dict[str, Part] = {"path": path, "ada": ada, "leak": leak, "mixing": mixing}


def main() -> None:
    parser = by_parts(__doc__, PARTS)
    parser.add_argument("--steps", type=int, default=10_000, help="of the runs on few pictures")
    parser.add_argument("--systems", nargs="+", default=["stylegan2", "stylegan2-ada"], help="trained on few pictures")
    torch.set_num_threads(1)
    record_parts("stylegan-faces", "The StyleGAN line on faces", PARTS, parser.parse_args())


if __name__ == "__main__":
    main()

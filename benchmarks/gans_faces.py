"""What bcr and progan show on `faces`: consistency where pictures are few, and growing beside a dcgan of the same cost.

    OMP_NUM_THREADS=1 python benchmarks/gans_faces.py [consistency growing] [--quick] [--only-measure]

- consistency: bcr beside the same game without its penalties on 500 pictures at 16 px, three seeds; 5 core-minutes
  a run.
- growing: progan beside a dcgan that is trained as many seconds, at 32 px, three seeds; 50 core-minutes a seed.

Trained runs are kept in runs/benchmark and gone on with. What is there is measured, and docs/results/gans-faces.md and
its pictures are written anew. --quick trains for 20 steps, measures 64 pictures, and writes nothing to docs.
"""

import argparse
import json

import torch

from pages import Part, by_parts, record_parts
from sfumato.tasks.model import Model
from stylegan_faces import FEW, QUALITY, SEEDS, SIDE, given, measured, shown, stretches, table, trained

GAMES = {  # what bcr is compared with, by the weights of its penalties
    "bcr": dict(real=10.0, fake=10.0),
    "of real pictures alone (CR-GAN)": dict(real=10.0, fake=0.0),
    "without consistency": dict(real=0.0, fake=0.0),
}
LARGE = 32  # pixels of a side, where growing is measured


def seeds(arguments: argparse.Namespace) -> tuple[int, ...]:
    """Which are trained and measured."""
    return SEEDS[:1] if arguments.quick else SEEDS


def consistency(arguments: argparse.Namespace) -> list[str]:
    found, pictures = dict[str, list[Model]](), []
    for name, weights in GAMES.items():
        run = "bcr-{real:g}-{fake:g}".format(**weights) + f"-faces{FEW}"
        each = (
            stretches(f"{run}-{seed}", "bcr", 4_000, arguments.steps, arguments, seed=seed, **weights)
            for seed in seeds(arguments)
        )
        if models := [model for model in each if model is not None]:
            found[name] = models
            shown([models[0].sample(32, seed=1)], run, arguments, 16)
            pictures.append(f"{name}, seed 0: ![samples]({run}.png)\n")
    if not found:
        return []
    return [
        f"## Consistency on {FEW} pictures\n",
        f"`small` of bcr at {SIDE} px on the first {FEW} pictures of `faces`, 32 pictures a step, against "
        f"{given(arguments, 2_000):,} held-out ones, by the reader of faces: Fréchet distance (↓) by step, then "
        "precision and recall at the last step of each run.\n",
        *table(found, arguments), "", *pictures,
    ]  # fmt: skip


def seconds(model: Model) -> float:
    """How long a run has trained, by the clock."""
    assert model.path is not None
    lines = [json.loads(line) for line in (model.path / "log.jsonl").read_text().splitlines()]
    return max(line.get("seconds", 0.0) for line in lines)


def as_long(name: str, system: str, cost: float, arguments: argparse.Namespace, **options: object) -> Model | None:
    """A model that has trained for `cost` seconds, in stretches of 250 steps: of a system with a constant rate."""
    steps = 250
    while (model := trained(name, system, steps, arguments, **options)) is not None and seconds(model) < cost:
        if arguments.quick or arguments.only_measure:
            break
        steps = model.step + 250
    return model


def growing(arguments: argparse.Namespace) -> list[str]:
    found: dict[str, list[Model]] = {"progan": [], "dcgan": []}
    options = dict(preset="small", data="faces", size=LARGE)
    for seed in seeds(arguments):
        grown = trained(f"progan-faces{LARGE}-{seed}", "progan", 8_000, arguments, seed=seed, **options)
        if grown is None:
            continue
        plain = as_long(f"dcgan-faces{LARGE}-{seed}", "dcgan", seconds(grown), arguments, seed=seed, **options)
        for name, model in (("progan", grown), ("dcgan", plain)):
            if model is not None:
                measured(model, QUALITY, given(arguments, 2_000), arguments)
                found[name].append(model)
    if not found["progan"]:
        return []
    lines = [
        "## Growing beside a dcgan of the same cost\n",
        f"`small` of both at {LARGE} px, of one seed for the same seconds on one core, against "
        f"{given(arguments, 2_000):,} held-out pictures, by the reader of faces: Fréchet distance (↓), then precision "
        "and recall.\n",
        *table(found, arguments), "",
        "| | minutes | steps | pictures seen | parameters |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for (name, models), batch in zip(found.items(), (16, 64), strict=True):
        minutes = ", ".join(f"{seconds(m) / 60:.1f}" for m in models)
        steps = ", ".join(f"{m.step:,}" for m in models)
        images = ", ".join(f"{m.step * batch:,}" for m in models)
        lines.append(f"| {name} | {minutes} | {steps} | {images} | {models[0].parameters:,} |")
    for name, models in found.items():
        shown([models[0].sample(32, seed=1)], f"{name}-faces{LARGE}", arguments, 16)
        lines.append(f"\n{name}, seed 0: ![samples]({name}-faces{LARGE}.png)")
    return [*lines, ""]


PARTS: dict[str, Part] = {"consistency": consistency, "growing": growing}


def main() -> None:
    torch.set_num_threads(1)
    parser = by_parts(__doc__, PARTS)
    parser.add_argument("--steps", type=int, default=4_000, help="of the runs on few pictures")
    record_parts("gans-faces", "Consistency and growing on faces", PARTS, parser.parse_args())


if __name__ == "__main__":
    main()

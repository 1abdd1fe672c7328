"""What each system shows with its small preset on digits, from three seeds.

    python benchmarks/systems.py                 all systems, seeds 0 1 2; about an hour on two cores
    python benchmarks/systems.py dcgan --seeds 0

Trains (finished runs are kept in runs/benchmark and not trained again), measures, and writes
docs/results/systems.md and a picture of seed 0's samples for every card, docs/systems/NAME.png.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import sfumato
from sfumato import catalog
from sfumato.data.batches import Batches
from sfumato.data.pictures import save_grid
from sfumato.data.prepare import prepare
from sfumato.evaluation import observe
from sfumato.networks.pretrained import extractor
from sfumato.tasks.factors import FACTORS
from sfumato.tasks.model import Model

RUNS = Path("runs/benchmark")
DOCS = Path(__file__).parents[1] / "docs"
N = 2048  # images measured


def trained(name: str, seed: int, suffix: str = "", **options: object) -> Model:
    """A model from its finished run, trained now if there is none."""
    run = RUNS / f"{name}{suffix}-{seed}"
    if (run / "measures.json").exists():
        return sfumato.load(run)
    if (run / "resume").exists() and any((run / "resume").glob("*.safetensors")):
        return sfumato.resume(run, quiet=True)
    for old in sorted(run.rglob("*"), reverse=True):
        old.unlink() if old.is_file() else old.rmdir()
    return sfumato.train(name, preset="small", seed=seed, out=run, metrics=("frechet", "modes"), quiet=True, **options)


def held(run: Path) -> dict[str, float]:
    """Every value of a run's measures, and the minutes that it trained."""
    values = {k: v for r in json.loads((run / "measures.json").read_text()) for k, v in r["values"].items()}
    last = [json.loads(x) for x in (run / "log.jsonl").read_text().splitlines() if "values" in x][-1]
    return values | {"minutes": last["seconds"] / 60}


def read(images: Tensor) -> Tensor:
    """The digit that the reader sees in each image: (b, 1, h, w) -> (b,)."""
    p = observe(images, extractor("reader:digits")).probabilities
    assert p is not None
    return p.argmax(1)


def class_accuracy(model: Model) -> dict[str, float]:
    """How often the reader sees the class that was asked."""
    labels = torch.arange(N) % len(model.facts.classes)
    return {"class accuracy": (read(model.sample(N, seed=1)) == labels).float().mean().item()}


def classifier(model: Model) -> dict[str, float]:
    """Accuracy of the system's own classifier on held-out digits."""
    test = prepare("digits", size=model.facts.size, channels=1, split="test")
    batch = next(Batches(test, view="labelled").epoch(len(test)))
    return {"accuracy on held-out digits": (model.classify(batch.image).argmax(1) == batch.label).float().mean().item()}


def codes(model: Model) -> dict[str, float]:
    """InfoGAN: does the categorical code name the digit, and does a continuous code move one factor?"""
    found = {}
    matching = torch.zeros(10, 10)
    for split in ("train", "test"):
        pictures = prepare("digits", size=model.facts.size, channels=1, split=split)
        batch = next(Batches(pictures, view="labelled").epoch(len(pictures)))
        category = model.encode(batch.image)[:, :10].argmax(1)
        if split == "train":
            for k, c in zip(category, batch.label, strict=True):
                matching[k, c] += 1
        found["code ↔ class"] = (matching.argmax(1)[category] == batch.label).float().mean().item()
    base = model.prior(256, seed=5)
    ends = []
    for code in (-2, -1):
        moved = base.repeat(9, 1).view(9, 256, -1)
        moved[..., code] = torch.linspace(-1.5, 1.5, 9)[:, None]
        images = model.decode(moved.flatten(0, 1))
        effects = {}
        for factor, measure in FACTORS.items():
            if factor not in ("saturation", "x", "y"):
                v = measure(images).view(9, 256)
                v = v.nan_to_num(v[v.isfinite()].mean())
                effects[factor] = abs((v[-1] - v[0]).mean() / v.std(1).mean()).item()
        ends.append(max(effects.items(), key=lambda x: x[1]))
    best = max(ends, key=lambda x: x[1])
    return found | {f"continuous code moves {best[0]}, spreads": best[1]}


SHOWS: dict[str, Callable[[Model], dict[str, float]]] = {
    "cgan": class_accuracy,
    "acgan": class_accuracy,
    "infogan": codes,
    "ssgan": classifier,
}


def show(name: str, seed: int) -> dict[str, float]:
    """Train one system from one seed and collect its figures."""
    model = trained(name, seed)
    figures = held(RUNS / f"{name}-{seed}")
    figures |= SHOWS[name](model) if name in SHOWS else {}
    if name == "ssgan":
        alone = trained(name, seed, "-labels-alone", unlabelled=False)
        figures["the same classifier on the labels alone"] = classifier(alone)["accuracy on held-out digits"]
    if seed == 0:
        save_grid(model.sample(80, seed=0), DOCS / "systems" / f"{name}.png", columns=16)
    return figures


KEYS = ("frechet", "modes", "smallest share", "minutes")


def table(all_figures: dict[str, dict[int, dict[str, float]]]) -> str:
    """The figures of every system as Markdown, a value for each seed."""
    lines = [
        "# What each system shows",
        "",
        "Small presets on the built-in digits, a value for each of the seeds 0, 1, 2 that has been run. Minutes are by",
        "the clock, beside other work on the machine. Fréchet distance and classes by `reader:digits`, "
        f"{N:,} images against the 359 held-out digits; two halves of these are at 12.3.",
        "Regenerate with `python benchmarks/systems.py`.",
        "",
        "| system | Fréchet distance ↓ | classes of 10 | smallest share | minutes | shows |",
        "|---|---|---|---|---|---|",
    ]
    for name, seeds in sorted(all_figures.items()):
        cells = [" / ".join(f"{f[k]:.3g}" for f in seeds.values()) for k in KEYS]
        more = dict.fromkeys(k for f in seeds.values() for k in f if k in EXTRA or k.startswith("continuous"))
        shows = "; ".join(f"{k} " + " / ".join(f"{f[k]:.3f}" for f in seeds.values() if k in f) for k in more)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {shows} |")
    return "\n".join(lines) + "\n"


EXTRA = ("class accuracy", "accuracy on held-out digits", "the same classifier on the labels alone", "code ↔ class")


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=None)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    path = DOCS / "results" / "systems.json"
    for seed in arguments.seeds:
        for name in arguments.names or list(catalog.names()):
            figures = show(name, seed)
            everything = json.loads(path.read_text()) if path.exists() else {}
            everything.setdefault(name, {})[str(seed)] = figures
            ordered = {k: dict(sorted(v.items())) for k, v in sorted(everything.items())}
            path.write_text(json.dumps(ordered, indent=1) + "\n")
            (DOCS / "results" / "systems.md").write_text(table(ordered))
            print(name, seed, {k: round(v, 3) for k, v in figures.items()}, flush=True)


if __name__ == "__main__":
    main()

"""Does the critic's estimate track the quality of the samples? (Arjovsky et al., 2017, figure 3.)

    python benchmarks/wasserstein.py

Trains wgan's and wgan-gp's small presets on digits and notes, at 24 moments, the critic's estimate, averaged since the
moment before, and the Fréchet distance of 1,024 samples. Writes their rank correlation to docs/results/wasserstein.md.
"""

from pathlib import Path

import torch
from scipy.stats import spearmanr

from sfumato import catalog
from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.evaluation import observe
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import extractor
from sfumato.tasks.model import Facts, Model
from sfumato.training.loop import Budget, begin, train
from sfumato.training.machine import keep_memory

MOMENTS, N = 24, 1024


def course(name: str, seed: int = 0) -> list[tuple[int, float, float]]:
    """Step, critic's estimate and Fréchet distance at MOMENTS steps of a training, closer together early on."""
    cls = catalog.find(name)
    preset = cls.presets["small"]
    recipe = {k: getattr(cls.recipe, k) for k in ("size", "batch", "steps", "schedule")} | dict(preset.recipe)
    pictures = prepare("digits", size=recipe["size"])
    test = next(Batches(prepare("digits", size=recipe["size"], split="test")).epoch(1000))
    look = extractor("reader:digits")
    real = observe(test.image, look).features
    torch.manual_seed(seed)
    system = catalog.build(name, **preset.hyper, size=recipe["size"], channels=1).to(memory_format=torch.channels_last)
    state = begin(system)
    model = Model(system, Facts("digits", recipe["size"], 1, (), "image"))
    due = {round(recipe["steps"] * (i / MOMENTS) ** 1.5) for i in range(1, MOMENTS + 1)}
    found, window = [], []
    feed = Batches(pictures, batch=recipe["batch"], seed=seed)
    for _ in train(state, feed, Budget(steps=recipe["steps"]), seed=seed, schedule=recipe["schedule"]):
        window.append(float(state.values["critic"]))
        if state.step in due:
            distance = frechet_distance(real, observe(model.sample(N), look).features)
            system.train()
            found.append((state.step, sum(window) / len(window), distance))
            window = []
    return found


def main() -> None:
    """Train both and write the table."""
    keep_memory()
    lines = [
        "# The critic's estimate and the quality of samples",
        "",
        "Regenerate with `python benchmarks/wasserstein.py`.",
    ]
    for name in ("wgan", "wgan-gp"):
        found = course(name)
        steps, critic, distance = zip(*found, strict=True)
        rank = spearmanr(critic, distance).statistic
        lines += ["", f"## {name}", "", f"Rank correlation of estimate and Fréchet distance: **{rank:.2f}**.", ""]
        lines += ["| step | critic's estimate | Fréchet distance |", "|---|---|---|"]
        lines += [f"| {s} | {c:.3f} | {d:.1f} |" for s, c, d in zip(steps, critic, distance, strict=True)]
        print(name, rank, flush=True)
    (Path(__file__).parents[1] / "docs" / "results" / "wasserstein.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

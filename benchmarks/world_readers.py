"""Train and ship the readers of the rendered worlds, and report how well they read.

    OMP_NUM_THREADS=1 python benchmarks/world_readers.py [scenes] [faces] [--report]

Writes src/sfumato/networks/pretrained/reader_scenes.safetensors, reader_faces.safetensors and
docs/results/world-readers.md. About 90 minutes a world on one core; the same file each time. With --report the shipped
readers are only measured. Half of what is shown in training is noisy, blurred, coarse, compressed, shifted or of
another brightness; a seventh is no picture of the world at all, to be known as such.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sfumato.networks.pretrained.scores import factor_scores
from sfumato.networks.pretrained.world_reader import WorldReader, open_reader, ship
from world_pictures import (
    SIDE,
    SPECS,
    Seen,
    blurred,
    coarse,
    compressed,
    for_training,
    moved,
    pictures,
    scaled,
    strangers,
)
from world_reading import page

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src/sfumato/networks/pretrained"
SEED, BATCH = 0, 48
PICTURES, STEPS = 100_000, 9_000
BALANCE = {"scenes": 1 / 4, "faces": 1 / 3}  # a part whose share of the pixels is f counts in proportion to 1 / f^this
CALIBRATION = np.arange(990_000, 994_000)  # neither trained on nor tested with
FLOOR = 0.75  # of the share read rightly, or R², of a factor that is worth shipping
PASSED = 0.997  # of the world's own pictures, by each of the two kinds of evidence


class Apprentice(nn.Module):
    """A reader and what only its training needs: bones, noise and blur as further numbers, and a direction a person."""

    def __init__(self, reader: WorldReader) -> None:
        super().__init__()
        self.reader = reader
        self.aside = nn.Linear(reader.dim, 16 + 2)
        self.people = nn.Parameter(torch.randn(1000, reader.spec.aside))


def spoilt(x: Tensor, seen: Seen, random: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor], Tensor]:
    """A batch as it is met in training: every second row spoilt in one of four ways, some rows shifted.

    Gives pictures, parts, truth, and how noisy and blurred each is (b, 2).
    """

    def u(low: float, high: float, n: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=random)

    parts, truth = seen.parts, {name: value.clone() for name, value in seen.truth.items()}
    x, quality = x.clone(), torch.zeros(len(x), 2)
    right, down = torch.randint(-3, 4, (2,), generator=random).tolist()
    shifted = (torch.arange(len(x)) // 2) % 3 == 1
    x[shifted], parts = moved(x[shifted], right, down), parts.clone()
    parts[shifted] = moved(parts[shifted], right, down)
    for name, pixels in (("horizon", down), ("sun_x", right), ("sun_y", down)):
        if name in truth:
            truth[name][shifted] += pixels / SIDE
    truth["points"][shifted] += torch.tensor([right, down]) / SIDE
    n = len(x) // 8
    x[1::4] = x[1::4] * u(0.85, 1.15, 2 * n) + u(-0.1, 0.1, 2 * n)
    sigma = u(0.3, 1.6).item()
    x[3::8], quality[3::8, 1] = blurred(x[3::8], sigma), sigma / 1.6
    x[5::8] = coarse(x[5::8], int(u(24, 57)))
    noise = u(0, 0.3, n)
    x[1::8] += noise * torch.randn(x[1::8].shape, generator=random)
    quality[1::8, 0] = noise.flatten() / 0.3
    x[7::8] = compressed(x[7::8].clamp(-1, 1), u(30, 95, n).flatten().int().tolist())
    return x.clamp(-1, 1), parts, truth, quality


def loss_of(
    model: Apprentice, seen: Seen, other: Tensor, weights: Tensor, random: torch.Generator
) -> dict[str, Tensor]:
    """What a batch is read wrongly by, term by term; `weights` are those of the parts."""
    reader, b = model.reader, len(seen)
    clean = scaled(seen.images)
    x, parts, truth, quality = spoilt(clean, seen, random)
    features, maps = reader.look(torch.cat([x, strangers(clean[1::4], other, random)]))
    logits, measured, who, known = reader.answers(features)
    aim = targets(reader, truth)
    aim = (aim - reader.mean) / reader.spread
    wrong = torch.where(aim.isnan(), 0, measured[:b] - aim.nan_to_num()).square().mean(0)
    numbers = len(reader.spec.numbers)
    # The grain of channels-last is kept by cutting where the batch is the first of four contiguous axes.
    half = [m.permute(0, 2, 3, 1)[: b // 2].permute(0, 3, 1, 2) for m in maps]
    terms = {
        "classes": sum(
            F.cross_entropy(values[:b], truth[name], ignore_index=-1, reduction="sum") / b
            for name, values in logits.items()
        ),
        "numbers": wrong[:numbers].sum(),
        "parts": 4 * F.cross_entropy(reader.label(half), parts[: b // 2].long(), weights),
        "known": F.binary_cross_entropy_with_logits(known, (torch.arange(len(known)) < b).float()),
    }
    aside = model.aside(features[:b])
    terms["quality"] = F.mse_loss(aside[:, 16:], quality)
    if reader.spec.aside:
        alike = 16 * F.normalize(who[:b], dim=1) @ F.normalize(model.people, dim=1).T
        terms["points"] = 8 * wrong[numbers:].mean()
        terms["who"] = 0.3 * F.cross_entropy(alike, truth["who"], ignore_index=-1, reduction="sum") / b
        bones = truth["bones"] - 0.5
        terms["bones"] = 40 * torch.where(bones.isnan(), 0, aside[:, :16] - bones.nan_to_num()).square().mean()
    return terms


def targets(reader: WorldReader, truth: dict[str, Tensor]) -> Tensor:
    """Numbers and points in a row, NaN where they can't be seen: (n, numbers + 2 points)."""
    return torch.cat([torch.stack([truth[name] for name in reader.spec.numbers], 1), truth["points"].flatten(1)], 1)


def train(world: str, path: Path) -> None:
    """A new reader, written to `path` every 500 steps."""
    start = time.perf_counter()
    data = for_training(world, PICTURES)
    others = pictures({"scenes": "faces", "faces": "scenes"}[world], np.arange(4000)).images
    print(f"{world}: {len(data):,} pictures in {time.perf_counter() - start:.0f} s", flush=True)
    counts = torch.bincount(data.parts[::10].flatten(), minlength=len(SPECS[world].parts)).clamp(min=1)
    weights = (counts / counts.sum()).pow(-BALANCE[world])
    torch.manual_seed(SEED)
    random = torch.Generator().manual_seed(SEED)
    reader = WorldReader(SPECS[world])
    aims = targets(reader, data.truth)
    reader.mean.copy_(aims.nanmean(0))
    reader.spread.copy_((aims - reader.mean).square().nanmean(0).sqrt())
    model = Apprentice(reader).to(memory_format=torch.channels_last)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.995), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS, pct_start=0.15)
    start, seen = time.perf_counter(), {}
    order = torch.cat([torch.randperm(PICTURES, generator=random) for _ in range(-(-BATCH * STEPS // PICTURES))])
    for step, rows in enumerate(order[: BATCH * STEPS].view(STEPS, BATCH), start=1):
        other = scaled(others[torch.randint(len(others), (2,), generator=random)])
        terms = loss_of(model, data[rows], other, weights, random)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(model)
        for name, value in terms.items():
            seen[name] = 0.98 * seen.get(name, value.item()) + 0.02 * value.item()
        if step % 100 == 0:
            pace = BATCH * step / (time.perf_counter() - start)
            print(f"{step:5} {pace:4.0f}/s", *(f"{k} {v:.3f}" for k, v in seen.items()), flush=True)
        if step % 500 == 0 or step == STEPS:
            facts = {"seed": str(SEED), "shown": str(BATCH * step), "batch": str(BATCH)}
            ship(averaged.module.reader, path, facts)
    print(f"{world}: {time.perf_counter() - start:.0f} s of training", flush=True)


@torch.no_grad()
def finish(path: Path) -> None:
    """Calibrate the reader of a file, and leave out of it the factors that are read too badly to be of use."""
    reader = open_reader(path).eval()
    held = pictures(reader.spec.world, CALIBRATION)
    data = for_training(reader.spec.world, 10_000)
    random, features = torch.Generator().manual_seed(SEED), []
    for rows in torch.arange(len(data)).split(BATCH):
        features.append(reader.look(spoilt(scaled(data.images[rows]), data[rows], random)[0])[0])
    calibrate(reader, torch.cat(features).double(), held)
    if reader.spec.identity:
        reader.person.copy_(discriminants(torch.cat(features).double(), data.truth["who"], reader.spec.identity))
    found = [reader.read(scaled(part)).factors for part in held.images.split(100)]
    scores = factor_scores({name: torch.cat([f[name] for f in found]) for name in found[0]}, held.truth)
    kept = pruned(reader, {name for name, score in scores.items() if score >= FLOOR})
    rounded = {name: round(score, 4) for name, score in scores.items()}
    left = {name: rounded.pop(name) for name in scores if name not in kept.spec.factors}
    ship(kept, path, reader.facts | {"scores": json.dumps(rounded), "left out": json.dumps(left)})


def pruned(reader: WorldReader, names: set[str]) -> WorldReader:
    """The same reader without the other factors."""
    spec = reader.spec
    kept = WorldReader(replace(spec, factors={name: v for name, v in spec.factors.items() if name in names}, aside=0))
    classes = [name in names for name, values in spec.factors.items() for _ in values]
    measured = [name in names for name in spec.numbers] + [True] * 2 * len(spec.points)
    rows = {"head": classes + measured + [False] * spec.aside + [True], "mean": measured, "spread": measured}
    state = reader.state_dict()
    for name, value in state.items():
        if (layer := name.split(".")[0]) in rows:
            state[name] = value[torch.tensor(rows[layer])]
    kept.load_state_dict(state)
    return kept.eval()


def calibrate(reader: WorldReader, features: Tensor, held: Seen) -> None:
    """Fit the Gaussian to features (n, dim) of pictures as in training, the thresholds to pictures never trained on."""
    values, axes = torch.linalg.eigh(features.T.cov())
    reader.centre.copy_(features.mean(0))
    reader.whiten.copy_((axes * values.clamp(min=1e-6 * values[-1]).rsqrt()).T)
    own = torch.cat([reader.look(scaled(part))[0] for part in held.images.split(250)])
    evidence = reader.evidence(own, reader.answers(own)[3])
    reader.gate.copy_(torch.stack([evidence.quantile(1 - PASSED, 0), evidence.std(0)], 1))


def discriminants(features: Tensor, who: Tensor, k: int) -> Tensor:
    """Directions that tell people apart whatever else changes, (k, dim), of features (n, dim); who is −1 if unknown.

    Fisher's (1936) discriminants, each weighted by the share of its variance that is between people.
    """
    x, who = features[who >= 0], who[who >= 0].unique(return_inverse=True)[1]
    count = who.bincount()
    means = torch.zeros(len(count), x.shape[1], dtype=x.dtype).index_add_(0, who, x) / count[:, None]
    within = (x - means[who]).T @ (x - means[who]) / (len(x) - len(count))
    within.diagonal().add_(1e-3 * within.diagonal())
    apart = (means - x.mean(0)) * count[:, None].sqrt()
    between = (apart.T @ apart - len(count) * within) / len(x)  # less what the noise of the means adds
    root = torch.linalg.cholesky(within).inverse()
    values, axes = torch.linalg.eigh(root @ between @ root.T)
    values = values[-k:].clamp(min=0)
    return (axes[:, -k:] * (values / (1 + values)).sqrt()).T @ root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="*", default=list(SPECS), help=" ".join(SPECS))
    parser.add_argument("--report", action="store_true", help="measure the shipped readers, train none")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for world in given.worlds if not given.report else ():
        path = SHIPPED / f"reader_{world}.safetensors"
        train(world, path)
        finish(path)
    text = page([world for world in SPECS if (SHIPPED / f"reader_{world}.safetensors").exists()])
    path = ROOT / "docs/results/world-readers.md"
    path.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

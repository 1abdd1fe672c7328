"""How well the shipped readers of the rendered worlds read: the tables of docs/results/world-readers.md."""

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sfumato.data.prepare import prepare
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import factor_reader
from sfumato.networks.pretrained.scores import confusion, factor_scores, overlaps, separation, verification
from sfumato.networks.pretrained.world_reader import WorldReader
from world_pictures import (
    SIDE,
    STRANGERS,
    Seen,
    blurred,
    coarse,
    compressed,
    moved,
    pictures,
    scaled,
    source_of,
    tiled,
)

FIRST, N = 1_000_000, 2000  # the held-out pictures
FEWER = 500  # of them, where they are spoilt


@dataclass
class Read:
    """What was read in n pictures, the parts as a confusion with the truth."""

    features: Tensor
    factors: dict[str, Tensor]
    points: Tensor
    identity: Tensor
    known: Tensor
    parts: Tensor


@torch.inference_mode()
def read(reader: WorldReader, images: Tensor, parts: Tensor | None = None) -> Read:
    """float32 (n, 3, h, w), a hundred at a time."""
    k, seen, counts = len(reader.spec.parts), [], torch.zeros(len(reader.spec.parts), len(reader.spec.parts)).long()
    for start in range(0, len(images), 100):
        found = reader.read(images[start : start + 100])
        if parts is not None:
            counts += confusion(found.parts.argmax(1), parts[start : start + 100], k)
        seen.append(found)
    factors = {name: torch.cat([s.factors[name] for s in seen]) for name in seen[0].factors}
    features, points, identity, known = (
        torch.cat([getattr(s, name) for s in seen]) for name in ("features", "points", "identity", "known")
    )
    return Read(features, factors, points, identity, known, counts)


def spoilings(x: Tensor) -> Iterator[tuple[str, Tensor, tuple[int, int]]]:
    """Pictures spoilt in known ways, and by how many pixels they are shifted right and down."""
    random = torch.Generator().manual_seed(0)
    yield "as they are", x, (0, 0)
    for s in (0.1, 0.2):
        yield f"noise {s}", (x + s * torch.randn(x.shape, generator=random)).clamp(-1, 1), (0, 0)
    yield "blur 1 px", blurred(x, 1.0), (0, 0)
    yield "JPEG, quality 50", compressed(x, [50] * len(x)), (0, 0)
    yield "half resolution", F.interpolate(x, size=(32, 32), mode="bilinear", antialias=True), (0, 0)
    yield "quarter resolution", coarse(x, 16), (0, 0)
    yield "shift 2 px", moved(x, 2, 2), (2, 2)
    yield "shift 4 px", moved(x, -4, 4), (-4, 4)


def shifted(seen: Seen, right: int, down: int) -> Seen:
    """The truth about shifted pictures."""
    truth = dict(seen.truth)
    for name, pixels in (("horizon", down), ("sun_x", right), ("sun_y", down)):
        if name in truth:
            truth[name] = truth[name] + pixels / SIDE
    truth["points"] = truth["points"] + torch.tensor([right, down]) / SIDE
    return Seen(seen.images, moved(seen.parts[:, None], right, down)[:, 0], truth, seen.held_out)


def alien(world: str, own: Tensor, n: int = 200) -> Iterator[tuple[str, Tensor]]:
    """Kinds of pictures that are none of the world; those with a * are used in training."""
    random = torch.Generator().manual_seed(1)
    x, shape = own[:n], own[:n].shape
    other = {"scenes": "faces", "faces": "scenes"}[world]
    order = partial(torch.randperm, generator=random)
    noise = torch.randn(shape, generator=random)
    yield f"{other} *", scaled(pictures(other, np.arange(FIRST, FIRST + n)).images)
    yield "Gaussian noise *", (0.5 * noise).clamp(-1, 1)
    yield "its own, noise 1.0 *", (x + noise).clamp(-1, 1)
    yield "its own, blur 6 px *", blurred(x, 6.0)
    yield "its own, 4 × 4 tiles shuffled *", torch.cat([tiled(a[None], 4, order(16)) for a in x])
    yield "two of its own, blended *", (x + x.roll(1, 0)) / 2
    yield "its own, 8 × 8 tiles shuffled", torch.cat([tiled(a[None], 8, order(64)) for a in x])
    yield "its own, 2 × 2 tiles turned round", tiled(x, 2, torch.tensor([3, 2, 1, 0]))
    yield "its own, upside down", x.flip(2)
    yield "its own, negative", -x
    yield "its own, colours turned (green, blue, red)", x[:, [1, 2, 0]]
    yield "its own, 8 × 8 pixels", F.interpolate(x, size=(8, 8), mode="area")
    for name in ("digits", "shapes"):
        data = prepare(name, size=SIDE, channels=3, split="test")
        yield name, scaled(torch.from_numpy(np.array(data.images[:n])).permute(0, 3, 1, 2))
    colours = 2 * torch.rand(n, 3, 1, 1, generator=random) - 1
    yield "one colour", colours.expand(shape)
    half = colours.expand(-1, -1, SIDE // 2, SIDE)
    yield "two colours, top and bottom", torch.cat([half, half.roll(1, 0)], 2)
    clouds = torch.randn(n, 3, 5, 5, generator=random)
    yield "coloured clouds", F.interpolate(clouds, size=(SIDE, SIDE), mode="bicubic").clamp(-1, 1)
    yield "uniform noise", 2 * torch.rand(shape, generator=random) - 1


def figure(value: float, number: bool) -> str:
    return "–" if value != value else f"{value:.3f}" if number else f"{value:.1%}"


def factor_table(reader: WorldReader, sets: dict[str, tuple[Read, Seen]]) -> list[str]:
    """A row a factor, a column a set of pictures."""
    lines = [f"| factor | values | seen in | {' | '.join(sets)} |", "|---|---|---|" + "---|" * len(sets)]
    whole = next(iter(sets.values()))[1]
    scores = {name: factor_scores(found.factors, seen.truth) for name, (found, seen) in sets.items()}
    for name, values in reader.spec.factors.items():
        truth = whole.truth[name]
        share = ((truth >= 0) if values else ~truth.isnan()).double().mean().item()
        row = " | ".join(figure(s[name], not values) for s in scores.values())
        lines.append(f"| {name} | {len(values) or 'R²'} | {share:.0%} | {row} |")
    return lines


def summary(reader: WorldReader, found: Read, truth: dict[str, Tensor]) -> tuple[float, float, float, float]:
    """Means: share of classes read rightly, R² of numbers, overlap of parts, and error of points in sides."""
    scores = factor_scores(found.factors, truth)
    mean: Callable[[bool], float] = lambda number: statistics.fmean(  # noqa: E731
        v for k, v in scores.items() if (k in reader.spec.numbers) == number and v == v
    )
    error = (found.points - truth["points"]).norm(dim=2).nanmean().item() if reader.spec.points else float("nan")
    return mean(False), mean(True), overlaps(found.parts).nanmean().item(), error


def spoilt_table(reader: WorldReader, own: Seen, known: Tensor) -> list[str]:
    """How reading suffers from pictures that are spoilt, and whether the features see it."""
    lines = [
        "| held-out pictures | classes | numbers, R² | parts, mean IoU | points, error in sides | refused | "
        "Fréchet distance to training pictures |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, x, (right, down) in spoilings(scaled(own.images)):
        there = shifted(own, right, down)
        found = read(reader, x, there.parts)
        right_share, r2, iou, error = summary(reader, found, there.truth)
        lines.append(
            f"| {name} | {right_share:.1%} | {r2:.3f} | {iou:.3f} | {figure(error, True)} | "
            f"{(found.known < 0.5).double().mean():.1%} | {frechet_distance(known, found.features):.1f} |"
        )
    return lines


def by_majority(world: str) -> float:
    """Mean overlap of what covers most of each pixel with the truth, which is what lies at its middle."""
    indices, k = np.arange(FIRST, FIRST + FEWER), len(source_of(world).legend)
    ninths = pictures(world, indices, size=3 * SIDE).parts.view(-1, SIDE, 3, SIDE, 3).transpose(2, 3).flatten(3).long()
    most = torch.cat([F.one_hot(part, k).sum(3).argmax(3) for part in ninths.split(50)])
    return overlaps(confusion(most, pictures(world, indices).parts, k)).nanmean().item()


def part_table(reader: WorldReader, counts: Tensor) -> list[str]:
    """Overlap by class of pixel, the most frequent first."""
    iou, share = overlaps(counts), counts.sum(1) / counts.sum()
    weighted = (iou.nan_to_num() * share).sum()
    order = share.argsort(descending=True).tolist()
    shown = [f"{reader.spec.parts[i]} {iou[i]:.3f} ({share[i]:.2%})" for i in order if share[i] > 0]
    absent = [reader.spec.parts[i] for i in order if share[i] == 0]
    return [
        f"Parts: mean IoU **{iou.nanmean():.3f}**, weighted by how many pixels each class has **{weighted:.3f}**, "
        f"pixels read rightly {counts.diag().sum() / counts.sum():.2%}. By class, with its share of the pixels: "
        f"{', '.join(shown)}." + (f" Never seen at 64 px: {', '.join(absent)}." if absent else ""),
        "For comparison: the truth is what lies at the middle of a pixel, and to name what covers most of each pixel "
        f"comes to a mean IoU of {by_majority(reader.spec.world):.3f}. That is no bound: what is around tells more.",
    ]


def stranger_table(world: str, reader: WorldReader, own: Read, x: Tensor) -> list[str]:
    """Which pictures of elsewhere are refused."""
    refused = (own.known < 0.5).double().mean()
    lines = [
        f"Of its own held-out pictures {refused:.2%} are refused (`known` below 0.5). Kinds with * were used in "
        "training, the others never.",
        "",
        "| pictures | refused | area under the curve |",
        "|---|---|---|",
    ]
    for name, images in alien(world, x):
        known = read(reader, images).known
        lines.append(f"| {name} | {(known < 0.5).double().mean():.1%} | {separation(own.known, known):.4f} |")
    return lines


def people(reader: WorldReader) -> list[str]:
    """Whether two pictures show the same person: of people met in training, and of people whose names never were."""
    lines = [
        "| 50 people, 2,000 held-out pictures | accuracy | equal error rate | the same among people of one skin |",
        "|---|---|---|---|",
    ]
    indices = np.arange(FIRST, FIRST + 60_000)
    who = source_of("faces").factors(indices)["identity"]
    for name, first in (("known by name in training", STRANGERS - 50), ("never named in training", STRANGERS)):
        seen = pictures("faces", indices[(who >= first) & (who < first + 50)][:N])
        vectors, names = read(reader, scaled(seen.images)).identity, seen.truth["identity"]
        whole = verification(vectors, names)
        alike = [seen.truth["skin"] == skin for skin in seen.truth["skin"].unique()]
        each = [verification(vectors[a], names[a]) for a in alike if len(names[a].unique()) > 1]
        among = [f"{statistics.fmean(e[rate] for e in each):.1%}" for rate in ("accuracy", "equal error rate")]
        lines.append(f"| {name} | {whole['accuracy']:.1%} | {whole['equal error rate']:.1%} | {', '.join(among)} |")
    return lines


def left_out(reader: WorldReader) -> str:
    """What it was to read and can't."""
    left = ", ".join(f"{name} ({score:.2f})" for name, score in json.loads(reader.facts["left out"]).items())
    return f"Left out, because read too badly: {left}." if left else "Nothing is left out."


def report(world: str) -> list[str]:
    """Everything about one reader."""
    reader = factor_reader(world)
    source, indices = source_of(world), np.arange(FIRST, FIRST + N)
    own = pictures(world, indices)
    inked = pictures(world, indices[:FEWER], lambda f, _: source.vary(f, style="ink"))
    small, large = (pictures(world, indices[:FEWER], size=size) for size in (32, 128))
    found = read(reader, scaled(own.images), own.parts)
    kept = own.held_out
    sets = {
        "as they are": (found, own),
        "held-out combinations": (read(reader, scaled(own.images[kept])), own[kept]),
        "in ink": (read(reader, scaled(inked.images), inked.parts), inked),
        "drawn at 32 px": (read(reader, scaled(small.images)), own[:FEWER]),
        "drawn at 128 px": (read(reader, scaled(large.images)), own[:FEWER]),
    }
    training = read(reader, scaled(pictures(world, np.arange(N)).images)).features
    lines = [
        f"## reader:{world}", "",
        f"{sum(p.numel() for p in reader.parameters()):,} parameters, {reader.dim} features; "
        f"{int(reader.facts['shown']):,} pictures were shown in training. Read below are {N:,} held-out pictures, "
        f"{int(kept.sum())} of which show combinations that no picture of training does; {FEWER:,} where they are in "
        f"ink, of another size, or spoilt. {left_out(reader)}", "",
        *factor_table(reader, sets), "", *part_table(reader, found.parts),
        f"In ink the mean IoU is {overlaps(sets['in ink'][0].parts).nanmean():.3f}.", "",
    ]  # fmt: skip
    if reader.spec.points:
        error = (found.points - own.truth["points"]).norm(dim=2).nanmean(0)
        each = ", ".join(f"{n} {100 * e:.2f}" for n, e in zip(reader.spec.points, error.tolist(), strict=True))
        lines += [
            f"Keypoints: mean error {100 * error.mean():.2f} % of the picture's side; {each}.",
            "",
            *people(reader),
            "",
        ]
    lines += [*spoilt_table(reader, own[slice(0, FEWER)], training), ""]
    return [*lines, *stranger_table(world, reader, found, scaled(own.images)), ""]


def page(worlds: list[str]) -> str:
    """docs/results/world-readers.md."""
    head = [
        "# The readers of the rendered worlds", "",
        "Written by `python benchmarks/world_readers.py`. Noise is in units of [-1, 1]. Classes are the share read "
        "rightly, numbers R². A factor is judged only where the picture shows it, which is the share *seen in*: a sun "
        "behind clouds has no place, a thing of 1 to 5 pixels is neither there nor absent, eyes behind dark glasses "
        "have no colour. The targets are 98 % of classes, R² 0.95 and a mean IoU of 0.95.", "",
    ]  # fmt: skip
    return "\n".join(head + [line for world in worlds for line in report(world)])

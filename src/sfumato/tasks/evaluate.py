"""Measure a model against real pictures, and say beside it what the best and the worst would measure."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from .. import catalog
from ..data.batches import Batches
from ..data.cache import default_folder
from ..data.prepare import Pictures, prepare
from ..errors import UserError, nearest
from ..evaluation import evaluate as measure
from ..evaluation import observe
from ..metrics import METRICS, Result, frechet_distance
from ..metrics.paired import PAIRED, measure_pairs
from ..networks.pretrained import Extractor, worlds
from ..networks.pretrained import extractor as find_extractor
from ..system import Upscales
from ..training.checkpoint import write_text
from .latent_measures import LATENT, measure_spaces
from .model import Model
from .runs import read_config

PAIRS = 16  # pictures that are enlarged at a time
LEAST = 32  # pixels of their side from which they are compared with what they were, if not asked for
SEED = 20_000  # of the images drawn to be measured, apart from those of the sample grids
FOLLOWED = 1000  # images that are measured each time while a system trains


def evaluate(
    model: Model,
    *,
    metrics: Sequence[str] | None = None,
    data: str | Path | None = None,
    n: int = 2048,
    seed: int = 0,
    extractor: str | None = None,
    sha256: str | None = None,
    lpips: str | None = None,
    heads: str | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
) -> list[Result]:
    """Measure n images of a model against the held-out pictures of its data, or all of them where none are held out.

    Prints a table and writes it to `out`, or measures.json in the model's run folder. For the Fréchet distance the
    table has anchors: two halves of the real pictures, their mean picture, and noise. What a system that enlarges makes
    of n of these pictures is also compared with them, "psnr" and "ssim", beside bicubic. "path-length" and
    "separability" are of the spaces of codes (`latent_measures.measure_spaces`). Raises UserError.
    """
    look = reader(model, extractor, sha256)
    known = (*METRICS, *PAIRED, *LATENT)
    names = tuple(nearest(name, known, "metric") for name in metrics or _fitting(model, look))
    results, anchors, cost = list[Result](), dict[str, float](), dict[str, float]()
    if compared := [k for k in names if k not in LATENT]:
        results, anchors, seconds = _against(model, data, compared, look, n, seed)
        cost = {r.metric: seconds for r in results}
    for name in (k for k in names if k in LATENT):
        start = time.perf_counter()
        results.append(measure_spaces(model, name, look, n=n, seed=seed, extractor=extractor, lpips=lpips, heads=heads))
        cost[name] = round(time.perf_counter() - start, 1)
    path = Path(out) if out else model.path / "measures.json" if model.path and model.path.is_dir() else None
    if path:
        held = [r.as_dict() | {"seconds": cost[r.metric]} for r in results]
        held = [r | ({"anchors": anchors} if r["metric"] == "frechet" else {}) for r in held]
        write_text(path, json.dumps(held, indent=2) + "\n")
    if not quiet:
        _print(model, results, anchors, cost)
    return results


def _against(
    model: Model, data: str | Path | None, names: Sequence[str], look: Extractor, n: int, seed: int
) -> tuple[list[Result], dict[str, float], float]:
    """What is measured against real pictures, the anchors of the Fréchet distance, and the seconds without these."""
    real, reference = reference_pictures(model, data)
    drawn, paired = [k for k in names if k in METRICS], [k for k in names if k in PAIRED]
    start = time.perf_counter()
    results = _drawn(model, real, reference, drawn, look, n, seed) if drawn else []
    results += _enlarged(model, real, paired, n, reference) if paired else []
    seconds = round(time.perf_counter() - start, 1)
    return results, _anchors(_images(real), look, seed) if "frechet" in names else {}, seconds


def _drawn(
    model: Model, real: Pictures, reference: str, names: Sequence[str], look: Extractor, n: int, seed: int
) -> list[Result]:
    """What n images that are drawn measure against real pictures."""

    def sample(first: int, count: int) -> tuple[Tensor, Tensor | None]:
        images, labels = zip(*model.draw(first, count, seed=SEED + seed), strict=True)
        return torch.cat(images), None if labels[0] is None else torch.cat(labels)

    known: dict[str, Any] = dict(cache=default_folder(), reference=reference, fingerprint=real.fingerprint)
    return measure(sample, _images(real), names, look, n=n, **known)


def _images(real: Pictures) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Real pictures, some at a time, without labels."""
    return ((b.image, None) for b in Batches(real, batch=250).epoch())


def follow(model: Model, metrics: Sequence[str], extractor: str | None = None) -> Callable[[Model], dict[str, float]]:
    """What measures 1,000 images of a model as it trains, by those of the measures that are of drawn images."""
    names = [k for k in metrics if k in METRICS]
    look, (real, reference) = reader(model, extractor), reference_pictures(model)

    def measured(now: Model) -> dict[str, float]:
        return {k: v for r in _drawn(now, real, reference, names, look, FOLLOWED, 0) for k, v in r.values.items()}

    return measured


def _fitting(model: Model, look: Extractor) -> tuple[str, ...]:
    """The system's own measures, and those of classes where the extractor knows them."""
    same = look.classes == model.facts.classes
    own = catalog.find(model.name).recipe.metrics
    known = ("modes",) * same + ("class-accuracy",) * (same and model.asks_label)
    pairs = tuple(PAIRED) if _enlarges(model) and model.facts.size >= LEAST else ()
    return tuple(dict.fromkeys(own + known + pairs))


def _enlarges(model: Model) -> bool:
    """Whether its view makes pictures smaller, and the system makes them large again."""
    return isinstance(model.system, Upscales) and model.facts.view.startswith("superres")


def _enlarged(model: Model, real: Pictures, names: Sequence[str], n: int, reference: str) -> list[Result]:
    """What n pictures become that are made smaller and enlarged again."""
    if not (isinstance(model.system, Upscales) and _enlarges(model)):
        raise UserError(f"the measure {names[0]!r} needs a system that enlarges pictures, and {model.name} does not")
    batches = Batches(real, view=model.facts.view, batch=min(PAIRS, n), device=model.device).epoch()
    pairs = ((batch.image, batch.low) for batch in islice(batches, max(1, n // PAIRS)))
    return measure_pairs(model.system.upscale, pairs, names, reference)


def reference_pictures(model: Model, data: str | Path | None = None) -> tuple[Pictures, str]:
    """The real pictures to measure against, and what they are in words."""
    f = model.facts
    options: dict[str, Any] = dict(view=f.view, size=f.size, aspect=f.aspect, channels=f.channels)
    if data is None and model.path and (model.path / "config.json").exists():
        held = read_config(model.path)["options"]
        options |= {k: held[k] for k in ("fit", "labels", "holdout")}
    source = str(data or f.source)
    shown = Path(source).name or source
    try:
        return prepare(source, split="test", **options), f"{shown}, held out"
    except UserError as e:
        if "no test split" not in str(e):
            raise
        return prepare(source, **options), f"{shown}, the pictures trained on"


def reader(model: Model, name: str | None, sha256: str | None = None) -> Extractor:
    """The extractor asked for, else the shipped reader that fits the model's pictures best."""
    f = model.facts
    fitting = f.source if f.source in worlds() else "digits" if f.channels == 1 else "shapes"
    return find_extractor(name or f"reader:{fitting}", sha256=sha256).to(model.device)


def _anchors(real: Iterator[tuple[Tensor, Tensor | None]], look: Extractor, seed: int) -> dict[str, float]:
    """Fréchet distances that tell what a number means: of two real halves, of the mean picture, of noise."""
    images = torch.cat([x.cpu() for x, _ in real][:ANCHORED])
    if len(images) < 4:  # of which halves have no covariance
        return {}
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    halves = [observe(images[i], look).features for i in order.chunk(2)]
    everything = torch.cat(halves)
    mean = images.mean(0, keepdim=True).expand(len(images), -1, -1, -1)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return {
        "two real halves": frechet_distance(*halves),
        "the mean picture": frechet_distance(everything, observe(mean, look).features),
        "noise": frechet_distance(everything, observe(noise, look).features),
    }


ANCHORED = 16  # batches of real pictures that the anchors are computed from


def _print(model: Model, results: Sequence[Result], anchors: dict[str, float], cost: dict[str, float]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(title=str(model), title_justify="left", box=None)
    for heading in ("measure", "", "value"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for r in results:
        for i, (name, value) in enumerate(r.values.items()):
            table.add_row(name, ("↓" if r.better == "lower" else "↑") if i == 0 else "", f"{value:.4g}")
        if r.metric == "frechet":
            for name, value in anchors.items():
                table.add_row(f"  of {name}", "", f"{value:.4g}")
    console.print(table)
    for r in {r.extractor: r for r in reversed(results)}.values():
        how = f"extractor {r.extractor} ({r.sha256[:12]})" if r.sha256 else r.extractor
        how += f", {r.resize}" if r.sha256 and r.resize else ""
        many = f"{r.n_fake:,} images against {r.n_real:,}: {r.reference}" if r.reference else f"{r.n_fake:,} drawn"
        console.print(f"{how}; {many}; {cost[r.metric]:.1f} s")
    for text in dict.fromkeys(w for r in results for w in r.warnings):
        console.print(f"! {text}", markup=False)

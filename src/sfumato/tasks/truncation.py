"""What truncation buys and what it costs: samples at several thresholds, measured for fidelity and for diversity.

Brock et al., 2018, section 3.1 and appendix D. https://arxiv.org/abs/1809.11096
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import torch
from torch import Tensor

from ..data.batches import Batches
from ..data.pictures import save_grid
from ..errors import UserError
from ..evaluation import observe
from ..metrics import frechet_distance, inception_score, precision_recall
from ..networks.pretrained import Extractor
from ..system import Batch
from .evaluate import SEED, reader, reference_pictures
from .model import CHUNK, Model

KNOBS = ("psi", "truncation")  # what systems call their truncation
STANDING = 16  # batches from which statistics are taken at each threshold, where a system has standing ones
SHOWN = 10  # samples of each threshold that a picture has
PAIRED = 1024  # samples of a class whose distances are taken


@dataclass(frozen=True)
class Point:
    """Samples at one threshold, as an extractor sees them beside real pictures."""

    threshold: float
    precision: float  # fidelity: the share of samples that lie among real pictures
    inception: float  # fidelity and balance of classes; NaN if the extractor names none
    recall: float  # diversity: the share of real pictures that lie among samples
    spread: float  # diversity: the mean distance of the features of two samples of one class
    frechet: float  # both in one


def truncation_curve(
    model: Model,
    thresholds: Sequence[float],
    n: int = 1024,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    extractor: str | None = None,
    out: str | Path | None = None,
) -> list[Point]:
    """Measure n samples at each truncation, against pictures held out (or else trained on) or those of `data`.

    A threshold is what the system takes: of StyleGAN's `psi`, 0 is the mean picture and 1 is none; of BigGAN's
    `truncation`, the largest number in a code, 0 being none. Thresholds share their noise, so that their pictures can
    be compared; `out` is a picture with a row for each. The model is left as it was.
    Raises UserError for a system that truncates nothing, and for fewer than 10 samples.
    """
    knob = next((k for k in KNOBS if hasattr(model.system, k)), None)
    if knob is None:
        raise UserError(f"{model.name} truncates nothing; stylegan, stylegan2, stylegan2-ada and biggan do")
    if n < 10 or not thresholds or min(thresholds) < 0:
        raise UserError(f"a curve needs thresholds of 0 or more and 10 samples at each, not {n} at {[*thresholds]}")
    look = reader(model, extractor)
    pictures, _ = reference_pictures(model, data)
    real = torch.cat([observe(batch.image, look).features for batch in Batches(pictures, batch=250).epoch()]).cpu()
    before = getattr(model.system, knob), {k: v.clone() for k, v in model.system.state_dict().items()}
    points, rows = [], []
    try:
        for threshold in thresholds:
            setattr(model.system, knob, threshold)
            _settle(model, seed)
            drawn = list(model.draw(0, n, seed=SEED + seed))
            images, labels = torch.cat([x for x, _ in drawn]), [y for _, y in drawn if y is not None]
            points.append(_point(threshold, images, torch.cat(labels) if labels else None, real, look))
            rows.append(images[:SHOWN])
    finally:
        setattr(model.system, knob, before[0])
        model.system.load_state_dict(before[1])
    if out:
        save_grid(torch.cat(rows), Path(out), columns=min(n, SHOWN))
    return points


def _settle(model: Model, seed: int) -> None:
    """Statistics of the norms for the threshold at hand, in systems that have standing ones."""
    settle = getattr(model.system, "settle", None)
    if settle:
        settle(Batch(CHUNK, device=model.device, seed=SEED + seed + k) for k in range(STANDING))


def _point(threshold: float, images: Tensor, labels: Tensor | None, real: Tensor, look: Extractor) -> Point:
    seen = observe(images, look)
    fake = seen.features.cpu()
    precision, recall = precision_recall(real, fake)
    inception = nan if seen.probabilities is None else inception_score(seen.probabilities.cpu())[0]
    labels = torch.zeros(len(fake)) if labels is None else labels.cpu()
    apart = torch.cat([torch.pdist(fake[labels == k][:PAIRED].float()) for k in labels.unique()])
    return Point(threshold, precision, inception, recall, apart.mean().item(), frechet_distance(real, fake))

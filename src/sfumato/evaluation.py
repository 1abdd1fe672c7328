"""One pass over generated pictures, one over real ones, and every measure asked for."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import metrics as catalogue
from .errors import UserError
from .metrics import Metric, Result
from .networks.pretrained import Extractor, Observed

T = TypeVar("T")
Sample = Callable[[int, int], tuple[Tensor, Tensor | None]]


def evaluate(
    sample: Sample,
    real: Iterable[tuple[Tensor, Tensor | None]],
    metrics: Sequence[str],
    extractor: Extractor,
    *,
    n: int,
    batch: int = 250,
    cache: Path | None = None,
    reference: str,
    fingerprint: str = "",
    limit: int | None = None,
) -> list[Result]:
    """Measure n generated pictures against real ones, by name of measure.

    `sample(first, count)` draws pictures first … first + count of the n, with the labels that were asked of them if
    any; `real` gives batches of pictures and labels, of which the first `limit` are used. Pictures are float32
    (b, c, h, w) in [-1, 1] and are rounded to bytes first, as a saved file would be. `reference` says what the real
    set is, beginning with the data's name. With `cache`, a folder, what the extractor saw in the real set is kept
    there under its checksum, `reference`, `limit` and the data's `fingerprint`, and read again the next time.

    Under torch.distributed every process calls this with the same arguments, draws and reads its share of each
    batch, and gets the same results. Raises LookupError for an unknown measure, UserError for one that this
    extractor or system can't serve, pictures that hold NaN, or too few of them.
    """
    measures = [catalogue.find(name)() for name in metrics]
    if n < 1:
        raise UserError(f"measures need at least one picture, not {n}")
    n_fake = n_real = 0
    for observed in _fakes(sample, extractor, n, batch):
        if n_fake == 0:
            _servable(measures, observed, extractor)
        n_fake += len(observed)
        for measure in measures if _rank() == 0 else ():
            measure.update(observed, real=False)
    if any(m.reads_real for m in measures):
        for observed in _reals(real, extractor, limit, cache, f"{reference}|{fingerprint}|{limit}"):
            n_real += len(observed)
            for measure in measures if _rank() == 0 else ():
                if measure.reads_real:
                    measure.update(observed, real=True)
    return _everywhere(lambda: [_result(m, extractor, n_fake, n_real, reference) for m in measures])


def observe(images: Tensor, extractor: Extractor) -> Observed:
    """What an extractor sees in pictures, a few at a time: (b, c, h, w) in [-1, 1] -> (b, d), (b, k) on its device.

    The features of a picture that holds NaN or infinity are NaN.
    """
    device = next(extractor.parameters()).device
    seen = []
    with torch.inference_mode():
        for part in images.split(extractor.batch):
            part = part.to(device, torch.float32, memory_format=torch.channels_last)
            finite = part.isfinite().flatten(1).all(1, keepdim=True)
            found = extractor(part.clamp(-1, 1).add_(1).mul_(127.5).round_().div_(127.5).sub_(1))
            seen.append(replace(found, features=torch.where(finite, found.features, torch.nan)))
    probabilities = [s.probabilities for s in seen if s.probabilities is not None]
    return Observed(torch.cat([s.features for s in seen]), torch.cat(probabilities) if probabilities else None)


def _fakes(sample: Sample, extractor: Extractor, n: int, batch: int) -> Iterator[Observed]:
    """What is seen in the n generated pictures, in order, on every process."""
    for first in range(0, n, batch):
        count = min(batch, n - first)
        rows = _share(count)
        images, labels = sample(first + rows.start, len(rows))
        if len(images) != len(rows):
            raise UserError(f"{len(rows)} pictures were asked for and {len(images)} drawn")
        yield _gathered(observe(images, extractor), labels, count)


def _reals(
    real: Iterable[tuple[Tensor, Tensor | None]], extractor: Extractor, limit: int | None, cache: Path | None, key: str
) -> Iterator[Observed]:
    """What is seen in the real pictures, in order: from the cache if it is there, else into it."""
    if cache is None:
        yield from _read(real, extractor, limit)
        return
    about = "|".join((key, extractor.name, extractor.sha256, extractor.resize))
    path = cache / f"features-{hashlib.sha256(about.encode()).hexdigest()[:24]}.safetensors"
    kept = _load(path) if _rank() == 0 else None
    (there,) = _everywhere(lambda: [kept is not None])
    if not there:
        parts = list(_read(real, extractor, limit))
        kept = {"features": torch.cat([p.features for p in parts]).cpu()} if parts else {}
        if parts and parts[0].probabilities is not None:
            kept["probabilities"] = torch.cat([p.probabilities for p in parts if p.probabilities is not None]).cpu()
        if kept and _rank() == 0:
            _save(kept, path, about)
    if kept:
        yield Observed(kept["features"], kept.get("probabilities"))


def _read(real: Iterable[tuple[Tensor, Tensor | None]], extractor: Extractor, limit: int | None) -> Iterator[Observed]:
    left = limit
    for images, _ in real:
        images = images[:left]
        if len(images) == 0:
            return
        rows = _share(len(images))
        yield _gathered(observe(images[rows.start : rows.stop], extractor), None, len(images))
        if left is not None:
            left -= len(images)


def _load(path: Path) -> dict[str, Tensor] | None:
    """Features kept earlier, or None if there are none that can be read."""
    try:
        return load_file(path) if path.is_file() else None
    except SafetensorError:
        return None


def _save(kept: dict[str, Tensor], path: Path, about: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        save_file(kept, temporary, {"about": about})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _servable(measures: Sequence[Metric], observed: Observed, extractor: Extractor) -> None:
    """Raise UserError for a measure that needs what isn't there."""
    why = {
        "probabilities": f"needs class probabilities, which {extractor.name} doesn't give; choose another extractor",
        "labels": "needs a system that is asked for classes; this one isn't conditional",
    }
    for measure in measures:
        for field in measure.needs:
            if getattr(observed, field) is None:
                raise UserError(f"the measure {measure.name!r} {why[field]}")


def _result(measure: Metric, extractor: Extractor, n_fake: int, n_real: int, reference: str) -> Result:
    try:
        values = measure.compute()
    except ValueError as error:
        raise UserError(
            f"can't compute {measure.name!r} of {n_fake} generated and {n_real} real pictures: {error}"
        ) from error
    warnings = []
    if "features" in measure.needs and min(n_fake, n_real) <= extractor.dim:
        warnings.append(
            f"{min(n_fake, n_real)} pictures for {extractor.dim} features: the value is biased; "
            "compare only values of as many pictures"
        )
    if reference.replace(",", " ").split()[:1] != [extractor.domain]:
        warnings.append(
            f"{extractor.name} reads {extractor.domain}; on other pictures compare runs only with the same extractor"
        )
    n_real = n_real if measure.reads_real else 0
    return Result(
        measure.name, values, measure.better, extractor.name, extractor.sha256, extractor.resize,
        n_fake, n_real, reference, tuple(warnings),
    )  # fmt: skip


def _together() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _rank() -> int:
    return dist.get_rank() if _together() else 0


def _share(count: int) -> range:
    """This process's rows of a batch: equal shares in order. One left with none does the last row over."""
    if not _together():
        return range(count)
    share = -(-count // dist.get_world_size())
    first = min(_rank() * share, count - 1)
    return range(first, min(first + share, count))


def _gathered(seen: Observed, labels: Tensor | None, count: int) -> Observed:
    """The whole batch's observations from every process's share, in order."""

    def whole(rows: Tensor | None) -> Tensor | None:
        if rows is None or not _together():
            return rows
        share = -(-count // dist.get_world_size())
        rows = torch.cat([rows, rows[-1:].expand(share - len(rows), *rows.shape[1:])])
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows)
        return torch.cat(parts)[:count]  # shares are equal but for the last ones, so padding is at the end

    if labels is not None:
        labels = labels.to(seen.features.device, torch.int64)
    features = whole(seen.features)
    assert features is not None
    if not features.isfinite().all():  # asked of the whole batch, so that every process stops
        raise UserError("a picture holds NaN or infinity; training has diverged, or the data is damaged")
    return Observed(features, whole(seen.probabilities), whole(labels))


def _everywhere(compute: Callable[[], list[T]]) -> list[T]:
    """Computed by the first process alone and handed to the others, an error of the user's included."""
    if not _together():
        return compute()
    box: list[list[T] | UserError | None] = [None]
    if _rank() == 0:
        try:
            box = [compute()]
        except UserError as error:
            box = [error]
    dist.broadcast_object_list(box)
    if isinstance(box[0], UserError):
        raise box[0]
    assert box[0] is not None
    return box[0]

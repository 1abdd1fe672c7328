"""The shapes of a batch: functions from rows of pictures to named tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .prepare import Pictures


@dataclass(frozen=True)
class Draw:
    """Which rows a batch is made of."""

    rows: np.ndarray  # (b,) indices of pictures
    among: Callable[[np.ndarray], np.ndarray]  # b others from an endless shuffled sequence over the given indices
    flip: np.ndarray | None = None  # (b,) bool: which to mirror
    few: np.ndarray | None = None  # indices of the few pictures whose labels "semi" may see
    device: torch.device | str = "cpu"


View = Callable[[Pictures, Draw], dict[str, Tensor]]


def images(pictures: Pictures, rows: np.ndarray, draw: Draw) -> Tensor:
    """Pictures as float32 in [-1, 1]: (b,) indices -> (b, channels, size, size)."""
    pixels = np.ascontiguousarray(pictures.images[rows].transpose(0, 3, 1, 2))
    if draw.flip is not None:
        pixels[draw.flip] = pixels[draw.flip][..., ::-1]
    if torch.device(draw.device).type != "cpu":  # a quarter of the bytes to carry over
        return _to(torch.from_numpy(pixels), draw.device).float().div_(127.5).sub_(1)
    values = np.divide(pixels, np.float32(127.5), dtype=np.float32)  # torch is slower here: it starts all its threads
    values -= 1
    return torch.from_numpy(values)


def labels(pictures: Pictures, rows: np.ndarray, draw: Draw) -> Tensor:
    """Indices of classes, int64: (b,) -> (b,)."""
    return _to(torch.from_numpy(pictures.labels[rows]), draw.device)


def _to(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Onto the device; without waiting where that is CUDA."""
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def image(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w)."""
    return {"image": images(pictures, draw.rows, draw)}


def labelled(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) and label (b,)."""
    return {"image": images(pictures, draw.rows, draw), "label": labels(pictures, draw.rows, draw)}


def semi(pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """image (b, c, h, w) without labels, and as many others, `labelled` (b, c, h, w), with their label (b,).

    The labelled ones come from the few of `labelled_rows`; the unlabelled ones from everywhere.
    """
    assert draw.few is not None
    rows = draw.among(draw.few)
    return {
        "image": images(pictures, draw.rows, draw),
        "labelled": images(pictures, rows, draw),
        "label": labels(pictures, rows, draw),
    }


VIEWS: Mapping[str, View] = {"image": image, "labelled": labelled, "semi": semi}


def usable_rows(view: str, pictures: Pictures) -> np.ndarray:
    """The pictures that a view can show: all, or those with a label.

    Raises UserError if the view needs labels and the source has none.
    """
    if view == "image":
        return np.arange(len(pictures))
    known = np.flatnonzero(pictures.labels >= 0)
    if not pictures.classes or not len(known):
        raise UserError(
            f"{pictures.source or 'the source'} has no labels, which the view {view!r} needs: put the pictures of each "
            "class in a folder of its own, or give a csv of lines like photo1.png,cat"
        )
    return known if view == "labelled" else np.arange(len(pictures))


def labelled_rows(pictures: Pictures, per_class: int, seed: int) -> np.ndarray:
    """`per_class` pictures of every class (all, where there are fewer), the same for the same seed: sorted indices."""
    order = np.argsort(np.random.PCG64(np.random.SeedSequence([seed, 2])).random_raw(len(pictures)), kind="stable")
    shuffled = pictures.labels[order]
    return np.sort(np.concatenate([order[shuffled == c][:per_class] for c in range(len(pictures.classes))]))

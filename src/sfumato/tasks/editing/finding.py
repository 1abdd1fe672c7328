"""Finding directions of a model: by what a reader tells of its samples, by labels of them, or without either."""

import csv
from pathlib import Path

import torch

from ...errors import UserError, nearest
from ...networks.stylegan.latents import StyleSpaces
from ..model import Model
from .codes import draw, lift, numbered, render, space_of
from .directions import Directions, learn
from .factorise import SAMPLES, closed_form, principal
from .told import read, told, world_reader


def find(
    model: Model,
    how: str | Path = "reader",
    *,
    space: str | None = None,
    layers: str = "all",
    n: int = SAMPLES,
    seed: int = 0,
    world: str | None = None,
) -> Directions:
    """Directions of a model: "reader", "sefa", "pca", or a .csv of labels (see `labels`).

    `layers` restricts SeFa to the weights of some. Raises UserError.
    """
    space = space_of(model, space)
    if str(how).endswith(".csv"):
        return by_labels(model, Path(how), seed=seed, space=space)
    how = nearest(str(how), ("reader", "sefa", "pca"), "way to find directions")
    if how == "reader":
        return by_reader(model, n=n, seed=seed, space=space, world=world)
    if how == "sefa":
        if space == "z" and isinstance(model.system, StyleSpaces):
            raise UserError("SeFa finds directions of w, or of some layers of w+; give another --space")
        return closed_form(model, layers=layers, n=n, seed=seed)
    return principal(model, n=n, seed=seed, space=space)


def by_reader(
    model: Model, *, n: int = SAMPLES, seed: int = 0, space: str = "w", world: str | None = None
) -> Directions:
    """Directions of all that the reader of a world tells of n samples. Raises UserError."""
    reader = world_reader(model, world)
    codes = draw(model, n, seed=seed, space=space)
    values = told(reader.spec, read(reader, render(model, codes, space)))
    numbers = set(reader.spec.numbers)
    targets = {name: value if name in numbers else value > 0.5 for name, value in values.items()}
    return learn(codes, targets, space=space, how=f"reader:{reader.domain}")


def by_labels(model: Model, path: Path, *, seed: int = 0, space: str = "w") -> Directions:
    """Directions from a .csv: a column "sample", numbers as `sfumato sample` counts from 0, and one for each label.

    A column of 0 and 1 alone is what a sample has or not, any other a number. Raises UserError.
    """
    try:
        with path.open(newline="", encoding="utf-8") as f:
            rows = list(csv.DictReader(f, strict=True))
        numbers = [int(row["sample"]) for row in rows]
        columns = {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ()) if name != "sample"}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: give a .csv with a column sample, and columns of numbers, 0 or 1 for yes or no"
        ) from error
    if not columns or min(numbers) < 0 or max(numbers) >= 1_000_000:
        raise UserError(f"{path}: give numbers of samples from 0, and a column for each label")
    codes = lift(model.system, numbered(model, numbers, seed=seed), "z", space)
    targets = {name: torch.tensor(values) for name, values in columns.items()}
    targets = {name: t.bool() if ((t == 0) | (t == 1)).all() else t for name, t in targets.items()}
    return learn(codes, targets, space=space)

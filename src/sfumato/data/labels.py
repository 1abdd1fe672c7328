"""Which class and which split each picture belongs to: from folders, or from a labels file."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from .source import plain

TRAIN_FOLDERS = ("train", "training", "trainset")
TEST_FOLDERS = ("test", "testing", "testset", "t10k")
VAL_FOLDERS = ("val", "valid", "validation", "dev")
_HEADER = ("label", "class", "category", "target", "y")


def from_folders(names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The class folder ("" for none) and the split of every picture, and notes for the log.

    What all names begin with is left out. Then the first folder is the split if there are both "train" and "test"
    (or "val"), and the next one is the class if at least two differ.
    """
    paths = _without_common([name.split("/")[:-1] for name in names])
    tops = {path[0].lower() for path in paths if path}
    trains = tops.intersection(TRAIN_FOLDERS)
    tests = tops.intersection(TEST_FOLDERS) or tops.intersection(VAL_FOLDERS)
    notes: list[str] = []
    splits = ["train"] * len(paths)
    if trains and tests:
        kept_out = tops.intersection(VAL_FOLDERS) - tests
        for i, path in enumerate(paths):
            top = path[0].lower() if path else ""
            if top in tests:
                splits[i] = "test"
            elif top in kept_out:
                splits[i] = "val"
            if top in trains | tests | kept_out:
                paths[i] = path[1:]
        if kept_out:
            notes.append(f"{splits.count('val')} pictures in {'/, '.join(sorted(kept_out))}/ belong to neither split")
    classes = [path[0] if path else "" for path in paths]
    if len(set(classes) - {""}) < 2:
        classes = [""] * len(classes)
    return classes, splits, notes


def _without_common(paths: list[list[str]]) -> list[list[str]]:
    if not paths:
        return paths
    first, last = min(paths), max(paths)  # what these two share, all share
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return [path[depth:] for path in paths]


def clip_of(name: str) -> str:
    """What all frames of a clip are held out by: `walk.mp4` of walk.mp4#00012, `walk/f.png` of walk/f0012.png."""
    film, _, frame = name.rpartition("#")
    return film if film and frame.isdigit() else re.sub(r"\d+(?=\.\w+$)", "", name)


def held_out(name: str, fraction: float) -> bool:
    """Whether a picture belongs to the test split, by a hash of its name alone, whatever lies beside it."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64


def read_labels(name: str, data: bytes) -> dict[str, str | int]:
    """Name of a picture -> label, from a labels file.

    A csv of name,label (a header is recognised) or json: {name: label}, {"labels": [[name, label], …]} or that list.
    Raises UserError if it is neither.
    """
    try:
        text = data.decode("utf-8-sig")
        rows = _json(text) if name.lower().endswith(".json") else _csv(text)
    except UnicodeDecodeError:
        raise UserError(f"labels file {name} is not UTF-8 text") from None
    except RecursionError:
        raise UserError(f"labels file {name} is nested too deeply") from None
    except (ValueError, csv.Error) as e:
        raise UserError(f"labels file {name}: {e}; expected lines of name,label or json {{name: label}}") from None
    return {picture.replace("\\", "/").removeprefix("./"): label for picture, label in rows}


def _json(text: str) -> list[tuple[str, str | int]]:
    content: Any = json.loads(text)
    if isinstance(content, dict) and "labels" in content and not isinstance(content["labels"], (str, int)):
        content = content["labels"] or []
    rows = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise ValueError("neither an object nor a list")
    for row in rows:
        if not (isinstance(row, (list, tuple)) and len(row) == 2 and isinstance(row[0], str)):
            raise ValueError(f"{str(row)[:60]} is no pair of a name and a label")
        if isinstance(row[1], bool) or not isinstance(row[1], (str, int)):
            raise ValueError(f"the label of {row[0]} is {str(row[1])[:40]}, neither a name nor a whole number")
    return [(row[0], row[1]) for row in rows]


def _csv(text: str) -> list[tuple[str, str | int]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    rows = [row for row in rows if any(row)]
    column = 1
    if rows and (found := [k for k, cell in enumerate(rows[0]) if k and cell.lower() in _HEADER]):
        column, rows = found[0], rows[1:]
    for k, row in enumerate(rows, 1):
        if len(row) <= column or not row[0]:
            raise ValueError(f"row {k} ({delimiter.join(row)[:60]}) has no name and label")
    return [(row[0], int(row[column]) if _whole(row[column]) else row[column]) for row in rows]


def _whole(text: str) -> bool:
    return len(text) < 10 and text.removeprefix("-").isdecimal() and text.isascii()


def assign(names: Sequence[str], labels: Mapping[str, str | int]) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Each picture's label by its name, the names of the classes, and notes for the log.

    A name in the file is a path from the source's root, or the name alone where only one picture has it.
    """
    full = {name: i for i, name in enumerate(names)}
    short: dict[str, int] = {}
    for i, name in enumerate(names):
        base = name.rsplit("/", 1)[-1]
        short[base] = -1 if base in short else i
    found, missing = {}, []
    for name, label in labels.items():
        i = full.get(name, short.get(name.rsplit("/", 1)[-1], -1))
        if i < 0:
            missing.append(name)
        elif label != "" and label != -1:
            found[i] = label
    kinds = set(found.values())
    if all(isinstance(v, int) for v in kinds):
        order: list[str | int] = sorted(kinds, key=int)
    else:
        order = sorted({str(v) for v in kinds})
        found = {i: str(v) for i, v in found.items()}
    number = {v: k for k, v in enumerate(order)}
    result = np.full(len(names), -1, np.int64)
    for i, label in found.items():
        result[i] = number[label]
    notes = []
    if missing:
        notes.append(f"{len(missing)} labels name no usable picture, the first: {plain(missing[0])}")
    if found and len(found) < len(names):
        notes.append(f"{len(names) - len(found)} pictures have no label")
    return result, tuple(plain(str(v)) for v in order), notes

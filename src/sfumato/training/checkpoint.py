"""Checkpoints that survive: written whole or not at all, checked when read, and never able to run code."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError

KEPT = 2  # generations of a run's state, so that a damaged newest one costs one interval and not the run


class DamagedError(UserError):
    """A checkpoint that is not what was written."""


def write(path: Path, tree: Any) -> None:
    """Write nested dicts and lists of tensors, numbers and text to a safetensors file, atomically.

    A reader sees the old file or the new one, never a part of it. Raises UserError if it cannot be written; what
    stood there before is untouched.
    """
    tensors: dict[str, Tensor] = {}
    layout = json.dumps(_pack(tree, "", tensors))
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors makes files that only their owner may read
        save_file(tensors, temporary, {"layout": layout, "digest": _digest(layout, tensors)})
        temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except (OSError, SafetensorError) as e:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"could not save {path}: {e}; what was saved before is intact") from None


def read(path: Path) -> Any:
    """What `write` wrote. Raises DamagedError (a UserError) if any byte differs or it is another kind of file."""
    try:
        with path.open("rb") as f:
            magic = f.read(16)
        with safe_open(path, "pt") as f:
            meta = f.metadata() or {}
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
    except OSError as e:
        raise UserError(f"could not read {path}: {e.strerror or e}") from None
    except (SafetensorError, ValueError, KeyError, RuntimeError) as e:
        if magic[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            why = "it is a pickle, which could run code; only safetensors files are read"
        else:
            why = f"not a readable safetensors file ({e})"
        raise DamagedError(f"{path}: {why}") from None
    if "layout" not in meta:
        raise DamagedError(f"{path}: a safetensors file, but not one that sfumato wrote")
    if meta.get("digest") != _digest(meta["layout"], tensors):
        raise DamagedError(f"{path}: damaged (its checksum does not match its contents)")
    return _unpack(json.loads(meta["layout"]), tensors)


def save_state(folder: Path, step: int, tree: Any) -> Path:
    """Write the state of a run after `step` iterations, and drop all but the newest `KEPT`."""
    path = folder / f"{step:09d}.safetensors"
    write(path, tree)
    for old in _states(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def load_state(folder: Path) -> tuple[Any, list[str]]:
    """The newest state that is whole, and a line on each newer one that is not.

    Raises UserError if there is none.
    """
    complaints: list[str] = []
    for path in _states(folder):
        try:
            return read(path), complaints
        except UserError as e:
            complaints.append(f"{e}; using the one before")
    detail = f" ({complaints[0].removesuffix('; using the one before')})" if complaints else ""
    raise UserError(f"nothing to resume in {folder}: no whole checkpoint was found{detail}")


def sweep(folder: Path) -> int:
    """Remove the temporaries that killed processes left behind; how many there were."""
    stale = [p for p in folder.rglob("*.tmp") if re.search(r"\.\d+\.tmp$", p.name)]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises UserError if it cannot be written."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        _flush(temporary)
        temporary.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"could not write {path}: {e.strerror or e}") from None


def _states(folder: Path) -> list[Path]:
    """A run's states, newest first."""
    return sorted(folder.glob("*.safetensors"), reverse=True)


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pack(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The tree as JSON; its tensors, moved to `tensors`, leave their names."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(tree, Mapping):  # pairs, as JSON would turn integer keys into text
        return {"dict": [[k, _pack(v, f"{name}.{k}" if name else str(k), tensors)] for k, v in tree.items()]}
    if isinstance(tree, list | tuple):
        return {type(tree).__name__: [_pack(v, f"{name}.{i}", tensors) for i, v in enumerate(tree)]}
    if tree is None or isinstance(tree, str | int | float | bool):
        return tree
    raise TypeError(f"{name} is a {type(tree).__name__}, which a checkpoint cannot hold")


def _unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {k: _unpack(v, tensors) for k, v in value}
    return (tuple if kind == "tuple" else list)(_unpack(v, tensors) for v in value)


def _digest(layout: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the layout and of every tensor's name, type, shape and bytes."""
    h = hashlib.sha256(layout.encode())
    for name in sorted(tensors):
        t = tensors[name]
        h.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        h.update(t.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return h.hexdigest()

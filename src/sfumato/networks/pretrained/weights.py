"""Weights from a path or a URL: found, checked against a checksum, and read without running anything in them."""

import hashlib
import os
import re
import tempfile
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...errors import UserError


def cache_folder() -> Path:
    """Where downloads are kept: $SFUMATO_CACHE, else the user's cache folder."""
    if folder := os.environ.get("SFUMATO_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sfumato"


def digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(source: str, sha256: str | None = None) -> tuple[Path, str]:
    """A weights file and its checksum; a URL is downloaded into the cache once.

    `sha256` may be the first 8 or more digits. Without it, digits in the file's name count
    (`inception_v3_google-0cc3c7bd.pth`, the convention of torch hub).
    Raises UserError if the file is missing, can't be downloaded, or isn't the one expected.
    """
    remote = source.startswith(("https://", "http://"))
    name = source.rstrip("/").rsplit("/", 1)[-1].split("?")[0]
    named = re.search(r"-([0-9a-f]{8,64})\.[a-z0-9]+$", name)
    expected = (sha256 or (named[1] if named else "")).lower()
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{8,64}", expected):
        raise UserError(f"{sha256!r} is no SHA-256 checksum; give 8 to 64 hexadecimal digits")
    if remote:
        key = hashlib.sha256(source.encode()).hexdigest()[:12]
        path = cache_folder() / "weights" / f"{key}-{name}"
        if not path.is_file():
            _download(source, path, expected)
    else:
        path = Path(source).expanduser()
    if not path.is_file():
        raise UserError(f"there is no weights file {source}; give the path or URL of one")
    found = digest(path)
    _check(source, found, expected)
    return path, found


def _check(source: str, found: str, expected: str) -> None:
    if not found.startswith(expected):
        raise UserError(f"{source} has SHA-256 {found[:16]}…, not {expected[:16]}…; it is damaged or another file")


def _download(url: str, path: Path, expected: str) -> None:
    """Fetch to a temporary name, check, then rename, so that the cache never holds part of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(url, timeout=60) as answer:
            while block := answer.read(1 << 20):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        _check(url, digest(Path(temporary)), expected)
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        raise UserError(f"can't download {url}: {error}; download it yourself and give its path") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file by name. Raises UserError for anything that isn't tensors alone."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about old pickles, which are refused or read all the same
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for a damaged file is anybody's guess
        raise UserError(f"{path} is damaged or holds code; only files of tensors are read") from error
    if not (isinstance(state, Mapping) and all(isinstance(v, Tensor) for v in state.values())):
        raise UserError(f"{path} holds no plain state dict; save `model.state_dict()` instead")
    return dict(state)


def fill(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load a state dict whole. Raises UserError that names tensors that are missing, extra or of another shape."""
    own = network.state_dict()
    wrong = [f"lacks {k}" for k in own.keys() - state.keys()]
    wrong += [f"has an extra {k}" for k in state.keys() - own.keys()]
    wrong += [
        f"has {k} {tuple(state[k].shape)} in place of {tuple(own[k].shape)}"
        for k in own.keys() & state.keys()
        if own[k].shape != state[k].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UserError(f"{path} doesn't fit {type(network).__name__}: it {', '.join(sorted(wrong)[:3])}{more}")
    network.load_state_dict(dict(state))

"""What some measures have learnt from pictures: read from files without running anything in them."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...networks.pretrained.weights import locate, read

LARGEST = 1 << 24  # bytes of one array


def arrays(source: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Arrays by name from a path or URL of .safetensors, .npz or .mat: name -> float64 tensor of the shape asked for.

    Names are the first of those given, separated by "|", that the file has; one-row matrices count as vectors.
    Raises UserError for a file that is missing, damaged, or lacks an array or has it in another shape.
    """
    path, _ = locate(str(source))
    reader = {".npz": _from_npz, ".mat": _from_mat}.get(path.suffix, read)
    held = reader(path)
    found = {}
    for names, shape in shapes.items():
        name = next((n for n in names.split("|") if n in held), None)
        if name is None:
            raise UserError(f"{path} has no array {names.split('|')[0]!r}; it has {', '.join(sorted(held)) or 'none'}")
        value = held[name].double()
        value = value.flatten() if len(shape) == 1 else value
        if value.shape != shape or not value.isfinite().all():
            raise UserError(f"{path}: {name!r} is {tuple(value.shape)}, not finite numbers in the shape {shape}")
        found[names.split("|")[0]] = value
    return found


def _from_npz(path: Path) -> dict[str, Tensor]:
    try:
        with ZipFile(path) as archive:
            if any(part.file_size > LARGEST for part in archive.infolist()):
                raise UserError(f"{path} holds an array of more than {LARGEST >> 20} MB, which none of ours is")
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(np.asarray(file[name], dtype=np.float64)) for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise UserError(f"{path} is damaged or holds more than arrays of numbers") from error


def _from_mat(path: Path) -> dict[str, Tensor]:
    try:
        from scipy.io import loadmat, whosmat
    except Exception as error:  # a broken installation is as good as none
        raise UserError(f"{path} is a MATLAB file, which needs SciPy: pip install scipy") from error
    try:
        names = [n for n, shape, kind in whosmat(path) if kind == "double" and 8 * np.prod(shape) <= LARGEST]
        held = loadmat(path, variable_names=names)
        return {name: torch.from_numpy(np.array(held[name], dtype=np.float64)) for name in names}
    except Exception as error:  # what SciPy raises for a damaged file is anybody's guess
        raise UserError(f"{path} is damaged or no MATLAB file") from error

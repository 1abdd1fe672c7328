"""Draw images from a model into files."""

from pathlib import Path

from ..data.pictures import save_grid, save_images
from ..errors import UserError
from .model import CHUNK, Model


def write_samples(
    model: Model, n: int = 64, *, seed: int = 0, label: str | int | None = None, out: str | Path | None = None
) -> Path:
    """Draw n images into one grid (`out` ends in .png) or a folder of single pictures; where they are.

    Without `out` the grid lies in the run folder, or here for a model file.
    """
    home = model.path if model.path and model.path.is_dir() else Path()
    path = Path(out) if out else home / f"samples-{n}-seed{seed}.png"
    if path.suffix.lower() == ".png":
        save_grid(model.sample(n, seed=seed, label=label), path)
        return path
    if path.suffix:
        raise UserError(f"--out {path}: give a name that ends in .png, or a folder")
    for i, (images, _) in enumerate(model.draw(0, n, seed=seed, label=label)):
        save_images(images, path, first=i * CHUNK)
    return path

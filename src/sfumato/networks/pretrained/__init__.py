"""Frozen networks that measures look through."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError, nearest
from .base import Extractor, Observed

if TYPE_CHECKING:
    from .world_reader import WorldReader

__all__ = ["Extractor", "Observed", "extractor", "factor_reader", "names", "worlds"]

_RENDERED = ("scenes", "faces")  # worlds whose readers read every factor


def worlds() -> list[str]:
    """The built-in worlds that have a reader."""
    return sorted(p.stem.removeprefix("reader_") for p in Path(__file__).parent.glob("reader_*.safetensors"))


def names() -> list[str]:
    """What `extractor` takes; SOURCE stands for a path or URL of weights."""
    return [f"reader:{w}" for w in worlds()] + [f"{k}:SOURCE" for k in ("squeezenet", "inception", "fid-inception")]


def extractor(name: str, *, sha256: str | None = None) -> Extractor:
    """A frozen extractor in evaluation mode, by name.

    - "reader:digits", "reader:shapes": shipped, 64 features, classes of the built-in world.
    - "reader:scenes", "reader:faces": shipped, 128 features; see `factor_reader` for all else that they read.
    - "squeezenet:SOURCE": SqueezeNet 1.1, 512 features; .h5 (Keras), .pth or .safetensors (torchvision's layout).
    - "inception:SOURCE": Inception v3 in torchvision's layout, 2048 features.
    - "fid-inception:SOURCE": the Inception of the published Fréchet distances and Inception scores.

    SOURCE is a path or URL, whose file must have the checksum `sha256` (or begin with it) if given.
    Raises LookupError for an unknown name, UserError for weights that are missing, damaged, or of another network.
    """
    kind, _, source = name.partition(":")
    if kind == "reader":
        if nearest(source, worlds(), "reader") in _RENDERED:
            return factor_reader(source)
        from .reader import load_reader

        found: Extractor = load_reader(source)
        found.name = name
    else:
        nearest(kind, ["reader", "squeezenet", "inception", "fid-inception"], "extractor")
        if not source:
            raise UserError(f"{kind} needs weights; write {kind}:SOURCE with the path or URL of them")
        if kind == "squeezenet":
            from .squeezenet import load_squeezenet

            found = load_squeezenet(source, sha256)
        else:
            from .inception import load_inception

            found = load_inception(source, sha256, published=kind == "fid-inception")
        found.name = kind
    return found.eval().requires_grad_(False)


def factor_reader(world: str) -> "WorldReader":
    """The shipped reader of a rendered world, "scenes" or "faces", in evaluation mode; its `read` tells every factor.

    Raises LookupError for another name.
    """
    from .world_reader import open_reader

    path = Path(__file__).with_name(f"reader_{nearest(world, _RENDERED, 'rendered world')}.safetensors")
    found = open_reader(path)
    found.name = f"reader:{world}"
    return found.eval().requires_grad_(False)

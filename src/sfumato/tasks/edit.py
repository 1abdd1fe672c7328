"""Edit pictures by their codes: along directions with names, and by layers of another picture.

Styles are mixed as in Karras et al., A Style-Based Generator Architecture for GANs, 2018, section 3.1 and figure 3.
https://arxiv.org/abs/1812.04948
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..data.decode import BrokenError, decode, strict_pillow
from ..data.pictures import save_grid
from ..errors import UserError
from ..networks.editing.spaces import SPACES
from ..networks.stylegan.latents import StyleSpaces
from ..system import System
from .editing.codes import flat, lift, numbered, only_layers, render
from .editing.directions import Directions, at_space, read_directions
from .editing.finding import find
from .editing.told import WORLDS, read, told, world_reader
from .invert import Inversion, invert
from .model import Model
from .progress import Advance

Source = str | Path | int | Inversion  # a picture's file, a saved inversion, the number of a sample


@dataclass(frozen=True)
class Start:
    """A picture that is edited, as a code: (1, …) of a space, the noise that belongs to it, and both pictures of it."""

    code: Tensor
    space: str
    noise: list[Tensor] | None
    image: Tensor  # (1, c, h, w) in [-1, 1]: of the code
    original: Tensor | None = None  # of the file


@dataclass(frozen=True)
class Edited:
    """A picture before and after: images (2 or 3, c, h, w) are the original if there is one, the code's, and edited."""

    images: Tensor
    code: Tensor  # (1, …) of `space`
    space: str
    figures: dict[str, tuple[float, float]]  # what a reader tells of what was asked for: before, after
    path: Path | None = None


def edit(
    model: Model,
    source: Source = 0,
    directions: Mapping[str, float] | None = None,
    *,
    given: Directions | str | Path | None = None,
    keep: Sequence[str] = (),
    mix: Source | None = None,
    layers: str | None = None,
    mask: str | Path | None = None,
    space: str | None = None,
    seed: int = 0,
    steps: int = 200,
    encoder: Model | None = None,
    world: str | None = None,
    out: str | Path | None = None,
    alone: bool = False,
    advance: Advance | None = None,
) -> Edited:
    """Move a picture along directions by strengths, standard deviations, or give it some layers of another picture.

    `source` is the file of a picture, which is inverted in `steps`, of an inversion, or the number of a sample of the
    seed. Directions are those `given`, else a reader's of the model's world ("smile"), or found without one ("sefa0",
    "pca0"); what they have of those to `keep` is taken out. `layers` ("coarse", "middle", "fine", "0-3") says what
    moves, and what `mix` gives: "coarse" if not said. Where a `mask`, a picture, is black nothing changes. Writes a
    picture of all, or with `alone` of the edited one alone. Raises UserError.
    """
    strengths = dict(directions or {})
    if not strengths and mix is None:
        raise UserError("nothing to edit: give a direction with a strength (smile=+2), or a picture to mix with")
    styled = isinstance(model.system, StyleSpaces)
    if (mix is not None or layers) and not styled:
        raise UserError(f"{model.name} has no layers of styles, so that none can be chosen or mixed")
    start = begin(model, source, seed=seed, space=space, steps=steps, encoder=encoder, advance=advance)
    space = space or ("w+" if styled else "z")
    if (mix is not None or layers) and SPACES.index(space) < 2:
        space = "w+"
    code = lift(model.system, start.code, start.space, space)
    if mix is not None:
        other = begin(model, mix, seed=seed, space=space, steps=steps, encoder=encoder, advance=advance)
        code = mixed(model.system, code, lift(model.system, other.code, other.space, space), space, layers or "coarse")
    if strengths:
        change = change_of(model, strengths, space, given=given, keep=keep, world=world)
        moves_some = layers is not None and mix is None
        code = code + (only_layers(model.system, change, space, layers or "all") if moves_some else change)
    image = render(model, code, space, start.noise)
    if mask is not None:
        share = (read_picture(model, Path(mask)).mean(1, keepdim=True) + 1) / 2
        image = torch.lerp(start.image if start.original is None else start.original, image, share)
    shown = [i for i in (start.original, start.image, image) if i is not None]
    path = Path(out) if out else _beside(model, f"edit-{_word(source)}.png")
    if path:
        save_grid(image if alone else torch.cat(shown), path, columns=3)
    figures = _figures(model, torch.cat([start.image, image]), strengths, world)
    return Edited(torch.cat(shown), code, space, figures, path)


def begin(
    model: Model,
    source: Source,
    *,
    seed: int = 0,
    space: str | None = None,
    steps: int = 200,
    encoder: Model | None = None,
    advance: Advance | None = None,
) -> Start:
    """The code of a picture: inverted from its file into `space` or W+ or Z, read, or of a sample. Raises UserError."""
    original = None
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        code = numbered(model, [int(source)], seed=seed)
        return Start(code, "z", None, render(model, code, "z"))
    if isinstance(source, Inversion):
        found = source
    elif Path(source).suffix == ".safetensors":
        found = Inversion.load(source)
    else:
        original = read_picture(model, Path(source))
        space = space or ("w+" if isinstance(model.system, StyleSpaces) else "z")
        found = invert(model, original, space=space, steps=steps, encoder=encoder, seed=seed, advance=advance)
    noise = None if found.noise is None else [maps[:1].to(model.device) for maps in found.noise]
    code = flat(found.code)[:1].to(model.device)
    expected = lift(model.system, model.prior(1), "z", found.space)
    if code.shape != expected.shape:
        raise UserError(f"the inversion is of another generator: its code of {found.space} does not fit {model.name}")
    return Start(code, found.space, noise, render(model, code, found.space, noise), original)


def read_picture(model: Model, path: Path) -> Tensor:
    """A picture file as the model has pictures, its middle part: (1, c, h, w) in [-1, 1]. Raises UserError."""
    try:
        with strict_pillow():
            pixels = decode(path.read_bytes(), model.facts.fitting()).pixels
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from None
    except BrokenError as error:
        raise UserError(f"{path} can't be read: {error}") from None
    return (torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1).to(model.device)


def mixed(system: System, code: Tensor, other: Tensor, space: str, layers: str) -> Tensor:
    """A code with some layers of another, in w+ or s: (b, …) twice -> (b, …). Raises UserError for other layers."""
    return code + only_layers(system, other - code, space, layers)


def change_of(
    model: Model,
    strengths: Mapping[str, float],
    space: str,
    *,
    given: Directions | str | Path | None = None,
    keep: Sequence[str] = (),
    world: str | None = None,
) -> Tensor:
    """What directions of some strengths add to a code of a space: (…). Raises UserError, which suggests names."""
    if given is not None:
        held = given if isinstance(given, Directions) else read_directions(given)
        return _fitted(model, held, strengths, space, keep)
    ways = {name: found[1] if (found := re.fullmatch(r"(sefa|pca)\d+", name)) else "reader" for name in strengths}
    total = torch.zeros((), device=model.device)
    for how in dict.fromkeys(ways.values()):
        some = {name: strength for name, strength in strengths.items() if ways[name] == how}
        held = known_directions(model, how, space, world)
        total = total + _fitted(model, held, some, space, keep if how == "reader" else ())
    return total


def known_directions(model: Model, how: str, space: str, world: str | None = None) -> Directions:
    """Directions of a run, found before if it was not trained since, else found now and kept in its folder."""
    base = "w" if how == "sefa" and space != "z" else space
    path = _beside(model, f"directions-{how}-{base}.safetensors")
    weights = model.path / "model.safetensors" if model.path else None
    if path and path.exists() and weights and path.stat().st_mtime >= weights.stat().st_mtime and world is None:
        return read_directions(path)
    found = find(model, how, space=base, world=world)
    if path and world is None:
        found.save(path)
    return found


def _fitted(
    model: Model, directions: Directions, strengths: Mapping[str, float], space: str, keep: Sequence[str]
) -> Tensor:
    change = directions.change(strengths, keep).to(model.device)
    expected = lift(model.system, model.prior(1), "z", directions.space)
    if change.shape != expected.shape[1:]:
        raise UserError(f"the directions are of another generator: they do not fit {model.name}")
    return at_space(model.system, change, directions.space, space)


def _figures(model: Model, images: Tensor, names: Iterable[str], world: str | None) -> dict[str, tuple[float, float]]:
    if world is None and model.facts.source not in WORLDS:
        return {}
    reader = world_reader(model, world)
    values = told(reader.spec, read(reader, images))
    return {k: (values[k][0].item(), values[k][1].item()) for k in names if k in values}


def _beside(model: Model, name: str) -> Path | None:
    """A file in the model's run folder, if it has one."""
    return model.path / name if model.path and model.path.is_dir() else None


def _word(source: Source) -> str:
    return (
        Path(source).stem
        if isinstance(source, str | Path)
        else "code"
        if isinstance(source, Inversion)
        else str(source)
    )

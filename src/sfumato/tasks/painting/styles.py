"""Which style pictures are painted in, and by whom: from what the command line says."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ... import catalog
from ...data.decode import BrokenError
from ...errors import UserError, nearest
from ...networks import pretrained
from ...networks.pretrained.weights import digest
from ...resample import imresize
from ..enlarging.tiles import Box
from ..files.photo import as_floats, on_white, read_photo
from ..model import load
from .stylist import Show, Stylist, blended, by_adain, by_transform

SHIPPED = Path(pretrained.__file__).with_name("style_adain.safetensors")
DEEPEST = {1: "relu1_1", 2: "relu2_1", 4: "relu3_1", 8: "relu4_1", 16: "relu5_1"}  # by how much a decoder enlarges
PAINTERS = ("adain", "cin", "fast-style")
STEPS = 150  # of an optimisation


@dataclass(frozen=True)
class Style:
    """A picture to paint like, or the number of a style that a network learned, and its share."""

    name: str
    weight: float | None = None


def parse(text: str) -> Style:
    """A style and, after an equals sign, its share: painting.jpg=0.3. Raises UserError for a bad share."""
    name, sign, share = text.rpartition("=")
    if not sign or Path(text).exists():
        return Style(text)
    try:
        weight = float(share)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise UserError(f"--style {text}: the share after = is a number from 0, as in {name}=0.3")
    return Style(name, weight)


def shares(styles: Sequence[Style]) -> list[float]:
    """Weights that sum to one; a style without one counts as 1. Raises UserError if all are 0."""
    given = [1.0 if style.weight is None else style.weight for style in styles]
    if given and not sum(given):
        raise UserError("every --style has a share of 0; give one of them more")
    return [w / sum(given) for w in given]


def choose_stylist(
    styles: Sequence[Style],
    *,
    model: str | Path | None,
    features: str | None,
    decoder: str | None,
    optimise: bool,
    strength: float,
    style_size: int,
    regions: bool,
    keep_colour: bool,
    device: torch.device,
) -> Stylist:
    """By a run or model file, by published features and their decoder, by optimisation, or by what is shipped.

    With `regions` every style has one of its own, and they are not blended. Raises UserError for what doesn't go
    together, and for files that can't be read.
    """
    if model is not None and (features or optimise):
        raise UserError("--model brings its own features and is no optimisation: leave out --features and --optimise")
    found = load(model, device=str(device)) if model is not None else None
    if found is not None:
        name = nearest(found.name, PAINTERS, "system that paints in a style")
        if found.facts.channels != 3:
            raise UserError(f"{model} was trained on grey pictures, and paints no others; train it with --channels 3")
        if name != "adain":
            return _learned(name, found.system, Path(str(model)), styles, strength, device)
    if not styles:
        raise UserError("give a picture to paint like: --style painting.jpg")
    pictures = [read_style(style.name, style_size).to(device) for style in styles]
    weights = shares(styles)
    marks = [digest(Path(style.name)) for style in styles] + [f"{w:g}" for w in weights]
    if optimise or (model is None and not features and not SHIPPED.exists()):
        run = partial(_optimised, pictures, weights, strength, features or "style", keep_colour)
        return Stylist("neural-style, by optimisation", " ".join(["optimise", str(features), *marks]), whole=run,
                       regions=True, keeps=True)  # fmt: skip
    if features:
        system, source = _published(features, decoder)
    else:
        path = Path(model) if model is not None else SHIPPED
        system = found.system if found is not None else load(path, device=str(device)).system
        source = str(path / "model.safetensors" if path.is_dir() else path)
    system = system.to(device).eval()
    with torch.inference_mode():
        each = [blended(system, [picture], [1.0]) for picture in pictures]
        targets = blended(system, pictures, weights)
    if regions:
        targets = torch.cat([mean for mean, _ in each]), torch.cat([std for _, std in each])
    return Stylist(
        f"adain ({source})", " ".join([digest(Path(source)), *marks]), by_adain(system, targets, strength, device),
        regions=True,
    )  # fmt: skip


def read_style(path: str, side: int) -> Tensor:
    """A picture to paint like, its longer side `side` pixels at most: (1, 3, h, w). Raises UserError."""
    try:
        photo = on_white(read_photo(Path(path)))
    except BrokenError as e:
        raise UserError(f"--style {path} can't be read: {e}") from None
    height, width = photo.colour.shape[:2]
    image = as_floats(photo.colour, Box(0, 0, height, width)).expand(-1, 3, -1, -1)
    scale = min(1.0, side / max(height, width))
    return image if scale == 1 else imresize(image, size=(max(1, round(height * scale)), max(1, round(width * scale))))


def _learned(
    name: str, system: Any, path: Path, styles: Sequence[Style], strength: float, device: torch.device
) -> Stylist:
    """By a network that knows the styles that it learned and no others."""
    count = system.G.styles
    weights = torch.zeros(1, count, device=device)
    if name == "fast-style" and styles:
        raise UserError(f"{path} has learned one style, and takes no other: leave out --style, or give another --model")
    for style, share in zip(styles, shares(styles), strict=True):
        if not style.name.isdigit() or int(style.name) >= count:
            raise UserError(f"{path} has learned {count} styles: --style 0 … {count - 1}, as in --style 0=0.3")
        weights[0, int(style.name)] += share
    if not styles:
        weights[0, 0] = 1.0
    file = path / "model.safetensors" if path.is_dir() else path
    marks = " ".join([digest(file), *(f"{w:g}" for w in weights[0].tolist())])
    return Stylist(f"{name} ({path})", marks, by_transform(system.G.eval(), weights, strength, device))


def _published(features: str, decoder: str | None) -> tuple[Any, str]:
    """An AdaIN of an encoder and a decoder in files, which need no training, and the encoder's file."""
    kind, sign, source = features.rpartition(":") if features.startswith("vgg19:") else ("vgg19", ":", features)
    if decoder is None:
        path = Path(source)
        beside = path.with_name(re.sub(r"vgg_normalised_(conv\d_1)", r"feature_invertor_\1", path.name))
        if beside == path or not beside.exists():
            raise UserError(
                f"{source} needs the --decoder that was trained with it; or train one "
                f"(sfumato train adain --features vgg19:{source}), or --optimise without one"
            )
        decoder = str(beside)
    from ...networks.pretrained.vgg import decoder as published
    from ...networks.style.adain import times

    depth = times(published(decoder))
    return catalog.build("adain", features=f"{kind}{sign}{source}", layers=DEEPEST[depth], decoder=decoder), source


def _optimised(
    styles: Sequence[Tensor],
    weights: Sequence[float],
    strength: float,
    features: str,
    keep_colour: bool,
    image: Tensor,
    regions: Tensor | None,
    show: Show,
) -> Tensor:
    """A picture painted by neural-style: (1, 3, h, w), regions (1, r, h, w) or None -> (1, 3, h, w).

    The weight of the style is a hundred times that of the content at a strength of 1, ten times at one half.
    """
    from .paint import neural_style

    chosen: dict[str, Any] = {"weights": weights} if regions is None else {"mask": regions}
    painted = image
    for moment in neural_style(
        image, styles, steps=STEPS, features=features, beta=10 ** (2 * strength),
        colours="content" if keep_colour else "style", **chosen,
    ):  # fmt: skip
        painted = moment.image
        show(moment.share, painted)
    return painted

"""Measures of the spaces that a model's codes lie in: how even steps in them are, and how straight their attributes.

Karras et al., A Style-Based Generator Architecture for GANs, 2018, section 4. https://arxiv.org/abs/1812.04948
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from ..evaluation import observe
from ..metrics import Result
from ..metrics.path_length import lerp, path_length, path_lengths, slerp, unit_distance
from ..metrics.quality import load_lpips
from ..metrics.separability import KEPT, separability
from ..networks.pretrained import Extractor
from ..networks.pretrained.features import features
from ..networks.pretrained.weights import digest
from ..networks.pretrained.world_reader import WorldReader
from ..networks.stylegan.latents import StyleSpaces
from ..system import Decodes
from .model import CHUNK, Model

LATENT = ("path-length", "separability")
LAYERS = {  # of an extractor, between whose features pictures' distances are taken
    "reader:scenes": ("stem", "high", "middle", "low"),
    "reader:faces": ("stem", "high", "middle", "low"),
    "reader:digits": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "reader:shapes": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "squeezenet": ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
}
Pictured = Callable[[Tensor], Tensor]


def measure_spaces(
    model: Model,
    name: str,
    look: Extractor,
    *,
    n: int,
    seed: int = 0,
    extractor: str | None = None,
    lpips: str | None = None,
    heads: str | None = None,
) -> Result:
    """One of LATENT, in Z, and in W where the model has it.

    "path-length" is over n paths in each space, "full" anywhere on them and "end" at their first code, by LPIPS where
    `lpips` and `heads` are given (as `tasks.measure` takes them), else by features of the extractor in LPIPS' form.
    "separability" is of n pictures, by the attributes that `look` reads. Raises UserError where the model draws from
    no code, or `look` cannot serve.
    """
    if not isinstance(model.system, Decodes):
        raise UserError(f"the measure {name!r} is of a space of codes, and {model.name} decodes none")
    if name == "separability":
        return _separability(model, look, n, seed)
    return _path_length(model, look, n, seed, extractor, lpips, heads)


def spaces(model: Model) -> dict[str, Pictured]:
    """What makes pictures of points of each space: "z", and "w" in the StyleGAN line. Nothing is truncated."""
    system = model.system
    if isinstance(system, StyleSpaces):
        return {"z": lambda code: system.synthesis(system.mapping(code)), "w": system.synthesis}
    assert isinstance(system, Decodes)
    return {"z": system.decode}


def points(model: Model, space: str, n: int, seed: int) -> Tensor:
    """Points of a space as the model draws them: (n, z) or (n, w)."""
    codes = model.prior(n, seed=seed)
    if space == "z":
        return codes
    with model._ready(seed):
        return torch.cat([model.system.mapping(part) for part in codes.split(CHUNK)])  # type: ignore[operator]


def _between(model: Model, space: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Straight in W, on great circles in Z; what a code ends in to ask for a class stays that of the first."""
    if space == "w":
        return lerp
    z = model.system.z if isinstance(model.system, StyleSpaces) else None
    return lambda a, b, t: torch.cat([slerp(a[:, :z], b[:, :z], t), a[:, z:].double()], 1) if z else slerp(a, b, t)


def _path_length(
    model: Model, look: Extractor, n: int, seed: int, extractor: str | None, lpips: str | None, heads: str | None
) -> Result:
    distance, name, sha256 = _distance(model, look, extractor, lpips, heads)
    values = {}
    for space, picture in spaces(model).items():
        first, second = points(model, space, 2 * n, seed).chunk(2)
        t = torch.rand(n, generator=torch.Generator().manual_seed(seed)).to(model.device)
        way = _between(model, space)
        for kind, at in (("full", t), ("end", torch.zeros_like(t))):
            parts = zip(first.split(CHUNK), second.split(CHUNK), at.split(CHUNK), strict=True)
            with model._ready(seed):
                lengths = [path_lengths(picture, distance, (a, b), k, way) for a, b, k in parts]
            values[f"path-length {space} {kind}"] = path_length(torch.cat(lengths))
    return Result("path-length", values, "lower", name, sha256, "", n, 0, "", ())


def _distance(
    model: Model, look: Extractor, extractor: str | None, lpips: str | None, heads: str | None
) -> tuple[Callable[[Tensor, Tensor], Tensor], str, str]:
    """How far pictures are from each other, what that goes by, and the checksum of its weights."""
    if lpips:
        backbone, _, weights = lpips.partition(":")
        if not weights or not heads:
            raise UserError("LPIPS needs --lpips NETWORK:FILE (alex, vgg or squeeze) and --heads FILE")
        network = load_lpips(backbone, weights, heads).to(model.device)
        return network, f"LPIPS of {backbone}, heads {Path(heads).name}", digest(Path(weights).expanduser())
    if look.name not in LAYERS:
        raise UserError(f"{look.name} gives no features for path-length; take a reader or squeezenet, or --lpips")
    seen = features(extractor or look.name, LAYERS[look.name], device=model.device)
    return (
        unit_distance(seen),
        f"unit features of {look.name}, {LAYERS[look.name][0]} to {seen.wanted[-1]}",
        look.sha256,
    )


def _separability(model: Model, look: Extractor, n: int, seed: int) -> Result:
    code, read = model.prior(n, seed=seed), []
    picture = spaces(model)["z"]
    with model._ready(seed):
        for part in code.split(CHUNK):
            read.append(attributes(look, picture(part).float().clamp(-1, 1)))
    found = {k: (torch.cat([r[k][0] for r in read]), torch.cat([r[k][1] for r in read])) for k in read[0]}
    try:
        values = {f"separability {s}": separability(points(model, s, n, seed), found) for s in spaces(model)}
    except ValueError as e:
        raise UserError(f"can't compute 'separability' of {n} pictures: {e}") from e
    words, numbers = f"{look.name}, {len(found)} attributes", code.shape[1]
    few = f"{n} pictures for {numbers} numbers of a code: planes separate any labels; take {8 * numbers} or more"
    warnings = (few,) if KEPT * n < 4 * numbers else ()
    return Result("separability", values, "lower", words, look.sha256, look.resize, n, 0, "", warnings)


def attributes(look: Extractor, images: Tensor) -> Mapping[str, tuple[Tensor, Tensor]]:
    """What is read in pictures as yes or no, and how surely: (b, c, h, w) -> name: (b,) bool, (b,).

    A reader of a world tells every value of every factor ("hair: short"), and whether numbers are above their mean
    in the world ("age"); any other extractor its classes.
    """
    if not isinstance(look, WorldReader):
        seen = observe(images, look).probabilities
        if seen is None:
            raise UserError(f"the measure 'separability' needs classes, which {look.name} doesn't give")
        return _values("class", look.classes, seen)
    found, means = dict[str, tuple[Tensor, Tensor]](), dict(zip(look.spec.numbers, look.mean, strict=False))
    for name, value in look.read(images).factors.items():
        if name in means:
            found[name] = value > means[name], (value - means[name]).abs()
        else:
            found |= _values(name, look.spec.factors[name], value)
    return found


def _values(name: str, values: tuple[str, ...], probabilities: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    return {f"{name}: {v}": (p > 0.5, (p - 0.5).abs()) for v, p in zip(values, probabilities.unbind(1), strict=True)}

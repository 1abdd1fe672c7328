"""One picture at a time by optimisation: a content in some styles, a texture like an exemplar, a layer inverted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ... import catalog
from ...errors import UserError
from ...networks.style.canvas import Canvas, Scene, fit
from ...system import Batch, Schedule, System, constant
from ...training.loop import Budget, begin, train

COARSE = 128  # pixels of the smaller side, about which the coarsest level has


@dataclass(frozen=True)
class Moment:
    """A picture on its way."""

    share: float  # of the steps that are done, in (0, 1]
    losses: dict[str, float]  # by player and term
    image: Tensor  # (b, c, h, w) in [-1, 1], at full size from the first


def neural_style(
    content: Tensor,
    styles: Sequence[Tensor],
    *,
    weights: Sequence[float] | None = None,
    mask: Tensor | None = None,
    stroke: float = 1.0,
    steps: int = 150,
    levels: int | None = None,
    seed: int = 0,
    **hyper: Any,
) -> Iterator[Moment]:
    """Paint a content (b, 3, h, w) in [-1, 1] in styles (1, 3, h', w') of any size, moment by moment.

    `weights` blend the styles; or `mask` (1 | b, styles, h, w) in [0, 1] says where each is used, and where none is the
    content is kept. Styles are brought to the content's area times `stroke`², so that larger is broader. There are
    `levels` sides, by default from about 128 pixels up. Further arguments are neural-style's own, such as alpha, beta,
    colours ("style", "content", "matched"), optimizer, features (shipped by default).
    Raises UserError for pictures or masks that don't fit together.
    """
    if not styles:
        raise UserError("no style is given; give one picture or more to paint like")
    if weights is not None and (len(weights) != len(styles) or min(weights) < 0 or not sum(weights)):
        raise UserError(f"{len(weights)} weights for {len(styles)} styles; give one for each, none below 0, not all 0")
    if mask is not None and (mask.shape[1] != len(styles) or mask.shape[-2:] != content.shape[-2:]):
        raise UserError(
            f"the mask is {tuple(mask.shape)}; give one of the content's size for each of {len(styles)} styles"
        )
    if mask is not None and weights is not None:
        raise UserError("give weights to blend styles, or masks to use each somewhere, not both")
    sized = [_scaled(x.to(content), content, stroke) for x in styles]
    scene = Scene(content, sized, tuple(weights or [1.0] * len(styles)), mask)
    hyper = {"features": "style", "levels": levels_for(content) if levels is None else levels} | hyper
    system = _built("neural-style", content, content.shape[-2:], hyper)
    system.content, system.scene = content, scene
    for share, losses in _optimised(system, content, steps, seed):
        yield Moment(share, losses, system.painted())


def texture(
    exemplar: Tensor, size: tuple[int, int] | None = None, *, steps: int = 200, seed: int = 0, **hyper: Any
) -> Iterator[Moment]:
    """A texture (b, c, *size) like an exemplar (b, c, h, w) in [-1, 1], as large if no size is given, moment by moment.

    Further arguments are texture's own; the defaults are those of its preset "small".
    """
    return _pictures("texture", exemplar, size or exemplar.shape[-2:], steps, seed, hyper)


def invert_features(image: Tensor, layer: str, *, steps: int = 400, seed: int = 0, **hyper: Any) -> Iterator[Moment]:
    """Reconstructions (repeats · b, c, h, w) of images (b, c, h, w) in [-1, 1] from a layer, moment by moment.

    Further arguments are feature-inversion's own; the defaults are those of its preset "small".
    """
    return _pictures("feature-inversion", image, image.shape[-2:], steps, seed, {"layer": layer} | hyper)


def levels_for(image: Tensor) -> int:
    """How many sides to work at, so that the first is about COARSE pixels."""
    return max(1, (min(image.shape[-2:]) // COARSE).bit_length())


def _pictures(
    name: str, image: Tensor, size: Sequence[int], steps: int, seed: int, hyper: dict[str, Any]
) -> Iterator[Moment]:
    """What a system whose pictures are parameters makes of one batch."""
    cls = catalog.find(name)
    system = _built(name, image, size, dict(catalog.preset(cls, "small").hyper) | hyper)
    for share, losses in _optimised(system, image, steps, seed, cls.recipe.schedule):
        yield Moment(share, losses, system.canvas.image().clamp(-1, 1))


def _built(name: str, image: Tensor, size: Sequence[int], hyper: dict[str, Any]) -> Any:
    """A system with a canvas of any size for these images."""
    system: Any = catalog.build(name, **hyper, pictures=len(image), channels=image.shape[1])
    n, *_ = system.canvas.levels[-1].shape
    system.canvas = Canvas(n, image.shape[1], (size[0], size[1]), hyper.get("levels", 1), system.canvas.whiten)
    return system.to(image.device)


def _optimised(
    system: System, image: Tensor, steps: int, seed: int, schedule: Schedule = constant
) -> Iterator[tuple[float, dict[str, float]]]:
    """Train a system on one batch in memory: the share that is done, and the losses."""
    for state in train(begin(system), Always(image, seed), Budget(steps=steps), seed=seed, schedule=schedule):
        with torch.no_grad():
            yield state.step / steps, {k: v.item() for k, v in state.values.items()}


@dataclass(frozen=True)
class Always:
    """The same batch at every step."""

    image: Tensor
    seed: int

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """The batch."""
        return Batch(seed=self.seed, image=self.image)


def _scaled(style: Tensor, content: Tensor, stroke: float) -> Tensor:
    """A style with the area of the content times stroke²."""
    (h, w), (height, width) = style.shape[-2:], content.shape[-2:]
    scale = stroke * (height * width / (h * w)) ** 0.5
    return fit(style, (max(1, round(h * scale)), max(1, round(w * scale))))

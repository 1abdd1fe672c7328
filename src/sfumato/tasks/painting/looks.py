"""How translated pictures are to look: in styles drawn at random, in that of an example, like a class of examples."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.decode import BrokenError, decode, strict_pillow
from ...data.folder import walk
from ...data.source import is_picture, plain
from ...errors import UserError
from ..model import Model

RANDOM = "random"


@dataclass(frozen=True)
class Looks:
    """What is asked for."""

    style: Sequence[str] = ()  # pictures, or "random"; of maps, CLASS=NUMBER
    like: Sequence[str | Path] = ()  # pictures of a class, or folders of them
    n: int = 1  # styles drawn
    seed: int = 0  # of these

    def variants(self, held: Model, options: dict[str, Any]) -> list[dict[str, Any]]:
        """What a model's `translate` is given, for each result of a picture, beside `options`. Raises UserError."""
        takes = inspect.signature(held.system.translate).parameters  # type: ignore[arg-type]
        styled, few = hasattr(held.system, "style") and "style" in takes, "examples" in takes
        if self.n < 1:
            raise UserError(f"--n is {self.n}; it must be 1 or more styles")
        if self.like and not few:
            raise UserError(f"{held.name} knows no classes by examples: leave out --like")
        if self.style and not styled:
            raise UserError(f"{held.name} knows no styles: leave out --style")
        if self.n > 1 and not (styled and RANDOM in (self.style or (RANDOM,))):
            raise UserError(f"--n {self.n} counts styles drawn at random: give --style random, to a system like munit")
        if few:
            if not self.like:
                raise UserError(
                    f"{held.name} has to see the class that pictures shall become: --like A.png --like B.png"
                )
            return [{**options, "examples": torch.cat([_seen(p, held) for p in _pictures(self.like)])}]
        if styled:
            return [
                {**options, "style": code}
                for word in self.style or (RANDOM,)
                for code in self.codes(word, held, options)
            ]
        return [options]

    def codes(self, word: str, held: Model, options: dict[str, Any]) -> list[Tensor]:
        """Styles (1, z): those that are drawn, or the one of an example."""
        system: Any = held.system
        if word == RANDOM:
            generator = torch.Generator().manual_seed(self.seed)  # one after another, so that more of them begin alike
            return [torch.randn(1, system.z, generator=generator).to(held.device) for _ in range(self.n)]
        if not Path(word).exists():
            raise UserError(f"--style {word}: there is no such picture; give one, or random")
        with torch.inference_mode():
            return [system.style(_seen(Path(word), held), **options)]


def _pictures(given: Sequence[str | Path]) -> list[Path]:
    """Files, and all that are in folders. Raises UserError for what is not there."""
    found: list[Path] = []
    for path in map(Path, given):
        if not path.exists():
            raise UserError(f"--like {path}: there is no such picture or folder")
        inside = sorted(p for n, p, _ in walk(path) if is_picture(n)) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"--like {path}: there is no picture in it")
        found += inside
    return found


def _seen(path: Path, held: Model) -> Tensor:
    """An example as pictures were in training, of the same size: (1, channels, size, size). Raises UserError."""
    try:
        with strict_pillow():
            pixels = decode(path.read_bytes(), held.facts.fitting()).pixels
    except (BrokenError, OSError) as e:
        raise UserError(f"{path} can't be used: {plain(str(e))}") from None
    image = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    return image.to(held.device) / 127.5 - 1

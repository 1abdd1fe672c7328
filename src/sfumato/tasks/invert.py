"""Find the code of a picture: by optimisation, by an encoder, or by one after the other.

Xia et al., GAN Inversion: A Survey, 2021, section 3.2. https://arxiv.org/abs/2101.05278
Optimisation is the projection of StyleGAN2 (Karras et al., 2019, appendix D, https://arxiv.org/abs/1912.04958) in any
space. Its steps are counted in spreads of drawn codes, so that one rate does for Z, W, W+ and S. With an encoder it can
be held within reach of what that encoder would say: the domain-regularised optimisation of Zhu et al., 2020, eq. 3,
https://arxiv.org/abs/2004.00049.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError, nearest
from ..networks.editing.sight import sight
from ..networks.editing.spaces import Code, check_space, fresh_noise, lift, parts, picture, statistics, whole
from ..objectives.inversion import feature_distance, masked_mse, noise_correlation, psnr_of, ramp
from ..system import Batch
from ..training import checkpoint
from .editing.fitted import check_pictures, frozen
from .model import Model
from .progress import Advance

METHODS = ("hybrid", "optimise", "encoder")
CHUNK = 8  # pictures that are inverted at a time
DRAWN = 2_000  # codes that the mean and the spread of a space are taken from
NEAREST = 256  # drawn pictures among which a start is looked for, if no encoder gives one


@dataclass(frozen=True)
class Inversion:
    """Pictures as a generator has them. Errors are those of `image`, where a mask says if one was given."""

    code: Code  # (b, z), (b, w), (b, layers, w), or in S a list of (b, n)
    space: str
    noise: list[Tensor] | None  # (b, 1, side, side) each, if it was looked for too
    image: Tensor  # (b, c, h, w) in [-1, 1]
    mse: Tensor  # (b,)
    psnr: Tensor  # (b,), dB
    distance: Tensor  # (b,), of features
    seconds: float
    method: str = "hybrid"

    def render(self, model: Model) -> Tensor:
        """The pictures of the codes, drawn anew: (b, c, h, w) in [-1, 1]."""
        place = model.device
        code = whole([part.to(place) for part in parts(self.code)], self.space)
        noise = None if self.noise is None else [maps.to(place) for maps in self.noise]
        with torch.no_grad():
            return picture(model.system, code, check_space(model.system, self.space), noise).clamp(-1, 1)

    def save(self, path: str | Path) -> Path:
        """Write it to one safetensors file. Raises UserError if it can't be written."""
        checkpoint.write(Path(path), {"inversion": 1, **vars(self)})
        return Path(path)

    @staticmethod
    def load(path: str | Path) -> "Inversion":
        """What `save` wrote; nothing in the file can run code. Raises UserError for another file, or a damaged one."""
        held = checkpoint.read(Path(path))
        if not isinstance(held, dict) or held.pop("inversion", None) != 1:
            raise UserError(f"{path}: not the code of a picture, as `sfumato invert` writes it")
        return Inversion(**held)


def invert(
    model: Model,
    images: Tensor,
    *,
    method: str = "hybrid",
    space: str = "w+",
    encoder: Model | None = None,
    steps: int = 200,
    noise: bool = False,
    advance: Advance | None = None,
    seed: int = 0,
    mask: Tensor | None = None,
    start: Code | None = None,
    features: str = "style",
    weight: float = 0.5,
    domain: float = 0.0,
) -> Inversion:
    """The codes of pictures (b, c, size, size) in [-1, 1], whose order and number they keep.

    "encoder" asks the encoder alone; "optimise" starts at the mean of the space; "hybrid" starts at the encoder's
    answer, or without one at the nearest of some drawn pictures; both at `start` if that is given. With `noise`, the
    maps of noise are optimised as well. Pictures are compared where `mask` (b or 1, 1, size, size) is 1, by pixels and,
    with this weight, by `features`.
    `domain` is how much the encoder has to agree with the code (2.0 in 2004.00049). Raises UserError for a space that
    the generator has not, pictures of another size, or an encoder that is missing or of another space.
    """
    generator = model.system
    check_space(generator, space)
    nearest(method, METHODS, "method of inversion")
    check_pictures(model, images)
    if encoder is None and (method == "encoder" or domain):
        raise UserError("this needs an encoder: train one by `sfumato train inversion --generator RUN`")
    begun, found = time.perf_counter(), []
    look = sight(features, model.device)
    search = _Search(generator, space, look, encoder and encoder.system, weight, domain, steps, noise, method, start)
    told = advance or (lambda share: None)
    with frozen(seed, generator, *([encoder.system] if encoder else [])):
        for first in range(0, len(images), CHUNK):
            part = images[first : first + CHUNK].to(model.device).float()
            some = mask if mask is None or len(mask) == 1 else mask[first : first + CHUNK]
            some = None if some is None else some.to(part)
            share = len(part) / len(images)
            begin = first / len(images)

            def tell(done: float, begin: float = begin, share: float = share) -> None:
                told(begin + done * share)

            found.append(search.run(part, some, first, seed, tell))
    code = whole([torch.cat(p) for p in zip(*(parts(c) for c, *_ in found), strict=True)], space)
    maps = [torch.cat(p) for p in zip(*(n for _, n, *_ in found), strict=True)] if noise else None
    image, mse, distance = (torch.cat(p) for p in zip(*(f[2:] for f in found), strict=True))
    seconds = time.perf_counter() - begun
    return Inversion(code, space, maps, image, mse, psnr_of(mse), distance, seconds, method)


@dataclass(frozen=True)
class _Search:
    """How the codes of some pictures are looked for."""

    generator: Any
    space: str
    look: Callable[[Tensor], list[Tensor]]
    encoder: Any
    weight: float
    domain: float
    steps: int
    noise: bool
    method: str
    first: Code | None

    def run(
        self, target: Tensor, mask: Tensor | None, row: int, seed: int, advance: Advance
    ) -> tuple[Code, list[Tensor], Tensor, Tensor, Tensor]:
        """Codes, maps of noise, pictures, and their errors, of pictures (b, c, h, w)."""
        with torch.no_grad():
            drawn = self.generator.prior(Batch(DRAWN, device=target.device, seed=seed))
            means, spreads = statistics(self.generator, drawn, self.space)
            aims = self.look(target)
            rows = slice(row, row + len(target))
            given = self.first is not None and [part[rows].to(target) for part in parts(self.first)]
            start = given or self.start(target, mask, aims, drawn, means)
        noise = fresh_noise(self.generator, len(target))
        if self.method != "encoder":
            start, noise = self.optimise(target, mask, aims, start, spreads, noise, seed, advance)
        advance(1.0)
        code = whole(start, self.space)
        with torch.no_grad():
            image = picture(self.generator, code, self.space, noise if self.noise else None).clamp(-1, 1)
            errors = masked_mse(image, target, mask), feature_distance(self.look(image), aims, mask)
        return code, noise, image, *errors

    def start(
        self, target: Tensor, mask: Tensor | None, aims: list[Tensor], drawn: Tensor, means: list[Tensor]
    ) -> list[Tensor]:
        """Where a method begins, part by part."""
        n = len(target)
        if self.method == "optimise":
            return [m.expand(n, *m.shape[1:]).clone() for m in means]
        if self.encoder is not None:
            given = self.encoder.encode(target if mask is None else target * mask)
            return parts(lift(self.generator, given, getattr(self.encoder, "space", "z"), self.space))
        some = drawn[:NEAREST]
        pool = torch.cat([picture(self.generator, part, "z").clamp(-1, 1) for part in some.split(32)])
        apart = []
        for part in pool.split(32):
            seen = self.look(part)
            rows = zip(target[:, None], _each(mask, n), zip(*(a[:, None] for a in aims), strict=True), strict=True)
            apart.append(torch.stack([self.between(part, seen, t, m, a) for t, m, a in rows]))
        return parts(lift(self.generator, some[torch.cat(apart, 1).argmin(1)], "z", self.space))

    def between(
        self, image: Tensor, seen: Sequence[Tensor], target: Tensor, mask: Tensor | None, aims: Sequence[Tensor]
    ) -> Tensor:
        """What is made small, of pictures (b, c, h, w) and one target or as many, and their features: -> (b,)."""
        return masked_mse(image, target, mask) + self.weight * feature_distance(seen, aims, mask)

    def optimise(
        self, target: Tensor, mask: Tensor | None, aims: list[Tensor], start: list[Tensor], spreads: list[Tensor],
        noise: list[Tensor], seed: int, advance: Advance,
    ) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
        """Adam from the start; codes that began at the mean are under noise, less and less in three quarters."""
        moved = [torch.zeros_like(part, requires_grad=True) for part in start]
        maps = [m.requires_grad_(self.noise) for m in noise]
        rate, draws = 0.1 if self.method == "optimise" else 0.05, Batch(len(target), device=target.device, seed=seed)
        optimizer = torch.optim.Adam([*moved, *(maps if self.noise else [])], lr=rate, betas=(0.9, 0.999))
        for step in range(self.steps):
            progress = step / self.steps
            optimizer.param_groups[0]["lr"] = rate * ramp(progress + 0.5 / self.steps)
            code = [s + w * d for s, w, d in zip(start, spreads, moved, strict=True)]
            if self.method == "optimise":
                level = 0.05 * max(0.0, 1 - progress / 0.75) ** 2
                code = [
                    c + level * w * c.shape[-1] ** 0.5 * draws.randn(*c.shape[1:])
                    for c, w in zip(code, spreads, strict=True)
                ]
            image = picture(self.generator, whole(code, self.space), self.space, maps if self.noise else None)
            loss = self.between(image, self.look(image), target, mask, aims)
            if self.noise and maps:
                loss = loss + 1e5 * noise_correlation(maps)
            if self.domain:
                again = lift(self.generator, self.encoder.encode(image), self.encoder.space, self.space)
                for c, a, w in zip(code, parts(again), spreads, strict=True):
                    loss = loss + self.domain * ((a - c) / w).square().flatten(1).mean(1)
            optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimizer.step()
            if self.noise:
                _normalise(maps)
            advance((step + 1) / self.steps)
        found = [(s + w * d).detach() for s, w, d in zip(start, spreads, moved, strict=True)]
        return found, [m.detach() for m in maps]


@torch.no_grad()
def _normalise(maps: Sequence[Tensor]) -> None:
    """Noise of mean 0 and variance 1 again, picture by picture."""
    for m in maps:
        m.sub_(m.mean((2, 3), keepdim=True)).div_(m.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-6))


def _each(mask: Tensor | None, n: int) -> list[Tensor | None]:
    """The mask of each of n pictures."""
    return [None] * n if mask is None else list(mask.expand(n, -1, -1, -1)[:, None])

"""What cameras do to pictures, gathered from a folder of them: blur kernels and noise, for `realsr` to learn from."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from ...data.folder import walk
from ...data.source import is_picture
from ...data.whole import read_whole
from ...errors import UserError
from ...networks.superres.degrade import smooth_patches
from ...networks.superres.kernels import bicubic_kernel, fitted
from ...training import checkpoint
from .zeroshot import find_kernel


class Gathered(NamedTuple):
    """What was found, and where it is kept."""

    path: Path
    kernels: int  # bicubic and those of pictures
    patches: int  # of noise
    skipped: tuple[str, ...]  # pictures that could not be used, and why


def pools(
    folder: str | Path,
    out: str | Path,
    *,
    scale: int = 4,
    pictures: int | None = None,
    steps: int | None = None,
    side: int = 64,
    variance: float = 20.0,
    mean: float = 0.0,
    most: int = 1024,
    seed: int = 0,
    advance: Callable[[float], None] = lambda share: None,
) -> Gathered:
    """Kernels and noise of the pictures below a folder, into a safetensors file for `--pools` of realsr.

    KernelGAN finds a kernel for each of `pictures` of them (all if None; 0 = bicubic alone), by `steps` iterations;
    bicubic is always the first. Noise is what squares of `side` pixels hold beside their mean whose grey varies by less
    than `variance` and is lighter than `mean`, of pixels in [0, 255]; of more than `most`, some are drawn. `advance` is
    told what share is done. Ji et al., CVPRW 2020.
    Raises UserError if there is no picture, or nothing smooth in any of them.
    """
    paths = sorted(path for name, path, _ in walk(Path(folder)) if is_picture(name))
    if not paths:
        raise UserError(f"there is no picture in {folder}")
    asked = len(paths) if pictures is None else pictures
    kernels, patches, skipped = [bicubic_kernel(scale)], [], []
    for k, path in enumerate(paths):
        try:
            image = torch.from_numpy(read_whole(path)).movedim(-1, 0)[None] / 127.5 - 1
            patches.append(smooth_patches(image.expand(-1, 3, -1, -1), side, variance, mean))
            if (k + 1) * asked // len(paths) > k * asked // len(paths):  # evenly over the folder
                kernels.append(find_kernel(image, scale, seed=seed, steps=steps))
        except UserError as error:
            skipped.append(f"{path.name}: {error}")
        advance((k + 1) / len(paths))
    noise = torch.cat([x for x in patches if len(x)] or [torch.empty(0)])
    if not len(noise):
        raise UserError(f"nothing in {folder} is smooth: no square of {side} px varies by less than {variance:g}")
    drawn = torch.randperm(len(noise), generator=torch.Generator().manual_seed(seed))[:most]
    frame = max(len(k) for k in kernels)
    path = Path(out)
    checkpoint.write(
        path,
        {"kernels": torch.stack([fitted(k, frame, scale) for k in kernels]), "noise": noise[drawn.sort().values]},
    )
    return Gathered(path, len(kernels), len(drawn), tuple(skipped))

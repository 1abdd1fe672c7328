"""One picture in a style: its size, its regions, its colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...data.decode import BrokenError
from ...errors import UserError
from ...objectives.colour import luma, with_chroma
from ...resample import imresize
from ..enlarging.enlarge import enlarge
from ..enlarging.method import Method
from ..enlarging.tiles import Box
from ..files.photo import Photo, as_floats, as_numbers, on_white, read_photo, spread
from ..progress import Advance
from .stylist import Stylist

LEAST = 32  # pixels of the smaller side that can be painted


@dataclass(frozen=True)
class Painter:
    """Who paints, and what is asked for besides."""

    stylist: Stylist
    regions: Sequence[Tensor] = ()  # (1, 1, h, w) in [0, 1] of any size, one for each style: where it has a place
    size: int | None = None  # pixels of the result's longer side; the picture's own if not given
    keep_colour: bool = False
    tile: int | None = None

    def paint(self, photo: Photo, advance: Advance, show: Callable[[Photo], None] = lambda photo: None) -> Photo:
        """A picture in the style, with its depth, alpha, profile and EXIF; `show` gets those on the way, if any.

        Raises UserError if it is too small.
        """
        photo = self._sized(photo)
        height, width = photo.colour.shape[:2]
        if min(height, width) < LEAST:
            raise UserError(
                f"{width}×{height} pixels are too few to be painted; give {LEAST}×{LEAST} or more, or --size"
            )
        if photo.alpha is not None:
            photo = replace(photo, colour=spread(photo.colour, photo.alpha))
        if photo.colour.shape[2] == 1:  # whose profile would not fit
            photo = replace(photo, colour=np.repeat(photo.colour, 3, 2), profile=None)
        planes = [imresize(region, size=(height, width)).clamp(0, 1) for region in self.regions]
        if self.stylist.whole is not None:
            return self._whole(photo, torch.cat(planes, 1) if planes else None, advance, show)
        numbers = [as_numbers(plane * 2 - 1, photo.colour.dtype) for plane in planes]
        colour = np.concatenate([photo.colour, *numbers], 2)
        assert self.stylist.look is not None
        with self.stylist.look(colour) as method:
            finished = replace(method, network=self._finished(method))
            done = enlarge(replace(photo, colour=colour), finished, 1.0, tile=self.tile, advance=advance)
        return replace(done, colour=np.ascontiguousarray(done.colour[..., :3]))

    def _finished(self, method: Method) -> Callable[[Tensor], Tensor]:
        """What paints a part, with the colours and the places that are kept: (1, 3 + r, h, w) -> the same."""
        paint = method.network
        assert paint is not None

        def run(part: Tensor) -> Tensor:
            regions = (part[:, 3:] + 1) / 2 if self.regions else None
            return torch.cat([self._kept(part[:, :3], paint(part)[:, :3], regions), part[:, 3:]], 1)

        return run

    def _kept(self, image: Tensor, painted: Tensor, regions: Tensor | None) -> Tensor:
        """What was painted, with the picture's colours if they are kept, and the picture where no style has a place."""
        if self.keep_colour and not self.stylist.keeps:
            painted = with_chroma(painted, image)
        if regions is None:
            return painted
        return torch.lerp(image, painted, regions.sum(1, keepdim=True).clamp(max=1))

    def _whole(self, photo: Photo, regions: Tensor | None, advance: Advance, show: Callable[[Photo], None]) -> Photo:
        assert self.stylist.whole is not None
        image = as_floats(photo.colour, Box(0, 0, *photo.colour.shape[:2]))

        def photo_of(painted: Tensor) -> Photo:
            kept = self._kept(image, painted, regions)
            return replace(photo, colour=as_numbers(kept.float(), photo.colour.dtype))

        def moved(share: float, painted: Tensor) -> None:
            advance(share)
            show(photo_of(painted))

        return photo_of(self.stylist.whole(image, regions, moved))

    def _sized(self, photo: Photo) -> Photo:
        """The picture with the longer side that was asked for."""
        if self.size is None:
            return photo
        return enlarge(photo, Method("bicubic"), self.size / max(photo.colour.shape[:2]))


def read_regions(masks: Sequence[str | Path], styles: int) -> list[Tensor]:
    """Where each style has a place, from pictures in which it is white: (1, 1, h, w) in [0, 1] each, of any size.

    One mask for two styles gives the second what it leaves of the first. Raises UserError for another number of masks
    than of styles, and for one that can't be read.
    """
    if not masks:
        return []
    if len(masks) != max(1, styles) and (len(masks), styles) != (1, 2):
        raise UserError(f"{len(masks)} masks for {styles} styles: give a --mask for each --style, or one mask for two")
    found = []
    for mask in masks:
        try:
            photo = on_white(read_photo(Path(mask)))
        except BrokenError as e:
            raise UserError(f"--mask {mask} can't be read: {e}") from None
        found.append((luma(as_floats(photo.colour, Box(0, 0, *photo.colour.shape[:2]))) + 1) / 2)
    return [*found, 1 - found[0]] if len(found) < styles else found

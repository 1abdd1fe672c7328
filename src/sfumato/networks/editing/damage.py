"""What a prior has to undo: pictures made small, grey, or with a hole. The picture itself is also one of these."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...aspect import SQUARE, sides
from ...errors import UserError, nearest
from ...resample import imresize
from ..stylegan.latents import Given

DAMAGES = ("none", "superres-x2", "superres-x4", "superres-x8", "grey", "inpaint")
ROUNDS = 20  # of back-projection, after which less than a step of 8 bits is left of smooth pictures


def damaged(image: Tensor, kind: str, mask: Tensor | None = None) -> Tensor:
    """What is left of pictures: (b, c, h, w) in [-1, 1] -> (b, c, h / s, w / s), (b, 1, h, w) or (b, c, h, w).

    "superres-xS" is bicubic reduction; "grey" is luma by BT.601; "inpaint" is 0 where the mask (b or 1, 1, h, w) is 0.
    Differentiable. Raises UserError for another kind, or a hole without a mask.
    """
    nearest(kind, DAMAGES, "damage")
    if kind.startswith("superres-x"):
        return imresize(image, 1 / int(kind.removeprefix("superres-x")))
    if kind == "grey":
        return luma(image)
    if kind == "inpaint":
        if mask is None:
            raise UserError("inpainting needs a mask that says where the hole is")
        return image * mask
    return image


def luma(image: Tensor) -> Tensor:
    """Brightness by BT.601: (b, 1 or 3, h, w) -> (b, 1, h, w)."""
    if image.shape[1] == 1:
        return image
    weights = image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def plain(given: Tensor, kind: str, channels: int, mask: Tensor | None = None) -> Tensor:
    """The baseline without a prior: bicubic enlargement, grey as colour, or a hole filled with the mean around it.

    Of what `damaged` gives -> (b, channels, h, w).
    """
    if kind.startswith("superres-x"):
        return imresize(given, float(kind.removeprefix("superres-x"))).clamp(-1, 1)
    if kind == "inpaint" and mask is not None:
        known = mask.expand(len(given), 1, *mask.shape[2:])
        mean = (given * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        return given * known + mean * (1 - known)
    return given.expand(-1, channels, -1, -1) if given.shape[1] == 1 else given


def kept(image: Tensor, given: Tensor, kind: str, mask: Tensor | None = None) -> Tensor:
    """Pictures made to agree with what `damaged` gives of the true ones: (b, c, h, w) -> the same, in [-1, 1].

    Around a hole the known pixels; of grey the brightness, with the picture's colours; of a small picture what it
    shows, by iterative back-projection (Irani and Peleg, 1991, https://doi.org/10.1016/1049-9652(91)90045-L).
    """
    if kind == "inpaint" and mask is not None:
        return image.lerp(given, mask)
    if kind == "grey":
        return (image + given - luma(image)).clamp(-1, 1)
    if kind.startswith("superres-x"):
        for _ in range(ROUNDS):
            left = given - damaged(image, kind)
            image = (image + imresize(left, float(kind.removeprefix("superres-x")))).clamp(-1, 1)
    return image


def middle(like: Tensor) -> Tensor:
    """A mask that hides the middle half of each side: (b, c, h, w) -> (b, 1, h, w), 1 where pixels are known."""
    h, w = like.shape[-2:]
    mask = like.new_ones(len(like), 1, h, w)
    mask[..., h // 4 : h - h // 4, w // 4 : w - w // 4] = 0
    return mask


class Damaged(nn.Module):
    """What a system knows of the few pictures that it restores: what is left of them, and where a hole is."""

    damage: str
    given: Tensor  # as `damaged` gives it
    mask: Tensor  # (pictures, 1, h, w), 1 where pixels are known

    def blank(self, damage: str, pictures: int, channels: int, size: int, aspect: str = SQUARE) -> None:
        """Make the buffers. Raises UserError for an unknown damage."""
        self.channels = channels
        self.damage = nearest(damage, DAMAGES, "damage")
        empty = torch.zeros(pictures, channels, *sides(size, aspect))
        self.register_buffer("mask", middle(empty))
        self.register_buffer("given", damaged(empty, damage, self.mask))

    def whole(self, image: Tensor) -> Tensor:
        """Damaged pictures as a network takes them: of any side and channels -> (b, channels, h, w)."""
        size = self.mask.shape[-2:]
        wide = F.interpolate(image, size=size) if image.shape[-2:] != size else image
        return wide.expand(-1, self.channels, -1, -1)

    def know(self, batch: Given) -> None:
        """Take `damaged` of a batch, or `image` and damage it; and `mask`, if it has one."""
        n = len(self.given)
        if "mask" in batch:
            self.mask.copy_(batch.mask[:n])
        known = batch.damaged if "damaged" in batch else damaged(batch.image[:n], self.damage, self.mask)
        self.given.copy_(known[:n])

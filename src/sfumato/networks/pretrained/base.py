"""What every frozen feature network is: pictures in, features and class probabilities out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Observed:
    """What an extractor saw in b pictures, and the class each was asked to be, if any."""

    features: Tensor  # (b, d) float32
    probabilities: Tensor | None = None  # (b, k) float32, rows sum to 1
    labels: Tensor | None = None  # (b,) int64

    def __len__(self) -> int:
        return len(self.features)


class Extractor(nn.Module, ABC):
    """A frozen network that measures look through. It brings pictures to its own size itself."""

    name: str = ""  # "reader:digits", "fid-inception", …: the same name means the same preprocessing
    sha256: str = ""  # of the weights file
    resize: str  # how pictures reach the network's input, in words
    domain: str  # the pictures it was trained on
    dim: int  # d, the number of features
    classes: tuple[str, ...] = ()  # names of what the probabilities are of
    batch: int  # pictures at a time that fit in about 1 GB

    @abstractmethod
    def forward(self, images: Tensor) -> Observed:
        """Features and probabilities of float32 images in [-1, 1] of any size: (b, 1 | 3, h, w) -> (b, d), (b, k)."""


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear with antialias: (b, c, h, w) -> (b, c, size, size)."""
    if images.shape[-2:] == (size, size):
        return images
    return nn.functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def rgb(images: Tensor) -> Tensor:
    """Three channels, what is transparent over white: (b, 1 | 3 | 4, h, w) in [-1, 1] -> (b, 3, h, w)."""
    if images.shape[1] == 4:
        return torch.lerp(torch.ones_like(images[:, :3]), images[:, :3], (images[:, 3:] + 1) / 2)
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def grey(images: Tensor) -> Tensor:
    """One channel, by the luma of ITU-R BT.601: (b, 1 | 3 | 4, h, w) in [-1, 1] -> (b, 1, h, w)."""
    if images.shape[1] == 1:
        return images
    weight = torch.tensor([0.299, 0.587, 0.114], device=images.device, dtype=images.dtype)
    return (rgb(images) * weight.view(1, 3, 1, 1)).sum(1, keepdim=True)

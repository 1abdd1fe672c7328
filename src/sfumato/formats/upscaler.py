"""What a public network that enlarges pictures becomes."""

import torch.nn.functional as F
from torch import Tensor, nn

Range = tuple[float, float]


class Upscaler(nn.Module):
    """A public network as sfumato uses it: images in [-1, 1], sides of any length."""

    reach: int | None  # how far it sees on each side, pixels of its input; None: the whole picture

    def __init__(
        self, name: str, network: nn.Module, scale: int, channels: int, takes: Range, gives: Range, multiple: int = 1
    ) -> None:
        super().__init__()
        self.name, self.network, self.scale, self.channels = name, network, scale, channels
        self.takes, self.gives = takes, gives  # what is black and what is white to the network, and in its result
        self.multiple = multiple  # of which the sides must be, pixels; pictures are continued to it by their last one

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, channels, h, w) -> (b, channels, scale · h, scale · w)."""
        h, w = image.shape[-2:]
        black, white = self.takes
        image = F.pad(image, (0, -w % self.multiple, 0, -h % self.multiple), mode="replicate")
        image = self.network((image + 1) * ((white - black) / 2) + black)
        black, white = self.gives
        image = (image - black) * (2 / (white - black)) - 1
        return image[..., : self.scale * h, : self.scale * w].clamp(-1, 1)


class Compact(nn.Module):
    """The layers of SRVGGNetCompact beside an enlargement by repetition: (b, c, h, w) -> (b, c, s · h, s · w).

    Wang, Xie, Dong & Shan, Real-ESRGAN, 2021 (github.com/xinntao/Real-ESRGAN). `reduction` is a last bicubic step.
    """

    def __init__(self, body: nn.Sequential, scale: int, reduction: int = 1) -> None:
        super().__init__()
        self.body, self.scale, self.reduction = body, scale, reduction

    def forward(self, image: Tensor) -> Tensor:
        """As the class says, the side divided by `reduction`."""
        large = F.pixel_shuffle(self.body(image), self.scale) + F.interpolate(image, scale_factor=float(self.scale))
        if self.reduction == 1:
            return large
        return F.interpolate(large, scale_factor=1 / self.reduction, mode="bicubic", align_corners=False)

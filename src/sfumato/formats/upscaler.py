"""What a public network that enlarges pictures becomes."""

import torch.nn.functional as F
from torch import Tensor, nn

Range = tuple[float, float]


class Upscaler(nn.Module):
    """A public network as sfumato uses it: images in [-1, 1], sides of any length."""

    reach: int | None  # how far it sees on each side, pixels of its input; None: the whole picture
    memory: float  # bytes at the peak for each pixel of its input

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

"""The discriminator of super-resolution: a narrow VGG with strides in place of pooling.

Ledig et al., 2017, section 2.1.1 and figure 4. https://arxiv.org/abs/1609.04802
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ...errors import UserError
from .blocks import normal

Norm = Callable[[int], nn.Module]  # channels -> the layer that normalises them


class Discriminator(nn.Module):
    """For each width a convolution that keeps the side and one that halves it, then two linear layers.

    Images of one side to scores: (b, channels, size, size) -> (b,). The first layer has no norm.
    """

    def __init__(
        self,
        widths: Sequence[int],
        size: int,
        channels: int,
        kernel: int = 3,  # of the convolutions that halve
        hidden: int = 1024,  # units of the linear layer before the score
        norm: Norm | None = nn.BatchNorm2d,
        bias: bool = True,  # of the score
    ) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = []
        n = channels
        for width in widths:
            for m, k, stride in ((width, 3, 1), (width, kernel, 2)):
                bare = norm is None or not layers  # a norm takes away what a bias would add
                layers += [nn.Conv2d(n, m, k, stride, 1, bias=bare), *([] if bare or not norm else [norm(m)])]
                layers.append(nn.LeakyReLU(0.2))
                n = m
                size = (size + 2 - k) // stride + 1
        if size < 1:
            raise UserError(f"a patch of {self.size} px is too small for D, which halves it {len(widths)} times")
        layers += [
            nn.Flatten(),
            nn.Linear(n * size**2, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1, bias),
            nn.Flatten(0),
        ]
        self.layers = nn.Sequential(*layers)
        if norm is None:  # or else the first scores would hardly differ
            normal(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images, float32. Raises UserError for images of another side."""
        if image.shape[-1] != self.size:
            raise UserError(f"D judges squares of {self.size} px, and got {image.shape[-1]}: change --patch or --size")
        return self.layers(image).float()

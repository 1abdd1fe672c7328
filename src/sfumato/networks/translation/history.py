"""A memory of pictures that a discriminator is shown again.

Shrivastava et al., Learning from Simulated and Unsupervised Images, 2017, section 2.3. https://arxiv.org/abs/1612.07828
Zhu et al., 2017, section 4. https://arxiv.org/abs/1703.10593
"""

import torch
from torch import Tensor, nn

from ...aspect import SQUARE, sides


class History(nn.Module):
    """The last fakes: once it is full, each new one takes an old one's place with chance a half, which is then shown.

    Kept as bytes, in buffers, so that a checkpoint has them.
    """

    kept: Tensor
    count: Tensor

    def __init__(self, capacity: int, channels: int, size: int, aspect: str = SQUARE) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(capacity, channels, *sides(size, aspect), dtype=torch.uint8))
        self.register_buffer("count", torch.tensor(0))

    @torch.no_grad()
    def forward(self, image: Tensor, chance: Tensor) -> Tensor:
        """What to show in place of new images: (b, c, h, w), and (b, 2) uniform in [0, 1) -> (b, c, h, w).

        The first number of a row decides if an old one is shown, the second which.
        """
        image, capacity = image.detach(), len(self.kept)
        new = image.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        shown = []
        for k in range(len(image)):
            count = int(self.count)
            if count < capacity:
                self.kept[count] = new[k]
                self.count += 1
                shown.append(image[k])
            elif chance[k, 0] < 0.5:
                place = int(chance[k, 1] * capacity)
                shown.append(self.kept[place].to(image.dtype).div(127.5).sub(1))
                self.kept[place] = new[k]
            else:
                shown.append(image[k])
        return torch.stack(shown)

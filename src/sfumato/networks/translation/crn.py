"""The cascade of refinement modules, each at twice the side of the one before.

Chen & Koltun, Photographic Image Synthesis with Cascaded Refinement Networks, 2017, section 3.1.
https://arxiv.org/abs/1707.09405
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .generators import fitted


class Cascade(nn.Module):
    """Layouts to pictures: (b, inputs, h, w) -> (b, outputs, h, w), float32, of sides of any length.

    `widths` are the channels of the modules, the coarsest first. A module sees the layout at its side and what the one
    before made, doubled bilinearly, through two 3×3 convolutions with layer norms and leaky ReLUs.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for before, ch in zip([0, *widths], widths, strict=False):
            layers: list[nn.Module] = []
            for n in (inputs + before, ch):
                layers += [nn.Conv2d(n, ch, 3, 1, 1, bias=False), nn.GroupNorm(1, ch), nn.LeakyReLU(0.2, True)]
            self.stages.append(nn.Sequential(*layers))
        self.last = nn.Conv2d(widths[-1], outputs, 1)

    def forward(self, layout: Tensor) -> Tensor:
        """As the class says."""
        return fitted(self.draw, layout, 2 ** (len(self.stages) - 1))

    def draw(self, layout: Tensor) -> Tensor:
        """The picture, of sides that suit."""
        x: Tensor | None = None
        for k, stage in enumerate(self.stages):
            times = len(self.stages) - 1 - k
            size = layout.shape[-2] >> times, layout.shape[-1] >> times
            seen = F.adaptive_avg_pool2d(layout, size)
            if x is not None:
                seen = torch.cat([seen, F.interpolate(x, size, mode="bilinear", align_corners=False)], 1)
            x = stage(seen)
        assert x is not None
        return self.last(x).float()

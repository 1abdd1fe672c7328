"""The network that turns a picture into one in a style, in one pass.

Johnson, Alahi & Fei-Fei, Perceptual Losses for Real-Time Style Transfer and Super-Resolution, ECCV 2016, section 3.1
and table 1 of the supplement. https://arxiv.org/abs/1603.08155
Dumoulin, Shlens & Kudlur, A Learned Representation for Artistic Style, ICLR 2017, table 1.
https://arxiv.org/abs/1610.07629
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5
# What a small network learns from within minutes: the shipped features, with content from a shallow layer.
SHIPPED = dict(features="style", layer="relu3_1", layers="relu1_1+relu2_1+relu3_1+relu4_1+relu5_1")


class StyleNorm(nn.Module):
    """Instance normalisation with gains and shifts of its own for each style, mixed by their weights.

    (b, ch, h, w), (b, styles) -> (b, ch, h, w). Dumoulin et al., 2017, eq. 5. Where `frozen` is set to a mean and a
    standard deviation, (1, ch, 1, 1) each, these stand for the map's own: see `as_of`.
    """

    def __init__(self, ch: int, styles: int = 1) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(styles, ch)), nn.Parameter(torch.zeros(styles, ch))
        self.frozen: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """As the class says."""
        gain, shift = ((weights @ p)[..., None, None] for p in (self.gain, self.shift))
        if self.frozen is not None:
            return (x - self.frozen[0]) / self.frozen[1] * gain + shift
        return F.group_norm(x, x.shape[1], eps=EPSILON) * gain + shift


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation, which knows one style: (b, ch, h, w), (b, 1) -> (b, ch, h, w)."""

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:  # type: ignore[override]
        """As the class says."""
        return super().forward(x)


class Layer(nn.Module):
    """A convolution of a picture continued by reflection, then its norm: (b, n, h, w), (b, styles) -> (b, m, …).

    With `norm` None it has a bias instead. With `double`, the map is made twice as wide and high by nearest neighbours
    first, against the checkerboards of strided transposed convolutions (Odena et al., 2016).
    """

    def __init__(
        self, n: int, m: int, kernel: int, norm: nn.Module | None, stride: int = 1, double: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            n, m, kernel, stride, kernel // 2, bias=norm is None, padding_mode="reflect"
        )  # a norm takes away what a bias would add
        self.norm, self.larger = norm, double

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """As the class says."""
        if self.larger:
            x = F.interpolate(x, scale_factor=2)
        x = self.conv(x)
        return x if self.norm is None else self.norm(x, weights)


class TransformNet(nn.Module):
    """Images to images in a style: (b, channels, h, w), (b, styles) -> (b, channels, h, w) in (-1, 1), float32.

    Two strided convolutions, residual blocks at a quarter of the side, and back again. `styles` 0 is batch
    normalisation, as Johnson et al. have it; else it is that of instances, which for several styles follows the last
    convolution as well, as Dumoulin et al. have it. Without weights, the first style is taken.
    """

    def __init__(self, channels: int = 3, ch: int = 32, blocks: int = 5, styles: int = 1) -> None:
        super().__init__()
        self.styles = max(1, styles)
        self.reach = 18 + 8 * blocks  # pixels on each side that one depends on, beside the statistics of norms

        def norm(width: int) -> nn.Module:
            return StyleNorm(width, styles) if styles else BatchNorm(width)

        def layer(n: int, m: int, kernel: int = 3, stride: int = 1, double: bool = False) -> Layer:
            return Layer(n, m, kernel, norm(m), stride, double)

        wide = 4 * ch
        self.down = nn.ModuleList([layer(channels, ch, 9), layer(ch, 2 * ch, 3, 2), layer(2 * ch, wide, 3, 2)])
        self.blocks = nn.ModuleList(layer(wide, wide) for _ in range(2 * blocks))
        self.up = nn.ModuleList([layer(wide, 2 * ch, double=True), layer(2 * ch, ch, double=True)])
        self.last = Layer(ch, channels, 9, norm(channels) if styles > 1 else None)

    def forward(self, image: Tensor, weights: Tensor | None = None) -> Tensor:
        """As the class says."""
        if weights is None:
            weights = image.new_zeros(len(image), self.styles)
            weights[:, 0] = 1
        x = image
        for layer in self.down:
            x = layer(x, weights).relu()
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            x = x + second(first(x, weights).relu(), weights)
        for layer in self.up:
            x = layer(x, weights).relu()
        h, w = image.shape[-2:]  # which four need not divide
        return self.last(x[..., :h, :w], weights).float().tanh()

    @contextmanager
    def as_of(self, image: Tensor, weights: Tensor | None = None) -> Iterator[None]:
        """Meanwhile, all instance norms take the statistics that they found in `image`, a picture made small.

        So the parts of a large picture fit each other. Chen et al., Towards Ultra-Resolution Neural Style Transfer via
        Thumbnail Instance Normalization, 2022, section 3.2. https://arxiv.org/abs/2103.11784
        """
        norms = [m for m in self.modules() if isinstance(m, StyleNorm)]
        found: dict[StyleNorm, tuple[Tensor, Tensor]] = {}

        def note(norm: nn.Module, given: tuple[Tensor, Tensor]) -> None:
            variance, mean = torch.var_mean(given[0].float(), (2, 3), keepdim=True, unbiased=False)
            found[norm] = mean, (variance + EPSILON).sqrt()  # type: ignore[index]

        hooks = [norm.register_forward_pre_hook(note) for norm in norms]
        try:
            with torch.no_grad():
                self(image, weights)
        finally:
            for hook in hooks:
                hook.remove()
        try:
            for norm in norms:
                norm.frozen = found[norm]
            yield
        finally:
            for norm in norms:
                norm.frozen = None

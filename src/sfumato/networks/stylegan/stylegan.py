"""The mapping network of the StyleGAN line, and StyleGAN's synthesis network: adaptive instance normalisation.

Karras et al., A Style-Based Generator Architecture for GANs, 2018, section 2 and figure 1.
https://arxiv.org/abs/1812.04948
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ... import aspect as shape
from .equalised import SLOPE, Conv, Linear, pixel_norm, widths
from .progressive import faded, first_level, pyramid


class Mapping(nn.Module):
    """Normalised codes through leaky layers, to where factors may lie on straight lines: (b, z) -> (b, w), float32.

    With `classes` the code ends in that many numbers, a class as one-hot, which are embedded and normalised beside it.
    No layers leave the normalised code as it is. Layers learn at `lr` of the others' rate (appendix C).
    """

    def __init__(self, z: int, w: int, layers: int, classes: int = 0, lr: float = 0.01) -> None:
        super().__init__()
        self.z, self.embed = z, Linear(classes, w) if classes else None
        n = z + (w if classes else 0)
        self.layers = nn.Sequential(*[Linear(w if k else n, w, lr=lr, leaky=True) for k in range(layers)])

    def forward(self, code: Tensor) -> Tensor:
        """Points of W."""
        code = code.float()
        parts = [pixel_norm(code[:, : self.z])] if self.z else []
        if self.embed is not None:
            parts.append(pixel_norm(self.embed(code[:, self.z :])))
        return self.layers(torch.cat(parts, 1))


class Styled(nn.Module):
    """Noise, bias, leaky ReLU, normalisation of each map, and a style in its place: (b, n, h, w) -> (b, n, h, w).

    A style (b, 2 n) has the gains less one, then the biases (eq. 1). `affine` makes it from w.
    """

    def __init__(self, n: int, w: int, noise: bool = True) -> None:
        super().__init__()
        self.affine, self.bias = Linear(w, 2 * n), nn.Parameter(torch.zeros(n))
        self.strength = nn.Parameter(torch.zeros(n)) if noise else None

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Styled maps; noise is (b or 1, 1, h, w)."""
        x = x + self.bias.to(x.dtype)[:, None, None]
        if self.strength is not None and noise is not None:
            x = x.addcmul_(self.strength.to(x.dtype)[:, None, None], noise.to(x.dtype))
        x = F.leaky_relu_(x, SLOPE)
        with torch.autocast(x.device.type, enabled=False):
            variance, mean = torch.var_mean(x.float(), (2, 3), correction=0)
            gain, bias = style.float().chunk(2, 1)
            gain = (gain + 1) * (variance + 1e-8).rsqrt()
            shift = bias - mean * gain
        return torch.addcmul(shift.to(x.dtype)[:, :, None, None], x, gain.to(x.dtype)[:, :, None, None])


class Synthesis(nn.Module):
    """Points of W, one a layer, to pictures, level by level: (b, layers, w) -> (b, channels, h, w), float32.

    `constant` learns the first maps, else they come from w by a linear layer; `noise` adds noise to each layer.
    """

    def __init__(
        self,
        w: int,
        ch: int,
        ch_max: int,
        size: int,
        channels: int,
        start: int,
        constant: bool = True,
        noise: bool = True,
        taps: tuple[float, ...] = (1, 3, 3, 1),
        aspect: str = shape.SQUARE,
    ) -> None:
        super().__init__()
        self.smallest, times = pyramid(size, aspect)
        n, (high, wide) = widths(ch, ch_max, times), self.smallest
        self.first, self.layers = first_level(size, start, aspect), 2 * times + 2
        self.noises = tuple((high << (k // 2), wide << (k // 2)) for k in range(self.layers)) if noise else ()
        self.constant = nn.Parameter(torch.ones(1, n[0], high, wide)) if constant else None
        self.dense = None if constant else Linear(w, n[0] * high * wide)
        convs = [Conv(n[0], n[0], 3, bias=False, gain=2**0.5)]
        for k in range(times):
            convs.append(Conv(n[k], n[k + 1], 3, +1, taps, bias=False, gain=2**0.5))
            convs.append(Conv(n[k + 1], n[k + 1], 3, bias=False, gain=2**0.5))
        self.convs = nn.ModuleList(convs)
        self.styled = nn.ModuleList(Styled(n[k // 2], w, noise) for k in range(self.layers))
        self.pictures = nn.ModuleList(Conv(m, channels, 1) for m in n[self.first :])

    def styles(self, w: Tensor) -> list[Tensor]:
        """What each layer is given: (b, layers, w) -> (b, 2 n) for each; first w if nothing is constant."""
        made = [layer.affine(w[:, k]) for k, layer in enumerate(self.styled)]  # type: ignore[operator]
        return made if self.dense is None else [w[:, 0], *made]

    def forward(
        self, w: Tensor, noise: list[Tensor] | None = None, level: int = -1, alpha: Tensor | None = None
    ) -> Tensor:
        """Pictures of points of W at a level, -1 being the largest."""
        return self.render(self.styles(w), noise, level, alpha)

    def render(
        self, styles: list[Tensor], noise: list[Tensor] | None = None, level: int = -1, alpha: Tensor | None = None
    ) -> Tensor:
        """Pictures of styles; noise is (b or 1, 1, h, w) for each of `noises`, None for none."""
        maps: list[Tensor | None] = [*(noise or ())] or [None] * self.layers
        if self.constant is not None:
            x = self.constant.expand(styles[0].shape[0], -1, -1, -1)
        else:
            assert self.dense is not None
            first, *styles = styles
            x = self.dense(first).unflatten(1, (-1, *self.smallest))
        level = self.layers // 2 - 1 if level < 0 else level
        x = before = self.styled[0](x, styles[0], maps[0])
        for k in range(1, 2 * level + 2):
            before = x if k % 2 == 0 else before
            x = self.styled[k](self.convs[k - 1](x), styles[k], maps[k])
        return faded(self.pictures, before, x, level - self.first, alpha)

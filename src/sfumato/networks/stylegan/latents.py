"""The spaces of a style-based generator, with the names that editing and inversion build upon.

Z: normal codes. W: what the mapping network makes of them. W+: a point of W for each layer. S: what the layers make of
those, their styles. Karras et al., 2018, sections 2, 3.1 and appendix B. https://arxiv.org/abs/1812.04948
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .progressive import Growth


class Given(Protocol):
    """What a batch offers here: its size, its noise, and labels if it has any."""

    n: int
    total: int

    def randn(self, *shape: int) -> Tensor:
        """Normal noise (n, *shape)."""

    def rand(self, *shape: int) -> Tensor:
        """Uniform noise (n, *shape)."""

    def randint(self, high: int, *shape: int) -> Tensor:
        """Integers (n, *shape)."""

    def __contains__(self, name: str) -> bool: ...

    def __getattr__(self, name: str) -> Tensor: ...


class StyleSpaces(nn.Module):
    """What a system with a mapping network M and a synthesis network G can do with codes.

    Pictures of `decode` are in [-1, 1]; `synthesis` and `render` leave what lies outside. Noise is a list of maps
    (b or 1, 1, h, w), one for each of `G.noises`; without it all pictures share the noise of the buffers.
    """

    M: nn.Module
    G: nn.Module
    growth: Growth
    w_mean: Tensor  # running mean of W in training: (w,)
    z: int  # numbers in a code
    classes: int  # 0 if no class is asked for
    psi: float  # truncation of what is sampled

    def spaces(self, w: int) -> None:
        """Make the buffers: the mean of W and the noise of pictures that are drawn without any."""
        self.register_buffer("w_mean", torch.zeros(w))
        for k, sides in enumerate(self.G.noises):  # type: ignore[arg-type]
            self.register_buffer(f"noise{k}", torch.randn(1, 1, *sides))

    @property
    def layers(self) -> int:
        """Points of W that a picture can be made of."""
        return self.G.layers  # type: ignore[return-value]

    def prior(self, given: Given) -> Tensor:
        """Normal codes, followed by the class as one-hot where there are classes: (n, z) or (n, z + classes)."""
        code = given.randn(self.z)
        return torch.cat([code, self.label(given)], 1) if self.classes else code

    def label(self, given: Given) -> Tensor:
        """The classes asked for, or drawn if none are, as one-hot: (n, classes), float32."""
        index = given.label if "label" in given else given.randint(self.classes)
        return F.one_hot(index, self.classes).float()

    def mapping(self, code: Tensor) -> Tensor:
        """Points of W of codes: (b, z) -> (b, w)."""
        return self.M(code)

    def truncate(self, w: Tensor, psi: float, layers: int | None = None) -> Tensor:
        """Points nearer to the mean, at a share psi of their distance: the same shape; of the first `layers`, W+."""
        if layers is None:
            return torch.lerp(self.w_mean, w, psi)
        w = self.extend(w)
        return torch.cat([torch.lerp(self.w_mean, w[:, :layers], psi), w[:, layers:]], 1)

    def extend(self, w: Tensor) -> Tensor:
        """The same point for all layers: (b, w) -> (b, layers, w); what has that shape stays as it is."""
        return w if w.dim() == 3 else w[:, None].expand(-1, self.layers, -1)

    def mix(self, coarse: Tensor, fine: Tensor, at: Tensor | int) -> Tensor:
        """The first `at` layers of one, the rest of another: W or W+ twice, int or (b,) -> (b, layers, w)."""
        first = torch.arange(self.layers, device=coarse.device) < torch.as_tensor(at, device=coarse.device)[..., None]
        return torch.where(first[..., None], self.extend(coarse), self.extend(fine))

    def styles(self, w: Tensor) -> list[Tensor]:
        """Points of S: (b, w) or (b, layers, w) -> (b, n) for each layer."""
        return self.G.styles(self.extend(w))  # type: ignore[operator]

    def render(self, styles: Sequence[Tensor], noise: Sequence[Tensor] | None = None) -> Tensor:
        """Pictures of points of S: (b, channels, h, w), float32."""
        image = self.G.render(list(styles), self.noise(noise), *self.growth.level())  # type: ignore[operator]
        return self.growth.whole(image)

    def synthesis(self, w: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Pictures of W or W+: (b, w) or (b, layers, w) -> (b, channels, h, w), float32."""
        return self.growth.whole(self.G(self.extend(w), self.noise(noise), *self.growth.level()))

    def noise(self, noise: Sequence[Tensor] | None = None) -> list[Tensor]:
        """The noise that is given, else that of the buffers."""
        return [self.get_buffer(f"noise{k}") for k in range(len(self.G.noises))] if noise is None else list(noise)  # type: ignore[arg-type]

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, h, w)."""
        return self.synthesis(self.truncate(self.mapping(code), self.psi)).clamp(-1, 1)

    def sample(self, given: Given) -> Tensor:
        """Images (n, channels, h, w)."""
        return self.decode(self.prior(given))

    def drawn(self, given: Given, mixing: float = 0.0, rows: int | None = None) -> tuple[Tensor, Tensor]:
        """Training pictures of random noise, and their W+: (n, channels, ·, ·), (n, layers, w).

        A share `mixing` of them has the coarse layers of one code and the fine ones of another (section 3.1). The mean
        of W follows. With `rows`, the first pictures only, and by G as it is even if it was compiled: what a compiler
        makes of it cannot be differentiated twice.
        """
        code = self.prior(given)
        w = self.mapping(code)
        with torch.no_grad():
            self.w_mean.lerp_(w.mean(0).float(), 0.005 * given.n / given.total)  # its share of the batch
        w = self.extend(w)
        if mixing:
            other = self.mapping(torch.cat([given.randn(self.z), code[:, self.z :]], 1))
            at = 1 + given.randint(max(1, self.layers - 1))
            w = self.mix(w, other, torch.where(given.rand() < mixing, at, self.layers))
        w, noise = w[:rows], [maps[:rows] for maps in self.fresh(given)]
        return (self.G if rows is None else self.G.forward)(w, noise, *self.growth.level()), w

    def fresh(self, given: Given) -> list[Tensor]:
        """Noise of each picture's own: (n, 1, h, w) for each layer."""
        sides: Sequence[tuple[int, int]] = self.G.noises  # type: ignore[assignment]
        areas = [high * wide for high, wide in sides]
        parts = given.randn(sum(areas)).split(areas, 1) if areas else ()
        return [p.view(-1, 1, *s) for p, s in zip(parts, sides, strict=True)]

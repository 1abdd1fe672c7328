"""Dense blocks by a fourth of the multiplications, where products of matrices are as quick as convolutions.

Winograd's minimal filtering F(4×4, 3×3): a tile of 6×6 pixels and a kernel become 36 numbers each, which are multiplied
place by place and summed over channels, and the 36 sums become 4×4 pixels. Lavin & Gray, 2016, section 4.3.
https://arxiv.org/abs/1509.09308
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks.superres.rrdb import Dense

TILES = 128  # at a time, so that what becomes of them stays in the cache
PIXELS = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
PIXELS += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]  # Bᵀ
TAPS = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6]]
TAPS += [[1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]  # G
SUMS = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]  # Aᵀ


def both(rows: Sequence[Sequence[float]]) -> Tensor:
    """What is done to a line, done to a square in both directions: float64."""
    line = torch.tensor(rows, dtype=torch.float64)
    return torch.kron(line, line)


def kernels(weight: Tensor) -> Tensor:
    """The 36 numbers of kernels: (m, n, 3, 3) -> (36, n, m)."""
    m, n = weight.shape[:2]
    return (both(TAPS) @ weight.double().permute(2, 3, 1, 0).reshape(9, n * m)).view(36, n, m).to(weight)


class Winograd(nn.Module):
    """A 3×3 convolution of several maps as if they stood one behind the other: n₁ + n₂ + … channels -> m.

    Maps are (h, w, n), and what is known of their tiles (`tiles`) can be used by several convolutions.
    """

    pixels: Tensor
    sums: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, widths: Sequence[int]) -> None:
        super().__init__()
        assert conv.bias is not None
        self.widths = list(widths)
        self.register_buffer("pixels", both(PIXELS).to(conv.weight))
        self.register_buffer("sums", both(SUMS).to(conv.weight))
        self.register_buffer("bias", conv.bias.detach())
        for k, part in enumerate(conv.weight.detach().split(self.widths, 1)):
            self.register_buffer(f"weight{k}", kernels(part))

    def tiles(self, image: Tensor) -> list[Tensor]:
        """The 36 numbers of every tile, by strips of rows of tiles: (h, w, n) -> (36, tiles, n) each."""
        h, w, n = image.shape
        down, across = -(-h // 4), -(-w // 4)
        padded = F.pad(image, (0, 0, 1, 4 * across - w + 1, 1, 4 * down - h + 1))
        step, found = max(1, TILES // across), []
        for top in range(0, down, step):
            strip = padded[4 * top : 4 * min(top + step, down) + 2].unfold(0, 6, 4).unfold(1, 6, 4)
            found.append((self.pixels @ strip.permute(3, 4, 0, 1, 2).reshape(36, -1)).view(36, -1, n))
        return found

    def of_tiles(self, maps: Sequence[list[Tensor]], height: int, width: int) -> Tensor:
        """The convolution of maps of which the tiles are known: -> (height, width, m)."""
        across, m = -(-width // 4), len(self.bias)
        result = self.bias.new_empty(-(-height // 4), 4, across, 4, m)
        top = 0
        for strips in zip(*maps, strict=True):
            products = torch.bmm(strips[0], self.get_buffer("weight0"))
            for k, strip in enumerate(strips[1:], 1):
                products.baddbmm_(strip, self.get_buffer(f"weight{k}"))
            rows = products.shape[1] // across
            part = (self.sums @ products.view(36, -1)).view(4, 4, rows, across, m)
            torch.add(part.permute(2, 0, 3, 1, 4), self.bias, out=result[top : top + rows])
            top += rows
        return result.view(4 * len(result), 4 * across, m)[:height, :width]


class WinogradDense(nn.Module):
    """A dense block whose convolutions share what they know of the tiles: (b, ch, h, w) -> (b, ch, h, w)."""

    def __init__(self, dense: Dense) -> None:
        super().__init__()
        convs = [layer for layer in dense.layers if isinstance(layer, nn.Conv2d)]
        widths = [convs[0].in_channels, *(conv.out_channels for conv in convs[:-1])]
        self.layers = nn.ModuleList(Winograd(conv, widths[: k + 1]) for k, conv in enumerate(convs))
        self.slope = dense.activation.negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return torch.stack([self._block(one) for one in x.permute(0, 2, 3, 1)]).permute(0, 3, 1, 2)

    def _block(self, image: Tensor) -> Tensor:
        """(h, w, ch) -> (h, w, ch)."""
        height, width = image.shape[:2]
        seen: list[list[Tensor]] = []
        for layer in self.layers:
            assert isinstance(layer, Winograd)
            seen.append(layer.tiles(F.leaky_relu_(image, self.slope) if seen else image))
            image = layer.of_tiles(seen, height, width)
        return image


def by_winograd(network: nn.Module) -> nn.Module:
    """A network with its dense blocks replaced, in place: the same but for rounding, in float32 alone.

    The kernels take four times the memory. A convolution on its own gains nothing, as its tiles serve only once.
    """
    for part in list(network.modules()):
        for name, layer in part.named_children():
            if isinstance(layer, Dense):
                setattr(part, name, WinogradDense(layer))
    return network

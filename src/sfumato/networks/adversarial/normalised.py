"""Weight normalisation with an initialisation from the data.

Salimans & Kingma, Weight Normalization, NeurIPS 2016, sections 2 and 3. https://arxiv.org/abs/1602.07868
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class Normalised(nn.Module):
    """A layer whose weights are a direction v / |v| and a gain g an output channel, and its bias.

    The gain is learned if `gain`, else it stays what the data made it. `std` is the spread of an output on that data;
    None leaves the layer as it was.
    """

    fits: bool = False

    def __init__(
        self, layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, std: float | None = 1.0, gain: bool = False
    ) -> None:
        super().__init__()
        nn.init.normal_(layer.weight, 0.0, 0.05)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        self.layer, self.std = layer, std
        weight_norm(layer, dim=1 if isinstance(layer, nn.ConvTranspose2d) else 0)
        nn.init.ones_(self.gain).requires_grad_(gain)

    @property
    def gain(self) -> Tensor:
        """The norms of the weights, of each output channel."""
        return self.layer.get_parameter("parametrizations.weight.original0")

    def forward(self, x: Tensor) -> Tensor:
        """The layer's outputs."""
        y = self.layer(x)
        return self.fit(y) if self.fits else y

    def fit(self, y: Tensor) -> Tensor:
        """Set the gain and the bias so that these outputs have mean zero and spread `std`, and return them so."""
        shape = [1, -1, *[1] * (y.dim() - 2)]
        dims = [d for d in range(y.dim()) if d != 1]
        mean, scale = y.mean(dims), (self.std or 1.0) / y.var(dims, unbiased=False).clamp(min=1e-10).sqrt()
        bias = self.layer.get_parameter("bias")
        bias.copy_((bias - mean) * scale)
        self.gain.mul_(scale.view_as(self.gain))
        return (y - mean.view(shape)) * scale.view(shape)

    @staticmethod
    @contextmanager
    def fitting(net: nn.Module) -> Iterator[None]:
        """Within it, a forward pass under `torch.no_grad` initialises the network's normalised layers one by one."""
        layers = [m for m in net.modules() if isinstance(m, Normalised) and m.std is not None]
        for m in layers:
            m.fits = True
        try:
            yield
        finally:
            for m in layers:
                m.fits = False

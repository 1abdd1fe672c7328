"""Layers of a trained network replaced by fewer that compute the same."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fused(network: nn.Module) -> nn.Module:
    """A network for inference, changed in place: its results differ by rounding alone.

    In every sequence, normalisation with known moments becomes part of the convolution before it, and a doubling by
    repetition part of the one after it (`doubling`). Activations take the place of what a convolution gave them.
    """
    for layers in [part for part in network.modules() if isinstance(part, nn.Sequential)]:
        for k in range(len(layers) - 1):
            first, second = layers[k], layers[k + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                layers[k], layers[k + 1] = fuse_conv_bn_eval(first.eval(), second.eval()), nn.Identity()
            elif _doubles(first) and isinstance(second, nn.Conv2d) and second.kernel_size == (3, 3):
                layers[k], layers[k + 1] = nn.Identity(), doubling(second)
            elif isinstance(first, nn.Conv2d | nn.ConvTranspose2d) and isinstance(second, nn.ReLU | nn.LeakyReLU):
                second.inplace = True
    return network


def _doubles(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Upsample) and layer.mode == "nearest" and layer.scale_factor == 2


def doubling(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Each pixel repeated in both directions, then `conv` (3×3, padded by 1): (b, n, h, w) -> (b, m, 2 · h, 2 · w).

    Both are linear, and what a pixel gives to its surroundings is the kernel summed over the two places where it lies,
    in each direction: 4×4 numbers, of which a pixel of the result sees 2×2 instead of 3×3.
    """
    n, m = conv.in_channels, conv.out_channels
    layer = nn.ConvTranspose2d(n, m, 4, stride=2, padding=1, bias=conv.bias is not None).to(conv.weight)
    twice = TWICE.to(conv.weight)
    with torch.no_grad():
        layer.weight.copy_(torch.einsum("ak,bl,mnkl->nmab", twice, twice, conv.weight))
        if conv.bias is not None and layer.bias is not None:
            layer.bias.copy_(conv.bias)
    return layer.eval().requires_grad_(False)


TWICE: Tensor = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])  # places × taps, in one direction

"""Units of a generator, the channels of its layers: finding layers, seeing what units do, changing it for a while."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...networks.stylegan.modulated import StyledConv
from ...networks.stylegan.stylegan import Styled
from ..model import Model

LAYERS = nn.ReLU | nn.LeakyReLU | nn.SiLU | nn.ELU | StyledConv | Styled


def layers(model: Model, codes: Tensor) -> dict[str, tuple[int, int]]:
    """Nonlinear layers with places, in the order in which an image passes them: name -> (units, side in places).

    Raises UserError if there is none.
    """
    found: dict[str, tuple[int, int]] = {}
    handles = []
    for name, module in model.system.named_modules():
        if isinstance(module, LAYERS):

            def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
                if output.ndim == 4 and output.shape[-1] > 1:
                    found[name] = output.shape[1], output.shape[-1]

            handles.append(module.register_forward_hook(note))
    model.decode(codes[:2])
    for handle in handles:
        handle.remove()
    if not found:
        raise UserError(f"{model.name} draws without convolutional layers, so that it has no units")
    return found


@contextmanager
def changed(system: nn.Module, layer: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace a layer's output (b, units, h, w) by what a function makes of it, for a while."""
    handle = system.get_submodule(layer).register_forward_hook(lambda module, inputs, output: change(output))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def dropped(system: nn.Module, layer: str, units: Sequence[int]) -> Iterator[None]:
    """Zero some units of a layer at every place, for a while."""

    def zero(output: Tensor) -> Tensor:
        mask = output.new_ones(output.shape[1])
        mask[list(units)] = 0
        return output * mask.view(-1, *[1] * (output.ndim - 2))

    with changed(system, layer, zero):
        yield


def placed(output: Tensor, share: Tensor, level: Tensor) -> Tensor:
    """Units drawn to a level where and as far as shares say: (b, units, h, w), (b or 1, units, h, w), (units,)."""
    return torch.lerp(output, level[:, None, None].to(output.dtype), share.to(output.dtype))


@contextmanager
def watched(system: nn.Module, layer: str, see: Callable[[Tensor], Tensor] = lambda x: x) -> Iterator[list[Tensor]]:
    """A list that what is seen of a layer's outputs is added to, batch by batch, for a while."""
    kept: list[Tensor] = []

    def note(output: Tensor) -> Tensor:
        kept.append(see(output))
        return output

    with changed(system, layer, note):
        yield kept

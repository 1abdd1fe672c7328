"""Looking into a network that was not made for it: what its modules give, and which of its parameters they use when."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError

Seen = Callable[[str, nn.Module, Tensor], Tensor | None]  # may return what takes the output's place


@contextmanager
def watching(network: nn.Module, seen: Seen) -> Iterator[None]:
    """Tell `seen` of every module without children whose output is a map (b, c, h, w), in the order of computation."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], Tensor | None]:
        def told(module: nn.Module, _: Any, output: Any) -> Tensor | None:
            return seen(name, module, output) if isinstance(output, Tensor) and output.dim() == 4 else None

        return told

    handles = [m.register_forward_hook(hook(k)) for k, m in network.named_modules() if not list(m.children())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def maps_of(network: nn.Module, image: Tensor) -> list[Tensor]:
    """The last map of each side at which a discriminator looks, from fine to coarse: (b, c, h, w) each.

    Sides are those that halve the picture's; maps of one pixel are left out.
    """
    found: dict[int, Tensor] = {}

    def seen(name: str, module: nn.Module, output: Tensor) -> None:
        side = output.shape[-1]
        if side > 1 and side in wanted:
            found[side] = output.float()

    full = image.shape[-1]
    wanted = [full >> k for k in range(full.bit_length()) if full % (1 << k) == 0]
    with watching(network, seen):
        network(image)
    return [found[side] for side in sorted(found, reverse=True)]


def module_at(network: nn.Module, run: Callable[[], Tensor], side: int) -> str:
    """The name of the last module, in the order of computation, that gives a map of this side.

    Raises UserError if none does.
    """
    found: list[tuple[str, int]] = []
    with watching(network, lambda name, module, output: found.append((name, output.shape[-1]))), torch.no_grad():
        run()
    names = [name for name, at in found if at == side]
    if not names:
        sides = sorted({at for _, at in found if at > 1})
        raise UserError(f"layer: this generator has no map of {side} pixels; it has {', '.join(map(str, sides))}")
    return names[-1]


def order_of_use(network: nn.Module, run: Callable[[], Tensor]) -> list[str]:
    """The names of the parameters that the result depends on, in the order in which the network comes to them."""
    turns: dict[str, int] = {}

    def hook(name: str) -> Callable[..., None]:
        def told(*_: Any) -> None:
            turns.setdefault(name, len(turns))

        return told

    handles = [m.register_forward_pre_hook(hook(k)) for k, m in network.named_modules()]
    named = dict(network.named_parameters())
    wanted = [p.requires_grad for p in named.values()]
    try:
        with torch.enable_grad():
            for p in named.values():
                p.requires_grad_(True)
            slopes = torch.autograd.grad(run().sum(), list(named.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
        for p, before in zip(named.values(), wanted, strict=True):
            p.requires_grad_(before)
    used = [name for name, slope in zip(named, slopes, strict=True) if slope is not None]
    return sorted(used, key=lambda name: turns.get(name.rpartition(".")[0], -1))

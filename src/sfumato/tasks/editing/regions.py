"""Change a part of a real picture through a generator, and nothing else of it.

Abdal, Qin & Wonka, Image2StyleGAN++, 2019, sections 3 and 5, https://arxiv.org/abs/1911.11544: inpainting, crossover,
scribbles, local style transfer, and attributes by copying activations. Zhu et al., In-Domain GAN Inversion, 2020,
section 4.4, https://arxiv.org/abs/2004.00049: semantic diffusion.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UserError
from ...networks.editing.spaces import parts
from ...networks.stylegan.latents import StyleSpaces
from ..invert import Inversion, invert
from ..model import Model
from ..progress import Advance
from .fitted import binary, check_pictures, fit


@dataclass(frozen=True)
class Edited:
    """A picture with a part that changed."""

    image: Tensor  # (b, c, h, w) in [-1, 1], the picture itself outside of the mask
    made: Tensor  # (b, c, h, w) in [-1, 1], all of it by the generator
    mask: Tensor  # (b, 1, h, w) in [0, 1], 1 where the generator's is taken
    code: Tensor  # W+ of `made`: (b, layers, w)
    noise: list[Tensor]  # and its noise: (b, 1, side, side) for each layer
    seconds: float

    def outside(self, original: Tensor) -> float:
        """The largest difference from a picture where the mask is 0."""
        apart = ((self.image - original).abs() * (self.mask == 0)).max()
        return float(apart)


def compose(original: Tensor, made: Tensor, mask: Tensor, soft: int = 0) -> tuple[Tensor, Tensor]:
    """A picture with another's part where a mask is 1, and the mask used: (b, c, h, w) twice, (b or 1, 1, h, w).

    `soft` is how many pixels wide the edge is, all of them inside the mask: outside of it no bit changes.
    """
    mask = (mask > 0.5).to(original).expand(len(original), 1, -1, -1)
    if soft:
        inner = -F.max_pool2d(-mask, 2 * soft + 1, 1, soft)  # eroded
        mask = F.avg_pool2d(F.pad(inner, (soft,) * 4, mode="replicate"), 2 * soft + 1, 1) * mask
    return torch.where(mask == 0, original, torch.lerp(original, made, mask)), mask


def inpaint(
    model: Model, image: Tensor, hole: Tensor, *, steps: int = 300, advance: Advance | None = None, seed: int = 0
) -> Edited:
    """Fill a hole, 1 in a mask (b or 1, 1, h, w): W+ and then noise of all around it. Section 5.3."""
    known = binary(1 - hole, image)
    system = _fit(model, dict(image=image, mask=known), steps, advance, seed)
    return _edited(system, image, 1 - known)


def crossover(
    model: Model, first: Tensor, second: Tensor, mask: Tensor, *, steps: int = 300,
    advance: Advance | None = None, seed: int = 0,
) -> Edited:  # fmt: skip
    """The first picture where a mask is 1 in the second, as one picture of the generator's. Section 5.2.

    What is composed is `made` inside of the mask, and `second` outside.
    """
    part = binary(mask, second)
    system = _fit(model, dict(image=first, other=second, mask=part), steps, advance, seed)
    return _edited(system, second, part)


def scribble(
    model: Model, image: Tensor, scribbled: Tensor, *, around: int = 4, steps: int = 300, keep: float = 0.02,
    advance: Advance | None = None, seed: int = 0,
) -> Edited:  # fmt: skip
    """A picture that someone has drawn on, made real: W+ of the picture, moved towards the drawing and no further
    than it must. Section 5.4.

    What changes is where they differ, and `around` pixels around.
    """
    told = advance or (lambda share: None)
    found = invert(model, image, space="w+", steps=steps, seed=seed, advance=lambda share: told(share / 2))
    options = dict(keep=keep, share=0.0)
    fields = {"image": scribbled, "code": parts(found.code)[0]}
    system = _fit(model, fields, steps, lambda share: told((1 + share) / 2), seed, **options)
    drawn = ((image - scribbled).abs().amax(1, keepdim=True) > 0.02).float()
    if not drawn.any():
        raise UserError("the scribbled picture is the picture itself; draw something on it")
    return _edited(system, image, F.max_pool2d(drawn, 2 * around + 1, 1, around))


def local_style(
    model: Model, image: Tensor, painting: Tensor, mask: Tensor, *, steps: int = 300, weight: float = 0.3,
    advance: Advance | None = None, seed: int = 0,
) -> Edited:  # fmt: skip
    """A picture with the style of another where a mask is 1, by Gram matrices of features. Section 5.5."""
    part = binary(mask, image)
    fields = dict(image=image, painting=painting, paint=part, mask=1 - part)
    return _edited(_fit(model, fields, steps, advance, seed, painted=weight), image, part)


def diffuse(
    model: Model, encoder: Model, target: Tensor, context: Tensor, mask: Tensor, *, steps: int = 200,
    domain: float = 2.0, advance: Advance | None = None, seed: int = 0,
) -> Inversion:  # fmt: skip
    """The target where a mask is 1, with its surroundings grown out of the context: (b, c, h, w) twice.

    The picture pasted together is encoded; the code is optimised for the target's part alone, held to what the encoder
    says. Zhu et al., section 4.4.
    """
    part = binary(mask, target)
    pasted = torch.where(part > 0, target, context)
    space = str(getattr(encoder.system, "space", "z"))
    code = invert(model, pasted, method="encoder", space=space, encoder=encoder).code  # of all, not of the part alone
    return invert(
        model, pasted, space=space, encoder=encoder, steps=steps, seed=seed, mask=part, start=code,
        domain=domain, advance=advance,
    )  # fmt: skip


def copy_activations(model: Model, code: Tensor, source: Tensor, mask: Tensor, side: int) -> Tensor:
    """Pictures of W+ with the activations of others where a mask is 1, at the layers of one shorter side: (b, c, h, w).

    `code` and `source` are W+ (b, layers, w), the mask (b or 1, 1, h, w) of any size. Section 5.6. Raises UserError for
    a generator without styles, or a side that it has not.
    """
    generator: Any = model.system
    if not isinstance(generator, StyleSpaces):
        raise UserError("activations are copied in style-based generators")
    network: Any = generator.G
    layers = list(getattr(network, "styled", network.convs))
    maps: list[Tensor] = []

    def keep(module: Any, given: Any, output: Tensor) -> None:
        if min(output.shape[-2:]) == side:
            maps.append(output.detach().clone())

    def put(module: Any, given: Any, output: Tensor) -> Tensor | None:
        if min(output.shape[-2:]) != side:
            return None
        part = F.interpolate(mask.to(output), size=output.shape[-2:], mode="area").expand(len(output), 1, -1, -1)
        return torch.lerp(output, maps.pop(0).to(output), part)

    with torch.no_grad():
        for hook, codes in ((keep, source), (put, code)):
            handles = [layer.register_forward_hook(hook) for layer in layers]
            try:
                image = generator.synthesis(codes)
            finally:
                for handle in handles:
                    handle.remove()
            if hook is keep and not maps:
                raise UserError(f"this generator has no layer of {side} pixels")
    return image.clamp(-1, 1)


def _fit(
    model: Model, fields: dict[str, Tensor], steps: int, advance: Advance | None, seed: int, **options: Any
) -> Any:
    """Image2StyleGAN++ on some pictures."""
    check_pictures(model, fields["image"])
    name, n = "image2stylegan-plus", len(fields["image"])
    return fit(name, model, n, fields, steps=steps, advance=advance, seed=seed, **options)


def _edited(system: Any, original: Tensor, mask: Tensor) -> Edited:
    """What was made, in its place."""
    with torch.no_grad():
        made = system.made().clamp(-1, 1).to(original.device)
    image, mask = compose(original, made, mask)
    noise = [maps.detach() for maps in system.noise]
    return Edited(image, made, mask, system.points().detach(), noise, system.seconds)

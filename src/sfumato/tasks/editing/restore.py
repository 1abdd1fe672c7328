"""Undo damage to pictures by what a generator knows of undamaged ones: enlarge, colour, fill holes.

By several codes (mGANprior, https://arxiv.org/abs/1912.07116) or by the generator itself (DGP,
https://arxiv.org/abs/2003.13659).
"""

from torch import Tensor

from ...errors import UserError, nearest
from ...networks.editing.damage import DAMAGES, damaged, kept
from ..model import Model
from ..progress import Advance
from .fitted import binary, fit

METHODS = ("mgan-prior", "dgp")


def restore(
    model: Model,
    given: Tensor,
    damage: str,
    *,
    method: str = "mgan-prior",
    mask: Tensor | None = None,
    steps: int | None = None,
    advance: Advance | None = None,
    seed: int = 0,
) -> Tensor:
    """What damaged pictures were, by a method: -> (b, channels, h, w) in [-1, 1].

    `damage` is "superres-x2", -x4 or -x8 and pictures are so many times smaller than the generator's; "grey" and they
    have one channel; "inpaint", and a mask (b or 1, 1, h, w) is 1 where they are known; "none" to reconstruct.
    What is known is kept: the pixels around a hole, the brightness, what the small picture shows. Raises UserError for
    pictures that do not fit.
    """
    nearest(method, METHODS, "method of restoration")
    nearest(damage, DAMAGES, "damage")
    n = len(given)
    blank = given.new_zeros(n, model.facts.channels, *model.facts.sides)
    fields = {"damaged": given}
    if damage == "inpaint":
        if mask is None:
            raise UserError("inpainting needs a mask, 1 where pixels are known")
        fields["mask"] = binary(mask, blank)
        fields["damaged"] = given * fields["mask"]
    shape = damaged(blank, damage, fields.get("mask")).shape
    if given.shape != shape:
        asked = "×".join(map(str, shape[1:]))
        raise UserError(
            f"{damage} with this generator takes pictures of {asked}, not {'×'.join(map(str, given.shape[1:]))}"
        )
    system = fit(method, model, n, fields, steps=steps, advance=advance, seed=seed, damage=damage)
    found: Tensor = system.restored().detach()
    mask = fields["mask"].to(found) if "mask" in fields else None
    return kept(found, given.to(found), damage, mask)

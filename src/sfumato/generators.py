"""How a system comes by a generator that was trained before it: a run by its folder, or the generator itself.

Systems do not know one another; this module, which looks only when it is asked, is what they may ask.
"""

from dataclasses import replace
from typing import Any

import torch

from .errors import UserError
from .system import System


def open_generator(generator: str | System, size: int, channels: int, aspect: str = "1:1") -> Any:
    """The system of a run folder or a model file, in evaluation mode; of "", a small StyleGAN2 that learned nothing.

    Raises UserError if there is no such run, or if it draws pictures of another size, shape or number of channels.
    """
    if isinstance(generator, System):
        return generator.eval()
    if not generator:
        from . import catalog

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            hyper = dict(z=8, w=8, ch=4, ch_max=8, mapping=2, size=size, channels=channels, aspect=aspect)
            system = catalog.build("stylegan2", **hyper).eval()
            with torch.no_grad():  # which begins at 0, so that noise would not show
                for name, value in system.named_parameters():
                    value.fill_(0.1) if name.endswith("strength") else None
        return system
    from .tasks.model import load

    model = load(generator, device="cpu")
    facts = model.facts
    if facts.channels != channels or facts.sides != replace(facts, size=size, aspect=aspect).sides:
        colours = "grey" if facts.channels == 1 else "colour"
        shape = f" --aspect {facts.aspect}" if model.oblong or facts.aspect != aspect else ""
        raise UserError(
            f"generator {generator} draws {facts.shown} pixels in {colours}; take data of the same kind and "
            f"--size {facts.size}{shape} --channels {facts.channels}"
        )
    return model.system.eval()

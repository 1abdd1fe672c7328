"""How a system comes by a generator that was trained before it: a run by its folder, or the generator itself.

Systems do not know one another; this module, which looks only when it is asked, is what they may ask.
"""

from typing import Any

import torch

from .errors import UserError
from .system import System


def open_generator(generator: str | System, size: int, channels: int) -> Any:
    """The system of a run folder or a model file, in evaluation mode; of "", a small StyleGAN2 that learned nothing.

    Raises UserError if there is no such run, or if it draws pictures of another size or number of channels.
    """
    if isinstance(generator, System):
        return generator.eval()
    if not generator:
        from . import catalog

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            hyper = dict(z=8, w=8, ch=4, ch_max=8, mapping=2, size=size, channels=channels)
            system = catalog.build("stylegan2", **hyper).eval()
            with torch.no_grad():  # which begins at 0, so that noise would not show
                for name, value in system.named_parameters():
                    value.fill_(0.1) if name.endswith("strength") else None
        return system
    from .tasks.model import load

    model = load(generator, device="cpu")
    if model.oblong:
        raise UserError(f"generator {generator} draws {model.facts.shown} pixels; this system works on squares alone")
    if (model.facts.size, model.facts.channels) != (size, channels):
        colours = "grey" if model.facts.channels == 1 else "colour"
        raise UserError(
            f"generator {generator} draws {model.facts.size} pixels in {colours}; take data of the same kind and "
            f"--size {model.facts.size} --channels {model.facts.channels}"
        )
    return model.system.eval()

"""Small generators that learned nothing, as models."""

from functools import cache

import torch

from sfumato import catalog
from sfumato.tasks.model import Facts, Model


@cache
def small(name="stylegan2", channels=3, seed=0, **more):
    """A system of 16 pixels, the same for all who ask; noise shows, styles differ."""
    torch.manual_seed(seed)
    hyper = dict(catalog.preset(catalog.find(name), "tiny").hyper) | dict(size=16, channels=channels) | more
    system = catalog.build(name, **hyper)
    for key, value in system.named_parameters():
        if key.endswith("strength"):
            value.data.fill_(0.3)
        elif name == "dcgan" and value.dim() == 4:
            value.data.mul_(12)
    return Model(system.eval(), Facts("faces", 16, channels, (), "image"))

"""The layers of frozen networks through which pictures are compared where a code is looked for."""

import torch

from ..pretrained.features import Features, features

LAYERS = {
    "style": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
    "squeezenet": ("relu1", "fire3", "fire5", "fire9"),
    "reader:scenes": ("stem", "high", "middle"),
    "reader:faces": ("stem", "high", "middle"),
}


def sight(name: str, device: torch.device | str = "cpu") -> Features:
    """Some layers of the network of this name, from fine to coarse; names and errors are those of `features`."""
    layers = LAYERS.get(name) or LAYERS.get(name.partition(":")[0]) or ("relu1", "relu2", "relu3", "relu4")
    return features(name, layers, device=device)

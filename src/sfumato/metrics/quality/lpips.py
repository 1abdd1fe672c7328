"""Learned perceptual image patch similarity.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", equation 1.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import UserError, nearest
from ...networks.pretrained.squeezenet import SqueezeNet
from ...networks.pretrained.weights import fill, locate, read

MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1]


def alexnet() -> nn.Sequential:
    """AlexNet's convolutions in torchvision's layout: (b, 3, h, w) -> (b, 256, h', w')."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def vgg16() -> nn.Sequential:
    """VGG-16's convolutions in torchvision's layout: (b, 3, h, w) -> (b, 512, h / 32, w / 32)."""
    layers: list[nn.Module] = []
    i = 3
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            layers += [nn.Conv2d(i, width, 3, padding=1), nn.ReLU()]
            i = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def squeezenet() -> nn.Sequential:
    """SqueezeNet 1.1's layers in torchvision's layout: (b, 3, h, w) -> (b, 512, h', w')."""
    return SqueezeNet(head=False).features


BACKBONES = {  # name -> its layers, the places after which features are compared, and their channels
    "alex": (alexnet, (2, 5, 8, 10, 12), (64, 192, 384, 256, 256)),
    "vgg": (vgg16, (4, 9, 16, 23, 30), (64, 128, 256, 512, 512)),
    "squeeze": (squeezenet, (2, 5, 8, 10, 11, 12, 13), (64, 128, 256, 384, 384, 512, 512)),
}


class LPIPS(nn.Module):
    """Weighted distances of normalised features of a frozen network, lower is better."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str) -> None:
        super().__init__()
        make, self.taps, self.channels = BACKBONES[nearest(backbone, BACKBONES, "backbone of LPIPS")]
        self.features = make()
        self.heads = nn.ParameterList(torch.ones(c) / c for c in self.channels)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, reference: Tensor, image: Tensor) -> Tensor:
        """Distances of RGB or grey in [-1, 1]: (b, 1 | 3, h, w) twice -> (b,). Raises ValueError below 32 pixels."""
        if min(reference.shape[-2:]) < 32:
            raise ValueError(f"LPIPS needs 32 pixels or more, not {reference.shape[-1]}×{reference.shape[-2]}")
        both = torch.cat([reference, image]).expand(-1, 3, -1, -1)
        total = torch.zeros(len(reference), dtype=both.dtype, device=both.device)
        for features, head in zip(self._seen(both), self.heads, strict=True):
            unit = features / (features.norm(dim=1, keepdim=True) + 1e-10)
            x, y = unit.chunk(2)
            total = total + ((x - y).square() * head.view(-1, 1, 1)).sum(1).mean((1, 2))
        return total

    def _seen(self, images: Tensor) -> list[Tensor]:
        x, found = (images - self.mean) / self.std, []
        for place, layer in enumerate(self.features, 1):
            if place > self.taps[-1]:
                break
            x = layer(x)
            if place in self.taps:
                found.append(x)
        return found


def load_lpips(backbone: str, weights: str | Path, heads: str | Path, sha256: str | None = None) -> LPIPS:
    """LPIPS from torchvision's weights of a network ("alex", "vgg" or "squeeze") and the linear heads made for it.

    Both are paths or URLs of .pth or .safetensors; `sha256` is of the first. Raises UserError for files that are
    missing, damaged, or of another network.
    """
    model = LPIPS(backbone)
    path, _ = locate(str(weights), sha256)
    prefix = "features."
    fill(model.features, {k[len(prefix) :]: v for k, v in read(path).items() if k.startswith(prefix)}, path)
    path, _ = locate(str(heads))
    state = {_place(name): value.flatten() for name, value in read(path).items()}
    fill(model.heads, state, path)
    if any((head < 0).any() for head in model.heads):
        raise UserError(f"{path} holds negative weights, which a distance can't have")
    return model.eval().requires_grad_(False)


def _place(name: str) -> str:
    """The heads' names, "lin3.model.1.weight", as places: "3"."""
    return name.removeprefix("lin").split(".")[0] if name.startswith("lin") else name

"""The networks of LAPGAN: perceptrons for the coarsest pictures, small convolutional ones for each finer band.

Denton et al., 2015, section 4.1, and the authors' code. https://arxiv.org/abs/1506.05751
Noise, and the class by a linear layer of its own, are planes beside the picture's channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError


class DenseGenerator(nn.Module):
    """Two hidden layers: (b, z), (b, classes) -> (b, channels, side, side), float32."""

    def __init__(self, z: int, hidden: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        self.shape = (channels, side, side)
        self.layers = nn.Sequential(
            nn.Linear(z + classes, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, channels * side**2),
        )  # fmt: skip

    def forward(self, noise: Tensor, low: Tensor, label: Tensor) -> Tensor:
        """Pictures of noise and one-hot classes, none being (b, 0); there is nothing below them to go by."""
        return self.layers(torch.cat([noise, label], 1)).float().unflatten(1, self.shape)


class DenseDiscriminator(nn.Module):
    """Two hidden layers that drop out: (b, channels, side, side), (b, classes) -> (b,)."""

    def __init__(self, hidden: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels * side**2 + classes, hidden), nn.ReLU(), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Scores of pictures, float32."""
        return self.layers(torch.cat([image.flatten(1), label], 1)).squeeze(1).float()


class Plane(nn.Module):
    """Classes as one plane more: (b, classes) -> (b, 1, side, side); without classes no plane, (b, 0, side, side)."""

    def __init__(self, classes: int, side: int) -> None:
        super().__init__()
        self.side, self.layer = side, nn.Linear(classes, side**2) if classes else None

    def forward(self, label: Tensor) -> Tensor:
        """As the class says."""
        if self.layer is None:
            return label.view(len(label), 0, self.side, self.side)
        return F.relu(self.layer(label)).view(-1, 1, self.side, self.side)


class BandGenerator(nn.Module):
    """Three convolutions: (b, side²), (b, channels, side, side), (b, classes) -> (b, channels, side, side), float32."""

    def __init__(self, ch: int, side: int, channels: int, classes: int, kernel: int) -> None:
        super().__init__()
        self.side, self.plane, pad = side, Plane(classes, side), kernel // 2
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1 + bool(classes), ch, kernel, 1, pad), nn.ReLU(),
            nn.Conv2d(ch, ch, kernel, 1, pad), nn.ReLU(), nn.Conv2d(ch, channels, 5, 1, 2),
        )  # fmt: skip

    def forward(self, noise: Tensor, low: Tensor, label: Tensor) -> Tensor:
        """Bands that belong onto the coarser pictures `low`."""
        return self.layers(torch.cat([noise.view(-1, 1, *low.shape[2:]), low, self.plane(label)], 1)).float()


class BandDiscriminator(nn.Module):
    """Two convolutions and a score, of a band that is added to its picture: (b, channels, side, side) -> (b,)."""

    def __init__(self, ch: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        if side < 9:
            raise UserError(f"bands of {side} px are too small for these networks; take coarsest pictures of 8 px")
        self.plane, left = Plane(classes, side), (side - 9) // 2 + 1
        self.layers = nn.Sequential(
            nn.Conv2d(channels + bool(classes), ch, 5), nn.ReLU(), nn.Conv2d(ch, ch, 5, 2), nn.ReLU(),
            nn.Flatten(), nn.Dropout(), nn.Linear(ch * left**2, 1),
        )  # fmt: skip

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Scores of pictures, float32."""
        return self.layers(torch.cat([image, self.plane(label)], 1)).squeeze(1).float()

"""SqueezeNet 1.1 (Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters")."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import UserError
from .base import Extractor, Observed, resize, rgb
from .weights import fill, locate, read


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1×1 and 3×3 kernels side by side: (b, i, h, w) -> (b, 2·expand, h, w)."""

    def __init__(self, i: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(i, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()


class SqueezeNet(Extractor):
    """SqueezeNet 1.1: 512 features, the mean over places of the last fire module, and 1000 classes if it has its head.

    At 224 px every pooling divides evenly, so that the Caffe, Keras and torch conventions agree.
    """

    dim = 512
    batch = 64
    domain = "photographs"
    resize = "bilinear antialias to 224"
    mean: Tensor
    std: Tensor

    def __init__(self, head: bool) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool,
            Fire(64, 16, 64), Fire(128, 16, 64), pool,
            Fire(128, 32, 128), Fire(256, 32, 128), pool,
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        )  # fmt: skip
        self.classifier: nn.Sequential | None = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 1000, 1)) if head else None
        # Of RGB in [0, 255]. These are ImageNet's, as torchvision's weights expect.
        self.register_buffer("mean", torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Observed:
        """Features and class probabilities: (b, 1 | 3, h, w) in [-1, 1] -> (b, 512), (b, 1000) or None."""
        x = (resize(rgb(images), 224) + 1) * 127.5
        x = self.features((x - self.mean) / self.std)
        features = x.mean((2, 3))
        if self.classifier is None:
            return Observed(features)
        return Observed(features, self.classifier(x).relu().mean((2, 3)).softmax(1))


def load_squeezenet(source: str, sha256: str | None = None) -> SqueezeNet:
    """SqueezeNet 1.1 from Keras weights without the head (.h5), or torchvision's layout (.pth, .safetensors).

    Raises UserError for weights that are missing, damaged or of another network, or if h5py is missing for .h5.
    """
    path, digest = locate(source, sha256)
    if path.suffix in (".h5", ".hdf5"):
        network = SqueezeNet(head=False)
        fill(network, _from_keras(path), path)
        # Caffe's preprocessing: the mean of BGR, no scale. The first kernel is turned to RGB in `_from_keras`.
        network.mean.copy_(torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1))
        network.std.fill_(1.0)
    else:
        state = read(path)
        network = SqueezeNet(head="classifier.1.weight" in state)
        fill(network, state, path)
    network.sha256 = digest
    return network


def _from_keras(path: Path) -> dict[str, Tensor]:
    """A Keras file's kernels under torchvision's names, HWIO -> OIHW, BGR -> RGB."""
    try:
        import h5py
    except Exception as error:  # a broken installation is as good as none
        raise UserError(f"{path} is an HDF5 file, which needs h5py: pip install 'sfumato[features]'") from error

    places = {f"fire{n}": i for n, i in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)}
    state: dict[str, Tensor] = {}

    def visit(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        layer, kind = name.split("/"), name.rsplit("/", 1)[-1].split(":")[0]
        if layer[0] == "conv1":
            key = "features.0"
        else:
            key = f"features.{places[layer[0]]}.{layer[1].replace('squeeze1x1', 'squeeze')}"
        value = torch.from_numpy(item[()]).float()
        if kind == "bias":
            state[f"{key}.bias"] = value
        else:
            value = value.permute(3, 2, 0, 1).contiguous()
            state[f"{key}.weight"] = value.flip(1) if key == "features.0" else value

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, KeyError, IndexError, RuntimeError, TypeError) as error:
        raise UserError(f"{path} is damaged or no Keras SqueezeNet 1.1 file") from error
    return state

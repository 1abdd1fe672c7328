"""DLSS 1: an autoencoder that learns from frames rendered large what frames rendered small should look like.

NVIDIA, Final Fantasy XV: GeForce RTX DLSS benchmark, 2018.
https://nvidia.com/en-gb/geforce/news/final-fantasy-xv-windows-edition-geforce-rtx-dlss-benchmark
What is public: thousands of frames with 64 samples a pixel and the same without antialiasing; a convolutional
autoencoder learns to make the first of the second, frame by frame. Its shape here is that of the reconstruction network
of Xiao et al. (Neural Supersampling for Real-time Rendering, SIGGRAPH 2020), a U-Net (https://arxiv.org/abs/1505.04597);
it sees the bicubic enlargement, its pixels in groups, and adds what that lacks.

    model = sfumato.load("runs/00003-dlss1-scenes")
    clip = Batches(model.pictures, view="rendered-x2", batch=1).at(0)
    frames = model.system.supersample(clip.low, clip.jitter)

Deviations: network, loss and training are not published and are chosen here, the loss L1, with `perceptual` also of
features. The targets have four samples a pixel, each of them antialiased, as the renderer of the built-in worlds is.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.pretrained.features import features
from ...networks.superres.temporal import Autoencoder, enlarged, matched
from ...objectives.perceptual import distance
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class DLSS1(System):
    """An autoencoder that sees one frame at a time."""

    paper = Paper(
        "Final Fantasy XV: GeForce RTX DLSS benchmark",
        "NVIDIA",
        2018,
        "https://nvidia.com/en-gb/geforce/news/final-fantasy-xv-windows-edition-geforce-rtx-dlss-benchmark",
    )
    recipe = Recipe(data="scenes", size=128, batch=8, steps=200_000, view="rendered-x2")
    presets = {
        "paper": Preset(),
        "paper-x4": Preset(dict(scale=4), dict(view="rendered-x4")),
        "small": Preset(dict(ch=16, lr=1.5e-3), dict(size=64, batch=2, steps=1_200, schedule=cosine)),
        "tiny": Preset(dict(ch=4, lr=2e-3), dict(size=16, batch=2, steps=20)),
    }

    def __init__(
        self,
        scale: int = 2,  # how many times larger frames become
        perceptual: float = 0.0,  # weight of the distance of features
        features: str = "reader:shapes",  # or vgg19:SOURCE, squeezenet:SOURCE, a path or URL
        layer: str = "relu2",  # of the features
        ch: int = 32,  # channels of the first convolutions; four times as many at a quarter of the side
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.perceptual, self.features, self.layer, self.lr = scale, perceptual, features, layer, lr
        self.G = Autoencoder(scale**2 * channels, scale**2 * channels, ch)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The absolute error of all frames, and the distance of their features."""
        matched(batch.clip, batch.low, self.scale)
        frames, clip = self.enlarge(batch.low.flatten(0, 1), batch.jitter.flatten(0, 1)), batch.clip.flatten(0, 1)
        terms = {"l1": l1(frames, clip)}
        if self.perceptual:
            look = features(self.features, (self.layer,), device=clip.device)
            terms["perceptual"] = self.perceptual * distance(look(frames)[0], look(clip)[0])
        yield {"G": terms}

    def enlarge(self, low: Tensor, jitter: Tensor) -> Tensor:
        """Frames whose samples lie `jitter` (b, 2) from the centres: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        base = enlarged(low, jitter, self.scale)
        return base + F.pixel_shuffle(self.G(F.pixel_unshuffle(base, self.scale)).float(), self.scale)

    @torch.no_grad()
    def supersample(self, low: Tensor, jitter: Tensor) -> Tensor:
        """Clips of any length, each frame alone: (b, t, c, h, w), (b, t, 2) -> (b, t, c, scale · h, scale · w)."""
        return torch.stack([self.enlarge(low[:, k], jitter[:, k]).clamp(-1, 1) for k in range(low.shape[1])], 1)

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.enlarge(image, image.new_zeros(len(image), 2)).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The last frame of each clip."""
        return self.supersample(given.low[:, -1:], given.jitter[:, -1:])[:, -1]

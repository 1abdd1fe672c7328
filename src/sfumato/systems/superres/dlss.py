"""DLSS 2: each frame is made of few jittered samples and of the frame before it, moved to where it is now.

Liu, DLSS 2.0: Image Reconstruction for Real-time Rendering with Deep Learning, GTC 2020; NVIDIA's own summary is
https://nvidia.com/en-us/geforce/news/nvidia-dlss-2-0-a-big-leap-in-ai-rendering
What is public: a convolutional autoencoder takes the small jittered frame, its motion vectors and depth, and the large
frame before, and decides pixel by pixel what of the history is true. So here: the previous output is warped by the
motion of what is foremost, what has just appeared takes none of it, and G, which sees all this in groups of pixels as
in Frame-Recurrent Video Super-Resolution (https://arxiv.org/abs/1801.04590), says for each pixel how far history is
clamped to the samples around it, how much it counts, and what the mean still lacks. While G is zero, as it begins, this
is temporal antialiasing with upsampling as in Yang, Liu & Salvi's survey, 2020. G has the shape of the reconstruction
network of Xiao et al. (Neural Supersampling for Real-time Rendering, SIGGRAPH 2020).

    model = sfumato.load("runs/00003-dlss-scenes")
    clip = Batches(model.pictures, view="rendered-x2", batch=1).at(0)
    frames = model.system.supersample(clip.low, clip.jitter, clip.back, clip.depth)

Deviations: network, loss and training are not published and are chosen here: L1, with `perceptual` also of features,
over windows of four frames, through which gradients flow; the next window begins with what the last one left.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.pretrained.features import features
from ...networks.superres.temporal import (
    Autoencoder,
    History,
    accumulated,
    appeared,
    enlarged,
    foremost,
    landed,
    matched,
    rectified,
    warp,
)
from ...objectives.perceptual import distance
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class DLSS(System):
    """An autoencoder that sees a frame and what is left of those before it."""

    paper = Paper(
        "DLSS 2.0: Image Reconstruction for Real-time Rendering with Deep Learning",
        "Liu",
        2020,
        "https://nvidia.com/en-us/geforce/news/nvidia-dlss-2-0-a-big-leap-in-ai-rendering",
    )
    recipe = Recipe(data="scenes", size=128, batch=8, steps=100_000, view="rendered-x2")
    presets = {
        "paper": Preset(),
        "paper-x4": Preset(dict(scale=4), dict(view="rendered-x4")),
        "small": Preset(dict(ch=16, lr=1.5e-3), dict(size=64, batch=2, steps=800, schedule=cosine)),
        "tiny": Preset(dict(ch=4, lr=2e-3), dict(size=16, batch=2, steps=20)),
    }

    def __init__(
        self,
        scale: int = 2,  # how many times larger frames become
        window: int = 4,  # frames that gradients flow through
        perceptual: float = 0.0,  # weight of the distance of features
        features: str = "reader:shapes",  # or vgg19:SOURCE, squeezenet:SOURCE, a path or URL
        layer: str = "relu2",  # of the features
        ch: int = 32,  # channels of the first convolutions; four times as many at a quarter of the side
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.scale, self.window, self.channels, self.lr = scale, window, channels, lr
        self.perceptual, self.features, self.layer = perceptual, features, layer
        self.G = Autoencoder(scale**2 * (3 * channels + 2) + 1, scale**2 * (channels + 2), ch)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam."""
        return {"G": Adam(self.G.parameters(), self.lr, fused=True)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The absolute error of one window of frames after another, and the distance of their features."""
        matched(batch.clip, batch.low, self.scale)
        history: History | None = None
        for first in range(0, batch.clip.shape[1], self.window):
            clip, frames = batch.clip[:, first : first + self.window], []
            for k in range(first, first + clip.shape[1]):
                low, jitter, back, depth = (x[:, k] for x in (batch.low, batch.jitter, batch.back, batch.depth))
                image, history = self.frame(low, jitter, back, depth, history)
                frames.append(image)
            ours = torch.stack(frames, 1)
            terms = {"l1": l1(ours, clip)}
            if self.perceptual:
                look = features(self.features, (self.layer,), device=clip.device)
                ours, clip = (look(x.flatten(0, 1))[0] for x in (ours, clip))
                terms["perceptual"] = self.perceptual * distance(ours, clip)
            yield {"G": terms}
            history = history.detached() if history else None

    def frame(
        self, low: Tensor, jitter: Tensor, back: Tensor, depth: Tensor, history: History | None = None
    ) -> tuple[Tensor, History]:
        """The next frame, (b, c, scale · h, scale · w), and what the one after it needs.

        low (b, c, h, w) has one sample a pixel, `jitter` (b, 2) pixels from its centre; back (b, 2, h, w) leads to
        where what is sampled was in the frame before, pixels of `low`; depth (b, 1, h, w) in [-1, 1] is inverse, −1 =
        infinitely far away. See the views `rendered-x2` and `rendered-x4`.
        """
        s, (h, w) = self.scale, low.shape[-2:]
        hit = landed(jitter, s, h, w)
        fresh = torch.where(hit > 0, F.interpolate(low, scale_factor=s), enlarged(low, jitter, s))
        back, near = foremost(back, depth)
        if history is None:
            history = History(fresh, torch.zeros_like(hit), depth)
        there = F.interpolate((~appeared(near, back, history.depth)).float(), scale_factor=s)
        moved = s * F.interpolate(back, scale_factor=s)
        count = there * warp(history.count, moved, "bilinear")
        old = torch.where(there > 0, warp(history.image, moved), fresh)
        safe = rectified(old, low, s)
        seen = [F.pixel_unshuffle(x, s) for x in (fresh, safe, old - safe, hit, count / (1 + count))]
        lacking, doubt, trust = F.pixel_shuffle(self.G(torch.cat([*seen, near], 1)).float(), s).split(
            (self.channels, 1, 1), 1
        )
        old = torch.lerp(safe, old, (10 * trust + 3).sigmoid())  # trusted at first: thin things are often out of range
        image, count = accumulated(old, count, fresh, hit, (10 * doubt).clamp(-6, 6))
        image = image + lacking
        return image, History(image, count, depth)

    @torch.no_grad()
    def supersample(self, low: Tensor, jitter: Tensor, back: Tensor, depth: Tensor) -> Tensor:
        """Clips of any length: (b, t, …) as `frame` takes them -> (b, t, c, scale · h, scale · w)."""
        frames, history = [], None
        for k in range(low.shape[1]):
            image, history = self.frame(low[:, k], jitter[:, k], back[:, k], depth[:, k], history)
            frames.append(image.clamp(-1, 1))
        return torch.stack(frames, 1)

    def sample(self, given: Batch) -> Tensor:
        """The last frame of each clip."""
        return self.supersample(given.low, given.jitter, given.back, given.depth)[:, -1]

"""Image2StyleGAN++: W+ first and then the noise of each layer, with masks that say what has to be whose.

Abdal, Qin & Wonka, Image2StyleGAN++: How to Edit the Embedded Images?, CVPR 2020. https://arxiv.org/abs/1911.11544
The objective of section 3 with its terms of pixels, features and style and a mask for each, and its alternation of
section 4: W+ under pixels and features, then noise under pixels, of `image` where `mask` is 1 and of `other` elsewhere.
A system of one or a few pictures, the first rows of the first batch. That may have `other` (without it, what W+ gave),
`mask`, `painting` and `paint`, whose style is wanted where `paint` is 1, and `code`, a W+ to start from. The tasks of
`tasks.editing.regions` make of it inpainting, crossover, scribbles and local style transfer.

Deviations: what is learned of W+ is counted in spreads of W; rates and weights suit that and the shipped features,
which are compared by their directions, style by Gram matrices of the last of them but one. Steps are fewer.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...generators import open_generator
from ...networks.editing.held import Held
from ...networks.editing.sight import sight
from ...networks.editing.spaces import fresh_noise, statistics
from ...networks.stylegan.latents import StyleSpaces
from ...objectives.inversion import feature_distance, masked_mse
from ...objectives.style import mean_gram, relative, style
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine


class Image2StyleGANPlus(System):
    """W+ and noise of a few pictures; the generator in H is left as it is."""

    paper = Paper(
        "Image2StyleGAN++: How to Edit the Embedded Images?",
        "Abdal, Qin & Wonka",
        2019,
        "https://arxiv.org/abs/1911.11544",
    )
    recipe = Recipe(data="ffhq", size=1024, batch=1, steps=8_000)
    presets = {
        "paper": Preset(),
        "small": Preset(dict(), dict(data="faces", size=64, batch=1, steps=300, schedule=cosine)),
        "tiny": Preset(dict(pictures=3), dict(data="digits", size=16, batch=4, steps=20)),
    }

    def __init__(
        self,
        generator: str | System = "",  # the run folder of a style-based generator
        share: float = 0.4,  # of the training, the last part, in which noise is learned
        pixels: float = 1.0,  # weight of the squared error
        features: str = "style",  # or reader:faces, squeezenet:FILE, vgg19:FILE
        perceptual: float = 0.5,  # weight of the distance of these features
        painted: float = 0.3,  # weight of the style, relative to what a black picture has
        keep: float = 0.0,  # weight of the squared distance from where W+ began, in spreads
        pictures: int = 1,  # at once, the first rows of the first batch
        size: int = 1024,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        lr: float = 0.1,  # of W+, in spreads
        lr_noise: float = 0.05,
    ) -> None:
        super().__init__()
        found = open_generator(generator, size, channels, aspect)
        if not isinstance(found, StyleSpaces):
            raise UserError("image2stylegan++ needs W+ and noise: give the run of a stylegan or stylegan2")
        self.H, self.features = Held(found, isinstance(generator, System)), features
        self.share, self.pixels = share, pixels
        self.perceptual, self.painted, self.keep, self.lr, self.lr_noise = perceptual, painted, keep, lr, lr_noise
        with torch.no_grad():
            (mean,), (spread,) = statistics(found, found.prior(Batch(2_000)), "w+")
            blank = torch.zeros_like(found.synthesis(mean)).repeat(pictures, 1, 1, 1)
        self.moved = nn.Parameter(torch.zeros(pictures, *mean.shape[1:]))
        self.noise = nn.ParameterList(fresh_noise(found, pictures))
        place = blank[:, :1]
        for name, value in dict(image=blank, other=blank, painting=blank, mask=place + 1, paint=place).items():
            self.register_buffer(name, value.clone())
        self.register_buffer("code", mean.expand(pictures, -1, -1).clone())
        self.register_buffer("spread", spread.clone())
        self.register_buffer("paired", torch.zeros((), dtype=torch.bool))
        self.drawn: Tensor | None = None  # what W+ gave, before noise was learned

    def start(self, batch: Batch) -> None:
        """What is wanted, from the batch; W+ from its code or the mean, and the noise of the generator."""
        n = len(self.moved)
        for name in ("image", "other", "painting", "mask", "paint", "code"):
            if name in batch:
                self.get_buffer(name).copy_(batch.fields[name][:n])
        self.get_buffer("paired").fill_("other" in batch)
        with torch.no_grad():
            self.moved.zero_()
            for maps, first in zip(self.noise, fresh_noise(self.H.system, n), strict=True):
                maps.copy_(first)
        self.drawn = None

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each."""
        return {"w": Adam([self.moved], self.lr), "noise": Adam(self.noise.parameters(), self.lr_noise)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The turn of W+, or in the last part of the training that of noise."""
        mask, image = self.get_buffer("mask"), self.get_buffer("image")
        if self.progress >= 1 - self.share:
            made, other = self.made(), self.other_than(image)
            terms = {"image": self.pixels * masked_mse(made * mask, image * mask)}
            terms["other"] = self.pixels * masked_mse(made * (1 - mask), other * (1 - mask))
            yield {"noise": terms}
            return
        made, look = self.plain(), sight(self.features, batch.device)
        seen = look(made)
        terms = {"image": self.pixels * masked_mse(made * mask, image * mask)}
        terms["features"] = self.perceptual * feature_distance(seen, look(image), mask)
        if self.get_buffer("paired"):
            other, rest = self.get_buffer("other"), 1 - mask
            terms["other"] = self.pixels * masked_mse(made * rest, other * rest)
            terms["other"] = terms["other"] + self.perceptual * feature_distance(seen, look(other), rest)
        if self.get_buffer("paint").any():
            aim = mean_gram(look(self.get_buffer("painting"))[-2])[:, None]
            terms["style"] = self.painted * style([seen[-2]], [aim], relative([aim]), self.get_buffer("paint"))
        if self.keep:
            terms["keep"] = self.keep * self.moved.square().flatten(1).mean(1)
        yield {"w": terms}

    def other_than(self, image: Tensor) -> Tensor:
        """What is wanted outside of the mask: `other`, or what W+ gave."""
        if self.get_buffer("paired"):
            return self.get_buffer("other")
        if self.drawn is None or self.drawn.device != image.device:
            with torch.no_grad():
                self.drawn = self.plain()
        return self.drawn

    def points(self) -> Tensor:
        """W+ as it is: (pictures, layers, w)."""
        return self.get_buffer("code") + self.get_buffer("spread") * self.moved

    def plain(self) -> Tensor:
        """The pictures with the generator's own noise, not clipped: (pictures, channels, h, w)."""
        return self.H.system.synthesis(self.points())

    def made(self) -> Tensor:
        """The pictures as they are, not clipped: (pictures, channels, h, w)."""
        return self.H.system.synthesis(self.points(), list(self.noise))

    def sample(self, given: Batch) -> Tensor:
        """Pictures, chosen at random from those that were made: (n, channels, h, w)."""
        return self.made().clamp(-1, 1)[given.randint(len(self.moved))]

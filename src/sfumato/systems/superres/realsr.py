"""RealSR: enlargement of real pictures, learned from pictures that were spoiled by kernels and noise of real ones.

Ji, Cao, Tai, Wang, Li & Huang, Real-World Super-Resolution via Kernel Estimation and Noise Injection, CVPRW 2020.
https://openaccess.thecvf.com/content_CVPRW_2020/html/w31/Ji_Real-World_Super-Resolution_via_Kernel_Estimation_and_Noise_Injection_CVPRW_2020_paper.html
Clean-up, kernel pool and noise pool are its section on degradation, I_LR = (I_HR * k)↓ + n; the network is ESRGAN's
(https://arxiv.org/abs/1809.00219), its discriminator one of patches with three layers, the weights of pixels, features
and adversary 0.01, 1 and 0.005. `pools` names a file of kernels and noise, which `pools.py` gathers from a folder.

Deviations: without a file, the pools are drawn as `degrade` describes. Patches of noise have 64 pixels
in place of 256. The paper begins with ESRGAN's trained P, here errors of pixels teach G at first, for a million
iterations; the rate stays what it is, where the authors' code halves it at 5,000, 10,000, 20,000 and 30,000 of 60,000.
"small" has clean pictures, which it does not clean up, adds to a bicubic enlargement, and has half a cosine; its
features are those of the small network that reads the built-in shapes.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...errors import UserError
from ...networks.pretrained.features import features
from ...networks.superres.degrade import as_bytes, default_kernels, default_noise, injected, read_pools, shrink_each
from ...networks.superres.pictures import enlarge, patches, shrink, trimmed
from ...networks.superres.rrdb import rrdb_net
from ...networks.translation.patch import PatchGAN
from ...objectives.adversarial import relativistic_d, relativistic_g, wins
from ...objectives.perceptual import distance
from ...objectives.pixels import l1
from ...system import Batch, Losses, Paper, Preset, Recipe, System, cosine

GRAIN = 64  # side of the patches of noise, pixels
SMALL = dict(
    blocks=2, ch=24, growth=12, ch_d=16, patch=64, base=True, cleanup=1, lr=1e-3, pretrain=0.85,
    features="reader:shapes", layer="conv5",
)  # fmt: skip
SHORT = dict(data="scenes", size=64, batch=8, steps=1_500, schedule=cosine)


class RealSR(System):
    """Residual-in-residual dense blocks against a discriminator of patches, on pictures as cameras spoil them."""

    paper = Paper(
        "Real-World Super-Resolution via Kernel Estimation and Noise Injection",
        "Ji, Cao, Tai, Wang, Li & Huang",
        2020,
        "https://openaccess.thecvf.com/content_CVPRW_2020/html/w31/Ji_Real-World_Super-Resolution_via_Kernel_Estimation_and_Noise_Injection_CVPRW_2020_paper.html",
    )
    recipe = Recipe(data="div2k", size=480, batch=16, steps=1_060_000, view="restoration")
    presets = {
        "paper": Preset(),
        "small": Preset(SMALL, SHORT),
        "small-bicubic": Preset(SMALL | dict(blur=0.0, noise=0.0), SHORT),
        "tiny": Preset(
            SMALL | dict(scale=2, blocks=1, ch=4, growth=2, ch_d=2, layers_d=1, patch=16, pool=8, pretrain=0.02,
                         layer="conv1"),
            dict(data="digits", size=16, batch=4, steps=20),
        ),
    }  # fmt: skip

    def __init__(
        self,
        scale: int = 4,  # how many times larger pictures become
        pools: str = "",  # a file of kernels and noise; none = the default ones
        pool: int = 256,  # kernels, and patches of noise
        blur: float = 1.0,  # widest default kernel, its standard deviation in pixels of `low`; 0 = bicubic alone
        noise: float = 4.5,  # strongest default noise, its standard deviation, of 255
        base: bool = False,  # whether G adds to a bicubic enlargement, which is sooner learned
        cleanup: int = 2,  # how many times smaller pictures are made to be clean
        features: str = "vgg19",  # vgg19:SOURCE, a path or URL; squeezenet:SOURCE, reader:shapes
        layer: str = "conv5_4",  # of the features
        adversarial: float = 5e-3,  # weight of the adversarial loss
        pixels: float = 1e-2,  # weight of the errors of pixels
        pretrain: float = 100 / 106,  # share of the training by errors of pixels alone
        blocks: int = 23,  # residual-in-residual ones
        ch: int = 64,  # channels between convolutions
        growth: int = 32,  # channels that each convolution of a dense block adds
        ch_d: int = 64,  # channels of D's first layer; twice as many in each next one, at most 8 times
        layers_d: int = 3,  # of D that halve the side
        patch: int = 128,  # side of the squares that are learned from, pixels
        channels: int = 3,
        lr: float = 1e-4,
    ) -> None:
        super().__init__()
        if patch % scale:
            raise UserError(f"patches of {patch} px cannot be made {scale} times smaller: give a multiple of it")
        self.scale, self.base, self.cleanup, self.features, self.layer = scale, base, cleanup, features, layer
        self.adversarial, self.pixels, self.pretrain, self.patch, self.lr = adversarial, pixels, pretrain, patch, lr
        self.pools = pools
        self.G = rrdb_net(channels, ch, blocks, growth, scale)
        self.D = PatchGAN(channels, ch_d, layers_d, nn.BatchNorm2d)
        self.kernels: Tensor
        self.noise: Tensor
        self.pretrained: Tensor
        self.register_buffer("kernels", default_kernels(pool, scale, blur))
        self.register_buffer("noise", default_noise(pool, channels, GRAIN, noise))
        self.register_buffer("pretrained", torch.tensor(pretrain == 0))

    def start(self, batch: Batch) -> None:
        """Take the pools from their file, if one is named: as many of each as there is room for, in turns if fewer."""
        if self.pools:
            kernels, noise = read_pools(self.pools, len(self.kernels), self.scale, batch.image.shape[1], GRAIN)
            self.kernels.copy_(kernels)
            self.noise.copy_(noise)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {k: Adam(net.parameters(), self.lr, fused=True) for k, net in (("G", self.G), ("D", self.D))}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Errors of pixels at first; then the discriminator's turn, and the generator's."""
        look = features(self.features, (self.layer,), device=batch.image.device)
        image = self.cleaned(batch)
        fake = self.enlarge(self.degraded(image, batch))
        if self.progress >= self.pretrain:
            self.pretrained.fill_(True)
        if not self.pretrained:
            yield {"G": {"pixels": l1(fake / 2, image / 2)}}
            return
        real_score, fake_score = self.D(image)[-1], self.D(fake.detach())[-1]
        yield {"D": relativistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        terms = {"pixels": self.pixels * l1(fake / 2, image / 2)}
        terms["content"] = distance(look(fake)[0], look(image)[0], power=1)
        terms["adversarial"] = self.adversarial * relativistic_g(real_score.detach(), self.D(fake)[-1])
        yield {"G": terms}

    def cleaned(self, batch: Batch) -> Tensor:
        """Squares of the pictures, made smaller so that their noise is gone: (b, c, patch, patch)."""
        image, _ = patches(batch.image, batch.image, self.cleanup * self.patch, batch.rand(3))
        return shrink(trimmed(image, self.cleanup * self.scale), self.cleanup)

    def degraded(self, image: Tensor, batch: Batch) -> Tensor:
        """Images as a camera would have made them, by a kernel and noise drawn for each: -> (b, c, h / scale, …)."""
        low = shrink_each(image, self.kernels[batch.randint(len(self.kernels))], self.scale)
        return as_bytes(injected(low, self.noise[batch.randint(len(self.noise))], batch.rand(2)))

    def enlarge(self, low: Tensor) -> Tensor:
        """What G makes of images, not clipped: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.G(low).float() + (enlarge(low, self.scale) if self.base else 0.0)

    def upscale(self, image: Tensor) -> Tensor:
        """Images enlarged: (b, c, h, w) -> (b, c, scale · h, scale · w)."""
        return self.enlarge(image).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """The images that are `clean`, degraded and enlarged again."""
        h, w = given.clean.shape[-2:]
        return self.upscale(self.degraded(given.clean, given))[..., :h, :w]

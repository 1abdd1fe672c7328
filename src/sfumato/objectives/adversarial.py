"""The losses of the game between a generator and a discriminator, from scores of any shape; each is a scalar.

Scores are the discriminator's raw outputs (logits): the higher, the more real. A name that ends in `_d` is what the
discriminator minimises, one in `_g` what the generator does.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def logistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the value function V(D, G) of Goodfellow et al., 2014, eq. 1, for D = sigmoid(score)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_g(fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))): the generator's part of V. Goodfellow et al., 2014, eq. 1."""
    return -F.softplus(fake).mean()


def nonsaturating_g(fake: Tensor) -> Tensor:
    """-E log D(G(z)): the same fixed point, a strong gradient early on. Goodfellow et al., 2014, section 3."""
    return F.softplus(-fake).mean()


def least_squares_d(real: Tensor, fake: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Half the squared distances to the labels a of fakes and b of reals. Mao et al., 2016, eq. 2."""
    return 0.5 * (real - b).square().mean() + 0.5 * (fake - a).square().mean()


def least_squares_g(fake: Tensor, c: float = 1.0) -> Tensor:
    """Half the squared distance to c, what G wants D to believe. Mao et al., 2016, eq. 2."""
    return 0.5 * (fake - c).square().mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the critic's estimate of the Wasserstein-1 distance. Arjovsky et al., 2017, eq. 3."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor) -> Tensor:
    """The generator's part of the estimate. Arjovsky et al., 2017, algorithm 1."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """Reals are more real than the average fake, fakes less than the average real: RaSGAN of
    Jolicoeur-Martineau, 2018, section 4.2."""
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss with the roles exchanged: the generator learns from reals too."""
    return relativistic_d(fake, real)


def realness(logits: Tensor) -> Tensor:
    """The score whose sigmoid is Z / (Z + 1), Z the sum of exp over K class logits: (b, k) -> (b,).

    It is the probability "not fake" of a softmax over K + 1 classes whose last logit is fixed at zero.
    Salimans et al., 2016, section 5.
    """
    return logits.logsumexp(1)


def feature_matching(real: Tensor, fake: Tensor, power: int = 2) -> Tensor:
    """The batches' mean features' mean difference to a power, 1 or 2: (b, d), (b, d) -> ().

    Salimans et al., 2016, section 3.1. Their equation has the square; their code for CIFAR-10 the absolute value.
    """
    return (real.mean(0) - fake.mean(0)).abs().pow(power).mean()


def interpolated(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """(|gradient of the critic| - 1)² at points between pairs of real and fake, averaged.

    `mix` in [0, 1], broadcast to the images, says where. In float32 whatever the precision around it: the norm of a
    gradient in half precision is noise. Gulrajani et al., 2017, eq. 3 and algorithm 1.
    """
    with torch.autocast(real.device.type, enabled=False):
        x = torch.lerp(real.detach().float(), fake.detach().float(), mix.float()).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def r1(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """|gradient of the critic|² at each real picture: (b, c, h, w) -> (b,). Mescheder et al., 2018, eq. 9.

    https://arxiv.org/abs/1801.04406. In float32 whatever the precision around it. The loss is γ / 2 times its mean.
    """
    with torch.autocast(real.device.type, enabled=False):
        x = real.detach().float().requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return slope.square().flatten(1).sum(1)


def consistency(before: Tensor, after: Tensor) -> Tensor:
    """How much scores change when their pictures are augmented, squared: (b,), (b,) -> (b,).

    Zhao et al., 2020, section 2. https://arxiv.org/abs/2002.04724
    """
    return (before - after).square()


def lazy(lr: float, betas: tuple[float, float], every: int) -> tuple[float, tuple[float, float]]:
    """Adam's rate and momenta where a regulariser takes a step of its own every so many iterations.

    Each to the power, or times, c = k / (k + 1), so that a round moves as far as without the additional step.
    Karras et al., 2019, appendix B. https://arxiv.org/abs/1912.04958
    """
    c = every / (every + 1) if every > 1 else 1.0
    return lr * c, (betas[0] ** c, betas[1] ** c)


def wins(real: Tensor, fake: Tensor) -> Tensor:
    """How often the discriminator ranks a real above a fake, in [0, 1]: half is a draw, one means that it has won."""
    return (real > fake).float().mean()

"""ZSSR and KernelGAN: what they learn from, their losses and schedules, that they find what is to be found."""

import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.superres.internal import resized
from sfumato.networks.superres.kernels import (
    bicubic_kernel,
    centre_of_mass,
    centred,
    fitted,
    gaussian_kernel,
    home,
    shrink_by,
)
from sfumato.objectives.kernels import at_border, off_centre, off_one, spread_out
from sfumato.system import Batch
from sfumato.training.loop import Budget, begin, train


def texture(side=64, channels=3, seed=0):
    """Discs of many sizes, sharp: (1, channels, side, side) in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    at = (torch.arange(4 * side) + 0.5) / 4
    image = torch.zeros(channels, 4 * side, 4 * side)
    for _ in range(40):
        x, y, r = (torch.rand(3, generator=random) * torch.tensor([side, side, side / 5])).tolist()
        inside = (at - x) ** 2 + (at[:, None] - y) ** 2 < r * r
        image[:, inside] = torch.rand(channels, 1, generator=random) * 1.8 - 0.9
    return torch.nn.functional.avg_pool2d(image[None], 4)


class Feed:
    """One picture for ever, without the one that it was made of."""

    def __init__(self, low, **more):
        self.fields = {"low": low, **more}

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, **self.fields)


def made(name, preset="tiny", **more):
    torch.manual_seed(0)
    return catalog.build(name, **dict(catalog.find(name).presets[preset].hyper) | more)


def learned(system, feed, steps):
    for _ in train(begin(system), feed, Budget(steps=steps)):
        pass
    return system.eval()


def test_the_papers_networks():
    zssr, gan = made("zssr", "paper"), made("kernelgan", "paper")
    assert sum(p.numel() for p in zssr.parameters()) == 3 * 9 * 64 + 6 * 9 * 64 * 64 + 64 * 9 * 3 + 7 * 64 + 3
    assert sum(p.numel() for p in gan.G.parameters()) == 64 * 49 + 64 * 64 * (25 + 9 + 1 + 1) + 64
    assert sum(p.numel() for p in gan.D.parameters()) == 3 * 49 * 64 + 64 + 5 * (64 * 64 + 64 + 2 * 64) + 64 + 1
    for name in ("zssr", "kernelgan"):
        assert catalog.find(name).presets["paper"].hyper == {}


def test_zssr_without_its_network_is_bicubic_corrected():
    system, low = made("zssr", back=0), texture(20)[..., :14]
    with torch.no_grad():
        system.F[-1].weight.zero_()
        torch.testing.assert_close(system.upscale(low), resized(low, (40, 28)).clamp(-1, 1), atol=1e-5, rtol=0)
        system.back = 10
        before, after = (shrink_by(x, bicubic_kernel(2), 2) for x in (resized(low, (40, 28)), system.upscale(low)))
    assert (after - low).square().mean() < (before - low).square().mean() / 10


def test_zssr_takes_the_kernel_of_the_batch_for_its_sons():
    kernel = gaussian_kernel(12, (4.0, 1.0), 0.4)
    system, low = made("zssr"), texture(32)
    system.start(Batch(low=low, kernel=kernel[None]))
    torch.testing.assert_close(system.son(low), shrink_by(low, kernel, 2), atol=1e-5, rtol=0)
    system.start(Batch(low=low))
    torch.testing.assert_close(system.kernel, fitted(kernel, len(system.kernel), 2))
    with pytest.raises(UserError, match="kernel of 64 pixels is too large: there is room for 40"):
        system.start(Batch(low=low, kernel=torch.ones(1, 64, 64) / 64**2))


def test_zssr_on_the_way_to_its_scale_shrinks_by_bicubic():
    system, low = made("zssr"), texture(24)
    system.ratio.fill_(1.5)
    assert torch.equal(system.son(low), resized(low, (16, 16)))
    assert system.upscale(low).shape == (1, 3, 36, 36)


def test_zssr_yields_the_absolute_error_of_whole_fathers():
    """With a network that adds nothing, the loss is that of bicubic on the crop."""
    system, low = made("zssr", copies=1, smallest=1.0, crop=16), texture(16)
    with torch.no_grad():
        system.F[-1].weight.zero_()
    kept = []
    system.son = lambda large, son=system.son: kept.append(large) or son(large)
    ((found,),) = [list(losses.values()) for losses in system.step(Batch(low=low, seed=3))]
    large = kept[-1]
    expected = (resized(shrink_by(large, bicubic_kernel(2), 2), (16, 16)) - large).abs().mean()
    torch.testing.assert_close(found, expected[None], atol=1e-5, rtol=0)
    assert large.sort().values.sum() == pytest.approx(low.sum().item(), abs=1e-2)  # all of it, in some position


def test_zssr_learns_to_enlarge_what_it_has_not_seen():
    high = texture(64)
    low = resized(high, (32, 32))
    system = learned(made("zssr", ch=16), Feed(low), 120)
    with torch.no_grad():
        error = (system.upscale(low) - high).square().mean()
    assert error < 0.8 * (resized(low, (64, 64)) - high).square().mean()


def test_zssr_is_slower_once_it_has_learned():
    system = made("zssr", patience=1.5)
    optimizer = begin(system)
    system.patience.factor.fill_(0.0)
    before = [p.clone() for p in system.parameters()]
    for _ in train(optimizer, Feed(texture(32)), Budget(steps=1)):
        pass
    assert all(torch.equal(a, b) for a, b in zip(before, system.parameters(), strict=True))
    assert system.patience.errors[0] > 0


def test_too_small_to_learn_from():
    with pytest.raises(UserError, match="6×6 pixels are too few to learn from; 8×8 are the least"):
        next(made("zssr").step(Batch(low=torch.zeros(1, 3, 6, 6))))


def phases(system, batch):
    return [dict(next(iter(losses.values()))) for losses in system.step(batch)]


def test_kernelgan_yields_what_the_formulas_say():
    system, low = made("kernelgan").eval(), texture(40)
    for parameter in system.D.parameters():
        parameter.requires_grad_(False)
    g, d = phases(system, Batch(low=low, seed=1))
    kernel = system.G.kernel()
    assert g.keys() == {"adversarial", "bicubic", "sum", "border"}
    torch.testing.assert_close(g["sum"], 0.5 * off_one(kernel))
    torch.testing.assert_close(g["border"], 0.5 * at_border(kernel))
    with torch.no_grad():
        flat = torch.zeros(1, 3, 10, 10)
        score = system.D(flat)
    assert ((score > 0) & (score < 1)).all() and score.shape == (1, 1, 4, 4)
    system.D[-1] = torch.nn.Identity()
    system.D[-2] = torch.nn.Conv2d(8, 1, 1)
    torch.nn.init.zeros_(system.D[-2].weight)
    torch.nn.init.constant_(system.D[-2].bias, 0.25)
    g, d = phases(system, Batch(low=low, seed=1))
    assert (g["adversarial"].item(), d["fake"].item(), d["real"].item()) == pytest.approx((0.75, 0.125, 0.375))


def test_the_bicubic_term_is_five_times_the_squared_difference():
    system, low = made("kernelgan"), texture(32)
    with torch.no_grad():
        for layer in system.G:
            layer.weight.zero_()
    g = phases(system, Batch(low=low, seed=1))[0]
    at = fitted(bicubic_kernel(2), 13, 2)
    square = torch.nn.functional.conv2d(low[0, :, None], at[None, None], stride=2)  # a crop of 32 is all of it
    torch.testing.assert_close(g["bicubic"][0], 5 * square.square().mean())


def test_the_bicubic_term_fades_and_the_kernel_terms_enter():
    system, low = made("kernelgan", "paper", ch=8, ch_d=8), texture(64)
    found = {}
    for iteration in (100, 101, 102, 103, 199, 200, 399, 400, 599, 600, 5000):
        system.iteration = iteration
        found[iteration] = phases(system, Batch(low=low, seed=iteration))[0]
        if iteration < 102:
            assert system.since < 0 and system.weight() == 5
    assert system.since == 102  # it is near to bicubic at once, as G and the picture are near to grey
    weights = []
    for iteration in (199, 200, 399, 400, 600, 5000):
        system.iteration = iteration
        weights.append(system.weight())
    assert weights == pytest.approx([5, 0.05, 0.05, 5e-4, 5e-6, 5e-6])
    assert "sparse" not in found[399] and {"sparse", "centre"} <= found[400].keys()
    kernel = system.G.kernel()
    torch.testing.assert_close(found[400]["sparse"], 5 * spread_out(kernel))
    torch.testing.assert_close(found[400]["centre"], off_centre(kernel, 6.5))
    assert home(13, 2) == 6.5


def test_the_rates_fall_four_times():
    system = made("kernelgan")
    optimizer = system.optimizers()["G"]
    rates = []
    for progress in (0.0, 0.24, 0.25, 0.5, 0.75, 1.0):
        system.progress = progress
        optimizer.param_groups[0]["lr"] = 2e-4
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-6, 2e-7, 2e-7])


def test_the_kernel_is_what_g_does_to_an_impulse():
    system = made("kernelgan")
    with torch.no_grad():
        for layer in system.G:
            layer.weight.zero_()
            layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[0] // 2] = 1
        system.G[0].weight[0, 0, 3:5, 3:5] = 1
    kernel = system.kernel()
    torch.testing.assert_close(kernel.sum(), torch.tensor(1.0))
    torch.testing.assert_close(centre_of_mass(kernel), torch.full((2,), home(len(kernel), 2)), atol=1e-4, rtol=0)
    torch.testing.assert_close(fitted(kernel, 4, 2), fitted(torch.full((2, 2), 0.25), 4, 2), atol=1e-4, rtol=0)
    torch.testing.assert_close(system.kernel(4).sum(), torch.tensor(1.0))


def test_kernelgan_enlarges_to_what_its_kernel_makes_the_picture_of():
    system, low = made("kernelgan", back=40).eval(), texture(24)
    with torch.no_grad():
        system.G[0].weight.abs_()
        for layer in list(system.G)[1:]:
            layer.weight.abs_()
        large = system.upscale(low)
        kernel = centred(system.kernel(), 2)
    plain = (shrink_by(resized(low, (48, 48)), kernel, 2) - low).square().mean()
    assert large.shape == (1, 3, 48, 48)
    assert (shrink_by(large, kernel, 2) - low).square().mean() < plain


def test_kernelgan_comes_near_to_a_blur_that_is_wider_than_bicubic():
    """A picture blurred with a variance of 4 pixels²: the kernel found is much nearer to that than bicubic's 1.1."""
    truth = gaussian_kernel(20, (4.0, 4.0), 0.0)
    low = shrink_by(texture(192), truth, 2)
    system = learned(made("kernelgan", ch=16, ch_d=16, hold=20, lr=4e-3, crop=64), Feed(low.expand(2, -1, -1, -1)), 200)
    found, bicubic = (fitted(k, 20, 2) for k in (system.kernel(), bicubic_kernel(2)))
    assert (found - truth).norm() < (bicubic - truth).norm() / 3

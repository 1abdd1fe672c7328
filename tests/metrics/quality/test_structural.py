"""PSNR and SSIM in their conventions, against closed forms and slow forms."""

import math

import numpy as np
import pytest
import torch

from sfumato.metrics.quality import RGB, Convention, Y, ms_ssim, mse, psnr, ssim, ssim_parts
from sfumato.metrics.quality.pixels import extended, gaussian, scaled, thinned, viewing_factor, windowed
from sfumato.metrics.quality.ssim import C1, C2, WEIGHTS

EXACT = Convention(rounded=False)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def pictures(h, w, c=1, strength=0.2, b=2, dtype=torch.float64):
    """Smooth pictures and the same with noise."""
    y, x = torch.meshgrid(torch.linspace(0, 9, h), torch.linspace(0, 9, w), indexing="ij")
    waves = torch.stack([torch.sin(x * (1 + i % 3) + y + i) for i in range(b * c)]).view(b, c, h, w).to(dtype) * 0.7
    return waves, (waves + strength * noise(b, c, h, w, dtype=dtype)).clamp(-1, 1)


def naive_ssim(x, y):
    """One plane in [0, 255], window by window: the mean of eq. 13 and of its three factors."""
    line = np.exp(-np.square(np.arange(11) - 5) / 4.5)
    window = np.outer(line, line) / np.outer(line, line).sum()
    found = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            p, q = (window * a).sum(), (window * b).sum()
            u, v = (window * (a - p) ** 2).sum(), (window * (b - q) ** 2).sum()
            cov = (window * (a - p) * (b - q)).sum()
            light = (2 * p * q + C1) / (p * p + q * q + C1)
            contrast = (2 * math.sqrt(u * v) + C2) / (u + v + C2)
            structure = (cov + C2 / 2) / (math.sqrt(u * v) + C2 / 2)
            found.append((light * contrast * structure, light, contrast, structure))
    return np.mean(found, 0)


@pytest.mark.parametrize(("h", "w"), [(11, 11), (15, 18), (80, 14)])
def test_ssim_and_its_parts_equal_a_loop(h, w):
    x, y = pictures(h, w)
    parts = ssim_parts(x, y, EXACT)
    for i in range(2):
        whole, *factors = naive_ssim(scaled(x[i, 0]).numpy(), scaled(y[i, 0]).numpy())
        assert ssim(x, y, EXACT)[i].item() == pytest.approx(whole, abs=1e-9)
        for name, value in zip(("luminance", "contrast", "structure"), factors, strict=True):
            assert parts[name][i].item() == pytest.approx(value, abs=1e-9), name


def test_float32_is_as_good_as_float64():
    for x, y in (pictures(200, 150, 3), (x + 0.8 for x in pictures(90, 90, 1, 0.01))):
        x, y = x.clamp(-1, 1), y.clamp(-1, 1)
        for measure in (ssim, psnr):
            torch.testing.assert_close(
                measure(x.float(), y.float(), EXACT).double(), measure(x, y, EXACT), atol=3e-6, rtol=3e-6
            )


def test_equal_pictures_symmetry_batches_and_range():
    x, y = pictures(40, 50, 3)
    assert ssim(x, x).tolist() == pytest.approx([1, 1]) and psnr(x, x).tolist() == [math.inf] * 2
    assert torch.stack(list(ssim_parts(x, x).values())).flatten().tolist() == pytest.approx([1] * 6)
    for measure in (ssim, psnr):
        torch.testing.assert_close(measure(x, y), measure(y, x))
        torch.testing.assert_close(measure(x, y)[1:], measure(x[1:], y[1:]))
        torch.testing.assert_close(measure(x.mT, y.mT), measure(x, y))
    assert ssim(x, -x).max() < 0


def test_ssim_of_flat_pictures_is_their_luminance():
    x, y = torch.full((1, 1, 20, 20), 0.2).double(), torch.full((1, 1, 20, 20), -0.4).double()
    p, q = scaled(x)[0, 0, 0, 0].item(), scaled(y)[0, 0, 0, 0].item()
    expected = (2 * p * q + C1) / (p * p + q * q + C1)
    assert ssim(x, y, EXACT).item() == pytest.approx(expected, abs=1e-12)
    assert ssim(x.float(), y.float(), EXACT).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_psnr_of_a_known_difference(steps):
    x = torch.zeros(2, 3, 8, 8).double() - 0.5
    y = x + steps / 127.5
    assert mse(x, y, EXACT).tolist() == pytest.approx([steps**2] * 2)
    assert psnr(x, y, EXACT).tolist() == pytest.approx([20 * math.log10(255 / steps)] * 2)
    # Y of BT.601 spans 219 of 255 steps: grey differences shrink by as much
    unrounded = Convention("luma", rounded=False)
    assert psnr(x, y, unrounded)[0].item() == pytest.approx(20 * math.log10(255 / (steps * 219 / 255)), abs=1e-6)


def test_planes_and_rounding_of_a_convention():
    primaries = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]]).float() / 127.5 - 1
    x = primaries.view(5, 3, 1, 1)
    assert Y(x).flatten().tolist() == [81, 145, 41, 235, 16]  # MATLAB's rgb2ycbcr of the same bytes
    assert Convention("grey")(x).flatten().tolist() == [76, 150, 29, 255, 0]
    assert Convention("luma", rounded=False)(x)[0].item() == pytest.approx(81.481, abs=1e-4)
    assert RGB(torch.tensor([-1.2, -1, 0.0, 0.0041, 1.3]).view(1, 1, 1, 5)).flatten().tolist() == [0, 0, 128, 128, 255]
    assert RGB(torch.zeros(1, 3, 4, 4)).shape == Y(torch.zeros(1, 1, 4, 4)).expand(1, 3, 4, 4).shape
    assert str(Convention("luma", 4)) == "Y of BT.601, 4 px shaved, rounded to bytes"


def test_a_border_is_shaved():
    x, y = pictures(30, 40, 3)
    spoilt = y.clone()
    spoilt[..., :3, :] = spoilt[..., -3:] = 1
    border = Convention(border=3)
    assert torch.equal(psnr(x, spoilt, border), psnr(x, y, border)) and not torch.equal(psnr(x, spoilt), psnr(x, y))
    torch.testing.assert_close(ssim(x, y, border), ssim(x[..., 3:-3, 3:-3], y[..., 3:-3, 3:-3]))
    for bad in (-1, 15):
        with pytest.raises(ValueError, match="leaves nothing of 40×30"):
            psnr(x, y, Convention(border=bad))


def test_colour_is_the_mean_over_planes():
    x, y = pictures(30, 30, 3)
    planes = torch.stack([ssim(x[:, i : i + 1], y[:, i : i + 1]) for i in range(3)])
    torch.testing.assert_close(ssim(x, y), planes.mean(0))


def test_another_window():
    x, y = pictures(20, 20)
    box = torch.full((7,), 1 / 7)
    patches = [scaled(v[0, 0]).unfold(0, 7, 1).unfold(1, 7, 1).flatten(2) for v in (x, y)]
    p, q = (v.mean(2) for v in patches)
    u, v = (v.var(2, correction=0) for v in patches)
    cov = (patches[0] * patches[1]).mean(2) - p * q
    expected = (2 * p * q + C1) * (2 * cov + C2) / ((p * p + q * q + C1) * (u + v + C2))
    assert ssim(x, y, EXACT, window=box)[0].item() == pytest.approx(expected.mean().item(), abs=1e-6)


def test_windows_sum_in_both_directions():
    x, window = noise(2, 1, 12, 15), gaussian(5, 1.2)
    assert window.sum().item() == pytest.approx(1) and torch.equal(window, window.flip(0))
    kernel = (window[:, None] * window)[None, None]
    torch.testing.assert_close(windowed(x, window), torch.nn.functional.conv2d(x, kernel))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_thinning_is_matlabs_filter_and_every_nth(factor):
    x = noise(1, 1, 10, 11)
    before, after = (factor - 1) // 2, factor // 2
    for edge in (None, "mirror"):
        wide = torch.nn.functional.pad(x, (before, after) * 2) if edge is None else extended(x, before, after, edge)
        expected = torch.nn.functional.avg_pool2d(wide, factor, 1)[..., ::factor, ::factor]
        torch.testing.assert_close(thinned(x, factor, edge), expected)
    assert torch.equal(thinned(x, 1, None), x)
    assert torch.equal(extended(x, 2, 3, "mirror")[..., :2, 2:-3], x[..., :2, :].flip(-2))
    sizes = {100: 1, 383: 1, 384: 2, 512: 2, 639: 2, 640: 3}
    assert {n: viewing_factor(torch.zeros(1, 1, n, 2000)) for n in sizes} == sizes


def test_ms_ssim_is_a_product_over_scales():
    x, y = pictures(176, 192, b=1)
    product, a, b = 1.0, x, y
    for scale, weight in enumerate(WEIGHTS, 1):
        u, v = scaled(a), scaled(b)
        p, q, uu, vv, uv = windowed(torch.stack([u, v, u * u, v * v, u * v]), gaussian())
        contrast = ((2 * (uv - p * q) + C2) / (uu - p * p + vv - q * q + C2)).mean()
        product *= (ssim(a, b, EXACT) if scale == 5 else contrast).item() ** weight
        a, b = (torch.nn.functional.avg_pool2d(t, 2) for t in (a, b))
    assert ms_ssim(x, y, EXACT).item() == pytest.approx(product, rel=1e-9)
    assert ms_ssim(x, x).item() == pytest.approx(1) and ms_ssim(x, -x).item() == 0


def test_small_pictures_are_refused():
    with pytest.raises(ValueError, match="fewer than the window's 11"):
        ssim(torch.zeros(1, 1, 10, 30), torch.zeros(1, 1, 10, 30))
    with pytest.raises(ValueError, match="161 pixels or more, not 300×160"):
        ms_ssim(torch.zeros(1, 1, 160, 300), torch.zeros(1, 1, 160, 300))


def test_gradients_flow_unless_rounded():
    x, y = pictures(24, 24, b=1)
    y.requires_grad_()
    for measure in (ssim, psnr):
        (slope,) = torch.autograd.grad(measure(x, y, EXACT).sum(), y)
        assert slope.isfinite().all() and slope.abs().max() > 0
        step = 1e-5 * torch.sign(slope)
        rise = (measure(x, y + step, EXACT) - measure(x, y - step, EXACT)).item() / 2
        assert rise == pytest.approx((slope * step).sum().item(), rel=1e-3)

"""Information, features, saliency and edges: identities, invariances, closed forms."""

import numpy as np
import pytest
import torch

from sfumato.metrics.quality import cisi, essim, fsim, fsimc, iw_ssim, ms_ssim, vif, vsi
from sfumato.metrics.quality.fsim import real_power, scharr
from sfumato.metrics.quality.iw_ssim import _enlarged, _pyramid
from sfumato.metrics.quality.phase import _filters, frequencies, phase_congruency
from sfumato.metrics.quality.pixels import Convention, scaled
from sfumato.metrics.quality.vsi import saliency

ALL = [iw_ssim, vif, fsim, fsimc, vsi, essim, cisi]


def pictures(h=161, w=164, c=3, b=1, strength=0.3, dtype=torch.float64):
    """Blobs and edges in colour, and the same with noise."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(b, c, 12, 11, generator=generator, dtype=dtype) * 2 - 1
    x = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic").clamp(-1, 1)
    x[..., h // 3 : h // 2, w // 4 : w // 2] *= -0.6
    return x, (x + strength * torch.randn(x.shape, generator=generator, dtype=dtype)).clamp(-1, 1)


@pytest.mark.parametrize("measure", ALL, ids=lambda f: f.__name__)
def test_equal_pictures_and_worse_ones(measure):
    x, y = pictures(b=2)
    assert measure(x, x).tolist() == pytest.approx([1, 1], abs=1e-6)
    slightly = x + 0.3 * (y - x)
    assert (measure(x, y) < measure(x, slightly)).all() and (measure(x, slightly) < 1).all()
    torch.testing.assert_close(measure(x, y)[1:], measure(x[1:], y[1:]))


@pytest.mark.parametrize("measure", [iw_ssim, vif, fsim, fsimc], ids=lambda f: f.__name__)
def test_columns_and_rows_are_alike(measure):
    x, y = pictures(161, 163)  # odd sides have as many frequencies in one direction as in the other
    torch.testing.assert_close(measure(x.mT, y.mT), measure(x, y), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("measure", [fsim, fsimc, vsi], ids=lambda f: f.__name__)
def test_similarities_are_symmetric_and_good_enough_in_float32(measure):
    x, y = pictures()
    torch.testing.assert_close(measure(x, y), measure(y, x))
    torch.testing.assert_close(measure(x.float(), y.float()).double(), measure(x, y), rtol=1e-4, atol=0)


def test_the_pyramid_adds_up_and_keeps_constants():
    x = pictures(177, 181, 1)[0]
    *bands, low = _pyramid(x)
    assert [tuple(b.shape[-2:]) for b in bands] == [(177, 181), (89, 91), (45, 46), (23, 23)] and low.shape[-1] == 12
    *flat, low = _pyramid(torch.ones(1, 1, 65, 48).double())
    assert max(b.abs().max().item() for b in flat) < 1e-12 and low.tolist()[0][0][0] == pytest.approx([16] * 3)
    torch.testing.assert_close(_enlarged(torch.ones(1, 1, 3, 4)), torch.ones(1, 1, 6, 8))
    ramp = _enlarged(torch.arange(6).double().expand(1, 1, 5, 6))[0, 0, 3]
    assert ramp.diff().min() > -1e-12 and ramp.tolist() == pytest.approx((5 - ramp.flip(0)).tolist())


def test_iw_ssim_weights_by_information():
    x, _ = pictures(c=1)
    busy = slice(0, 48), slice(0, 80)  # texture only here
    x = 0.05 * x
    x[..., busy[0], busy[1]] += 0.5 * torch.randn(48, 80, generator=torch.Generator().manual_seed(2)).double()
    x = x.clamp(-1, 1)
    noise = 0.15 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).double()
    there, elsewhere = x.clone(), x.clone()
    there[..., busy[0], busy[1]] += noise[..., busy[0], busy[1]]
    elsewhere[..., 96:144, 44:124] += noise[..., 96:144, 44:124]
    lost = [1 - measure(x, there).item() for measure in (iw_ssim, lambda a, b: ms_ssim(a, b))]
    assert lost[0] > lost[1], "a place that holds more information should count for more"
    assert iw_ssim(x, elsewhere) < 1


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.25])
def test_vif_of_a_changed_contrast(gain):
    x = pictures(64, 72, 1)[0] * 0.5
    found = vif(x, gain * x).item()
    assert (found > 1) == (gain > 1) and (found == pytest.approx(1, abs=1e-9)) == (gain == 1)
    # without noise each place shares log(1 + g² σ² / 2) of log(1 + σ² / 2)
    from sfumato.metrics.quality.pixels import gaussian, windowed

    v, shared, own = scaled(x), 0.0, 0.0
    for scale in range(4):
        window = gaussian(2 ** (4 - scale) + 1, (2 ** (4 - scale) + 1) / 5)
        v = windowed(v, window)[..., ::2, ::2] if scale else v
        variance = windowed(v * v, window) - windowed(v, window) ** 2
        shared, own = shared + (1 + gain**2 * variance / 2).log().sum(), own + (1 + variance / 2).log().sum()
    assert found == pytest.approx((shared / own).item(), rel=1e-6)
    flat = torch.zeros(1, 1, 50, 50)
    assert vif(flat, flat).item() == 1


def test_phase_congruency_sees_structure_and_not_contrast():
    x = scaled(pictures(96, 90, 1)[0])
    found = phase_congruency(x)
    assert found.shape == x.shape and found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(phase_congruency(0.5 * x + 20), found, atol=2e-3, rtol=0)
    edge = torch.zeros(1, 1, 64, 64).double()
    edge[..., 32:] = 200.0
    row = phase_congruency(edge)[0, 0, 32]
    assert row[31:33].min() > 1.1 * row[2:30].max() and row[31:33].min() > 0.7
    odd = x[..., :95, :89]
    torch.testing.assert_close(phase_congruency(odd.mT), phase_congruency(odd).mT)


def test_filters_have_no_mean_and_their_frequency():
    filters = _filters(64, 60)
    assert filters.shape == (4, 4, 64, 60) and filters[..., 0, 0].abs().max() == 0
    along = filters[0, :, 0, : 60 // 2]  # orientation 0 lies along the columns
    assert along.argmax(1).tolist() == [10, 5, 2, 1] or along.argmax(1)[:2].tolist() == [10, 5]
    assert frequencies(4).tolist() == [0, 0.25, -0.5, -0.25] and frequencies(5).tolist() == [0, 0.25, 0.5, -0.5, -0.25]


def test_gradients_and_real_powers():
    ramp = torch.arange(8).double().expand(1, 1, 6, 8) * 3
    assert scharr(ramp)[0, 0, 2, 3].item() == pytest.approx(2 * 3)  # 16/16 per pixel, over two pixels
    x = torch.tensor([-0.5, 0.0, 0.25]).double()
    expected = [((-0.5 + 0j) ** 0.03).real, 0.0, 0.25**0.03]
    assert real_power(x, 0.03).tolist() == pytest.approx(expected)


def test_saliency_is_central_and_of_unit_range():
    x = torch.full((1, 3, 96, 128), 60.0).double()
    x[..., 40:56, 56:72] = x[..., 2:18, 2:18] = torch.tensor([220.0, 90.0, 40.0]).double().view(3, 1, 1)
    for aligned in (False, True):
        found = saliency(x, aligned)[0, 0]
        assert found.shape == (96, 128) and found.min() == 0 and found.max() == 1
        assert found[40:56, 56:72].mean() > 2 * found[2:18, 2:18].mean()
    assert vsi(x / 127.5 - 1, x / 127.5 - 1, aligned=True).item() == pytest.approx(1)


def test_essim_equals_a_loop():
    x, y = pictures(20, 23, 1)
    axis = [[0] * 5, [0, 3, 10, 3, 0], [0] * 5, [0, -3, -10, -3, 0], [0] * 5]
    slant = [[0, 0, 3, 0, 0], [0, 10, 0, 0, 0], [3, 0, 0, 0, -3], [0, 0, 0, -10, 0], [0, 0, -3, 0, 0]]
    axis, slant = np.array(axis) / 16, np.array(slant) / 16
    wide = [np.pad(scaled(v)[0, 0].numpy(), 2) for v in (x, y)]
    total = 0.0
    for i in range(20):
        for j in range(23):
            strengths = []
            for v in wide:
                patch = v[i : i + 5, j : j + 5]
                pairs = ((axis, axis.T), (slant, np.rot90(slant)))
                strengths.append([abs((a * patch).sum() - (b * patch).sum()) ** 0.5 for a, b in pairs])
            best = int(np.argmax(strengths[0]))
            p, q = strengths[0][best], strengths[1][best]
            total += (2 * p * q + 2550) / (p * p + q * q + 2550)
    assert essim(x, y).item() == pytest.approx(total / (20 * 23), abs=1e-12)
    assert essim(x, y) != essim(y, x)


def test_cisi_is_a_product_of_powers():
    x, y = pictures()
    a, b, c = ms_ssim(x, y, Convention("grey")), vif(x, y), fsimc(x, y)
    torch.testing.assert_close(cisi(x, y), a**0.5 * b**0.3 * c**5)
    torch.testing.assert_close(cisi(x, y, (1, 0, 0)), a)


def test_what_cannot_be_measured_says_why():
    grey = torch.zeros(1, 1, 160, 200)
    for measure in (fsimc, cisi):
        with pytest.raises(ValueError, match=r"grey|161"):
            measure(grey, grey)
    with pytest.raises(ValueError, match="161 pixels or more"):
        iw_ssim(grey, grey)
    with pytest.raises(ValueError, match="41 pixels or more"):
        vif(grey[..., :40], grey[..., :40])

"""Each augmentation alone against a direct computation."""

from math import pi, sqrt

import pytest
import torch
import torch.nn.functional as F

from sfumato.networks.stylegan import augment as A
from sfumato.networks.stylegan.adaptive import colour_map, rotated, scaled

N = 16
WAVELET, BANDS = (A.wavelet_matrices(N),) * 2, (A.band_matrices(N),) * 2
STAY = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3)
NONE = torch.zeros(2)


def still(k=0, flip=False, y=0, x=0):
    return torch.full((2,), flip), torch.full((2,), k), torch.tensor([[y, x]] * 2)


def smooth(n=N):
    """A picture without high frequencies, (2, 3, n, n)."""
    t = torch.linspace(-1, 1, n)
    y, x = torch.meshgrid(t, t, indexing="ij")
    one = torch.stack([torch.sin(2 * x + y), torch.cos(x - 2 * y), x * y])
    return torch.stack([one, one.flip(0)])


def test_the_wavelets_are_orthonormal_to_their_shifts_and_smooth():
    for taps, moments in ((A.SYM6, 6), (A.SYM2, 2)):
        h = torch.tensor(taps, dtype=torch.double)
        for k in range(len(h) // 2):
            assert (h[2 * k :] @ h[: len(h) - 2 * k]).item() == pytest.approx(float(k == 0), abs=1e-11)
        at = torch.arange(len(h), dtype=torch.double)
        for m in range(moments):
            assert (h * (-1.0) ** at * at**m).sum().item() == pytest.approx(0, abs=1e-8)


def test_turning_mirroring_and_shifting_move_pixels_exactly():
    x = torch.randn(2, 3, N, N)
    for k in range(4):
        assert torch.equal(A.blitted(x, *still(k)), torch.rot90(x, k, (2, 3)))
    assert torch.equal(A.blitted(x, *still(flip=True)), x.flip(3))
    assert torch.equal(A.blitted(x, *still(1, True)), torch.rot90(x.flip(3), 1, (2, 3)))
    moved = A.blitted(x, *still(y=2, x=-3))
    padded = F.pad(x, [0, 3, 2, 0], mode="reflect")
    assert torch.equal(moved, padded[:, :, :N, 3:])


def test_an_identity_warp_is_one():
    x = torch.randn(2, 3, N, N)
    torch.testing.assert_close(A.warped(x, STAY, *WAVELET), x, atol=1e-5, rtol=0)


def test_a_warp_by_whole_pixels_moves_pixels():
    x, back = torch.randn(2, 3, N, N), STAY.clone()
    back[:, :, 2] = torch.tensor([3.0, -2.0])  # from where: right of it, above it
    torch.testing.assert_close(
        A.warped(x, back, *WAVELET)[..., 3:-3, 3:-3],
        A.blitted(x, *still(y=2, x=-3))[..., 3:-3, 3:-3],
        atol=1e-4,
        rtol=0,
    )


def test_a_warp_by_half_a_pixel_is_between():
    back = STAY.clone()
    back[:, 0, 2] = 0.5
    x, n = smooth(32), 32
    want = smooth(2 * n - 1)[:, :, ::2, 1::2]  # the same functions half a pixel to the right
    got = A.warped(x, back, *[A.wavelet_matrices(n)] * 2)[..., :-1]
    assert (got - want).abs()[..., 2:-2, 2:-2].max() < 0.005


def test_turning_by_warp_is_turning():
    x = smooth(32)
    back = torch.cat([rotated(torch.full((2,), pi / 2)), torch.zeros(2, 2, 1)], 2)
    turned = A.warped(x, back, *[A.wavelet_matrices(32)] * 2)
    assert (turned - torch.rot90(x, 1, (2, 3))).abs().max() < 0.02


def test_scaling_by_warp_is_resampling():
    x, n = smooth(32), 32
    back = torch.cat([scaled(-torch.ones(2), -torch.ones(2)), torch.zeros(2, 2, 1)], 2)  # twice as large
    t = (torch.arange(n) - (n - 1) / 2) / 2 * 2 / (n - 1)
    y, x_ = torch.meshgrid(t, t, indexing="ij")
    want = torch.sin(2 * x_ + y)
    assert (A.warped(x, back, *[A.wavelet_matrices(n)] * 2)[0, 0] - want).abs().max() < 0.01


@pytest.mark.parametrize(("h", "w"), [(8, 12), (12, 8), (9, 11)])
def test_turning_other_shapes_keeps_their_middle_and_the_pixels(h, w):
    x, n = torch.randn(2, 3, h, w), min(h, w)
    top, left = (h - n) // 2, (w - n) // 2
    middle = x[:, :, top : top + n, left : left + n]
    for k in range(4):
        turned = A.blitted(x, *still(k))
        assert turned.shape == x.shape
        assert torch.equal(turned[:, :, top : top + n, left : left + n], torch.rot90(middle, k, (2, 3)))
    assert torch.equal(A.blitted(x, *still(2)), x.flip(2, 3))


def test_a_warp_of_another_shape_turns_in_pixels():
    h, w, angle = 24, 40, 0.5
    y, x = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")

    def seen(x, y):  # smooth, and different in every direction
        return torch.sin(0.2 * x + 0.05 * y) + torch.cos(0.15 * y)

    c, s = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    back = torch.cat([rotated(torch.full((2,), angle)), torch.zeros(2, 2, 1)], 2)
    image = seen(x, y).expand(2, 1, h, w)
    got = A.warped(image, back, A.wavelet_matrices(h), A.wavelet_matrices(w))
    want = seen(c * x - s * y, s * x + c * y)
    inside = ((c * x - s * y).abs() < w / 2 - 2) & ((s * x + c * y).abs() < h / 2 - 2)
    assert inside.float().mean() > 0.5 and (got[0, 0] - want).abs()[inside].max() < 0.02


def test_samples_are_those_of_grid_sample():
    x, y, u = torch.randn(2, 3, 9, 9), 8 * torch.rand(2, 5, 5), 8 * torch.rand(2, 5, 5)
    want = F.grid_sample(x, torch.stack([u, y], -1) / 4 - 1, align_corners=True)
    torch.testing.assert_close(A.sampled(x, y, u), want, atol=1e-5, rtol=1e-5)


def coloured(x, bright=0.0, contrast=1.0, flip=0.0, hue=0.0, saturation=1.0):
    values = [torch.full((len(x),), v) for v in (bright, contrast, flip, hue, saturation)]
    return A.recoloured(x, colour_map(*values))


def test_colours_by_hand():
    x = torch.randn(2, 3, 4, 4)
    grey = x.mean(1, keepdim=True)
    torch.testing.assert_close(coloured(x), x)
    torch.testing.assert_close(coloured(x, bright=0.3), x + 0.3)
    torch.testing.assert_close(coloured(x, contrast=1.7), 1.7 * x)
    torch.testing.assert_close(coloured(x, flip=1.0), x - 2 * grey)
    torch.testing.assert_close(coloured(x, hue=2 * pi / 3), x.roll(1, 1), atol=1e-5, rtol=0)  # red to green to blue
    torch.testing.assert_close(coloured(x, saturation=2.0), grey + 2 * (x - grey))
    torch.testing.assert_close(coloured(x, bright=0.3, contrast=1.7), 1.7 * (x + 0.3))
    seen = torch.cat([x, torch.rand(2, 1, 4, 4)], 1)  # transparency has no colour
    torch.testing.assert_close(coloured(seen, contrast=1.7), torch.cat([1.7 * x, seen[:, 3:]], 1))


def test_grey_pictures_are_coloured_as_if_their_colours_were_equal():
    x = torch.randn(2, 1, 4, 4)
    how = dict(bright=0.1, contrast=1.3, flip=1.0, hue=1.0, saturation=3.0)
    torch.testing.assert_close(coloured(x, **how), coloured(x.expand(-1, 3, -1, -1), **how)[:, :1])


def test_bands_sum_to_the_picture_and_each_passes_its_octave():
    x = torch.randn(2, 3, N, N)
    torch.testing.assert_close(A.filtered(x, torch.ones(2, 4), *BANDS), x)
    n = 64
    bands, t = A.band_matrices(n), torch.arange(n) + 0.0
    for band, frequency in enumerate((1 / 32, 3 / 32, 3 / 16, 3 / 8)):  # cycles a pixel
        wave = torch.cos(2 * pi * frequency * t)
        shares = [(bands[k] @ wave)[20:-20].norm() / wave[20:-20].norm() for k in range(4)]
        assert max(range(4), key=lambda k: shares[k]) == band and shares[band] > 0.7


def test_a_band_filter_is_a_separable_convolution_of_the_mirrored_picture():
    x = torch.randn(1, 1, N, N)
    h = torch.tensor(A.SYM2)
    low = sum(a * F.pad(h.flip(0), [i, 3 - i]) for i, a in enumerate(h)) / 2
    high = -low
    high[3] += 1
    lines = F.conv2d(F.pad(x, [3, 3, 3, 3], mode="reflect"), high[None, None, :, None] * high[None, None, None])
    torch.testing.assert_close(A.filtered(x, torch.tensor([[0.0, 0, 0, 1]]), *BANDS), lines, atol=1e-5, rtol=0)


def test_cutting_out_leaves_what_is_outside():
    x, on = torch.ones(2, 3, N, N), torch.tensor([True, False])
    y = A.cut(x, torch.tensor([[0.5, 0.25], [0.5, 0.25]]), on)
    want = torch.ones(3, N, N)
    want[:, N // 4 : 3 * N // 4, : N // 2] = 0
    assert torch.equal(y[0], want) and torch.equal(y[1], x[1])


def test_gradients_flow_twice():
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, requires_grad=True)
    wavelet = tuple(m.double() for m in A.wavelet_matrices(8))
    bands, back = A.band_matrices(8).double(), 0.4 * torch.randn(2, 2, 3, dtype=torch.double)
    matrix, gains = torch.randn(2, 3, 4, dtype=torch.double), torch.rand(2, 4, dtype=torch.double)

    def all_of_them(x):
        x = A.recoloured(A.warped(A.blitted(x, *still(3, True, 1, 1)), back, wavelet, wavelet), matrix)
        return A.cut(A.filtered(x, gains, bands, bands), torch.tensor([[0.3, 0.5]] * 2), torch.tensor([True, True]))[
            :, :, ::5, ::3
        ]

    assert torch.autograd.gradcheck(all_of_them, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: all_of_them(x).sin(), x, fast_mode=True)


def test_mirroring_coordinates():
    at = torch.arange(-7, 12)
    want = F.pad(torch.arange(5.0)[None, None], [4, 4], mode="reflect")[0, 0]
    assert torch.equal(A.mirrored(at, 5)[3:16], want.long())
    torch.testing.assert_close(A.mirrored(at.double(), 5), A.mirrored(at, 5).double())
    assert A.mirrored(torch.tensor([sqrt(2) - 8]), 5).item() == pytest.approx(sqrt(2))


def test_filters_and_holes_of_other_shapes():
    x, down, across = torch.randn(2, 3, 8, 12), A.band_matrices(8), A.band_matrices(12)
    torch.testing.assert_close(A.filtered(x, torch.ones(2, 4), down, across), x)
    hole = A.cut(torch.ones(2, 1, 8, 12), torch.tensor([[0.5, 0.5]] * 2), torch.tensor([True, False]))
    assert (hole == 0).sum() == 4 * 6 and (hole[0, 0, 2:6, 3:9] == 0).all()

"""Gram matrices, moments, masks and their distances: by hand, by autograd, by closed forms."""

import pytest
import torch

from sfumato.objectives import style


def maps(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def halves(h=6, w=8):
    """Two regions, left and right."""
    mask = torch.zeros(1, 2, h, w, dtype=torch.float64)
    mask[:, 0, :, : w // 2] = 1
    mask[:, 1, :, w // 2 :] = 1
    return mask


def test_gram_is_the_mean_of_products_of_channels():
    x = maps(2, 5, 6, 8, dtype=torch.float32)
    by_hand = torch.einsum("bchw,bdhw->bcd", x, x) / 48
    torch.testing.assert_close(style.mean_gram(x), by_hand, rtol=1e-5, atol=1e-6)


def test_gram_of_regions_is_that_of_the_cut_out_parts():
    x = maps(2, 5, 6, 8, dtype=torch.float32)
    found = style.mean_gram(x, halves())
    for k, part in enumerate((x[..., :4], x[..., 4:])):
        torch.testing.assert_close(found[:, k], style.mean_gram(part), rtol=1e-5, atol=1e-6)


def test_masks_are_brought_to_the_size_of_the_maps():
    x = maps(1, 3, 3, 4, dtype=torch.float32)
    large = halves(12, 16)
    torch.testing.assert_close(style.mean_gram(x, large), style.mean_gram(x, halves(3, 4)))


def test_a_region_without_a_place_is_zero_and_has_no_gradient():
    x = maps(1, 3, 4, 4).requires_grad_()
    found = style.mean_gram(x, torch.zeros(1, 2, 4, 4))
    found.sum().backward()
    assert not found.any() and not x.grad.any()


@pytest.mark.parametrize("statistic", ["gram", "moments"])
def test_masks_restrict_gradients(statistic):
    x = maps(1, 3, 6, 8).requires_grad_()
    mask = halves()[:, :1]
    found = style.mean_gram(x, mask) if statistic == "gram" else torch.cat(style.moments(x, mask))
    found.square().sum().backward()
    assert not x.grad[..., 4:].any() and (x.grad[..., :4] != 0).all()


def test_style_is_gatys_sum():
    """Eq. 4 and 5 with the matrices that are not divided by the number of places M: 1 / 4N²M² Σ (G - A)²."""
    ours, theirs = [maps(1, n, s, s, seed=n) for n, s in ((3, 8), (6, 4))], [maps(1, n, 4, 4) for n in (3, 6)]
    theirs[0] = maps(1, 3, 8, 8, seed=9)
    weights, expected = (0.3, 0.7), torch.zeros(1)
    for a, b, w in zip(ours, theirs, weights, strict=True):
        n, m = a.shape[1], a[0, 0].numel()
        g, t = (x[0].flatten(1).float() @ x[0].flatten(1).float().T for x in (a, b))
        expected += w * (g - t).square().sum() / (4 * n**2 * m**2)
    found = style.style(ours, [style.mean_gram(b) for b in theirs], weights)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_gradients_are_those_of_autograd(monkeypatch):
    """Gram matrices are float32; the formula is checked in float64."""
    monkeypatch.setattr(torch.Tensor, "float", lambda x: x)
    x, target = maps(1, 2, 3, 4).requires_grad_(), [style.mean_gram(maps(1, 2, 3, 4, seed=1), halves(3, 4))]
    assert torch.autograd.gradcheck(lambda x: style.style([x], target, None, halves(3, 4)), x)
    assert torch.autograd.gradcheck(lambda x: style.content(x, maps(1, 2, 3, 4, seed=1)), x)
    aim = style.moments(maps(1, 2, 3, 4, seed=2))
    assert torch.autograd.gradcheck(lambda x: style.moments_distance(style.moments(x), aim), x)


def test_relative_weights_make_a_blank_picture_one_off():
    targets = [style.mean_gram(maps(2, n, 4, 4, seed=n)) for n in (3, 5)]
    blank = [torch.zeros(2, n, 4, 4) for n in (3, 5)]
    torch.testing.assert_close(style.style(blank, targets, style.relative(targets)), torch.ones(2))
    scaled = [style.mean_gram(10 * maps(2, n, 4, 4, seed=n)) for n in (3, 5)]
    ours = [maps(2, n, 4, 4, seed=n + 1) for n in (3, 5)]
    a = style.style(ours, targets, style.relative(targets))
    b = style.style([10 * x for x in ours], scaled, style.relative(scaled))
    torch.testing.assert_close(a, b)


def test_blended_matrices_have_the_gradient_of_blended_losses():
    x = maps(1, 3, 4, 4).requires_grad_()
    first, second = (style.mean_gram(maps(1, 3, 4, 4, seed=s)) for s in (1, 2))
    (a,) = torch.autograd.grad(style.style([x], [0.3 * first + 0.7 * second]).sum(), x)
    (b,) = torch.autograd.grad((0.3 * style.style([x], [first]) + 0.7 * style.style([x], [second])).sum(), x)
    torch.testing.assert_close(a, b)


def test_content_is_half_the_squared_error():
    a, b = maps(2, 3, 4, 4), maps(2, 3, 4, 4, seed=1)
    torch.testing.assert_close(style.content(a, b), ((a - b) ** 2).sum((1, 2, 3)) / 2)


def test_adain_gives_the_moments_asked_for():
    """Eq. 8 to 1e-5, and moments by hand."""
    x, other = maps(2, 5, 16, 16, dtype=torch.float32), 3 * maps(2, 5, 8, 8, seed=1, dtype=torch.float32) + 2
    mean, std = style.moments(other)
    torch.testing.assert_close(mean, other.mean((2, 3)))
    torch.testing.assert_close(std, (other.var((2, 3), unbiased=False) + 1e-5).sqrt())
    own, spread = (x.mean((2, 3), keepdim=True), (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt())
    expected = std[..., None, None] * (x - own) / spread + mean[..., None, None]
    torch.testing.assert_close(style.adain(x, mean, std), expected, rtol=1e-5, atol=1e-5)
    assert style.moments_distance(style.moments(style.adain(x, mean, std)), (mean, std)).max() < 1e-6


def test_moments_of_regions_are_those_of_the_cut_out_parts():
    x = maps(2, 5, 6, 8, dtype=torch.float32)
    mean, std = style.moments(x, halves())
    for k, part in enumerate((x[..., :4], x[..., 4:])):
        torch.testing.assert_close(mean[:, k], style.moments(part)[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(std[:, k], style.moments(part)[1], rtol=1e-4, atol=1e-5)

"""Colours of one picture in another: chroma to the digit, mean and covariance to the digit."""

import torch

from sfumato.objectives import colour

YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


def pictures(n=2, side=12, seed=0):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def spread(image):
    rows = image.flatten(2)
    rows = rows - rows.mean(2, keepdim=True)
    return rows @ rows.mT / rows.shape[2]


def test_chroma_is_kept_and_luma_taken_where_there_are_such_colours():
    image, other = pictures(), pictures(seed=1)
    found = colour.with_chroma(other, image)
    assert found.abs().max() <= 1 + 1e-6
    (_, i, q), (y, j, r) = (torch.einsum("kc,bchw->kbhw", YIQ, x) for x in (image, found))
    torch.testing.assert_close(torch.stack([i, q]), torch.stack([j, r]), rtol=0, atol=1e-3)
    inside = found.abs().amax(1) < 1 - 1e-5
    assert 0.3 < inside.float().mean() < 1
    torch.testing.assert_close(y[inside], colour.luma(other)[:, 0][inside], rtol=0, atol=1e-5)


def test_its_own_brightness_changes_nothing():
    image = pictures()
    torch.testing.assert_close(colour.with_chroma(image, image), image, rtol=0, atol=1e-6)
    grey = image[:, :1]
    torch.testing.assert_close(colour.with_chroma(grey, grey), grey)


def test_matched_colours_have_the_others_mean_and_covariance():
    image, other = pictures(), pictures(side=20, seed=1) ** 3 / 2 + 0.2
    found = colour.matched(image, other)
    torch.testing.assert_close(found.mean((2, 3)), other.mean((2, 3)), rtol=0, atol=1e-5)
    torch.testing.assert_close(spread(found), spread(other), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(colour.matched(image, image), image, rtol=0, atol=1e-4)


def test_a_picture_of_one_colour_can_be_matched():
    found = colour.matched(torch.full((1, 3, 4, 4), 0.5), pictures(1))
    assert found.isfinite().all()


def test_brightness_gets_the_others_mean_and_deviation():
    a, b = colour.luma(pictures()), colour.luma(pictures(seed=1)) * 0.3 + 0.4
    found = colour.as_bright(a, b)
    torch.testing.assert_close(found.mean((1, 2, 3)), b.mean((1, 2, 3)), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.flatten(1).std(1), b.flatten(1).std(1), rtol=0, atol=1e-5)

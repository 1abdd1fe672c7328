"""Distances of features against values computed by hand, and what they are blind to."""

import torch

from sfumato.objectives.perceptual import distance, gram, texture, tiles, unit_mean


def test_distances_by_hand():
    a, b = torch.tensor([[[[1.0, 2.0]]], [[[0.0, 0.0]]]]), torch.tensor([[[[4.0, 2.0]]], [[[1.0, -3.0]]]])
    torch.testing.assert_close(distance(a, b), torch.tensor([4.5, 5.0]))
    torch.testing.assert_close(distance(a, b, power=1), torch.tensor([1.5, 2.0]))


def test_the_gram_matrix_is_of_inner_products():
    x = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    torch.testing.assert_close(gram(x), torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(gram(x * 1.001)[0, 0, 0].item(), 5 * 1.001**2, rtol=1e-6, atol=0)


def test_tiles_are_squares_in_order():
    x = torch.arange(2 * 5 * 4).view(2, 1, 5, 4)
    found = tiles(x, 2)
    assert found.shape == (2 * 2 * 2, 1, 2, 2)
    assert found[1].flatten().tolist() == [2, 3, 6, 7] and found[4, 0, 0, 0] == 20


def test_texture_by_hand():
    a, b = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4)
    a[..., :2], b[..., :2] = 1.0, 2.0  # a patch of Gram 4 against one of 16
    a[..., 2:], b[..., 2:] = 3.0, 3.0  # equal ones
    torch.testing.assert_close(texture(a, b, 2), torch.tensor([12.0**2 / 2]))
    torch.testing.assert_close(texture(a, b, 16), torch.tensor([144 / 2]))


def test_texture_knows_no_places_within_a_patch_but_between_them():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 32)
    moved = x.clone()
    moved[..., :16] = x[..., :16].flip(-1)  # inside the first patch
    swapped = x.roll(16, -1)
    assert texture(x, moved).item() < 1e-6 * texture(x, swapped).item()


def test_features_with_a_mean_of_one():
    x = torch.rand(2, 3, 4, 4) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(unit_mean(x).mean((1, 2, 3)), torch.ones(2))
    assert unit_mean(torch.zeros(1, 1, 2, 2)).isfinite().all()

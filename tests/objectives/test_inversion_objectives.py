import torch

from sfumato.objectives.inversion import feature_distance, masked_mse, noise_correlation, psnr_of, ramp


def test_directions_apart_by_an_angle_have_two_less_twice_its_cosine():
    a = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    for angle in (0.0, 0.7, torch.pi):
        b = 5 * torch.tensor([torch.tensor(angle).cos(), torch.tensor(angle).sin()]).view(1, 2, 1, 1)
        torch.testing.assert_close(feature_distance([a], [b]), 2 - 2 * torch.tensor([angle]).cos(), atol=1e-6, rtol=0)


def test_a_mask_says_where_pictures_are_compared():
    torch.manual_seed(0)
    a, b = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    torch.testing.assert_close(masked_mse(a, b, mask), (a - b)[..., :4].square().mean((1, 2, 3)))
    torch.testing.assert_close(masked_mse(a, b), (a - b).square().mean((1, 2, 3)))
    half = feature_distance([a], [b], mask), feature_distance([a[..., :4]], [b[..., :4]])
    torch.testing.assert_close(*half)


def test_white_noise_has_little_correlation_and_a_smooth_map_much():
    torch.manual_seed(0)
    noise = torch.randn(64, 1, 32, 32)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 3
    assert noise_correlation([noise]).mean() < 0.15 < 0.4 < noise_correlation([smooth]).mean()
    constant = torch.ones(1, 1, 8, 8)  # both products are 1, and 8 pixels are the last level
    torch.testing.assert_close(noise_correlation([constant]), torch.tensor([2.0]))


def test_the_rate_rises_and_falls_as_published():
    assert ramp(0) == 0 and ramp(0.05) == 1 and ramp(0.5) == 1 and abs(ramp(0.875) - 0.5) < 1e-9 and ramp(1) == 0


def test_decibels():
    torch.testing.assert_close(psnr_of(torch.tensor([4.0, 0.04])), torch.tensor([0.0, 20.0]))

"""The steerable pyramid is lossless and steerable; the statistics are Portilla and Simoncelli's 710, each by hand."""

import pytest
import torch

from sfumato.errors import UserError
from sfumato.objectives.texture_statistics import assembled, mismatch, pyramid, statistics
from sfumato.optim import LBFGS


def noise(b=1, h=64, w=64, seed=0, dtype=torch.float64):
    return torch.randn(b, h, w, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def blobs(seed=0, side=64):
    """Noise of one octave, squared: correlated, skewed."""
    return pyramid(noise(1, side, side, seed), 3, 2).lows[1].repeat_interleave(2, 1).repeat_interleave(2, 2).square()


@pytest.mark.parametrize(("orientations", "scales"), [(2, 3), (4, 4), (6, 2)])
def test_a_pyramid_is_lossless(orientations, scales):
    image = noise(2, 64, 96)
    torch.testing.assert_close(assembled(pyramid(image, scales, orientations)), image, rtol=0, atol=1e-10)
    single = image.float()
    torch.testing.assert_close(assembled(pyramid(single, scales, orientations)), single, rtol=0, atol=1e-5)


def test_energy_is_shared_out_whole():
    """A tight frame: scale n counts 4ⁿ times, as it has so many fewer places."""
    image = noise()
    parts = pyramid(image)
    energy = parts.high.square().sum() + 4**4 * parts.lows[-1].square().sum()
    energy += sum(4**n * w.real.square().sum() for n, w in enumerate(parts.waves))
    torch.testing.assert_close(energy, image.square().sum())


def test_a_wave_is_seen_at_its_orientation_and_scale():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    for k, (u, v) in enumerate([(0, 16), (12, 12), (16, 0), (12, -12)]):  # cycles down and across
        wave = torch.cos(2 * torch.pi * (u * y + v * x) / 64)[None]
        energy = torch.stack([w.abs().square().mean((0, 2, 3)) * 1.0 for w in pyramid(wave).waves])
        assert energy.argmax() == k  # of scale 0, whose waves are about a quarter turn a pixel
        amplitude = pyramid(wave).waves[0][0, k].abs()
        assert amplitude.std() < 1e-4 * amplitude.mean()  # complex waves have no phase in their size


def test_a_shift_moves_the_waves_and_leaves_all_statistics():
    image = blobs()
    a, b = statistics(image), statistics(image.roll((16, 32), (1, 2)))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-6, atol=1e-8)


def test_there_are_710_of_them():
    assert sum(x.shape[1] for x in statistics(noise(1, 128, 128)).values()) == 710


def test_marginals_and_correlations_by_hand():
    image = blobs()
    found = statistics(image, scales=2)
    x = image[0] - image.mean()
    std = x.square().mean().sqrt()
    skewness, kurtosis = (x / std).pow(3).mean(), (x / std).pow(4).mean()
    expected = torch.stack([2 * std.log(), skewness / kurtosis.sqrt(), kurtosis.log()])
    torch.testing.assert_close(found["marginals"][0, :3], expected, rtol=1e-4, atol=1e-4)
    low = pyramid(image, 2).lows[0][0]
    low = low - low.mean()
    shifted = (low * low.roll((3, 3), (0, 1))).mean() / low.square().mean()
    torch.testing.assert_close(found["autocorrelation"][0, 0], shifted, rtol=1e-5, atol=1e-6)
    fine, _ = (w[0].abs().flatten(1) for w in pyramid(image, 2).waves)
    torch.testing.assert_close(found["orientations"][0, 0], torch.corrcoef(fine)[0, 1], rtol=1e-4, atol=1e-5)


def test_phases_tell_an_edge_from_a_line():
    """Relative phase: an edge and a line have the same magnitudes nearly, and opposite phase statistics."""
    x = torch.arange(64.0)
    edge = torch.tanh(4 * torch.sin(2 * torch.pi * x / 64) + 2).expand(1, 64, 64)
    line = torch.fft.ifft(torch.fft.fft(edge) * 1j * torch.sign(torch.fft.fftfreq(64))).real
    a, b = statistics(edge.double()), statistics(line.double())
    apart = {k: (a[k] - b[k]).abs().max() for k in ("phases", "autocorrelation")}
    assert apart["phases"] > 0.3 and apart["autocorrelation"] < 1e-3


def test_gradients_are_right():
    image = noise(1, 8, 8).requires_grad_()

    def some(x):
        return torch.cat([v.flatten() for k, v in statistics(x, 1, 2, 3).items() if k != "range"])

    assert torch.autograd.gradcheck(some, image, atol=1e-4)


def test_a_synthesised_texture_has_the_statistics_of_its_exemplar():
    with torch.no_grad():
        target = statistics(blobs(side=32).float(), 2, 2, 5)
    image = noise(1, 32, 32, 5, torch.float32).requires_grad_()
    optimizer = LBFGS([image])
    first = mismatch(statistics(image, 2, 2, 5), target).item()
    for _ in range(150):
        optimizer.zero_grad()
        mismatch(statistics(image, 2, 2, 5), target).sum().backward()
        optimizer.step()
    found = statistics(image.detach(), 2, 2, 5)
    assert mismatch(found, target).item() < 1e-3 * first
    for name in ("autocorrelation", "magnitudes alike", "orientations", "scales", "phases"):
        assert (found[name] - target[name]).abs().max() < 0.05, name


def test_sides_have_to_be_halved_without_rest():
    with pytest.raises(UserError, match="multiples of 16, not 64×72"):
        pyramid(noise(1, 64, 72))

"""What every measure of quality promises, whichever it is."""

import pytest
import torch

from sfumato.metrics.quality import MEASURES, RGB, Convention, Y, find


@pytest.fixture(scope="module")
def spoilt():
    """A picture, a little noise on it, and much."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.fft.fftfreq(200), torch.fft.fftfreq(204), indexing="ij")
    fall = 1 / (x.square() + y.square()).sqrt().clamp(min=1 / 204)  # as the spectra of photographs do
    clean = torch.fft.ifft2(torch.fft.fft2(torch.randn(1, 3, 200, 204, generator=generator)) * fall).real
    clean = (clean / clean.std() * 0.35).clamp(-1, 1)
    noise = torch.randn(1, 3, 200, 204, generator=generator)
    return [(clean + s * noise).clamp(-1, 1) for s in (0, 0.1, 0.5)]


@pytest.mark.parametrize("name", MEASURES)
def test_worse_is_worse_and_in_range(name, spoilt):
    measure = find(name)
    clean = spoilt[0]
    for convention in (RGB, Convention("luma", 4)):
        same, little, much = (measure.compute(clean, v, convention) for v in spoilt)
        assert same.shape == (1,) and measure.says(convention)
        order = [same, little, much] if measure.better == "higher" else [much, little, same]
        assert order[0] > order[1] > order[2]
        low, high = measure.range
        assert all(low <= v.item() <= high + 1e-6 for v in order)
    assert "4 px shaved" in measure.says(convention)


@pytest.mark.parametrize("name", MEASURES)
def test_a_border_is_heeded_by_every_measure(name, spoilt):
    clean, little, _ = spoilt
    framed = little.clone()
    framed[..., :4, :] = framed[..., -4:, :] = 1
    framed[..., :4] = framed[..., -4:] = -1
    border = Convention(border=4)
    compute = find(name).compute
    torch.testing.assert_close(compute(clean, framed, border), compute(clean, little, border))


def test_names_and_directions():
    assert {n for n, m in MEASURES.items() if m.better == "lower"} == {
        n for n, m in MEASURES.items() if not m.reference
    }
    assert {n for n, m in MEASURES.items() if m.colour} == {"fsimc", "cisi"}
    assert find("psnr").says(Y) == "Y of BT.601, no px shaved, rounded to bytes"
    with pytest.raises(LookupError, match="did you mean fsim"):
        find("fsin")

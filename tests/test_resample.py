"""Resampling against a slow form, Pillow and the pictures that MATLAB made."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato import resample as page
from sfumato.resample import imresize, resampling

SUPERRES = Path(__file__).parents[1] / "../shared/data/superres"


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_line(values, scale, m, kernel, antialias, edge):
    """Every output pixel of a line by a loop over every pixel that could matter, mirrored copies included."""

    def cubic(x):
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0

    def weight(x):
        return cubic(x) if kernel == "bicubic" else max(0, 1 - abs(x))

    n, stretch = len(values), max(1, 1 / scale) if antialias else 1
    line = [*values, *reversed(values)] if edge == "mirror" else None
    result = []
    for j in range(1, m + 1):
        centre = j / scale + 0.5 * (1 - 1 / scale)  # MATLAB counts from 1
        total = share = 0.0
        for i in range(-4 * n, 6 * n):
            w = weight((centre - i) / stretch)
            value = line[(i - 1) % (2 * n)] if line else values[min(max(i, 1), n) - 1]
            total, share = total + w * value, share + w
        result.append(total / share)
    return result


@pytest.mark.parametrize("edge", ["mirror", "repeat"])
@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("n", "scale"), [(12, 0.5), (13, 1 / 3), (9, 2), (7, 2.7), (11, 0.37), (5, 1)])
def test_equals_a_loop(n, scale, kernel, edge):
    line = noise(n).tolist()
    m = math.ceil(scale * n)
    for antialias in (True, False):
        found = resampling(n, m, scale, kernel=kernel, antialias=antialias, edge=edge) @ torch.tensor(line).double()
        np.testing.assert_allclose(found, one_line(line, scale, m, kernel, antialias, edge), atol=1e-12)


def test_equals_pillow_away_from_the_edge():
    x = noise(60, 44)
    theirs = np.asarray(Image.fromarray(x.float().numpy()).resize((22, 20), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(imresize(x, size=(20, 22))[4:-4, 4:-4], theirs[4:-4, 4:-4], atol=1e-6)


def test_keeps_constants_and_ramps_and_sizes():
    assert torch.allclose(imresize(torch.full((2, 3, 9, 7), 0.3), 0.4), torch.tensor(0.3))
    assert imresize(torch.zeros(1, 1, 10, 7), 1 / 3).shape == (1, 1, 4, 3)
    assert imresize(torch.zeros(5, 7), size=(8, 3)).shape == (8, 3)
    x = noise(2, 3, 6, 8)
    torch.testing.assert_close(imresize(x, 1), x)
    ramp = torch.arange(20).double().expand(6, 20)
    torch.testing.assert_close(
        imresize(ramp, 2)[4:-4, 6:-6], (torch.arange(40) / 2 - 0.25).expand(12, 40)[4:-4, 6:-6].double()
    )


def test_axes_are_alike_and_batches_independent():
    x = noise(3, 2, 12, 9)
    torch.testing.assert_close(imresize(x, 0.6), imresize(x.mT, 0.6).mT)
    torch.testing.assert_close(imresize(x, 1.4)[1], imresize(x[1], 1.4))


def test_is_differentiable():
    x = noise(1, 1, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: imresize(v, 0.6), x)
    assert torch.autograd.gradcheck(lambda v: imresize(v, 1.7, kernel="bilinear", edge="repeat"), x)


def test_bytes_are_rounded_after_each_direction():
    x = (noise(1, 3, 16, 12) * 255).round().to(torch.uint8)
    rows = (resampling(16, 8, 0.5) @ x.double() + 0.5).floor().clamp(0, 255)
    both = (rows @ resampling(12, 6, 0.5).T + 0.5).floor().clamp(0, 255)
    assert torch.equal(imresize(x, 0.5), both.to(torch.uint8))
    step = torch.tensor([[0, 0, 255, 255]] * 4, dtype=torch.uint8)
    assert imresize(step, 2).max() == 255  # overshoot is clipped, not wrapped
    columns_first = imresize(x, size=(12, 3))
    expected = (x.double() @ resampling(12, 3, 0.25).T + 0.5).floor().clamp(0, 255)
    expected = (resampling(16, 12, 0.75) @ expected + 0.5).floor().clamp(0, 255)
    assert torch.equal(columns_first, expected.to(torch.uint8))


def test_matrices_are_kept_and_fit_for_autograd_whoever_asked_first(monkeypatch):
    page._kept.cache_clear()
    x = noise(2, 3, 12, 10).float()
    with torch.inference_mode():
        first = imresize(x, 0.5)
    asked = []
    monkeypatch.setattr(page, "resampling", lambda *given, **options: asked.append(given))
    learned = x.clone().requires_grad_()
    again = imresize(learned, 0.5)
    again.square().sum().backward()
    assert not asked and torch.equal(first, again.detach()) and learned.grad is not None
    assert page._kept.cache_info().currsize == 2
    monkeypatch.undo()
    monkeypatch.setattr(page, "KEPT", 10)
    assert torch.equal(imresize(x, 0.5), first) and page._kept.cache_info().hits == 2, "large ones are made anew"


def test_what_is_kept_is_of_one_size_kernel_and_type():
    x = noise(1, 1, 9, 9)
    for options in (dict(), dict(kernel="bilinear"), dict(edge="repeat"), dict(antialias=False)):
        for scale in (0.5, 0.51, 2.0):
            expected = resampling(9, math.ceil(9 * scale), scale, **options)
            assert torch.equal(imresize(x, scale, **options), expected @ x @ expected.T) or scale < 1
            torch.testing.assert_close(imresize(x, scale, **options), expected @ x @ expected.T)
            assert imresize(x.float(), scale, **options).dtype == torch.float32


def test_stays_float32_under_autocast():
    x = noise(1, 3, 16, 16).float()
    expected = imresize(x, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(imresize(x, 2), expected)
        half = imresize(x.bfloat16(), 2)
    assert half.dtype == torch.float32 and torch.equal(half, imresize(x.bfloat16().float(), 2))


def test_mistakes():
    for bad in ({}, {"scale": 2, "size": (4, 4)}):
        with pytest.raises(ValueError, match="either a scale or a size"):
            imresize(torch.zeros(4, 4), **bad)
    for bad in ({"scale": 0}, {"scale": -1}, {"size": (0, 4)}):
        with pytest.raises(ValueError, match="can't make"):
            imresize(torch.zeros(4, 4), **bad)


@pytest.mark.parametrize(("name", "scale"), [("Set5", 2), ("Set5", 3), ("Set5", 4), ("Set14", 2), ("Set14", 4)])
def test_gives_matlabs_bytes(name, scale):
    folder = SUPERRES / name / f"image_SRF_{scale}"
    if not folder.is_dir():
        pytest.skip("the pictures of ../shared/data/superres are absent")
    for path in sorted(folder.glob("img_00[35]*_HR.png")):
        planes = []
        for name in (path, str(path).replace("_HR", "_LR")):
            with Image.open(name) as file:
                pixels = torch.from_numpy(np.array(file))
            planes.append(pixels.movedim(-1, 0) if pixels.ndim == 3 else pixels)
        high, low = planes
        assert torch.equal(imresize(high, 1 / scale, edge="repeat"), low), path.name

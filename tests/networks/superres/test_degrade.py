"""Losses of quality against direct computations, Pillow and their stated distributions; pools from files."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sfumato.errors import UserError
from sfumato.networks.superres.degrade import (
    as_bytes,
    coarse,
    colourless,
    default_kernels,
    default_noise,
    injected,
    read_pools,
    shrink_each,
    smooth_patches,
    tiles,
)
from sfumato.networks.superres.kernels import before, centre_of_mass, gaussian_kernel, home
from sfumato.resample import imresize


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(("side", "scale"), [(5, 1), (4, 2), (5, 2), (7, 3), (8, 4)])
def test_shrinking_each_is_what_loops_find(side, scale):
    image, kernels = noise(2, 3, 12, 9), noise(2, side, side, seed=1)
    found, p = shrink_each(image, kernels, scale), before(side, scale)
    assert found.shape == (2, 3, -(-12 // scale), -(-9 // scale))
    for b, c, i, j in [(0, 0, 0, 0), (1, 2, found.shape[2] - 1, found.shape[3] - 1), (0, 1, 1, 2)]:
        total = 0.0
        for y in range(side):
            for x in range(side):
                row, column = min(max(scale * i + y - p, 0), 11), min(max(scale * j + x - p, 0), 8)
                total += kernels[b, y, x].item() * image[b, c, row, column].item()
        assert found[b, c, i, j].item() == pytest.approx(total, abs=1e-5)


def test_a_blur_is_a_product_of_spectra():
    image = noise(2, 1, 16, 16)
    kernels = torch.stack([gaussian_kernel(7, (2.0, 0.5), angle, 1) for angle in (0.3, 1.2)])
    flipped = torch.zeros(2, 1, 16, 16)
    flipped[:, 0, :7, :7] = kernels.flip(-1, -2)
    spectra = torch.fft.rfft2(image) * torch.fft.rfft2(flipped.roll((-3, -3), (-1, -2)))
    around = torch.fft.irfft2(spectra, s=(16, 16))
    torch.testing.assert_close(shrink_each(image, kernels, 1)[..., 3:-3, 3:-3], around[..., 3:-3, 3:-3])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_first_default_kernel_is_the_bicubic_reduction(scale):
    image = noise(2, 3, 16 * scale, 12 * scale)
    kernels = default_kernels(4, scale, 1.0)
    found = shrink_each(image, kernels[:1].expand(2, -1, -1), scale)
    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(found[inner], imresize(image, size=(16, 12))[inner], atol=1e-5, rtol=0)
    assert (default_kernels(3, scale, 0.0) == kernels[0]).all()


def test_default_kernels_have_the_widths_that_are_stated():
    torch.manual_seed(0)
    scale = 4
    for kernel in default_kernels(200, scale, 0.8)[1:]:
        assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
        middle = torch.full((2,), home(len(kernel), scale))
        torch.testing.assert_close(centre_of_mass(kernel), middle, atol=1e-3, rtol=0)
        at = torch.arange(len(kernel)) - home(len(kernel), scale)
        y, x = torch.meshgrid(at, at, indexing="ij")
        moments = torch.stack([torch.stack([(kernel * a * b).sum() for a in (x, y)]) for b in (x, y)])
        least, most = torch.linalg.eigvalsh(moments).sqrt().tolist()
        assert 0.15 * scale * 0.9 <= least <= most <= 0.8 * scale * 1.01


def test_default_noise_has_no_mean_and_the_strengths_that_are_stated():
    torch.manual_seed(0)
    pool = default_noise(400, 3, 16, 10.0)
    torch.testing.assert_close(pool.mean((2, 3)), torch.zeros(400, 3), atol=1e-6, rtol=0)
    strengths = pool.std((1, 2, 3)) * 127.5
    assert strengths.max() <= 10.0 and strengths.mean().item() == pytest.approx(5.0, abs=0.5)
    neighbours = (pool[..., 1:] * pool[..., :-1]).mean((1, 2, 3)) / pool.var((1, 2, 3))
    assert neighbours[::2].mean().item() == pytest.approx(0.5, abs=0.05), "averaged over two"
    assert neighbours[1::2].mean().abs() < 0.05, "white"


def test_smooth_patches_are_noise_without_their_mean():
    """Of four patches one varies by more than is allowed, one by a structure, one is too dark."""
    grain = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) / 127.5
    image = torch.zeros(1, 3, 16, 16)
    image[..., :8, :8] = 0.5 + 2 * grain[..., :8, :8]
    image[..., :8, 8:] = 20 * grain[..., :8, 8:]
    image[..., 8:, :8] = torch.linspace(-0.5, 0.5, 8)
    image[..., 8:, 8:] = -0.9 + grain[..., 8:, 8:]
    found = smooth_patches(image, 8, variance=20.0, mean=50.0)
    kept = image[0, :, :8, :8]
    torch.testing.assert_close(found, (kept - kept.mean((1, 2), keepdim=True))[None])
    torch.testing.assert_close(found.mean((2, 3)), torch.zeros(1, 3), atol=1e-7, rtol=0)
    assert len(smooth_patches(image, 8, variance=20.0)) == 2, "the dark one too"
    assert len(smooth_patches(image, 8, variance=0.1)) == 0


@pytest.mark.parametrize("bound", [5.0, 20.0])
def test_no_smooth_patch_varies_more_than_the_bound(bound):
    strengths = torch.linspace(0, 8, 64).view(64, 1, 1, 1) / 127.5
    image = strengths * torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    found = smooth_patches(image, 32, bound)
    variances = (found * 127.5).var((1, 2, 3), unbiased=False)
    assert variances.max() < bound and len(found) == pytest.approx(64 * bound**0.5 / 8, abs=2)


def test_noise_is_cut_where_chance_says_and_has_no_mean():
    image, pool = torch.zeros(3, 2, 4, 5), noise(3, 2, 8, 8)
    chance = torch.tensor([[0.0, 0.0], [0.99, 0.99], [0.5, 0.3]])
    found = injected(image, pool, chance)
    for k, (top, left) in enumerate([(0, 0), (4, 3), (2, 1)]):
        cut = pool[k, :, top : top + 4, left : left + 5]
        torch.testing.assert_close(found[k], cut - cut.mean((1, 2), keepdim=True))


def test_noise_too_small_is_repeated():
    found = injected(torch.zeros(1, 1, 8, 4), noise(1, 1, 4, 4), torch.tensor([[0.3, 0.0]]))
    torch.testing.assert_close(found[..., :4, :], found[..., 4:, :])
    assert found.std() > 0.1


def test_coarse_is_pillows_bilinear_there_and_back():
    pixels = (noise(1, 1, 24, 36)[0, 0] * 0.5 + 0.5).mul(255).round().byte()
    small = Image.fromarray(pixels.numpy()).convert("F").resize((12, 8), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(small.resize((36, 24), Image.Resampling.BILINEAR)))
    found = coarse((pixels.float() / 127.5 - 1)[None, None], 3)[0, 0]
    torch.testing.assert_close((found + 1) * 127.5, expected, atol=0.01, rtol=0)


def test_colourless_has_the_luma_in_every_channel():
    image = noise(2, 3, 4, 4)
    found = colourless(image)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(found, (image * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1))
    assert torch.equal(colourless(image[:, :1]), image[:, :1])


def test_bytes_are_bytes():
    image = torch.tensor([-1.3, -1.0, 0.0011, 0.7, 1.4])
    found = (as_bytes(image) + 1) * 127.5
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 128.0, 217.0, 255.0]))


def test_tiles_lie_side_by_side():
    image = torch.arange(2 * 1 * 5 * 4.0).view(2, 1, 5, 4)
    found = tiles(image, 2)
    assert found.shape == (8, 1, 2, 2)
    assert torch.equal(found[1], image[0, :, :2, 2:4]) and torch.equal(found[6], image[1, :, 2:4, :2])


def written(path, **tensors):
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return str(path)


def test_pools_are_read_brought_home_and_repeated(tmp_path):
    kernels = torch.stack([gaussian_kernel(13, (1.0, 3.0), a, 2) for a in (0.0, 0.7)]).roll(2, -1) * 3
    path = written(tmp_path / "pools.safetensors", kernels=kernels, noise=noise(1, 3, 10, 10))
    found, patches = read_pools(path, 5, 2, 3, 4)
    assert found.shape == (5, 20, 20) and patches.shape == (5, 3, 4, 4)
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(5))
    torch.testing.assert_close(centre_of_mass(found[1]), torch.full((2,), home(20, 2)), atol=0.01, rtol=0)
    assert torch.equal(found[2], found[0]) and torch.equal(patches[4], patches[0]) and not torch.equal(*patches[:2])
    assert read_pools(path, 2, 2, 1, 8)[1].shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (dict(kernels=torch.ones(1, 3, 3)), "holds no pools"),
        (dict(kernels=torch.ones(1, 3, 4), noise=torch.ones(1, 3, 8, 8)), "holds no pools"),
        (dict(kernels=torch.ones(1, 3, 3), noise=torch.ones(1, 2, 8, 8)), "holds no pools"),
        (dict(kernels=torch.ones(1, 3, 3), noise=torch.ones(1, 3, 2, 8)), "4 px at least"),
        (dict(kernels=torch.zeros(1, 3, 3), noise=torch.ones(1, 3, 8, 8)), "sum to nothing"),
        (dict(kernels=torch.full((1, 3, 3), torch.nan), noise=torch.ones(1, 3, 8, 8)), "no numbers"),
    ],
)
def test_files_that_hold_no_pools_are_refused(tmp_path, tensors, message):
    with pytest.raises(UserError, match=message):
        read_pools(written(tmp_path / "x.safetensors", **tensors), 2, 2, 3, 4)

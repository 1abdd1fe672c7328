"""One picture enlarged by what it teaches about itself: sizes, seeds, kernels from anywhere, progress, errors."""

import pytest
import torch
from scipy.io import savemat

from sfumato.errors import UserError
from sfumato.networks.superres.kernels import centre_of_mass, gaussian_kernel, home
from sfumato.tasks.enlarging.zeroshot import find_kernel, read_kernel, zero_shot

TINY = dict(preset="tiny", steps=3)


def picture(h=32, w=40, channels=3):
    return torch.rand(1, channels, h, w, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9


@pytest.mark.parametrize(("channels", "scale"), [(3, 2), (1, 2), (3, 3), (1, 4)])
def test_any_side_channels_and_scale(channels, scale):
    large = zero_shot(picture(25, 30, channels), scale, **TINY)
    assert large.shape == (1, channels, 25 * scale, 30 * scale)
    assert large.dtype == torch.float32 and large.isfinite().all() and large.abs().max() <= 1


def test_the_seed_decides_and_nothing_around_is_touched():
    torch.manual_seed(5)
    expected, image = torch.rand(1), picture()
    kept = image.clone()
    torch.manual_seed(5)
    with torch.inference_mode():
        a, b, c = (zero_shot(image, 2, seed=seed, **TINY) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected) and torch.equal(image, kept)
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("options", [dict(), dict(gradual=3), dict(kernel="estimate")])
def test_progress_grows_to_all_of_it(options):
    told = []
    zero_shot(picture(64, 64), 2, advance=told.append, **TINY, **options)
    assert told == sorted(told) and told[0] > 0 and told[-1] == 1 and len(told) >= 4


def test_gradual_scales_teach_too():
    a, b = (zero_shot(picture(), 2, gradual=n, **TINY) for n in (1, 2))
    assert a.shape == b.shape and not torch.equal(a, b)
    with pytest.raises(UserError, match="without a kernel of their own"):
        zero_shot(picture(), 2, kernel=gaussian_kernel(12, (2.0, 2.0), 0.0), gradual=2, **TINY)


def test_a_kernel_is_heeded_from_memory_and_from_a_file(tmp_path):
    kernel = gaussian_kernel(12, (4.0, 1.0), 0.4)
    savemat(tmp_path / "k.mat", {"Kernel": kernel.double().numpy()})
    read = read_kernel(tmp_path / "k.mat", 2)
    torch.testing.assert_close(read.sum(), torch.tensor(1.0))
    a, b, c = (zero_shot(picture(), 2, kernel=k, **TINY) for k in (kernel, tmp_path / "k.mat", None))
    torch.testing.assert_close(a, b, atol=1e-3, rtol=0)
    assert (a - c).abs().mean() > 1e-2


def test_a_file_that_is_read_is_centred(tmp_path):
    kernel = torch.zeros(9, 9)
    kernel[1, 2] = 1
    savemat(tmp_path / "k.mat", {"anything": kernel.numpy()})
    found = read_kernel(tmp_path / "k.mat", 2)
    torch.testing.assert_close(centre_of_mass(found), torch.full((2,), home(len(found), 2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"a": [[1.0]], "b": [[2.0]]}, 'no matrix "Kernel"; it has a, b'),
        ({"Kernel": [[1.0, 2.0]]}, "a square of 2 to 64"),
        ({"Kernel": [[1.0, float("nan")], [0.0, 0.0]]}, "a square of 2 to 64"),
        ({"Kernel": [[1.0, -1.0], [0.0, 0.0]]}, "a positive sum"),
    ],
)
def test_files_without_a_kernel(tmp_path, values, error):
    savemat(tmp_path / "k.mat", values)
    with pytest.raises(UserError, match=error):
        read_kernel(tmp_path / "k.mat", 2)


def test_a_kernel_is_found_the_same_for_a_seed():
    a, b = (find_kernel(picture(70, 66), seed=1, **TINY) for _ in range(2))
    assert torch.equal(a, b) and a.sum().item() == pytest.approx(1, abs=1e-4)
    assert find_kernel(picture(70, 66), 4, **TINY).sum().item() == pytest.approx(1, abs=1e-4)


def test_a_lost_game_is_begun_again(monkeypatch):
    lost = [True, False, False, False, False]  # the second start is good, and its kernel is asked for
    monkeypatch.setattr("sfumato.systems.superres.kernelgan.KernelGAN.lost", lambda self: lost.pop(0))
    second = find_kernel(picture(70, 66), seed=1, **TINY)
    assert len(lost) == 2
    assert torch.equal(second, find_kernel(picture(70, 66), seed=2, **TINY))


def test_a_generator_that_comes_to_nothing_every_time_leaves_bicubic(monkeypatch):
    monkeypatch.setattr("sfumato.systems.superres.kernelgan.KernelGAN.lost", lambda self: True)
    a, b = (find_kernel(picture(70, 66), seed=s, **TINY) for s in (1, 7))
    assert torch.equal(a, b) and a.argmax() == find_kernel(picture(70, 66), seed=3, **TINY).argmax()


def test_what_no_kernel_can_be_found_of():
    with pytest.raises(UserError, match="for a scale of 2 or 4, not 3"):
        find_kernel(picture(), 3)
    with pytest.raises(UserError, match="pictures of 32 pixels a side are the smallest"):
        find_kernel(picture(20, 50), **TINY)
    with pytest.raises(UserError, match="6×9 pixels are too few to learn from"):
        zero_shot(picture(9, 6), 4, **TINY)

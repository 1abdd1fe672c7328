"""Kernels and noise from a folder: what is gathered, what is left out, and that realsr learns from the file."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.superres.kernels import bicubic_kernel, fitted
from sfumato.networks.superres.pictures import shrink
from sfumato.system import Batch
from sfumato.tasks.enlarging.pools import pools


@pytest.fixture
def folder(tmp_path):
    """Two pictures, each a grey of some noise above and stripes below; a broken one; one too small for a kernel."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for k, strength in enumerate((2.0, 3.0)):
        pixels = 128 + strength * generator.standard_normal((144, 144, 3))
        pixels[72:] = 100 + 80 * (np.arange(144) // 4 % 2)[:, None]
        Image.fromarray(pixels.round().astype(np.uint8)).save(tmp_path / "in" / f"{k}.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    Image.new("L", (20, 20), 90).save(tmp_path / "in" / "deep" / "small.png")
    return tmp_path / "in"


def test_noise_and_bicubic_are_gathered(folder, tmp_path):
    told = []
    found = pools(folder, tmp_path / "p.safetensors", pictures=0, side=16, advance=told.append)
    held = load_file(found.path)
    assert torch.equal(held["kernels"][0], fitted(bicubic_kernel(4), 16, 4)) and found.kernels == 1
    assert held["noise"].shape == (73, 3, 16, 16) and found.patches == 73, "36 of each, and one of the small one"
    assert held["noise"].mean((2, 3)).abs().max() < 1e-6
    strengths = held["noise"].std((1, 2, 3)) * 127.5
    assert strengths.max() < 4.47 and strengths.median().item() == pytest.approx(2.4, abs=0.5)
    assert [s.split(":")[0] for s in found.skipped] == ["broken.png"] and told[-1] == 1
    assert len(load_file(pools(folder, tmp_path / "q", pictures=0, side=16, most=5).path)["noise"]) == 5


def test_kernels_are_found_and_realsr_learns_from_the_file(folder, tmp_path):
    found = pools(folder, tmp_path / "p.safetensors", scale=2, steps=2)
    assert found.kernels == 3 and [s.split(":")[0] for s in found.skipped] == ["broken.png", "small.png"]
    cls = catalog.find("realsr")
    hyper = dict(cls.presets["tiny"].hyper) | dict(pools=str(found.path), noise=0.0, blur=0.0, pool=3)
    system = catalog.build("realsr", **hyper)
    image = torch.rand(4, 3, 32, 32) * 2 - 1
    system.start(Batch(image=image))
    torch.testing.assert_close(system.kernels.sum((1, 2)), torch.ones(3))
    assert 1 < system.noise.std() * 127.5 < 4.47
    low = system.degraded(image, Batch(4))
    assert (low - shrink(image, 2)).abs().max() > 0.01


def test_folders_without_pictures_or_without_anything_smooth(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no picture in"):
        pools(tmp_path / "empty", tmp_path / "p")
    with pytest.raises(UserError, match="no square of 16 px varies by less than 0"):
        pools(folder, tmp_path / "p", pictures=0, side=16, variance=0.0)
    assert not (tmp_path / "p").exists()

"""The digits that others printed, where their pictures are at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

from sfumato.metrics.quality import (
    Convention,
    Y,
    fsim,
    fsimc,
    iw_ssim,
    load_lpips,
    load_natural,
    ms_ssim,
    mse,
    niqe,
    psnr,
    ssim,
    vif,
    vsi,
)
from sfumato.metrics.quality.lpips import LPIPS
from sfumato.resample import imresize

DATA = Path(__file__).parents[3] / "../shared/data"
pytestmark = pytest.mark.skipif(not (DATA / "metrics").is_dir(), reason="the pictures of ../shared/data are absent")

PIQ, SEWAR = "metrics/piq/tests/assets/", "metrics/sewar/sewar/tests/res/lena512"


def picture(name):
    with Image.open(DATA / name) as file:
        pixels = torch.from_numpy(np.array(file))
    return (pixels[None, None] if pixels.ndim == 2 else pixels[..., :3].movedim(-1, 0)[None]).double() / 127.5 - 1


@pytest.fixture(scope="module")
def goldhill():
    return picture(PIQ + "goldhill.gif"), picture(PIQ + "goldhill_jpeg.gif")


@pytest.fixture(scope="module")
def i01():
    return picture(PIQ + "I01.BMP"), picture(PIQ + "i01_01_5.bmp")


def test_ssim(goldhill, i01):
    assert ssim(*goldhill, thin=True).item() == pytest.approx(0.8202, abs=5e-5)
    assert ssim(*i01, thin=True).item() == pytest.approx(0.7842, abs=1e-2)  # published no closer
    assert ssim(*i01, Y).item() == pytest.approx(0.6927, abs=5e-5)  # of TID2013


def test_fsim(goldhill, i01):
    assert fsim(*goldhill).item() == pytest.approx(0.89691, abs=5e-6)
    assert fsim(*i01).item() == pytest.approx(0.93674, abs=5e-6)
    assert fsimc(*i01).item() == pytest.approx(0.92587, abs=5e-6)


def test_iw_ssim(goldhill, i01):
    assert iw_ssim(*goldhill).item() == pytest.approx(0.886297251092821, abs=1e-12)
    assert iw_ssim(*reversed(i01)).item() == pytest.approx(0.946804801436296, abs=1e-12)


def test_vif(goldhill, i01):
    assert vif(*goldhill).item() == pytest.approx(0.2665, abs=5e-5)
    assert vif(*i01).item() == pytest.approx(0.3147, abs=5e-5)
    lena = picture(SEWAR + "gray.tiff")
    for name, value in {"noise": 0.120490551257006, "constant": 0.981413452665522}.items():
        assert vif(lena, picture(f"{SEWAR}gray_{name}.tiff")).item() == pytest.approx(value, abs=1e-12)


def test_vsi(i01):
    assert vsi(*i01, aligned=True).item() == pytest.approx(0.96405, abs=5e-6)
    assert vsi(*i01).item() == pytest.approx(0.96405, abs=1.1e-4)


@pytest.mark.parametrize(
    ("name", "error", "ratio", "similarity"),
    [
        ("color_noise", 2391.465875, 14.344162, 0.168002),
        ("gray_noise", 2025.913940, 15.064594, 0.202271),
        ("color_constant", 2302.953958, 14.507951, 0.895863),
        ("gray_constant", 2016.476768, 15.084871, 0.926078),
    ],
)
def test_mse_psnr_and_ssim_of_a_box_window(name, error, ratio, similarity):
    reference, image = picture(f"{SEWAR}{name.split('_')[0]}.tiff"), picture(f"{SEWAR}{name}.tiff")
    assert mse(reference, image).item() == pytest.approx(error, abs=5e-7)
    assert psnr(reference, image).item() == pytest.approx(ratio, abs=5e-7)
    box = torch.full((11,), 1 / 11)
    assert ssim(reference, image, window=box).item() == pytest.approx(similarity, abs=1e-3)  # published no closer


def test_ms_ssim():
    found = ms_ssim(picture(SEWAR + "gray.tiff"), picture(SEWAR + "gray_noise.tiff"))
    assert found.item() == pytest.approx(0.631429952770791, abs=1e-12)


def test_ssim_in_a_file_name():
    folder = "metrics/vainf_msssim/history/"
    reference = picture(folder + "kodim10.png")
    assert ssim(reference, picture(folder + "simga_50_ssim_0.4225.png")).item() == pytest.approx(0.4225, abs=1e-3)
    assert ssim(reference, picture(folder + "simga_0_ssim_1.0000.png")).item() == pytest.approx(1)


def test_niqe():
    natural = load_natural(DATA / "metrics/basicsr/basicsr/metrics/niqe_pris_params.npz")
    baboon = picture("metrics/mmagic/tests/data/image/gt/baboon.png")
    assert niqe(baboon, model=natural).item() == pytest.approx(5.72957, abs=1e-5)
    assert niqe(baboon, Convention("luma", 6), natural).item() == pytest.approx(6.10074, abs=1e-5)
    assert niqe(baboon, Convention("grey"), natural).item() == pytest.approx(5.73154, abs=1e-5)
    blue = baboon[:, 2:]
    assert niqe(blue, model=natural).item() == pytest.approx(5.62525, abs=1e-5)
    assert niqe(blue, Convention("luma", 6), natural).item() == pytest.approx(5.82981, abs=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_table_of_set5(scale):
    folder, held = DATA / f"superres/Set5/image_SRF_{scale}", f"superres/published/result_Set5_SRF_{scale}.mat"
    if not (DATA / held).exists():
        pytest.skip("the tables of ../shared/data/superres are absent")
    table, convention = loadmat(DATA / held), Convention("luma", scale)
    for i, path in enumerate(sorted(folder.glob("*_HR.png"))):
        with Image.open(path) as file:
            high = torch.from_numpy(np.array(file)).movedim(-1, 0)[None]
        again = imresize(imresize(high, 1 / scale, edge="repeat"), scale, edge="repeat")
        x, y = (v.double() / 127.5 - 1 for v in (high, again))
        assert psnr(x, y, convention).item() == pytest.approx(table["PSNR_table"][i, 0], abs=1e-4)
        assert ssim(x, y, convention).item() == pytest.approx(table["SSIM_table"][i, 0], abs=5e-6)
        assert psnr(x.float(), y.float(), convention).item() == pytest.approx(table["PSNR_table"][i, 0], abs=1e-3)


@pytest.mark.parametrize("backbone", ["alex", "vgg", "squeeze"])
def test_published_heads_fit(backbone, tmp_path):
    heads = DATA / f"features/lpips_linear_heads/lpips/weights/v0.1/{backbone}.pth"
    if not heads.exists():
        pytest.skip("the heads of ../shared/data/features are absent")
    torch.manual_seed(0)
    torch.save({f"features.{k}": v for k, v in LPIPS(backbone).features.state_dict().items()}, tmp_path / "w.pth")
    model = load_lpips(backbone, tmp_path / "w.pth", heads)
    assert all((head >= 0).all() and head.max() > 0 for head in model.heads)
    x = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert model(x, x).item() == 0 and model(x, -x).item() > 0

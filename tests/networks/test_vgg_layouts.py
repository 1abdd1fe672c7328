"""VGG-19 of three layouts and its decoders, of small files and, where they are, of the real ones; what is shipped."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from sfumato.errors import UserError
from sfumato.networks.pretrained.features import SHIPPED, features
from sfumato.networks.pretrained.vgg import decoder

REAL = Path(__file__).parents[3] / "shared/data/features"
PHOTO = Path(__file__).parents[3] / "shared/data/superres/kodak24/PhotoCD_PCD0992/23.png"
NARROW = REAL / "vgg19_16x_collabdistill/trained_models"
NAMES = ["conv11", "conv12", "conv21", "conv22", "conv31"]
PAIRS = {  # encoders and decoders of the narrow ones by depth
    1: ("20191110-133713_E20", "20191111-091942_E20"),
    2: ("20191110-132713_E20", "20191111-091932_E20"),
    3: ("20191110-132705_E20", "20191111-091929_E20"),
    4: ("20191110-132643_E20", "20191111-092553_E20"),
    5: ("20191109-211322_E20", "20191110-204615_E20"),
}


def kernels(names, widths):
    torch.manual_seed(0)
    state = {}
    for name, (n, m) in zip(names, pairwise(widths), strict=True):
        state |= {f"{name}.weight": torch.randn(m, n, 3, 3) * 0.3, f"{name}.bias": torch.randn(m) * 0.1}
    return state


def photo():
    """Something smooth with edges: a sum of waves, cut off."""
    y, x = torch.meshgrid(torch.linspace(0, 6, 96), torch.linspace(0, 6, 96), indexing="ij")
    return torch.stack([(2 * (x * a).sin() * (y * b).cos()).clamp(-0.9, 0.9) for a, b in ((1, 2), (2, 1), (1, 1))])[
        None
    ]


def test_a_file_that_begins_with_a_1x1_convolution_reflects_edges(tmp_path):
    state = {"conv0.weight": torch.randn(3, 3, 1, 1), "conv0.bias": torch.randn(3)} | kernels(NAMES, [3, 4, 4, 6, 6, 8])
    state |= {"conv11_aux.weight": torch.zeros(9, 4, 1, 1), "conv11_aux.bias": torch.zeros(9)}
    torch.save({"model": dict(sorted(state.items())), "epoch": 20}, tmp_path / "narrow.pth")
    image = torch.rand(2, 3, 16, 12) * 2 - 1
    first, last = features(f"vgg19:{tmp_path / 'narrow.pth'}", ("relu1_1", "relu3_1"))(image)
    x = F.conv2d((image + 1) / 2, state["conv0.weight"], state["conv0.bias"])
    for name in NAMES:
        x = F.max_pool2d(x, 2) if name in ("conv21", "conv31") else x
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), state[f"{name}.weight"], state[f"{name}.bias"]).relu()
        if name == "conv11":
            torch.testing.assert_close(first, x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(last, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("named", [True, False])
def test_decoders_of_both_layouts_are_read(tmp_path, named):
    names = NAMES[::-1] if named else ["1", "5", "8", "12", "15"]
    state = kernels(names, [8, 6, 6, 4, 4, 3])
    torch.save(dict(sorted(state.items())), tmp_path / "decoder.pth")
    x = image = torch.rand(1, 8, 5, 4)
    for k, name in enumerate(names):
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), state[f"{name}.weight"], state[f"{name}.bias"])
        x = x if k == 4 else x.relu()
        x = F.interpolate(x, scale_factor=2.0) if k in (0, 2) else x
    torch.testing.assert_close(decoder(tmp_path / "decoder.pth")(image), 2 * x - 1, rtol=1e-4, atol=1e-4)


def test_files_of_other_networks_are_refused(tmp_path):
    torch.save(kernels(["1", "5"], [8, 6, 3]), tmp_path / "two.pth")
    with pytest.raises(UserError, match="holds no decoder"):
        decoder(tmp_path / "two.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "none.pth")
    for read in (decoder, lambda p: features(f"vgg19:{p}", ("relu1_1",))):
        with pytest.raises(UserError, match="not 3×3 and one after another"):
            read(tmp_path / "none.pth")


def test_what_is_shipped_is_small_whole_and_of_mean_one():
    assert SHIPPED.stat().st_size < 3e6
    layers = (*(f"relu{stage}_{i}" for stage in range(1, 5) for i in (1, 2)), "relu5_1")
    maps = features("style", layers)(photo())
    assert [m.shape[2] for m in maps] == [96, 96, 48, 48, 24, 24, 12, 12, 6]
    for m in maps:
        assert m.isfinite().all() and 0.2 < m.mean() < 5
    with pytest.raises(UserError, match=r"are shipped; write style, or vgg19:/some\.pth"):
        features("style:/some.pth", ("relu1_1",))


def test_pictures_too_small_for_a_layer_are_refused():
    with pytest.raises(UserError, match="16 pixels are too few for conv5_1"):
        features("style", ("relu5_1",))(torch.zeros(1, 3, 16, 64))


def autoencoded(encoder, layer, back):
    """Decibels between a photograph and what a pair makes of it."""
    for path in (encoder, PHOTO):
        if not path.exists():
            pytest.skip(f"no {path}")
    with Image.open(PHOTO) as file:
        image = torch.from_numpy(np.array(file.crop((0, 0, 128, 128)))).permute(2, 0, 1)[None] / 127.5 - 1
    (code,) = features(f"vgg19:{encoder}", (layer,))(image)
    return -10 * ((decoder(back)(code) - image) / 2).square().mean().log10().item()


@pytest.mark.parametrize(("depth", "least"), [(1, 26), (2, 28), (3, 24)])
def test_the_real_normalised_pairs_autoencode(depth, least):
    folder = REAL / f"vgg_normalised_wct/vgg19_{depth}"
    encoder, back = (folder / f"{name}_conv{depth}_1.pth" for name in ("vgg_normalised", "feature_invertor"))
    assert autoencoded(encoder, f"relu{depth}_1", back) > least


@pytest.mark.parametrize(("depth", "least"), [(1, 42), (2, 28), (3, 22), (4, 20), (5, 17)])
def test_the_real_narrow_pairs_autoencode(depth, least):
    encoder, back = PAIRS[depth]
    folder = NARROW / "wct_se_16x_new"
    assert autoencoded(folder / f"{encoder}.pth", f"relu{depth}_1", NARROW / f"wct_se_16x_new_sd/{back}.pth") > least

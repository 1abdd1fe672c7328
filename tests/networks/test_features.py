"""Features that losses look through: which layers they are, what they expect, that they are frozen."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from sfumato.errors import UserError
from sfumato.networks.pretrained import extractor
from sfumato.networks.pretrained.features import features
from sfumato.networks.pretrained.vgg import MEAN, STAGES, STD

REAL = Path(__file__).parents[3] / "shared/data/features"
SQUEEZENET = REAL / "squeezenet1_1_keras_notop/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
NORMALISED = REAL / "vgg_normalised_wct/vgg19_3/vgg_normalised_conv3_1.pth"
COMPRESSED = REAL / "vgg19_16x_collabdistill/trained_models/wct_se_16x_new/20191109-211322_E20.pth"
PLACES = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]  # of the convolutions in torchvision's VGG-19


def vgg_state(widths):
    """A small VGG-19 in torchvision's layout."""
    torch.manual_seed(0)
    state = {}
    for place, (n, m) in zip(PLACES, pairwise([3, *widths]), strict=False):
        state |= {f"features.{place}.weight": torch.randn(m, n, 3, 3) * 0.3, f"features.{place}.bias": torch.randn(m)}
    return state


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A file of one, as wide as a finger, with a classifier that nobody needs."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    state = vgg_state([4, 4, 6, 6, *[8] * 12])
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}, path)
    return path, state


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_vgg_is_torchvisions_layer_by_layer(vgg):
    path, state = vgg
    names = tuple(f"{kind}{s}_{i}" for s, n in STAGES.items() for i in range(1, n + 1) for kind in ("conv", "relu"))
    names += tuple(f"pool{s}" for s in STAGES)
    x = images(2, 3, 32, 32)
    found = dict(zip(names, features(f"vgg19:{path}", names)(x), strict=True))
    x = ((x + 1) / 2 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    places = iter(PLACES)
    for stage, count in STAGES.items():
        for i in range(1, count + 1):
            place = next(places)
            x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
            torch.testing.assert_close(found[f"conv{stage}_{i}"], x, rtol=1e-4, atol=1e-4)
            x = found[f"conv{stage}_{i}"].relu()
            assert torch.equal(found[f"relu{stage}_{i}"], x)
        x = F.max_pool2d(x, 2)
        assert torch.equal(found[f"pool{stage}"], x)


def test_the_order_of_a_file_does_not_matter(vgg, tmp_path):
    path, state = vgg
    save_file(dict(sorted(state.items())), tmp_path / "vgg19.safetensors")
    a, b = (features(f"vgg19:{p}", ("pool5",))(images(1, 3, 32, 32))[0] for p in (path, tmp_path / "vgg19.safetensors"))
    assert torch.equal(a, b)


def test_layers_come_in_the_order_asked_and_no_further_are_computed(vgg):
    path, _ = vgg
    net = features(f"vgg19:{path}", ("relu2_1", "conv1_2"))
    assert [x.shape[1:] for x in net(images(1, 3, 8, 8))] == [(6, 4, 4), (4, 8, 8)]
    assert list(dict(net.layers.named_children()))[-1] == "relu2_1"
    again = features(f"vgg19:{path}", ("relu1_1", "relu1_1"))(images(1, 1, 8, 8))
    assert len(again) == 2 and torch.equal(*again)


def test_they_are_frozen_loaded_once_and_let_gradients_through(vgg):
    path, _ = vgg
    net = features(f"vgg19:{path}", ("relu1_2",))
    assert net is features(f"vgg19:{path}", ("relu1_2",)) and not net.training
    assert not any(p.requires_grad for p in net.parameters())
    x = images(1, 3, 8, 8).requires_grad_()
    net(x)[0].sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("world", ["digits", "shapes"])
def test_readers_are_the_shipped_ones(world):
    reader, x = extractor(f"reader:{world}"), images(2, reader_channels(world), 32, 32)
    first, last = features(f"reader:{world}", ("conv1", "relu5"))(x)
    torch.testing.assert_close(first, reader.body[0][:2](x))
    torch.testing.assert_close(last, reader.body[:-1](x))
    assert features(f"reader:{world}", ("relu5",))(images(1, 3, 48, 64))[0].shape == (1, 64, 6, 8)


def reader_channels(world):
    return 1 if world == "digits" else 3


def test_names_and_weights_are_checked(vgg, tmp_path):
    path, state = vgg
    with pytest.raises(UserError, match="vgg19 need weights; write vgg19:SOURCE"):
        features("vgg19", ("relu1_1",))
    with pytest.raises(LookupError, match="did you mean vgg19"):
        features("vgg", ("relu1_1",))
    with pytest.raises(LookupError, match="no layer of these features is called 'relu1_9'; did you mean relu1_"):
        features(f"vgg19:{path}", ("relu1_9",))
    with pytest.raises(LookupError, match="input"):
        features(f"vgg19:{path}", ("input",))
    with pytest.raises(UserError, match="no weights file"):
        features("vgg19:/nowhere.pth", ("relu1_1",))
    with pytest.raises(UserError, match="SHA-256"):
        features(f"vgg19:{path}", ("relu1_1",), sha256="0" * 64)
    (tmp_path / "code.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match="damaged or holds code"):
        features(f"vgg19:{tmp_path / 'code.pth'}", ("relu1_1",))
    save_file({k: v for k, v in state.items() if "features.2." not in k}, tmp_path / "gap.safetensors")
    save_file(
        {"features.0.weight": torch.zeros(4, 3, 5, 5), "features.0.bias": torch.zeros(4)}, tmp_path / "five.safetensors"
    )
    for name in ("gap", "five"):
        with pytest.raises(UserError, match="no VGG-19") if name == "five" else pytest.raises(LookupError):
            features(f"vgg19:{tmp_path / name}.safetensors", ("conv5_4",))


@pytest.mark.parametrize(
    ("kind", "path", "layer", "shape"),
    [
        ("squeezenet", SQUEEZENET, "fire9", (512, 3, 3)),
        ("vgg19", NORMALISED, "relu3_1", (256, 16, 16)),
        ("vgg19", COMPRESSED, "relu5_1", (128, 4, 4)),
    ],
)
def test_real_files(kind, path, layer, shape):
    if not path.exists():
        pytest.skip(f"no {path}")
    (found,) = features(f"{kind}:{path}", (layer,))(images(2, 3, 64, 64))
    assert found.shape == (2, *shape) and found.isfinite().all() and 0.2 < found.mean() < 4

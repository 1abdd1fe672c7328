import hashlib
import http.server
import pickle
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from sfumato.errors import UserError
from sfumato.networks.pretrained import extractor, names
from sfumato.networks.pretrained.base import grey, resize, rgb
from sfumato.networks.pretrained.inception import (
    BlockA,
    BlockE,
    Inception,
    average,
    average_inside,
    maximum,
    resize_tf1,
)
from sfumato.networks.pretrained.squeezenet import SqueezeNet
from sfumato.networks.pretrained.weights import locate, read

SQUEEZENET = Path(__file__).parents[3] / (
    "shared/data/features/squeezenet1_1_keras_notop/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)


def test_what_is_transparent_is_seen_over_white():
    colour, alpha = torch.rand(2, 3, 4, 4) * 2 - 1, torch.tensor([-1.0, 0.5]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    seen = rgb(torch.cat([colour, alpha], 1))
    torch.testing.assert_close(seen, torch.stack([torch.ones(3, 4, 4), 0.75 * colour[1] + 0.25]))
    torch.testing.assert_close(grey(torch.cat([colour, alpha], 1)), grey(seen))


@pytest.mark.parametrize(("name", "classes"), [("reader:digits", 10), ("reader:shapes", 25)])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 64), (3, 32)])
def test_readers_take_any_size_and_channels(name, classes, channels, size):
    reader = extractor(name)
    seen = reader(torch.rand(3, channels, size, size + 2) * 2 - 1)
    assert seen.features.shape == (3, reader.dim)
    assert seen.probabilities.shape == (3, classes)
    torch.testing.assert_close(seen.probabilities.sum(1), torch.ones(3))
    assert reader.name == name
    assert len(reader.sha256) == 64
    assert not reader.training
    assert not any(p.requires_grad for p in reader.parameters())


def test_readers_carry_their_accuracy_and_stay_small():
    from safetensors import safe_open

    for world, floor in (("digits", 0.98), ("shapes", 0.995)):
        path = Path(sys.modules["sfumato.networks.pretrained"].__file__).with_name(f"reader_{world}.safetensors")
        assert path.stat().st_size <= 2**20
        with safe_open(path, framework="pt") as file:
            assert float(file.metadata()["accuracy"]) >= floor
            assert {"seed", "classes", "channels"} <= file.metadata().keys()


def test_names_are_checked_before_weights():
    assert "reader:digits" in names()
    with pytest.raises(LookupError, match="did you mean digits"):
        extractor("reader:digit")
    with pytest.raises(LookupError, match="fid-inception"):
        extractor("fid-inceptoin:x.pth")
    with pytest.raises(UserError, match="there is no weights file"):
        extractor("squeezenet:/nowhere/x.pth")
    with pytest.raises(UserError, match="squeezenet:SOURCE"):
        extractor("squeezenet")


def test_colours_to_grey_keeps_grey():
    x = torch.rand(2, 1, 5, 5)
    torch.testing.assert_close(grey(x.expand(-1, 3, -1, -1)), x)


# What torchvision's own files hold, which fixes the layout.
INCEPTION = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_4a_3x3.bn.running_var": (192,),
    "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
    "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6c.branch7x7dbl_2.conv.weight": (160, 160, 7, 1),
    "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
    "Mixed_7a.branch7x7x3_3.conv.weight": (192, 192, 7, 1),
    "Mixed_7a.branch3x3_2.conv.weight": (320, 192, 3, 3),
    "Mixed_7b.branch3x3_2b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch3x3dbl_1.conv.weight": (448, 2048, 1, 1),
    "Mixed_7c.branch_pool.bn.num_batches_tracked": (),
}


@pytest.fixture(scope="module")
def inception_state():
    torch.manual_seed(0)
    network = Inception(published=True)
    state = {k: v.clone() for k, v in network.state_dict().items()}
    for k, v in state.items():
        if k.endswith("running_mean"):
            v.normal_(0, 0.1)
        if k.endswith("running_var"):
            v.uniform_(0.5, 1.5)
    return state


def test_inception_has_torchvisions_layout(inception_state):
    for key, shape in INCEPTION.items():
        assert inception_state[key].shape == shape
    assert len(inception_state) == 94 * 6 + 2  # 94 convolutions with weight and five of a normalisation, and fc
    without_fc = sum(v.numel() for k, v in inception_state.items() if k.endswith(("weight", "bias")) and k[:2] != "fc")
    assert without_fc == 21_785_568  # as published for torchvision's without its classifiers
    assert inception_state["fc.weight"].shape == (1008, 2048)
    assert Inception(published=False).fc.weight.shape == (1000, 2048)


def test_inception_loads_runs_and_differs_between_variants(inception_state, tmp_path):
    torch.save(inception_state | {"AuxLogits.conv0.conv.weight": torch.zeros(1)}, tmp_path / "fid.pth")
    images = torch.rand(2, 3, 40, 40) * 2 - 1
    published = extractor(f"fid-inception:{tmp_path / 'fid.pth'}")
    seen = published(images)
    assert seen.features.shape == (2, 2048)
    assert seen.probabilities.shape == (2, 1008)
    unfused = Inception(published=True).eval()
    unfused.load_state_dict(inception_state)
    with torch.no_grad():
        torch.testing.assert_close(unfused(images).features, seen.features, rtol=1e-3, atol=1e-5)

    cut = {k: v[:1000] if k.startswith("fc") else v for k, v in inception_state.items()}
    save_file(cut, tmp_path / "tv.safetensors")
    other = extractor(f"inception:{tmp_path / 'tv.safetensors'}")(images)
    assert other.probabilities.shape == (2, 1000)
    assert (other.features - seen.features).abs().max() > 1e-3
    with pytest.raises(UserError, match=r"doesn't fit Inception: it has fc.bias \(1008,\) in place of \(1000,\)"):
        extractor(f"inception:{tmp_path / 'fid.pth'}")
    torch.save({k: v for k, v in cut.items() if "Mixed_7c" not in k}, tmp_path / "less.pth")
    with pytest.raises(UserError, match="lacks Mixed_7c"):
        extractor(f"inception:{tmp_path / 'less.pth'}")


def test_published_inception_leaves_out_the_bias_and_pools_its_own_way(inception_state):
    network = Inception(published=True).eval()
    network.load_state_dict(inception_state)
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        before = network(images).probabilities
        network.fc.bias.add_(torch.randn(1008))
        torch.testing.assert_close(network(images).probabilities, before)
    x = torch.ones(1, 1, 4, 4)
    assert average(x)[0, 0, 0, 0] == pytest.approx(4 / 9)
    assert average_inside(x)[0, 0, 0, 0] == 1
    pools = {k: m.pool for k, m in network.named_children() if isinstance(m, BlockA | BlockE)}
    assert pools.pop("Mixed_7c") is maximum
    assert set(pools.values()) == {average_inside}
    assert Inception(published=False).Mixed_7c.pool is average


def test_resize_of_tensorflow_1():
    row = torch.tensor([0.0, 10.0, 20.0]).view(1, 1, 1, 3)
    # Cell i reads place i · 3 / 6; past the last pixel, the last pixel.
    assert resize_tf1(row.expand(1, 1, 6, 3), 6)[0, 0, 0].tolist() == [0, 5, 10, 15, 20, 20]
    x = torch.rand(2, 3, 9, 5)
    found = resize_tf1(x, 7)
    for i, j in ((0, 0), (3, 2), (6, 6), (5, 1)):
        y, z = i * 9 / 7, j * 5 / 7
        y0, z0 = int(y), int(z)
        y1, z1, v, w = min(y0 + 1, 8), min(z0 + 1, 4), y - y0, z - z0
        top = x[:, :, y0, z0] * (1 - w) + x[:, :, y0, z1] * w
        low = x[:, :, y1, z0] * (1 - w) + x[:, :, y1, z1] * w
        torch.testing.assert_close(found[:, :, i, j], top * (1 - v) + low * v)
    assert resize_tf1(x, 9).shape == (2, 3, 9, 9)
    same = torch.rand(1, 3, 8, 8)
    assert torch.equal(resize_tf1(same, 8), same)


def test_squeezenet_in_torchvisions_layout(tmp_path):
    torch.manual_seed(0)
    state = SqueezeNet(head=True).state_dict()
    assert state["features.3.squeeze.weight"].shape == (16, 64, 1, 1)
    assert state["features.12.expand3x3.weight"].shape == (256, 64, 3, 3)
    assert sum(v.numel() for v in state.values()) == 1_235_496  # as published
    torch.save(state, tmp_path / "squeezenet1_1.pth")
    seen = extractor(f"squeezenet:{tmp_path / 'squeezenet1_1.pth'}")(torch.rand(2, 1, 50, 60) * 2 - 1)
    assert seen.features.shape == (2, 512)
    assert seen.probabilities.shape == (2, 1000)


def keras(path, seed=0):
    """A file of Keras' layout with random weights."""
    h5py = pytest.importorskip("h5py")
    generator = np.random.default_rng(seed)
    own = SqueezeNet(head=False).state_dict()
    places = {3: 2, 4: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8, 12: 9}
    kernels = {}
    with h5py.File(path, "w") as file:
        for key, value in own.items():
            _, place, *layer, kind = key.split(".")
            name = "conv1" if not layer else f"fire{places[int(place)]}/{layer[0].replace('squeeze', 'squeeze1x1')}"
            array = generator.normal(size=value.shape).astype(np.float32) * 0.1
            kernels[key] = array
            array = array.transpose(2, 3, 1, 0) if kind == "weight" else array
            file[f"{name}/{name.replace('/', '_')}_1/{'kernel' if kind == 'weight' else 'bias'}:0"] = array
    return kernels


def test_squeezenet_of_keras_equals_caffes_preprocessing_on_its_kernels(tmp_path):
    kernels = keras(tmp_path / "a.h5")
    network = extractor(f"squeezenet:{tmp_path / 'a.h5'}")
    images = torch.rand(2, 3, 224, 224) * 2 - 1
    bgr = ((images + 1) * 127.5).flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    weight, bias = (torch.from_numpy(kernels[f"features.0.{k}"]) for k in ("weight", "bias"))
    x = F.conv2d(bgr, weight, bias, stride=2).relu()
    for layer in network.features[2:]:
        x = layer(x)
    seen = network(images)
    torch.testing.assert_close(seen.features, x.mean((2, 3)), rtol=1e-3, atol=1e-3)
    assert seen.probabilities is None


def test_squeezenet_of_keras_needs_h5py(tmp_path, monkeypatch):
    keras(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r"pip install 'sfumato\[features\]'"):
        extractor(f"squeezenet:{tmp_path / 'a.h5'}")


def test_squeezenet_refuses_another_hdf5_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "no.h5").write_bytes(b"no hdf5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["dense/kernel:0"] = np.zeros((3, 3))
    for name in ("no.h5", "other.h5"):
        with pytest.raises(UserError, match=r"no Keras SqueezeNet 1\.1 file"):
            extractor(f"squeezenet:{tmp_path / name}")


def test_published_squeezenet_tells_photographs_apart():
    if not SQUEEZENET.is_file():
        pytest.skip("the published weights are not beside this checkout")
    pytest.importorskip("h5py")
    from PIL import Image

    network = extractor(f"squeezenet:{SQUEEZENET}")
    assert sum(p.numel() for p in network.parameters()) == 722_496

    def features(name):
        path = next((SQUEEZENET.parents[2] / "superres").rglob(name))
        array = np.asarray(Image.open(path).convert("RGB"), np.float32)
        image = torch.from_numpy(array).permute(2, 0, 1)[None] / 127.5 - 1
        soft = resize(resize(image, 112), 224)
        return F.normalize(torch.cat([network(image).features, network(soft).features]))

    one, other = features("butterfly.png"), features("face.png")
    assert one[0] @ one[1] > one[0] @ other[0] + 0.1  # a softer copy is nearer than another photograph
    assert (one >= 0).all()
    assert (one[0] > 0.01).sum() > 50


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file ran')",))


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"features.0.weight": Bomb()}, tmp_path / "bomb.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "torn.pth").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "torn.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "empty.pth").touch()
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    for name in ("bomb.pth", "plain.pth", "torn.pth", "torn.safetensors", "empty.pth", "list.pth"):
        with pytest.raises(UserError) as caught:
            extractor(f"squeezenet:{tmp_path / name}")
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_checksums_are_compared_whole_by_prefix_and_by_name(tmp_path):
    content = b"some weights"
    digest = hashlib.sha256(content).hexdigest()
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    assert locate(str(path), digest) == (path, digest)
    assert locate(str(path), digest[:10].upper())[1] == digest
    with pytest.raises(UserError, match=f"has SHA-256 {digest[:16]}…, not {'0' * 16}…"):
        locate(str(path), "0" * 64)
    with pytest.raises(UserError, match="no SHA-256"):
        locate(str(path), "123")
    named = tmp_path / "net-01234567.pth"
    named.write_bytes(content)
    with pytest.raises(UserError, match="damaged or another file"):
        locate(str(named))


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_are_checked_and_kept(served, tmp_path, monkeypatch):
    folder, url = served
    monkeypatch.setenv("SFUMATO_CACHE", str(tmp_path / "cache"))
    save_file({"a": torch.arange(3.0)}, folder / "a.safetensors")
    digest = hashlib.sha256((folder / "a.safetensors").read_bytes()).hexdigest()
    with pytest.raises(UserError, match="damaged or another file"):
        locate(f"{url}/a.safetensors", "0" * 64)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    path, found = locate(f"{url}/a.safetensors", digest)
    assert found == digest
    assert read(path)["a"].tolist() == [0, 1, 2]
    (folder / "a.safetensors").unlink()
    assert locate(f"{url}/a.safetensors")[0] == path
    with pytest.raises(UserError, match="can't download"):
        locate(f"{url}/absent.pth")

"""Published generators of stylegan2-ada: a file in their layout, against a plain reading of their forward pass."""

import io
import math
import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sfumato
from command import call
from sfumato.errors import UserError
from sfumato.formats.nvidia import read_generator

SIZE, Z, W, MAPPING = 16, 6, 5, 2
WIDTHS = {4: 8, 8: 8, 16: 4}
EVIL = "import pathlib; pathlib.Path('ran').touch()\n"


def persistence():
    """Stand-ins of the modules that such files name, which exist only while one is written."""
    home, util = types.ModuleType("torch_utils.persistence"), types.ModuleType("dnnlib.util")

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("nothing of a file is to be called")

    _reconstruct_persistent_obj.__module__ = home.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    home._reconstruct_persistent_obj = _reconstruct_persistent_obj
    util.EasyDict = type("EasyDict", (dict,), {"__module__": util.__name__})
    parents = {k: types.ModuleType(k) for k in ("torch_utils", "dnnlib")}
    return parents | {home.__name__: home, util.__name__: util}


class Persistent(nn.Module):
    """A module that is pickled with its source, as theirs are."""

    def __init__(self, **about):
        super().__init__()
        self.__dict__ |= about

    def __reduce__(self):
        rebuild = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        about = dict(type="class", version=6, module_src=EVIL, class_name="Generator", state=dict(self.__dict__))
        return rebuild, (about,)


def persistent(name, tensors, **inner):
    made = Persistent(name=name, act="lrelu", shape=np.int64(3), _init_args=(), some={1, 2})
    for k, (tensor, learned) in tensors.items():
        if learned:
            made.register_parameter(k, nn.Parameter(tensor))
        else:
            made.register_buffer(k, tensor)
    for k, module in inner.items():
        made.add_module(k, module)
    return made


def dense(n, m, spread=1.0):
    return persistent("dense", {"weight": (torch.randn(m, n) * spread, True), "bias": (torch.randn(m), True)})


def styled(n, m, side):
    tensors = {
        "weight": (torch.randn(m, n, 3, 3), True), "bias": (torch.randn(m), True),
        "noise_strength": (torch.randn(()), True), "noise_const": (torch.randn(side, side), False),
        "resample_filter": (torch.ones(4, 4), False),
    }  # fmt: skip
    return persistent("layer", tensors, affine=dense(W, n))


def generator(classes=0):
    blocks, n = {}, 0
    for side, m in WIDTHS.items():
        tint = {"weight": (torch.randn(3, m, 1, 1), True), "bias": (torch.randn(3), True)}
        inner = {"conv1": styled(m, m, side), "torgb": persistent("torgb", tint, affine=dense(W, m))}
        own = {} if n else {"const": (torch.randn(m, 4, 4), True)}
        blocks[f"b{side}"] = persistent("block", own, **({"conv0": styled(n, m, side)} if n else {}), **inner)
        n = m
    first = Z + W * bool(classes)
    layers = {f"fc{k}": dense(W if k else first, W, 100.0) for k in range(MAPPING)}
    if classes:
        layers["embed"] = dense(classes, W)
    mapping = persistent("mapping", {"w_avg": (torch.randn(W), False)}, **layers)
    return persistent("generator", {}, mapping=mapping, synthesis=persistent("synthesis", {}, **blocks))


def written(path, held):
    """The file; its modules are gone again when it is read."""
    stand_ins = persistence()
    sys.modules |= stand_ins
    try:
        options = stand_ins["dnnlib.util"].EasyDict(path="data.zip", resolution=16)
        path.write_bytes(pickle.dumps({"training_set_kwargs": options, "augment_pipe": None} | held))
    finally:
        for name in stand_ins:
            del sys.modules[name]
    return path


def leaky(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def normalised(x):
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def linear(layer, x, lr=1.0):
    return x @ (layer.weight * lr / math.sqrt(x.shape[1])).T + layer.bias * lr


def spread_out(x):
    """Zeros after each pixel, in rows and columns."""
    b, c, h, w = x.shape
    wide = torch.zeros(b, c, 2 * h, 2 * w)
    wide[..., ::2, ::2] = x
    return wide


def smooth(x, before, after):
    line = torch.tensor([1.0, 3, 3, 1]) / 4
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def modulated(x, weight, style, demodulate=True, up=False):
    """One picture after another, with weights of its own; a convolution proper where the side doubles."""
    made = []
    for one, s in zip(x, style, strict=True):
        own = weight * s[None, :, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            full = F.conv2d(F.pad(spread_out(one[None]), (2, 2, 2, 2)), own.flip(2, 3))[..., :-1, :-1]
            made.append(smooth(full, 1, 1))
        else:
            made.append(F.conv2d(one[None], own, padding=weight.shape[-1] // 2))
    return torch.cat(made)


def layer(own, x, w, up=False):
    y = modulated(x, own.weight, linear(own.affine, w), up=up)
    return leaky(y + own.noise_const * own.noise_strength + own.bias[:, None, None])


def pictured(own, x, w):
    style = linear(own.affine, w) / math.sqrt(x.shape[1])
    return modulated(x, own.weight, style, demodulate=False) + own.bias[:, None, None]


def forward(G, z, label=None):
    x = normalised(z)
    if label is not None:
        x = torch.cat([x, normalised(linear(G.mapping.embed, label))], 1)
    for k in range(MAPPING):
        x = leaky(linear(getattr(G.mapping, f"fc{k}"), x, 0.01))
    w, image = x, None
    for side in WIDTHS:
        block = getattr(G.synthesis, f"b{side}")
        if image is None:
            x = block.const.expand(len(z), -1, -1, -1)
        else:
            x = layer(block.conv0, x, w, up=True)
            image = smooth(spread_out(image), 2, 1)
        x = layer(block.conv1, x, w)
        tint = pictured(block.torgb, x, w)
        image = tint if image is None else image + tint
    return image


@pytest.mark.parametrize("classes", [0, 3])
def test_it_draws_what_the_published_forward_pass_draws(classes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(classes)
    G = generator(classes)
    model = sfumato.load(written(tmp_path / "G.pkl", {"G": generator(classes), "D": None, "G_ema": G}), device="cpu")
    assert not (tmp_path / "ran").exists()
    z, label = torch.randn(4, Z), torch.eye(3)[[0, 2, 1, 2]] if classes else None
    code = z if label is None else torch.cat([z, label], 1)
    with torch.no_grad():
        expected = forward(G, z, label)
        found = model.system.synthesis(model.system.mapping(code))
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(model.system.w_mean, G.mapping.w_avg)
    assert model.facts.classes == tuple("012"[:classes]) and model.facts.size == SIZE


def test_it_is_sampled_saved_and_its_paths_measured(tmp_path, capsys):
    torch.manual_seed(1)
    path = written(tmp_path / "network-snapshot.pkl", {"G_ema": generator()})
    call(capsys, "sample", path, "--n", 4, "--out", tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 100
    model = sfumato.load(path)
    again = sfumato.load(model.save(tmp_path / "ours.safetensors"))
    assert torch.equal(again.sample(3), model.sample(3))
    said = call(capsys, "evaluate", path, "--metric", "path-length", "--n", 8, "--extractor", "reader:faces")
    assert "path-length w end" in said and "unit features of reader:faces" in said


class Calls:
    """Asks for a call when it is read."""

    def __init__(self, function, *given):
        self.function, self.given = function, given

    def __reduce__(self):
        return self.function, self.given


@pytest.mark.parametrize("function", [os.system, eval, torch.load, getattr, np.load, io.open, pickle.loads])
def test_other_calls_are_refused_by_name(function, tmp_path):
    held = {"G_ema": generator(), "more": Calls(function, "touch ran")}
    with pytest.raises(UserError, match=rf"wants to call \S+\.{function.__name__}, .*; it is refused") as error:
        sfumato.load(written(tmp_path / "G.pkl", held))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "damaged"),
        (b"not a pickle", "damaged"),
        (pickle.dumps([1, 2]), "holds no generator"),
        (pickle.dumps({"G_ema": None}), "holds no generator"),
        (b"\x80\x04cdnnlib.tflib.network\nNetwork\n.", "older TensorFlow code"),
        (b"\x80\x02N" + b"r\xff\xff\xff\x7f" + b"0}.", "holds no generator"),  # a place for 2³¹ things
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.", "damaged"),  # 2⁴⁰ bytes that are not there
    ],
)
def test_files_that_are_something_else_end_in_one_line(data, line, tmp_path):
    path = tmp_path / "G.pkl"
    path.write_bytes(data)
    with pytest.raises(UserError, match=line) as error:
        read_generator(path)
    assert "\n" not in str(error.value)


def test_tensors_larger_than_their_numbers_are_refused(tmp_path):
    storage = torch.randn(4).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    rebuild = torch._utils._rebuild_tensor_v2
    for size, stride, offset in (((1 << 40,), (0,), 0), ((2, 2), (2, 1), 1), ((2,), (-1,), 3)):
        broken = Calls(rebuild, typed, offset, size, stride, False, None)
        with pytest.raises(UserError, match="a tensor"):
            read_generator(written(tmp_path / "G.pkl", {"G_ema": broken}))
    row = torch.randn(10_000)._typed_storage()
    many = [Calls(rebuild, row, 0, (10_000,), (1,), False, None) for _ in range(9)]
    with pytest.raises(UserError, match="claim to be larger than the file"):
        read_generator(written(tmp_path / "G.pkl", {"G_ema": many}))


def test_a_file_leaves_no_trace_in_what_reads_it(tmp_path):
    """Setting attributes of what it finds, then another file is read as ever."""
    torch.manual_seed(2)
    name = b"\x8c\x17torch_utils.persistence\x8c\x1b_reconstruct_persistent_obj\x93"
    spoil = b"\x80\x04" + name + b"}\x8c\x05about\x8c\x04eviles" + b"b."
    (tmp_path / "bad.pkl").write_bytes(spoil.replace(b"eviles", b"evils"))
    with pytest.raises(UserError):
        read_generator(tmp_path / "bad.pkl")
    assert read_generator(written(tmp_path / "G.pkl", {"G_ema": generator()})).hyper["size"] == SIZE


def test_another_network_is_said_to_be_one(tmp_path):
    torch.manual_seed(3)
    other = generator()
    del other.synthesis.b8.torgb
    with pytest.raises(UserError, match="not StyleGAN2's with skips"):
        sfumato.load(written(tmp_path / "G.pkl", {"G_ema": other}))
    wrong = generator()
    wrong.synthesis.b8.conv0.noise_const = torch.zeros(3, 3)
    with pytest.raises(UserError, match="its tensors are not those of StyleGAN2 at 16 pixels"):
        sfumato.load(written(tmp_path / "G.pkl", {"G_ema": wrong}))
    endless = generator()
    endless.add_module("again", endless)
    with pytest.raises(UserError):
        sfumato.load(written(tmp_path / "G.pkl", {"G_ema": endless}))

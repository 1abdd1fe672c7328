"""Public checkpoints of every layout, against a plain reading of their architectures in functions."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from sfumato.data.pictures import to_bytes
from sfumato.errors import UserError
from sfumato.formats.superres import read_upscaler
from sfumato.metrics.quality.pixels import Convention
from sfumato.metrics.quality.psnr import psnr
from sfumato.tasks.enlarging.tiles import Box, Held, Networked, tiles
from sfumato.tasks.files.photo import as_floats, read_photo

SHARED = Path(__file__).parents[3] / "shared" / "data"
SRGAN = SHARED / "weights" / "srgan_leftthomas"
NCNN = SHARED / "weights" / "realesr_animevideov3_ncnn" / "realesr-animevideov3-x2.param"
real = pytest.mark.skipif(not SRGAN.exists(), reason="the real checkpoints are not here (../shared/data/weights)")


class Layers(dict):
    """A state dict that grows as layers are named, and then computes with them."""

    def conv(self, name, n, m, k=3):
        self[f"{name}.weight"] = torch.randn(m, n, k, k) * (0.7 / (n * k * k) ** 0.5)
        self[f"{name}.bias"] = torch.randn(m) * 0.05

    def __call__(self, name, x):
        weight = self[f"{name}.weight"]
        return F.conv2d(x, weight, self[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def saved(self, path, wrap=None):
        torch.save({wrap: dict(self)} if wrap else dict(self), path)
        return read_upscaler(path)


def agree(network, image, expected, atol=2e-5):
    """The file does to [0, 1] what the network does to [-1, 1], and does it in tiles too."""
    found = network.upscale(image)
    assert found.shape == expected.shape
    torch.testing.assert_close((found + 1) / 2, expected.clamp(0, 1), atol=atol, rtol=0)
    assert expected.clamp(0, 1).std() > 0.01, "the test sees nothing"
    wide = torch.rand(1, 3, 13, 101) * 2 - 1
    held = Held(13, 101, lambda box: wide[..., box.top : box.bottom, box.left : box.right])
    layer = Networked(held, network.upscale, network.scale, network.reach, network.multiple)
    parts = torch.empty(1, 3, layer.height, layer.width)
    for box, _, _ in tiles(layer.height, layer.width, 29):
        parts[..., box.top : box.bottom, box.left : box.right] = layer.part(box)
    torch.testing.assert_close(parts, network.upscale(wide), atol=1e-5, rtol=0)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def image():
    return torch.rand(1, 3, 9, 11) * 2 - 1


@pytest.mark.parametrize("scale", [2, 4])
def test_srgan(tmp_path, image, scale):
    s, steps = Layers(), {2: 1, 4: 2}[scale]
    s.conv("block1.0", 3, 8, 9)
    for i in (2, 3):
        for k in (1, 2):
            s.conv(f"block{i}.conv{k}", 8, 8)
            s |= {f"block{i}.bn{k}.{n}": torch.rand(8) + 0.5 for n in ("weight", "bias", "running_mean", "running_var")}
        s[f"block{i}.prelu.weight"] = torch.tensor([0.3])
    s.conv("block4.0", 8, 8)
    for k in range(steps):
        s.conv(f"block5.{k}.conv", 8, 32)
        s[f"block5.{k}.prelu.weight"] = torch.tensor([0.2])
    s.conv(f"block5.{steps}", 8, 3, 9)
    s |= {"block1.1.weight": torch.tensor([0.1]), "block4.1.weight": torch.tensor([0.4])}

    def bn(name, x):
        mean, var, w, b = (s[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, w, b)

    first = x = F.prelu(s("block1.0", (image + 1) / 2), s["block1.1.weight"])
    for i in (2, 3):
        y = F.prelu(bn(f"block{i}.bn1", s(f"block{i}.conv1", x)), s[f"block{i}.prelu.weight"])
        x = x + bn(f"block{i}.bn2", s(f"block{i}.conv2", y))
    x = first + F.prelu(s("block4.0", x), s["block4.1.weight"])
    for k in range(steps):
        x = F.prelu(F.pixel_shuffle(s(f"block5.{k}.conv", x), 2), s[f"block5.{k}.prelu.weight"])
    network = s.saved(tmp_path / "g.pth")
    agree(network, image, (torch.tanh(s(f"block5.{steps}", x)) + 1) / 2)
    assert (network.scale, network.channels, network.reach) == (scale, 3, {2: 12, 4: 12}[scale])


NAMES = {
    "first": ("model.0", "conv_first", "conv_first"),
    "dense": ("model.1.sub.{}.RDB{}.conv{}.0", "RRDB_trunk.{}.RDB{}.conv{}", "body.{}.rdb{}.conv{}"),
    "trunk": ("model.1.sub.2", "trunk_conv", "conv_body"),
    "up1": ("model.3", "upconv1", "conv_up1"),
    "up2": ("model.6", "upconv2", "conv_up2"),
    "high": ("model.8", "HRconv", "conv_hr"),
    "last": ("model.10", "conv_last", "conv_last"),
}


@pytest.mark.parametrize(
    ("spelling", "wrap", "fold"), [(0, None, 1), (1, "params", 1), (2, "params_ema", 1), (2, None, 2), (2, "params", 4)]
)
def test_rrdb_in_every_spelling_and_folded(tmp_path, image, spelling, wrap, fold):
    s, name = Layers(), {k: v[spelling] for k, v in NAMES.items()}
    s.conv(name["first"], 3 * fold**2, 8)
    for b in range(2):
        for r in (1, 2, 3):
            for k in range(5):
                s.conv(name["dense"].format(b, r, k + 1), 8 + 4 * k, 4 if k < 4 else 8)
    for k in ("trunk", "up1", "up2", "high"):
        s.conv(name[k], 8, 8)
    s.conv(name["last"], 8, 3)

    def act(x):
        return F.leaky_relu(x, 0.2)

    def larger(x):
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2)

    h, w = image.shape[-2:]
    x = F.pad((image + 1) / 2, (0, -w % fold, 0, -h % fold), mode="replicate")
    b, c, high, wide = x.shape
    x = (
        x.view(b, c, high // fold, fold, wide // fold, fold)
        .permute(0, 1, 3, 5, 2, 4)
        .reshape(b, -1, high // fold, wide // fold)
    )
    first = x = s(name["first"], x)
    for block in range(2):
        entered = x
        for r in (1, 2, 3):
            maps = [x]
            for k in range(5):
                maps.append(s(name["dense"].format(block, r, k + 1), torch.cat(maps, 1)))
                maps[-1] = act(maps[-1]) if k < 4 else maps[-1]
            x = x + 0.2 * maps[-1]
        x = entered + 0.2 * x
    x = first + s(name["trunk"], x)
    x = act(s(name["up2"], larger(act(s(name["up1"], larger(x))))))
    expected = s(name["last"], act(s(name["high"], x)))[..., : 4 // fold * h, : 4 // fold * w]
    network = s.saved(tmp_path / "g.pth", wrap)
    agree(network, image, expected)
    reach = fold * (1 + 2 * 15 + 1) + fold * 1.25
    assert (network.scale, network.multiple, network.reach) == (4 // fold, fold, int(np.ceil(reach)))


def compact(scale, ch=8, depth=2):
    s = Layers()
    s.conv("body.0", 3, ch)
    for k in range(depth + 1):
        s[f"body.{2 * k + 1}.weight"] = torch.rand(ch) * 0.5
        s.conv(f"body.{2 * k + 2}", ch, ch if k < depth else 3 * scale**2)
    return s


def plain_compact(s, image, scale, depth=2):
    y = x = (image + 1) / 2
    for k in range(depth + 1):
        y = F.prelu(s(f"body.{2 * k}", y), s[f"body.{2 * k + 1}.weight"])
    shuffled = F.pixel_shuffle(s(f"body.{2 * depth + 2}", y), scale)
    return shuffled + x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)


@pytest.mark.parametrize("scale", [2, 4])
def test_compact(tmp_path, image, scale):
    s = compact(scale)
    network = s.saved(tmp_path / "g.pth", "params")
    agree(network, image, plain_compact(s, image, scale))
    assert (network.scale, network.reach) == (scale, 4)


def as_ncnn(s, path, half, reduction):
    """The files that ncnn's converter writes, by its documentation."""
    layers, data = [], b""
    for name in dict.fromkeys(k.rsplit(".", 1)[0] for k in s):
        w = s[f"{name}.weight"]
        if w.dim() == 1:
            layers.append(f"PReLU p{name} 1 1 a b 0={len(w)}")
            data += w.numpy().tobytes()
            continue
        layers.append(f"Convolution c{name} 1 1 a b 0={len(w)} 1=3 4=1 5=1 6={w.numel()}")
        numbers = w.numpy().astype("<f2" if half else "<f4").tobytes()
        data += struct.pack("<I", 0x01306B47 if half else 0) + numbers + b"\0" * (-len(numbers) % 4)
        data += s[f"{name}.bias"].numpy().tobytes()
    head = ["Input in 0 1 data", "Split sp 1 2 data x y"]
    tail = ["PixelShuffle ps 1 1 a b 0=4", "Interp r 1 1 x c 0=1 1=4.0 2=4.0", "BinaryOp add 2 1 b c out 0=0"]
    tail += [f"Interp e 1 1 out end 0=3 1={1 / reduction} 2={1 / reduction}"] if reduction > 1 else []
    path.write_text("\n".join(["7767517", "9 9", *head, *layers, *tail]) + "\n")
    path.with_suffix(".bin").write_bytes(data)


@pytest.mark.parametrize(("half", "reduction"), [(True, 2), (False, 1)])
def test_ncnn(tmp_path, image, half, reduction):
    s, path = compact(4, ch=5), tmp_path / "x.param"
    as_ncnn(s, path, half, reduction)
    if half:
        s = Layers({k: v.half().float() if v.dim() == 4 else v for k, v in s.items()})
    expected = plain_compact(s, image, 4)
    if reduction > 1:
        expected = F.interpolate(expected, scale_factor=0.5, mode="bicubic")
    for given in (path, path.with_suffix(".bin")):
        network = read_upscaler(given)
        agree(network, image, expected)
        assert network.scale == 4 // reduction


def test_damaged_ncnn_is_one_line(tmp_path):
    path = tmp_path / "x.param"
    as_ncnn(compact(4, ch=5), path, True, 1)
    whole, text = path.with_suffix(".bin").read_bytes(), path.read_text()
    for data in (whole[:-4], whole + b"\0" * 4, b"\1" + whole[1:], b""):
        path.with_suffix(".bin").write_bytes(data)
        with pytest.raises(UserError, match="it is damaged"):
            read_upscaler(path)
    for bad, line in (
        ("", "no .param"),
        (text.replace("PReLU", "ReLU"), "other layers"),
        ("7767517\n1 1\nA\n", "no .param"),
        (text.replace("0=5 1=3", "0=inf 1=3"), "it is damaged"),
        (text.replace("0=5 1=3", "0=-1 1=3"), "it is damaged"),
    ):
        path.write_text(bad)
        path.with_suffix(".bin").write_bytes(whole)
        with pytest.raises(UserError, match=line):
            read_upscaler(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(UserError, match="of one name"):
        read_upscaler(path)


@pytest.mark.parametrize(("scale", "ch", "means"), [(2, 8, True), (3, 8, True), (4, 8, False), (2, 256, True)])
def test_edsr(tmp_path, image, scale, ch, means):
    s, share, factors = Layers(), 0.1 if ch == 256 else 1.0, {2: [2], 3: [3], 4: [2, 2]}[scale]
    colour = 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    if means:
        for name, sign in (("sub_mean", -1), ("add_mean", 1)):
            s[f"{name}.weight"], s[f"{name}.bias"] = torch.eye(3)[..., None, None], sign * colour
    s.conv("head.0", 3, ch)
    for b in range(2):
        s.conv(f"body.{b}.body.0", ch, ch)
        s.conv(f"body.{b}.body.2", ch, ch)
    s.conv("body.2", ch, ch)
    for k, factor in enumerate(factors):
        s.conv(f"tail.0.{2 * k}", ch, ch * factor**2)
    s.conv("tail.1", ch, 3)
    first = x = s("head.0", (image + 1) * 127.5 - colour[:, None, None])
    for b in range(2):
        x = x + share * s(f"body.{b}.body.2", F.relu(s(f"body.{b}.body.0", x)))
    x = first + s("body.2", x)
    for k, factor in enumerate(factors):
        x = F.pixel_shuffle(s(f"tail.0.{2 * k}", x), factor)
    network = s.saved(tmp_path / "edsr.pt")
    agree(network, image, (s("tail.1", x) + colour[:, None, None]) / 255)
    assert (network.scale, network.reach) == (scale, 8)


def test_half_precision_prefix_and_safetensors(tmp_path, image):
    s = compact(2)
    save_file({f"module.{k}": v.half() for k, v in s.items()}, tmp_path / "g.safetensors")
    network = read_upscaler(tmp_path / "g.safetensors")
    agree(network, image, plain_compact(Layers({k: v.half().float() for k, v in s.items()}), image, 2))


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("OWNED"),)


def test_what_is_not_read_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    states = {
        "rcan": {"body.0.body.0.body.0.weight": torch.zeros(1)},
        "swin": {"layers.0.residual_group.blocks.0.attn.qkv.weight": torch.zeros(1)},
        "short": {k: v for k, v in compact(2).items() if k != "body.3.weight"},
        "shape": compact(2) | {"body.3.weight": torch.zeros(3)},
        "flat": {"block1.0.weight": torch.zeros(1)},
        "endless": compact(2) | {"body.999999999.weight": torch.zeros(1)},
        "vast": compact(2) | {"body.1.weight": torch.zeros(1).expand(10**9)},
        "nothing": {},
        "scalar": {"params": {"a": 3}},
    }
    lines = (
        "RCAN",
        "transformer",
        "lacks 3.weight",
        "in place of",
        "looks like srgan",
        "looks like compact",
        "claim to be larger",
        "no state dict",
        "no state dict",
    )
    for (name, state), line in zip(states.items(), lines, strict=True):
        torch.save(state, tmp_path / f"{name}.pth")
        with pytest.raises(UserError, match=line) as e:
            read_upscaler(tmp_path / f"{name}.pth")
        assert "\n" not in str(e.value)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    for bad, line in (("evil.pth", "damaged or holds code"), ("none.pth", "no checkpoint")):
        with pytest.raises(UserError, match=line):
            read_upscaler(bad)
    assert not Path("OWNED").exists()


@real
@pytest.mark.parametrize(("scale", "expected", "mean"), [(2, 36.8, 32.69), (4, 32.20, 26.71)])
def test_real_srgan_on_set5(scale, expected, mean):
    """Two pictures of Set5; all five give 35.28 and 30.68 dB, of 35.3 … 35.5 and 30.7 that its author gives."""
    network = read_upscaler(SRGAN / f"a_netG_epoch_{scale}_100.pth")
    folder = SHARED / "superres" / "Set5" / f"image_SRF_{scale}"
    if not folder.exists():
        pytest.skip("Set5 is not here (../shared/data/superres)")
    for number, value in ((2, expected), (3, mean)):
        low, high = (read_photo(folder / f"img_00{number}_SRF_{scale}_{kind}.png").colour for kind in ("LR", "HR"))
        low, high = (as_floats(x, Box(0, 0, *x.shape[:2])) for x in (low, high))
        assert psnr(high, network.upscale(low), Convention("luma", scale)).item() == pytest.approx(value, abs=0.03)


@real
def test_real_ncnn_keeps_what_it_enlarges():
    network = read_upscaler(NCNN)
    assert (network.scale, network.channels, network.reach) == (2, 3, 19)
    line = torch.full((1, 3, 24, 24), -0.5)
    line[..., 12:] = 0.5
    large = to_bytes(network.upscale(line))[0].astype(float)
    small = to_bytes(line)[0].astype(float)
    assert np.abs(large[::2, ::2] - small).mean() < 4

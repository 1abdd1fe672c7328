"""Public generators of pix2pix and CycleGAN, against a plain reading of their architectures in functions."""

import pickle

import pytest
import torch
import torch.nn.functional as F

from sfumato.errors import UserError
from sfumato.formats.translation import read_translator


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Layers(dict):
    """A state dict that grows as layers are named, and then computes with them. `batch`: norms have gains, moments."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def conv(self, name, n, m, k, bias=None, transposed=False):
        self[f"{name}.weight"] = torch.randn(*((n, m) if transposed else (m, n)), k, k) * (1.5 / (n * k * k) ** 0.5)
        if not self.batch if bias is None else bias:
            self[f"{name}.bias"] = torch.randn(m) * 0.3

    def norm(self, name, ch, old=False):
        if self.batch:
            self |= {f"{name}.weight": torch.rand(ch) + 0.5, f"{name}.bias": torch.randn(ch) * 0.2}
        if self.batch or old:
            self |= {f"{name}.running_mean": torch.randn(ch), f"{name}.running_var": torch.rand(ch) + 1}

    def run(self, name, x, **options):
        weight, bias = self[f"{name}.weight"], self.get(f"{name}.bias")
        return (F.conv_transpose2d if options.pop("up", False) else F.conv2d)(x, weight, bias, **options)

    def normed(self, name, x):
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        gain, bias = (
            self[f"{name}.{k}"] if self.batch else torch.tensor([v]) for k, v in (("weight", 1.0), ("bias", 0.0))
        )
        return (x - mean) / (var + 1e-5).sqrt() * gain.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)

    def saved(self, path, wrap=lambda state: state):
        torch.save(wrap(dict(self)), path)
        return read_translator(path)


def agree(network, image, expected):
    with torch.no_grad():
        found = network.translate(image)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    assert expected.std() > 0.01 and (expected.abs() < 0.99).float().mean() > 0.3, "the test sees nothing"


def unet(s, levels, inputs, outputs, ch=4):
    """What `UnetGenerator` holds: levels one in the other."""
    widths = [ch * min(2**k, 8) for k in range(levels)]
    place = "model"
    for k in range(levels):
        n, m = widths[k - 1] if k else inputs, widths[k]
        last = k == levels - 1
        down, up, norm = (0, 3, None) if k == 0 else (1, 3, 4) if last else (1, 5, 6)
        s.conv(f"{place}.model.{down}", n, m, 4)
        if 0 < k < levels - 1:
            s.norm(f"{place}.model.2", m)
        s.conv(
            f"{place}.model.{up}",
            m * (1 if last else 2),
            n if k else outputs,
            4,
            True if k == 0 else None,
            transposed=True,
        )
        if norm:
            s.norm(f"{place}.model.{norm}", n)
        place += ".model.1" if k == 0 else ".model.3"


def unet_read(s, levels, x, place="model", k=0):
    """The same, read level by level: what a level makes is joined to what it was given."""
    half = dict(stride=2, padding=1)
    if k == 0:
        inner = unet_read(s, levels, s.run("model.model.0", x, **half), "model.model.1", 1)
        return torch.tanh(s.run("model.model.3", F.relu(inner), up=True, **half))
    y = s.run(f"{place}.model.1", F.leaky_relu(x, 0.2), **half)
    if k < levels - 1:
        y = unet_read(s, levels, s.normed(f"{place}.model.2", y), f"{place}.model.3", k + 1)
        y = s.normed(f"{place}.model.6", s.run(f"{place}.model.5", F.relu(y), up=True, **half))
    else:
        y = s.normed(f"{place}.model.4", s.run(f"{place}.model.3", F.relu(y), up=True, **half))
    return torch.cat([x, y], 1)


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize(("levels", "inputs", "outputs"), [(5, 3, 3), (6, 1, 3)])
def test_unet(tmp_path, batch, levels, inputs, outputs):
    s = Layers(batch)
    unet(s, levels, inputs, outputs)
    image = torch.rand(1, inputs, 2**levels, 2 * 2**levels) * 2 - 1
    network = s.saved(tmp_path / "latest_net_G.pth")
    agree(network, image, unet_read(s, levels, image))
    assert (network.channels, network.outputs) == (inputs, outputs) and f"{levels} levels" in network.name
    assert network.translate(image[..., :21, :17]).shape == (1, outputs, 21, 17)


def resnet(s, blocks, inputs, outputs, ch=6, dropping=False, old=False):
    """What `ResnetGenerator` holds: layers one after another."""
    second = 6 if dropping else 5
    s.conv("model.1", inputs, ch, 7)
    s.norm("model.2", ch, old)
    for k in (0, 1):
        s.conv(f"model.{4 + 3 * k}", ch * 2**k, ch * 2 ** (k + 1), 3)
        s.norm(f"model.{5 + 3 * k}", ch * 2 ** (k + 1), old)
    for b in range(10, 10 + blocks):
        for conv in (1, second):
            s.conv(f"model.{b}.conv_block.{conv}", 4 * ch, 4 * ch, 3)
            s.norm(f"model.{b}.conv_block.{conv + 1}", 4 * ch, old)
    for k in (0, 1):
        at = 10 + blocks + 3 * k
        s.conv(f"model.{at}", ch * 4 // 2**k, ch * 2 // 2**k, 3, transposed=True)
        s.norm(f"model.{at + 1}", ch * 2 // 2**k, old)
    s.conv(f"model.{10 + blocks + 7}", ch, outputs, 7, True)


def resnet_read(s, blocks, x, dropping=False):
    """The same, read layer by layer."""
    second = 6 if dropping else 5

    def wide(x, n):
        return F.pad(x, (n, n, n, n), mode="reflect")

    x = F.relu(s.normed("model.2", s.run("model.1", wide(x, 3))))
    for k in (4, 7):
        x = F.relu(s.normed(f"model.{k + 1}", s.run(f"model.{k}", x, stride=2, padding=1)))
    for b in (f"model.{k}.conv_block" for k in range(10, 10 + blocks)):
        y = F.relu(s.normed(f"{b}.2", s.run(f"{b}.1", wide(x, 1))))
        x = x + s.normed(f"{b}.{second + 1}", s.run(f"{b}.{second}", wide(y, 1)))
    for k in (10 + blocks, 13 + blocks):
        x = F.relu(s.normed(f"model.{k + 1}", s.run(f"model.{k}", x, up=True, stride=2, padding=1, output_padding=1)))
    return torch.tanh(s.run(f"model.{17 + blocks}", wide(x, 3)))


@pytest.mark.parametrize(
    ("batch", "blocks", "dropping", "old"),
    [
        (False, 6, False, False),
        (False, 9, False, True),
        (True, 2, False, False),
        (True, 2, True, False),
        (False, 2, True, False),
    ],
)
def test_resnet(tmp_path, batch, blocks, dropping, old):
    s = Layers(batch)
    resnet(s, blocks, 3, 3, dropping=dropping, old=old)
    image = torch.rand(2, 3, 16, 24) * 2 - 1
    network = s.saved(tmp_path / "latest_net_G_A.pth")
    agree(network, image, resnet_read(s, blocks, image, dropping))
    assert f"{blocks} blocks" in network.name
    assert network.translate(image[..., :9, :5]).shape == (2, 3, 9, 5)


def test_wrappers_and_halves_are_understood(tmp_path):
    s = Layers(False)
    resnet(s, 1, 3, 1, ch=2)
    image = torch.rand(1, 3, 8, 8) * 2 - 1
    plain = s.saved(tmp_path / "a.pth").translate(image)
    around = s.saved(tmp_path / "b.pth", lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}})
    assert torch.equal(around.translate(image), plain)
    narrow = s.saved(tmp_path / "c.pth", lambda state: {k: v.half() for k, v in state.items()})
    torch.testing.assert_close(narrow.translate(image), plain, atol=2e-2, rtol=0)


class Harm:
    def __reduce__(self):
        return (print, ("run",))


def test_what_cannot_be_read_is_said_in_one_line(tmp_path, capsys):
    s = Layers(False)
    resnet(s, 1, 3, 3, ch=2)
    path = tmp_path / "g.pth"

    def refused(state, match):
        torch.save(state, path)
        with pytest.raises(UserError, match=match) as error:
            read_translator(path)
        assert "\n" not in str(error.value)

    refused({"model1_1.1.weight": torch.ones(2, 2)}, "looks like pix2pixHD's local enhancer .* read are the U-Net")
    refused({"model.0.weight": torch.ones(2, 2)}, "looks like a discriminator")
    refused({"a.weight": torch.ones(2, 2)}, "its network is unknown")
    refused({k: v for k, v in s.items() if "conv_block" not in k}, "looks like resnet, but .* no residual blocks")
    refused({k: v for k, v in s.items() if k != "model.4.weight"}, "lacks body.4.weight")
    refused(dict(s) | {"model.4.weight": torch.ones(3, 3, 3, 3)}, r"in place of")
    refused({"model.model.0.weight": torch.ones(4, 3, 4, 4)}, "looks like unet, but")
    path.write_bytes(pickle.dumps({"model.1.weight": Harm()}))
    with pytest.raises(UserError, match="damaged or holds code"):
        read_translator(path)
    assert "run" not in capsys.readouterr().out

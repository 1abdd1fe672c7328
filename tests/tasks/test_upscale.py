"""The verb: one picture, folders, and everything that can be wrong, in one line each."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sfumato
from command import execute
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.resample import imresize
from sfumato.tasks import enlarge as page
from sfumato.tasks import upscale as verb
from sfumato.tasks.model import Facts, write_model

NUMBERS = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)


def picture(path, numbers=NUMBERS):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbers).save(path)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def bicubic(numbers, size):
    x = torch.from_numpy(numbers.astype(np.float32)).movedim(-1, 0)
    return imresize(x, size=size).clamp(0, 255).round().movedim(0, -1).numpy().astype(np.uint8)


@pytest.fixture(scope="module")
def edsr(tmp_path_factory):
    """A model file of a system that enlarges, untrained."""
    torch.manual_seed(0)
    system = catalog.build("edsr", **catalog.preset(catalog.find("edsr"), "tiny").hyper, channels=3)
    path = tmp_path_factory.mktemp("edsr") / "model.safetensors"
    write_model(path, system, Facts("digits", 16, 3, (), "superres-x2"), 1, dict(system.state_dict()))
    return path


@pytest.fixture(scope="module")
def compact(tmp_path_factory):
    """A public checkpoint."""
    shapes = {"body.0": (4, 3, 3, 3), "body.1": (4,), "body.2": (12, 4, 3, 3)}
    state = {f"{k}.weight": torch.randn(*s) * 0.1 for k, s in shapes.items()}
    state |= {f"{k}.bias": torch.zeros(s[0]) for k, s in shapes.items() if len(s) == 4}
    path = tmp_path_factory.mktemp("compact") / "x2.pth"
    torch.save({"params": state}, path)
    return path


@pytest.mark.parametrize(("scale", "size"), [(None, (22, 26)), (1, (11, 13)), (2.5, (28, 32)), (7, (77, 91))])
def test_without_a_network_it_is_bicubic(tmp_path, scale, size, capsys):
    out = sfumato.upscale(picture(tmp_path / "a.png"), scale=scale, out=tmp_path / "b.png")
    assert out == tmp_path / "b.png"
    assert np.abs(pixels(out).astype(int) - bicubic(NUMBERS, size)).max() <= 1
    assert "bicubic interpolation (no network is shipped yet" in capsys.readouterr().err


def test_kernels_differ_and_unknown_ones_are_named(tmp_path):
    a = picture(tmp_path / "a.png")
    cubic, linear = (pixels(sfumato.upscale(a, like=k, out=tmp_path / f"{k}.png")) for k in ("bicubic", "bilinear"))
    assert (cubic != linear).any()
    with pytest.raises(UserError, match="did you mean bicubic"):
        sfumato.upscale(a, like="bicubik", out=tmp_path / "c.png")


def test_models_of_ours_and_of_others(tmp_path, edsr, compact):
    a = picture(tmp_path / "a.png")
    by_file = pixels(sfumato.upscale(a, model=edsr, out=tmp_path / "b.png", device="cpu"))
    by_folder = pixels(sfumato.upscale(a, model=edsr.parent, out=tmp_path / "c.png", device="cpu", tile=5))
    with torch.inference_mode():
        x = torch.from_numpy(NUMBERS.astype(np.float32)).movedim(-1, 0)[None] / 127.5 - 1
        expected = (
            sfumato.load(edsr, device="cpu").system.upscale(x)[0].add(1).mul(127.5).round().movedim(0, -1).numpy()
        )
    assert np.abs(by_file - expected).max() <= 1 and (by_file == by_folder).all()
    large = pixels(sfumato.upscale(a, model=compact, scale=3, out=tmp_path / "d.png", device="cpu"))
    assert large.shape == (33, 39, 3)


def test_shipped_weights_are_taken_when_they_are_there(tmp_path, monkeypatch, edsr, capsys):
    monkeypatch.setattr(page.pretrained, "__file__", str(tmp_path / "__init__.py"))
    assert page.shipped(2) is None
    (tmp_path / "upscale_x2.safetensors").write_bytes(edsr.read_bytes())
    assert page.shipped(2) == page.shipped(4) == tmp_path / "upscale_x2.safetensors"
    sfumato.upscale(picture(tmp_path / "a.png"), out=tmp_path / "b.png", device="cpu")
    assert "edsr" in capsys.readouterr().err
    (tmp_path / "upscale_x4.safetensors").touch()
    assert page.shipped(3).name == "upscale_x4.safetensors" and page.shipped(2).name == "upscale_x2.safetensors"


def test_alpha_is_enlarged_apart(tmp_path, compact):
    numbers = np.dstack([NUMBERS, np.where(np.arange(13) < 6, 255, 0)[None].repeat(11, 0)]).astype(np.uint8)
    numbers[:, 6:, :3] = 0, 255, 0
    numbers[:, :6, :3] = 200, 0, 0
    out = sfumato.upscale(picture(tmp_path / "a.png", numbers), out=tmp_path / "b.png")
    large = pixels(out)
    assert np.abs(large[..., 3].astype(int) - bicubic(numbers[..., 3:], (22, 26))[..., 0]).max() <= 1
    assert (large[..., 1] < 3).all(), "the green that nothing shows stays out of the red"


def test_16_bits_and_grey_stay(tmp_path, compact):
    deep = np.random.default_rng(1).integers(0, 65536, (9, 8), dtype=np.uint16)
    out = sfumato.upscale(picture(tmp_path / "a.png", deep), model=compact, out=tmp_path / "b.tif", device="cpu")
    assert pixels(out).dtype == np.uint16 and pixels(out).shape == (18, 16)
    assert len(np.unique(pixels(out) & 255)) > 100, "the low bytes are not empty"


def folder(tmp_path):
    for name in ("a.png", "sub/b.jpg", "sub/deep/c.gif"):
        picture(tmp_path / "in" / name)
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "in" / "notes.txt").write_text("not for us")
    return tmp_path / "in", tmp_path / "out"


def below(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())


def test_a_folder_keeps_names_lists_the_broken_and_goes_on(tmp_path, capsys, monkeypatch):
    source, out = folder(tmp_path)
    done = ["a.png", "skipped.csv", "sub/b.jpg", "sub/deep/c.gif.png", "upscale.json"]
    assert sfumato.upscale(source, out=out) == out and below(out) == done
    assert "1 skipped" in capsys.readouterr().err
    rows = list(csv.reader((out / "skipped.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["name", "broken.png"] and rows[1][1]

    made = []
    write = verb.write_photo
    monkeypatch.setattr(verb, "write_photo", lambda photo, path: (made.append(path.name), write(photo, path)))
    (out / "a.png").unlink()
    (out / ".b.jpg.123.tmp").write_bytes(b"left by a killed process")
    later = (source / "sub" / "b.jpg").stat().st_mtime + 100
    os.utime(source / "sub" / "b.jpg", (later, later))
    os.utime(out / "sub" / "b.jpg", (later - 50, later - 50))
    sfumato.upscale(source, out=out)
    assert made == ["a.png", "b.jpg"] and below(out) == done
    assert "1 of 4 are there already" in capsys.readouterr().err

    picture(source / "broken.png")
    sfumato.upscale(source, out=out)
    assert below(out) == ["a.png", "broken.png", *done[2:]]
    with pytest.raises(UserError, match="other settings"):
        sfumato.upscale(source, out=out, scale=3)
    assert pixels(out / "a.png").shape == (22, 26, 3)


def test_results_inside_the_source_are_not_enlarged_again(tmp_path):
    source, _ = folder(tmp_path)
    for _ in range(2):
        sfumato.upscale(source, out=source / "large")
    assert below(source / "large") == ["a.png", "skipped.csv", "sub/b.jpg", "sub/deep/c.gif.png", "upscale.json"]


@pytest.mark.parametrize("where", ["one", "folder"])
def test_a_fault_in_a_tile_leaves_no_output(tmp_path, monkeypatch, where, compact):
    source, out = folder(tmp_path)
    picture(source / "a.png", np.zeros((40, 40, 3), np.uint8))
    calls = []
    part = page.Networked.part

    def faulty(self, box):
        calls.append(box)
        if len(calls) == 3:
            raise RuntimeError("a fault")
        return part(self, box)

    monkeypatch.setattr(page.Networked, "part", faulty)
    given = (source / "a.png", out / "a.png") if where == "one" else (source, out)
    with pytest.raises(RuntimeError, match="a fault"):
        sfumato.upscale(given[0], out=given[1], model=compact, tile=20, device="cpu")
    assert len(calls) == 3 and [n for n in below(tmp_path) if n.startswith("out")] in ([], ["out/upscale.json"])


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    code, said, _ = execute(capsys, "upscale", "a.png", "--scale", "3", "--out", "b.webp")
    assert (code, said.strip()) == (0, "b.webp") and pixels(Path("b.webp")).shape == (33, 39, 3)
    code, said, heard = execute(capsys, "upscale", "a.png", "--quiet")
    assert (code, said.strip(), heard) == (0, "a-x2.png", "")
    Path("large").mkdir()
    assert execute(capsys, "upscale", "a.png", "--out", "large")[1].strip() == str(Path("large/a.png"))
    code, said, _ = execute(capsys, "upscale", "--help")
    assert code == 0 and "any factor" in said and "--overlap" in said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none.png"], "no picture or folder none.png"),
        (["a.png", "--scale", "0.5"], "--scale is 0.5"),
        (["a.png", "--scale", "nan"], "--scale is nan"),
        (["a.png", "--scale", "100"], "--scale is 100"),
        (["a.png", "--tile", "0"], "--tile is 0"),
        (["a.png", "--overlap", "-1"], "--overlap is -1"),
        (["a.png", "--out", "b.gif"], "written as .png"),
        (["a.png", "--out", "a.png"], "is the picture itself"),
        (["a.png", "--model", "none.pth"], "no checkpoint none.pth"),
        (["a.png", "--model", "a.png"], "damaged or holds code"),
        (["a.png", "--model", "x.pth", "--like", "bicubic"], "not both"),
        (["a.png", "--model", "dcgan.safetensors"], "dcgan enlarges no pictures"),
        (["a.png", "--model", "folder"], "no model yet"),
        (["broken.png", "--out", "b.png"], "broken.png can't be read"),
        (["folder", "--out", "large"], "there is no picture in folder"),
        (["bad", "--out", "large"], "no picture in bad can be read"),
        (["bad", "--out", "a.png"], "is a file"),
        (["bad", "--out", "bad"], "is the folder itself"),
    ],
)
def test_a_mistake_is_one_line(words, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(Path("a.png"))
    Path("folder").mkdir()
    Path("bad").mkdir()
    for name in ("broken.png", "bad/x.png"):
        Path(name).write_bytes(b"no picture")
    if "dcgan.safetensors" in words:
        system = catalog.build("dcgan", **catalog.preset(catalog.find("dcgan"), "tiny").hyper)
        write_model(Path(words[-1]), system, Facts("digits", 16, 1, (), "image"), 1, dict(system.state_dict()))
    before = below(tmp_path)
    code, _, said = execute(capsys, "upscale", *words)
    last = said.splitlines()[-1]
    assert code == 1 and last.startswith("sfumato: ") and line in last, said
    assert [n for n in below(tmp_path) if "tmp" in n or (n not in before and not n.startswith("large"))] == []

"""The verb: one picture, folders, and everything that can be wrong, in one line each."""

import csv
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import sfumato
from command import execute
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.formats.winograd import WinogradDense
from sfumato.networks.superres.rrdb import rrdb_net
from sfumato.resample import imresize
from sfumato.tasks import upscale as verb
from sfumato.tasks.enlarging import enlarge as page
from sfumato.tasks.enlarging import method as methods
from sfumato.tasks.model import Facts, write_model
from sfumato.training.machine import Choice

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


@pytest.fixture(autouse=True)
def weights(tmp_path_factory, monkeypatch):
    """The folder of the weights that come with sfumato, empty."""
    folder = tmp_path_factory.mktemp("weights")
    monkeypatch.setattr(methods.pretrained, "__file__", str(folder / "__init__.py"))
    return folder


@pytest.fixture(scope="module")
def edsr(tmp_path_factory):
    """A model file of a system that enlarges, untrained."""
    torch.manual_seed(0)
    system = catalog.build("edsr", **catalog.preset(catalog.find("edsr"), "tiny").hyper, channels=3)
    path = tmp_path_factory.mktemp("edsr") / "model.safetensors"
    write_model(path, system, Facts("digits", 16, 3, (), "superres-x2"), 1, dict(system.state_dict()))
    return path


def compact_state(seed, scale=2):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"body.0": (4, 3, 3, 3), "body.1": (4,), "body.2": (3 * scale**2, 4, 3, 3)}
    state = {f"{k}.weight": torch.randn(*s, generator=generator) * 0.1 for k, s in shapes.items()}
    return state | {f"{k}.bias": torch.zeros(s[0]) for k, s in shapes.items() if len(s) == 4}


@pytest.fixture(scope="module")
def compact(tmp_path_factory):
    """A public checkpoint."""
    path = tmp_path_factory.mktemp("compact") / "x2.pth"
    torch.save({"params": compact_state(0)}, path)
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


def test_shipped_weights_are_taken_when_they_are_there(tmp_path, weights, edsr, capsys):
    assert methods.shipped(2) is None
    (weights / "upscale_x2.safetensors").write_bytes(edsr.read_bytes())
    assert methods.shipped(2) == methods.shipped(4) == weights / "upscale_x2.safetensors"
    sfumato.upscale(picture(tmp_path / "a.png"), out=tmp_path / "b.png", device="cpu")
    assert "edsr" in capsys.readouterr().err
    for name in ("upscale_x4", "upscale_x2_sharp"):
        (weights / f"{name}.safetensors").touch()
    assert [methods.shipped(n).name for n in (2, 3)] == ["upscale_x2.safetensors", "upscale_x4.safetensors"]
    assert [methods.shipped(n, "sharp").name for n in (2, 3)] == ["upscale_x2_sharp.safetensors"] * 2


def test_photo_sharp_and_what_lies_between(tmp_path, weights, capsys):
    states = {"": compact_state(0), "_sharp": compact_state(1)}
    for name, state in states.items():
        save_file(state, weights / f"upscale_x2{name}.safetensors")
    a = picture(tmp_path / "a.png")

    def by(like):
        return pixels(sfumato.upscale(a, like=like, out=tmp_path / "b.png", device="cpu"))

    default = pixels(sfumato.upscale(a, out=tmp_path / "b.png", device="cpu"))
    photo, sharp, between = by("photo"), by("sharp"), by("blend=0.3")
    assert "30% of upscale_x2_sharp.safetensors" in capsys.readouterr().err
    assert (photo == default).all() and (photo != sharp).any()
    assert (by("blend=0") == photo).all() and (by("blend=1") == sharp).all()
    mixed = {k: 0.7 * v + 0.3 * states["_sharp"][k] for k, v in states[""].items()}
    torch.save(mixed, tmp_path / "mixed.pth")
    expected = pixels(sfumato.upscale(a, model=tmp_path / "mixed.pth", out=tmp_path / "c.png", device="cpu"))
    assert np.abs(between.astype(int) - expected).max() <= 1 and (between != photo).any()


def test_networks_that_differ_are_not_blended(tmp_path, weights):
    save_file(compact_state(0), weights / "upscale_x2.safetensors")
    save_file(compact_state(0, scale=4), weights / "upscale_x2_sharp.safetensors")
    with pytest.raises(UserError, match="not the same network"):
        sfumato.upscale(picture(tmp_path / "a.png"), like="blend=0.5", out=tmp_path / "b.png")


@pytest.mark.parametrize(("scale", "factor", "size"), [(1, 2, (11, 13)), (2.5, 3, (28, 32)), (4, 4, (44, 52))])
def test_zero_shot_learns_from_the_whole_picture_and_bicubic_makes_the_size(tmp_path, monkeypatch, scale, factor, size):
    asked = []

    def zero_shot(colour, times, *, kernel, advance):
        asked.append((tuple(colour.shape), times, torch.is_inference_mode_enabled()))
        assert kernel is None
        advance(1.0)
        return colour.repeat_interleave(times, -1).repeat_interleave(times, -2)

    monkeypatch.setattr("sfumato.tasks.enlarging.zeroshot.zero_shot", zero_shot)
    out = sfumato.upscale(
        picture(tmp_path / "a.png"), scale=scale, like="zero-shot", out=tmp_path / "b.png", device="cpu", tile=5
    )
    assert asked == [((1, 3, 11, 13), factor, False)]
    repeated = NUMBERS.repeat(factor, 0).repeat(factor, 1)
    assert np.abs(pixels(out).astype(int) - bicubic(repeated, size)).max() <= 1


def test_zero_shot_is_told_the_blur_or_finds_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "sfumato.tasks.enlarging.zeroshot.zero_shot",
        lambda colour, times, *, kernel, advance: asked.append(kernel) or colour.repeat(1, 1, times, times),
    )
    file = tmp_path / "kernel.mat"
    file.write_bytes(b"anything")
    methods_of = [methods.choose_method(like=f"zero-shot={blur}") for blur in ("blind", file)]
    assert len({m.identity for m in (methods.choose_method(like="zero-shot"), *methods_of)}) == 3
    for method in methods_of:
        method.whole(torch.zeros(1, 3, 4, 4), 2, lambda share: None)
    assert asked == ["estimate", file]


def test_another_precision_is_used_where_it_pays_and_stays_faithful(tmp_path, monkeypatch, compact, capsys):
    a = picture(tmp_path / "a.png")

    def by(**options):
        found = pixels(sfumato.upscale(a, model=compact, out=tmp_path / "b.png", device="cpu", **options))
        return found, capsys.readouterr().err

    exact, said = by(precision="float32")
    assert "bfloat16" not in said
    asked, said = by(precision="bfloat16")
    assert "in bfloat16" in said and 0 < np.abs(asked.astype(int) - exact).max() <= 8
    monkeypatch.setattr(methods, "choose_precision", lambda device, asked: Choice("bfloat16", "a test"))
    assert (by()[0] == asked).all()
    monkeypatch.setattr(methods, "FAITHFUL", 200.0)
    found, said = by()
    assert (found == exact).all() and "bfloat16" not in said
    monkeypatch.undo()
    with pytest.raises(UserError, match="emulated on a CPU"):
        by(precision="float16")


def test_dense_blocks_go_by_winograd_where_it_pays(tmp_path, monkeypatch):
    network = rrdb_net(3, 8, 1, 4, 4)
    names = {"0": "conv_first", "1.1": "conv_body", "3": "conv_up1", "6": "conv_up2", "8": "conv_hr", "10": "conv_last"}
    state = {}
    for key, value in network.state_dict().items():
        path, kind = key.rsplit(".", 1)
        block = path.split(".")
        name = names.get(path) or f"body.0.rdb{int(block[2]) + 1}.conv{int(block[5]) + 1}"
        state[f"{name}.{kind}"] = value
    torch.save(state, tmp_path / "rrdb.pth")
    a, found = picture(tmp_path / "a.png"), []
    for capability, precision in (("DEFAULT", None), ("AVX2", None), ("AVX2", "bfloat16")):
        monkeypatch.setattr(methods, "get_cpu_capability", lambda capability=capability: capability)
        made = methods.choose_method(tmp_path / "rrdb.pth", device="cpu", precision=precision)
        dense = made.network.__self__.network.modules() if precision is None else []
        found.append(sum(isinstance(layer, WinogradDense) for layer in dense))
        if precision is None:
            out = sfumato.upscale(a, model=tmp_path / "rrdb.pth", out=tmp_path / "b.png", device="cpu")
            found.append(pixels(out).astype(int))
        else:
            assert made.words.endswith("in bfloat16")
    assert found[0] == 0 and found[2] == 3 and np.abs(found[1] - found[3]).max() <= 1


def test_fidelity_is_psnr():
    def constant(value):
        return lambda x: torch.full_like(x, value)

    assert methods.fidelity(constant(0.2), constant(0.0), 3, torch.device("cpu")) == pytest.approx(20.0)
    assert methods.fidelity(constant(0.2), constant(torch.nan), 1, torch.device("cpu")) == -np.inf


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
@pytest.mark.parametrize("position", [*range(4), None])
def test_a_fault_in_any_tile_leaves_the_whole_picture_or_none(tmp_path, monkeypatch, where, position, compact):
    source, out = tmp_path / "in", tmp_path / "out"
    picture(source / "a.png", np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    expected = pixels(sfumato.upscale(source / "a.png", model=compact, out=tmp_path / "expected.png", device="cpu"))
    calls = []
    part = page.Networked.part

    def faulty(self, box):
        calls.append(box)
        if len(calls) - 1 == position:
            raise RuntimeError("a fault")
        return part(self, box)

    monkeypatch.setattr(page.Networked, "part", faulty)
    given = (source / "a.png", out / "a.png") if where == "one" else (source, out)
    if position is None:
        sfumato.upscale(given[0], out=given[1], model=compact, tile=20, device="cpu")
        assert len(calls) == 4 and (pixels(out / "a.png") == expected).all()
        return
    with pytest.raises(RuntimeError, match="a fault"):
        sfumato.upscale(given[0], out=given[1], model=compact, tile=20, device="cpu")
    assert [n for n in below(tmp_path) if n.startswith("out")] in ([], ["out/upscale.json"])


def bomb(side=60_000):
    """A PNG whose header asks for more pixels than there are."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def truncated():
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()[:-700]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("half.jpg", truncated(), "truncated"),
        ("bomb.png", bomb(), "over the limit"),
        ("text.png", b"dear diary\n" * 50, "not a picture"),
        ("empty.png", b"", "empty file"),
        ("text.mp4", b"dear diary\n" * 50, "not a film"),
    ],
)
def test_a_bad_file_is_one_line_and_leaves_nothing(capsys, tmp_path, name, data, why):
    (tmp_path / name).write_bytes(data)
    out = tmp_path / ("out.mp4" if name.endswith(".mp4") else "out.png")
    code, _, said = execute(capsys, "upscale", tmp_path / name, "--out", out)
    last = said.splitlines()[-1]
    assert code == 1 and last.startswith("sfumato: ") and f"{name} can't be read: " in last and why in last
    assert below(tmp_path) == [name]


def test_one_pixel_becomes_more(tmp_path):
    one = picture(tmp_path / "a.png", np.full((1, 1, 3), 77, np.uint8))
    assert (pixels(sfumato.upscale(one, scale=3, out=tmp_path / "b.png")) == np.full((3, 3, 3), 77)).all()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is read-only to an administrator")
def test_a_folder_that_is_read_only_is_one_line(capsys, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "locked").mkdir(mode=0o555)
    code, _, said = execute(capsys, "upscale", tmp_path / "a.png", "--out", tmp_path / "locked" / "b.png")
    assert code == 1 and "could not write" in said.splitlines()[-1] and "Permission denied" in said


def test_what_cannot_be_written_is_one_line(capsys, tmp_path):
    """A file stands where the folder should be, which an administrator cannot write into either."""
    picture(tmp_path / "a.png")
    (tmp_path / "file").touch()
    code, _, said = execute(capsys, "upscale", tmp_path / "a.png", "--out", tmp_path / "file" / "b.png")
    assert code == 1 and said.splitlines()[-1].startswith("sfumato: could not write")


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
        (["none.png"], "no picture, film or folder none.png"),
        (["a.png", "--like", "photo"], "the weights of --like photo do not come with"),
        (["a.png", "--like", "blend=0.3"], "the weights of --like photo do not come with"),
        (["a.png", "--like", "blend=2"], "a number from 0 to 1, as in blend=0.3"),
        (["a.png", "--like", "blend"], "a number from 0 to 1, as in blend=0.3"),
        (["a.png", "--like", "zero-shut"], "did you mean zero-shot"),
        (["a.png", "--like", "zero-shot=none.mat"], "give a .mat with the blur kernel, or blind"),
        (["a.png", "--like", "zero-shot=a.png"], "a.png"),
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

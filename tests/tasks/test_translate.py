"""The verb: pictures and maps, folders, styles, both ways, and everything that can be wrong, in one line each."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from command import call, execute
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.translation.generators import ResnetGenerator
from sfumato.tasks import translate as verb
from sfumato.tasks.model import Facts, load, write_model
from sfumato.tasks.translate import translate

NUMBERS = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)


def picture(path, numbers=NUMBERS):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbers).save(path)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def listed(folder):
    with (folder / "skipped.csv").open() as f:
        return list(csv.reader(f))


def written(folder, name, view, **more):
    """A model file of a system, untrained."""
    torch.manual_seed(0)
    cls = catalog.find(name)
    described = {"channels": 3} | ({"size": 16} if "size" in catalog.hyperparameters(cls) else {})
    system = catalog.build(name, **dict(cls.presets["tiny"].hyper) | described | more)
    if name == "pix2pixhd":
        system.fine.fill_(True)
        system.menu.held[:20] = 2
        system.menu.styles.normal_()
    for p in system.parameters():
        p.data.mul_(5)
    path = folder / name / "model.safetensors"
    path.parent.mkdir(exist_ok=True)
    write_model(path, system, Facts("scenes", 16, 3, (), view), 1, dict(system.state_dict()))
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    views = {"pix2pix": "paired-night", "cyclegan": "unpaired-night", "pix2pixhd": "maps", "crn": "maps"}
    return {name: written(folder, name, view) for name, view in views.items()}


def expected(system, numbers=NUMBERS, **options):
    x = torch.from_numpy(numbers.astype(np.float32)).movedim(-1, 0)[None] / 127.5 - 1
    with torch.no_grad():
        found = system.translate(x, **options)
    return found[0].clamp(-1, 1).add(1).mul(127.5).round().movedim(0, -1).numpy()


@pytest.mark.parametrize(("name", "direction"), [("pix2pix", None), ("cyclegan", None), ("cyclegan", "BtoA")])
def test_a_picture_becomes_what_the_system_makes_of_it(tmp_path, models, name, direction):
    a = picture(tmp_path / "a.png")
    out = translate(models[name], a, out=tmp_path / "b.png", direction=direction, device="cpu", quiet=True)
    system = load(models[name], device="cpu").system
    options = {"direction": direction} if direction else {}
    assert out == tmp_path / "b.png" and np.abs(pixels(out) - expected(system, **options)).max() <= 1
    assert pixels(out).std() > 1


def test_public_checkpoints(tmp_path):
    torch.manual_seed(0)
    network = ResnetGenerator(3, 3, 4, 1)
    state = {}
    for key, value in network.state_dict().items():
        place, number, rest = key.split(".", 2)
        block = place == "body" and number == "10"
        state[f"model.{18 if place == 'head' else number}.{'conv_block.' if block else ''}{rest}"] = value * 3
    torch.save(state, tmp_path / "latest_net_G.pth")
    network.load_state_dict({k: v * 3 for k, v in network.state_dict().items()})
    network.translate = network.forward
    out = translate(tmp_path / "latest_net_G.pth", picture(tmp_path / "a.png"), out=tmp_path / "b.png", device="cpu")
    assert np.abs(pixels(out) - expected(network)).max() <= 1
    for option in ({"direction": "BtoA"}, {"style": ["road=1"]}):
        with pytest.raises(UserError, match="goes one way and knows no styles: leave out --"):
            translate(tmp_path / "latest_net_G.pth", tmp_path / "a.png", device="cpu", **option)


def test_a_folder_keeps_its_names_and_lists_what_is_broken(tmp_path, models, capsys):
    for name in ("a.png", "sub/b.jpg", "sub/c.gif"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "in" / "grey.png", NUMBERS[..., 0])
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    out = translate(models["pix2pix"], tmp_path / "in", out=tmp_path / "out", device="cpu")
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.*")} == {
        "a.png", "sub/b.jpg", "sub/c.gif.png", "grey.png", "skipped.csv",
    }  # fmt: skip
    rows = listed(out)
    assert len(rows) == 2 and rows[1][0] == "broken.png" and rows[1][1]
    said = capsys.readouterr().err
    assert "grey.png: grey, seen as colour" in said and "1 skipped: see" in said
    assert pixels(out / "grey.png").shape == (11, 13, 3)


def test_alpha_and_depth_stay(tmp_path, models):
    alpha = np.full((11, 13, 1), 200, np.uint8)
    out = translate(models["pix2pix"], picture(tmp_path / "a.png", np.dstack([NUMBERS, alpha])), out=tmp_path / "b.png")
    assert (pixels(out)[..., 3] == 200).all() and pixels(out).shape == (11, 13, 4)


def test_parts_are_faded_into_each_other(tmp_path, models, monkeypatch):
    monkeypatch.setattr(verb, "OVERLAP", 8)
    wide = picture(tmp_path / "a.png", np.tile(NUMBERS, (4, 5, 1)))
    whole = translate(models["cyclegan"], wide, out=tmp_path / "w.png", quiet=True, device="cpu")
    parts = translate(models["cyclegan"], wide, out=tmp_path / "p.png", tile=24, quiet=True, device="cpu")
    assert pixels(parts).shape == pixels(whole).shape and (pixels(parts) != pixels(whole)).any()
    monkeypatch.setattr(verb, "PROBE", 16)
    monkeypatch.setattr(verb, "free_memory", lambda device: 1e5)
    small = translate(models["cyclegan"], wide, out=tmp_path / "m.png", quiet=True, device="cpu")
    assert (pixels(small) != pixels(whole)).any()


SEMANTIC = np.zeros((11, 13), np.uint8)
SEMANTIC[6:] = 11
SEMANTIC[4:9, 3:9] = 15
INSTANCE = np.zeros((11, 13), np.uint8)
INSTANCE[4:9, 3:6], INSTANCE[4:9, 6:9] = 3, 4


def labelled(folder, name="1.png", semantic=SEMANTIC, instance=INSTANCE):
    picture(folder / "labels" / name, semantic)
    if instance is not None:
        picture(folder / "instances" / name, instance)
    return folder / "labels" / name


def test_maps_are_painted(tmp_path, models):
    labelled(tmp_path / "in")
    labelled(tmp_path / "in", "sub/2.png")
    out = translate(models["pix2pixhd"], tmp_path / "in", out=tmp_path / "out", device="cpu", quiet=True)
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.png")} == {"labels/1.png", "labels/sub/2.png"}
    system = load(models["pix2pixhd"], device="cpu").system
    maps = (torch.from_numpy(m.astype(np.int64))[None] for m in (SEMANTIC, INSTANCE))
    with torch.no_grad():
        found = system.translate(*maps)[0].add(1).mul(127.5).round().movedim(0, -1).numpy()
    assert np.abs(pixels(out / "labels/1.png") - found).max() <= 1 and found.std() > 1


@pytest.mark.parametrize(
    ("labels", "objects"),
    [
        ("annotations/a.png", "instances/a.png"),
        ("test_label/a_gtFine_labelIds.png", "test_inst/a_gtFine_instanceIds.png"),
        ("gtFine/val/a/a_gtFine_labelIds.png", "gtFine/val/a/a_gtFine_instanceIds.png"),
    ],
)
def test_maps_of_objects_are_found_in_every_layout(tmp_path, models, labels, objects):
    ids = np.where(INSTANCE > 0, INSTANCE.astype(np.uint16) + 26_000, SEMANTIC) if "Ids" in objects else INSTANCE
    picture(tmp_path / "in" / labels, SEMANTIC)
    picture(tmp_path / "in" / objects, ids)
    out = translate(models["pix2pixhd"], tmp_path / "in", out=tmp_path / "out", device="cpu", quiet=True)
    plain = translate(models["pix2pixhd"], labelled(tmp_path), out=tmp_path / "b.png", device="cpu", quiet=True)
    assert [p.relative_to(out).as_posix() for p in out.rglob("*.png")] == [labels]
    assert np.array_equal(pixels(out / labels), pixels(plain))


def test_styles_by_class_and_object(tmp_path, models):
    a = labelled(tmp_path)

    def painted(*style):
        return pixels(translate(models["pix2pixhd"], a, out=tmp_path / "b.png", style=style, device="cpu", quiet=True))

    plain, walls, one = painted(), painted("wall=1"), painted("wall#4=1")
    assert (plain != walls).any() and (plain != one).any() and (one != walls).any()
    assert np.array_equal(painted("wall=1", "wall#3=0"), one) and np.array_equal(painted("15=1"), walls)
    assert np.array_equal(painted("wall#3=1,wall#4=1"), walls)
    for words, reason in {
        "wal=1": "no class is called 'wal'; did you mean wall",
        "wall": "--style 'wall': give CLASS=NUMBER, or CLASS#OBJECT=NUMBER",
        "wall=5": "wall has styles 0 … 1",
        "bird=0": "bird has no styles: training saw none of it",
    }.items():
        with pytest.raises(UserError, match=reason):
            painted(words)
    with pytest.raises(UserError, match="crn knows no styles"):
        translate(models["crn"], a, style=["wall=1"], device="cpu")


def test_what_is_wrong_with_maps_is_said(tmp_path, models):
    high = np.where(SEMANTIC == 11, 40, SEMANTIC).astype(np.uint8)
    labelled(tmp_path / "in", "good.png")
    labelled(tmp_path / "in", "high.png", semantic=high)
    labelled(tmp_path / "in", "lone.png", instance=None)
    labelled(tmp_path / "in", "size.png", instance=INSTANCE[:9])
    labelled(tmp_path / "in", "colour.png", semantic=NUMBERS)
    out = translate(models["pix2pixhd"], tmp_path / "in", out=tmp_path / "out", device="cpu", quiet=True)
    said = dict(listed(out)[1:])
    assert said["labels/high.png"] == "the value 40, but the legend ends at 26"
    assert said["labels/lone.png"] == "there is no map of its objects: instances/lone.png"
    assert said["labels/size.png"] == "its map of objects is 13×9, the map of classes 13×11"
    assert "which is not in the legend" in said["labels/colour.png"] and len(said) == 4
    with pytest.raises(UserError, match="can't be used: there is no map of its objects"):
        translate(models["pix2pixhd"], tmp_path / "in/labels/lone.png", out=tmp_path / "b.png", device="cpu")


def test_maps_in_the_colours_of_the_legend(tmp_path, models):
    from sfumato.data.worlds.truth import SCENE_PALETTE

    a, b = labelled(tmp_path / "a"), labelled(tmp_path / "b", semantic=SCENE_PALETTE[SEMANTIC])
    out = [
        translate(models["crn"], x, out=tmp_path / f"{k}.png", device="cpu", quiet=True) for k, x in enumerate((a, b))
    ]
    assert np.array_equal(*map(pixels, out))


WRONG = {
    "there is no picture or folder": lambda p, m: (m["pix2pix"], p / "none.png"),
    "--tile is 0": lambda p, m: (m["pix2pix"], p / "a.png", "--tile", "0"),
    "no direction is called 'BA'": lambda p, m: (m["cyclegan"], p / "a.png", "--direction", "BA"),
    "pix2pix goes from A to B alone": lambda p, m: (m["pix2pix"], p / "a.png", "--direction", "BtoA"),
    "pix2pix knows no styles": lambda p, m: (m["pix2pix"], p / "a.png", "--style", "a=1"),
    "is the picture itself": lambda p, m: (m["pix2pix"], p / "a.png", "--out", p / "a.png"),
    "is the folder itself": lambda p, m: (m["pix2pix"], p / "in", "--out", p / "in"),
    "is a file; pictures of a folder": lambda p, m: (m["pix2pix"], p / "in", "--out", p / "a.png"),
    "there is no picture in": lambda p, m: (m["pix2pix"], p / "empty"),
    "there is no map of classes in": lambda p, m: (m["crn"], p / "empty"),
    "pictures are written as": lambda p, m: (m["pix2pix"], p / "a.png", "--out", p / "b.psd"),
    "no picture in": lambda p, m: (m["pix2pix"], p / "bad"),
    "dcgan translates no pictures": lambda p, m: (p / "dcgan" / "model.safetensors", p / "a.png"),
    "no such file": lambda p, m: (p / "none", p / "a.png"),
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path, models, capsys, reason, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    picture(tmp_path / "in/a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    if "dcgan" in reason:
        system = catalog.build("dcgan", z=2, ch=2, size=16, channels=1)
        (tmp_path / "dcgan").mkdir()
        facts = Facts("digits", 16, 1, (), "image")
        write_model(tmp_path / "dcgan/model.safetensors", system, facts, 1, dict(system.state_dict()))
    status, _, err = execute(capsys, "translate", *WRONG[reason](tmp_path, models), "--device", "cpu")
    assert status == 1 and reason in err and err.strip().splitlines()[-1].startswith("sfumato: ")
    assert "Traceback" not in err


def test_the_command_line(tmp_path, models, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    said = call(capsys, "translate", models["cyclegan"], "a.png", "--direction", "BtoA", "--device", "cpu")
    assert "a-translated.png" in said and "cyclegan" in said and Path("a-translated.png").exists()
    assert "a-translated.png" in call(capsys, "translate", models["pix2pix"], "a.png", "--quiet", "--device", "cpu")

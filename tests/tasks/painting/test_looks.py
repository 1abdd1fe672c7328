"""`sfumato translate` in styles: drawn, of an example, by examples of a class; what is wrong with these."""

import numpy as np
import pytest
import torch
from PIL import Image

from command import call, execute
from sfumato import catalog
from sfumato.tasks.model import Facts, load, write_model
from sfumato.tasks.translate import translate

VIEWS = {"munit": "unpaired-times", "funit": "few-shot", "unit": "unpaired-night", "dtn": "unpaired-ink"}


def picture(path, seed=0, shape=(16, 16, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(numbers).save(path)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    found = {}
    for name, view in VIEWS.items():
        torch.manual_seed(0)
        cls = catalog.find(name)
        described = {"channels": 3} | ({"size": 16} if "size" in catalog.hyperparameters(cls) else {})
        system = catalog.build(name, **dict(cls.presets["tiny"].hyper) | described)
        for p in system.parameters():
            p.data.mul_(3)
        path = found[name] = tmp_path_factory.mktemp("models") / f"{name}.safetensors"
        write_model(path, system, Facts("scenes", 16, 3, (), view), 1, dict(system.state_dict()))
    return found


def seen(*paths):
    return torch.cat([torch.from_numpy(pixels(p).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in paths])


def numbers(image):
    return image[0].clamp(-1, 1).add(1).mul(127.5).round().permute(1, 2, 0).numpy()


def test_random_styles_are_drawn_by_seed_and_numbered(tmp_path, models):
    a = picture(tmp_path / "in/a.png")
    out = translate(models["munit"], a, out=tmp_path / "b.png", n=3, seed=5, device="cpu", quiet=True)
    assert out == tmp_path / "b-1.png" and not (tmp_path / "b.png").exists()
    system = load(models["munit"], device="cpu").system
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for k in range(3):
            expected = numbers(system.translate(seen(a), style=torch.randn(1, system.z, generator=generator)))
            assert np.abs(pixels(tmp_path / f"b-{k + 1}.png") - expected).max() <= 1
    assert (pixels(tmp_path / "b-1.png") != pixels(tmp_path / "b-2.png")).any()
    folder = translate(models["munit"], tmp_path / "in", out=tmp_path / "all", n=2, seed=5, device="cpu", quiet=True)
    assert sorted(p.name for p in folder.glob("*.png")) == ["a-1.png", "a-2.png"]
    assert np.array_equal(pixels(folder / "a-2.png"), pixels(tmp_path / "b-2.png"))


def test_the_style_of_an_example(tmp_path, models):
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 1)
    for direction in ("AtoB", "BtoA"):
        options = dict(direction=direction, style=[str(b)], device="cpu", quiet=True)
        out = translate(models["munit"], a, out=tmp_path / "c.png", **options)
        system = load(models["munit"], device="cpu").system
        with torch.no_grad():
            expected = numbers(system.translate(seen(a), direction, system.style(seen(b), direction)))
        assert out == tmp_path / "c.png" and np.abs(pixels(out) - expected).max() <= 1


def test_examples_of_a_class_and_folders_of_them(tmp_path, models):
    a = picture(tmp_path / "a.png", shape=(11, 18, 3))
    examples = [picture(tmp_path / "like" / f"{k}.png", k) for k in (1, 2)]
    some = [
        translate(models["funit"], a, out=tmp_path / f"{k}.png", like=like, device="cpu", quiet=True)
        for k, like in enumerate((examples, [tmp_path / "like"], examples[:1]))
    ]
    system = load(models["funit"], device="cpu").system
    with torch.no_grad():
        expected = numbers(system.translate(seen(a), seen(*examples)))
    assert np.abs(pixels(some[0]) - expected).max() <= 1 and np.array_equal(pixels(some[0]), pixels(some[1]))
    assert (pixels(some[2]) != pixels(some[0])).any()


WRONG = {
    "--n is 0": ("munit", "--n", "0"),
    "counts styles drawn at random": ("munit", "--n", "2", "--style", "a.png"),
    "unit knows no styles: leave out --style": ("unit", "--style", "random"),
    "--n 2 counts styles": ("unit", "--n", "2"),
    "munit knows no classes by examples": ("munit", "--like", "a.png"),
    "funit has to see the class": ("funit",),
    "there is no such picture or folder": ("funit", "--like", "none.png"),
    "there is no picture in it": ("funit", "--like", "empty"),
    "there is no such picture; give one, or random": ("munit", "--style", "road=2"),
    "bad.png can't be used": ("munit", "--style", "bad.png"),
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path, models, capsys, monkeypatch, reason):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    name, *options = WRONG[reason]
    status, _, err = execute(capsys, "translate", models[name], "a.png", *options, "--device", "cpu")
    assert status == 1 and reason in err and err.strip().splitlines()[-1].startswith("sfumato: ")


def test_the_command_line(tmp_path, models, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    assert "a-translated-1.png" in call(capsys, "translate", models["munit"], "a.png", "--n", 2, "--device", "cpu")
    said = call(capsys, "translate", models["funit"], "a.png", "--like", "a.png", "--like", "a.png", "--device", "cpu")
    assert "a-translated.png" in said
    assert "a-translated.png" in call(capsys, "translate", models["dtn"], "a.png", "--device", "cpu")

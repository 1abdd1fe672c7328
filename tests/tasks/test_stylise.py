import json

import numpy as np
import pytest
import torch
from PIL import Image

from command import call, execute
from sfumato import catalog, stylise
from sfumato.errors import UserError
from sfumato.objectives.colour import luma
from sfumato.resample import imresize
from sfumato.tasks.enlarging.tiles import Held
from sfumato.tasks.model import Facts, write_model
from sfumato.tasks.painting import styles
from sfumato.tasks.painting.styles import Style, choose_stylist, parse, shares
from sfumato.tasks.painting.stylist import survey, thumbnail


def picture(height, width, seed=0, channels=3):
    """A smooth random one: uint8 (height, width, channels)."""
    noise = torch.randn(1, channels, 7, 5, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic")[0]
    return ((large * 60 + 128).clamp(0, 255)).byte().permute(1, 2, 0).numpy()


def saved(path, height=70, width=90, seed=0):
    Image.fromarray(picture(height, width, seed)).save(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of models that nothing trained, two styles and a photograph."""
    folder = tmp_path_factory.mktemp("styles")
    torch.manual_seed(0)
    systems = {
        "adain": catalog.build("adain", features="style", layers="relu1_1+relu2_1+relu3_1", channels=3),
        "fast-style": catalog.build("fast-style", features="style", norm="instance", ch=4, blocks=1, side=16),
        "cin": catalog.build("cin", features="style", count=3, ch=4, blocks=1, side=16),
    }
    for p in systems["cin"].G.parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p)
    for p in systems["adain"].D.parameters():
        if p.ndim == 4:
            torch.nn.init.kaiming_normal_(p)
    for name, system in systems.items():
        facts = Facts("x", 32, 3, (), "restoration")
        write_model(folder / f"{name}.safetensors", system, facts, 0, system.state_dict())
    saved(folder / "a.png", 60, 60, 1)
    saved(folder / "b.png", 60, 80, 2)
    saved(folder / "photo.png")
    return folder


def done(made, tmp_path, name="adain", **options):
    """What becomes of the photograph: (h, w, 3) float."""
    options = {"style": made / "a.png"} | options if name == "adain" else options
    path = stylise(
        made / "photo.png", model=made / f"{name}.safetensors", out=tmp_path / "out.png", quiet=True, **options
    )
    return np.asarray(Image.open(path)).astype(float)


@pytest.mark.parametrize("name", ["adain", "fast-style", "cin"])
def test_tiles_are_what_the_whole_would_be(made, tmp_path, name):
    whole = done(made, tmp_path, name)
    assert whole.shape == (70, 90, 3)
    assert np.abs(done(made, tmp_path, name, tile=32) - whole).max() <= 1


def test_a_survey_in_tiles_is_that_of_the_whole(made):
    system = catalog.build("adain", features="style")
    image = torch.from_numpy(picture(90, 141)).permute(2, 0, 1)[None] / 127.5 - 1
    regions = torch.linspace(-1, 1, 141).expand(1, 2, 90, 141) * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
    for planes, r in ((image, 1), (torch.cat([image, regions], 1), 2)):
        held = Held(90, 141, lambda b, x=planes: x[..., b.top : b.bottom, b.left : b.right])
        with torch.no_grad():
            whole, parts = (survey(system, held, r, 64, side) for side in (512, 48))
        for a, b in zip(whole, parts, strict=True):
            assert a.shape == (r, 96)
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_strength_from_the_picture_to_the_style(made, tmp_path):
    results = [done(made, tmp_path, "fast-style", strength=s) for s in (0.0, 0.5, 1.0)]
    photo = np.asarray(Image.open(made / "photo.png")).astype(float)
    assert np.abs(results[0] - photo).max() <= 1
    assert np.abs((results[0] + results[2]) / 2 - results[1]).max() <= 1.5
    assert np.abs(done(made, tmp_path, strength=0.0) - photo).max() <= 1


def test_a_thumbnail_is_the_picture_made_smaller():
    colour = picture(70, 90)
    assert torch.equal(thumbnail(colour, 90), torch.from_numpy(colour).permute(2, 0, 1)[None] / 127.5 - 1)
    found, expected = thumbnail(colour, 45), imresize(thumbnail(colour, 90), size=(35, 45))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_shares_blend_and_ends_are_the_styles(made, tmp_path):
    a, b = str(made / "a.png"), str(made / "b.png")
    first, second = done(made, tmp_path, style=a), done(made, tmp_path, style=b)
    assert np.abs(first - second).max() > 2
    assert np.array_equal(done(made, tmp_path, style=[f"{a}=1", f"{b}=0"]), first)
    even = done(made, tmp_path, style=[a, b])
    assert np.array_equal(done(made, tmp_path, style=[f"{a}=3", f"{b}=3"]), even)
    assert np.array_equal(done(made, tmp_path, "cin", style=["2=1"]), done(made, tmp_path, "cin", style="2"))
    assert not np.array_equal(done(made, tmp_path, "cin", style=["2=1", "1=1"]), done(made, tmp_path, "cin", style="2"))


def test_masks_leave_the_rest_and_divide_two_styles(made, tmp_path):
    mask = np.zeros((140, 180), np.uint8)
    mask[:, :90] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(255 - mask).save(tmp_path / "rest.png")
    photo = np.asarray(Image.open(made / "photo.png")).astype(float)
    one = done(made, tmp_path, mask=tmp_path / "mask.png")
    assert np.abs(one[:, 47:] - photo[:, 47:]).max() <= 1 and np.abs(one[:, :43] - photo[:, :43]).max() > 5
    a, b = str(made / "a.png"), str(made / "b.png")
    two = done(made, tmp_path, style=[a, b], mask=tmp_path / "mask.png")
    both = done(made, tmp_path, style=[a, b], mask=[tmp_path / "mask.png", tmp_path / "rest.png"])
    assert np.abs(two - both).max() <= 1
    assert np.abs(done(made, tmp_path, style=[a, a], mask=tmp_path / "mask.png") - two).max() > 1


def test_colours_are_kept(made, tmp_path):
    photo, kept = np.asarray(Image.open(made / "photo.png")).astype(float), done(made, tmp_path, keep_colour=True)
    chroma = [x - np.asarray(luma(torch.tensor(x).permute(2, 0, 1)[None]))[0, 0][..., None] for x in (photo, kept)]
    assert np.abs(chroma[0] - chroma[1]).max() < 2 < np.abs(kept - photo).max()


def test_depth_alpha_and_size(made, tmp_path):
    pixels = np.dstack([picture(64, 48), np.full((64, 48), 200, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    options = dict(style=made / "a.png", model=made / "adain.safetensors", quiet=True)
    out = stylise(tmp_path / "clear.png", out=tmp_path / "o.png", **options)
    assert (np.asarray(Image.open(out))[..., 3] == 200).all()
    Image.fromarray(picture(64, 48, channels=1)[..., 0]).save(tmp_path / "grey.png")
    out = stylise(tmp_path / "grey.png", out=tmp_path / "o.jpg", size=100, **options)
    assert np.asarray(Image.open(out)).shape == (100, 75, 3)


def test_a_folder_goes_on_and_a_film_is_steady(made, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    saved(folder / "one.png", 40, 40)
    (folder / "two.png").write_text("no picture")
    frames = [Image.fromarray(picture(40, 40, seed)) for seed in range(3)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:], duration=50)
    options = ["--style", made / "a.png", "--model", made / "adain.safetensors"]
    words = ["stylise", folder, *options, "--out", tmp_path / "o"]
    said = call(capsys, *words)
    assert "1 skipped" in said and (tmp_path / "o/one.png").exists() and (tmp_path / "o/film.gif").exists()
    assert "two.png" in (tmp_path / "o/skipped.csv").read_text()
    assert "2 of 3 are there already" in call(capsys, *words)
    assert "stylist" in json.loads((tmp_path / "o/stylise.json").read_text())
    assert "other settings" in call(capsys, *words, "--strength", "0.5", check=1)


def test_optimisation_without_a_model(made, tmp_path, monkeypatch):
    monkeypatch.setattr(styles, "STEPS", 5)
    path = tmp_path / "out.png"
    Image.open(made / "photo.png").resize((40, 32)).save(tmp_path / "small.png")
    stylise(tmp_path / "small.png", style=made / "a.png", out=path, optimise=True, quiet=True)
    assert (
        np.abs(np.asarray(Image.open(path)).astype(float) - np.asarray(Image.open(tmp_path / "small.png"))).mean() > 2
    )


def test_shares_are_parsed(tmp_path):
    assert parse("a.jpg=0.3") == Style("a.jpg", 0.3) and parse("a.jpg") == Style("a.jpg")
    (tmp_path / "a=b.png").touch()
    assert parse(str(tmp_path / "a=b.png")).weight is None
    assert shares([Style("a"), Style("b", 3.0)]) == [0.25, 0.75]
    for text in ("a.jpg=x", "a.jpg=-1", "a.jpg=nan"):
        with pytest.raises(UserError, match="a number from 0"):
            parse(text)
    with pytest.raises(UserError, match="share of 0"):
        shares([Style("a", 0.0)])


def test_bad_input_is_one_line(made, tmp_path, capsys):
    photo, adain = str(made / "photo.png"), ["--model", made / "adain.safetensors"]
    style = ["--style", made / "a.png"]
    for words, said in (
        (["none.png", *style], "no picture, film or folder none.png"),
        ([photo, *adain], "give a picture to paint like"),
        ([photo, *adain, "--style", "none.png"], "--style none.png can't be read"),
        ([photo, *adain, *style, "--strength", "2"], "--strength is 2"),
        ([photo, *adain, *style, "--mask", "none.png"], "--mask none.png can't be read"),
        ([photo, *adain, *style, "--mask", photo, "--mask", photo], "2 masks for 1 styles"),
        ([photo, *adain, *style, "--out", photo], "is the picture itself"),
        ([photo, *adain, *style, "--out", "x.txt"], "pictures are written as"),
        ([photo, *adain, *style, "--optimise"], "leave out --features and --optimise"),
        ([photo, *adain, *style, "--size", "20"], "too few to be painted"),
        ([photo, *style, "--model", made / "fast-style.safetensors"], "has learned one style"),
        ([photo, "--style", "7", "--model", made / "cin.safetensors"], "--style 0 … 2"),
        ([photo, *style, "--features", made / "a.png"], "needs the --decoder"),
    ):
        status, _, err = execute(
            capsys, "stylise", *words, *([] if "--out" in words else ["--out", tmp_path / "o.png"])
        )
        assert status == 1 and said in err and err.strip().count("\n") <= 1, err
    assert not (tmp_path / "o.png").exists()


def test_only_adain_knows_regions(made):
    stylist = choose_stylist(
        [], model=made / "cin.safetensors", features=None, decoder=None, optimise=False, strength=1.0, style_size=64,
        regions=False, keep_colour=False, device=torch.device("cpu"),
    )  # fmt: skip
    assert not stylist.regions and stylist.words.startswith("cin")

"""Pictures and folders measured, scores ranked, mistakes in one line."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from command import call
from sfumato.errors import UserError
from sfumato.metrics.quality import LPIPS, MEASURES, ssim
from sfumato.metrics.quality.niqe import SHIPPED as NATURAL
from sfumato.metrics.quality.sff import SHIPPED as DETECTOR
from sfumato.tasks.measure import measure
from sfumato.tasks.rank import rank


def picture(h=164, w=192, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / 20
    waves = np.stack([np.sin(x + i) * np.cos(y - i) for i in range(3)], -1) * 80 + 120
    return Image.fromarray(
        (waves + rng.normal(0, 4, waves.shape) + noise * rng.normal(0, 1, waves.shape)).clip(0, 255).astype(np.uint8)
    )


@pytest.fixture
def pair(tmp_path):
    picture().save(tmp_path / "a.png")
    picture(noise=15).save(tmp_path / "b.png")
    return tmp_path / "a.png", tmp_path / "b.png"


def test_a_pair_by_every_measure(pair, capsys):
    said = call(capsys, "measure", *pair)
    assert all(f" {name} " in said for name in MEASURES) and "RGB, no px shaved" in said and "–" not in said
    held = {m["measure"]: m for m in json.loads(call(capsys, "measure", *pair, "--luma", "--crop-border", 3, "--json"))}
    assert held.keys() == MEASURES.keys() and held["ssim"]["says"].startswith("Y of BT.601, 3 px shaved")
    x, y = (torch.from_numpy(np.array(Image.open(p))).movedim(-1, 0)[None] / 127.5 - 1 for p in pair)
    found = {m.measure: m.mean for m in measure(*pair, quiet=True)}
    assert found["ssim"] == pytest.approx(ssim(x, y).item()) and capsys.readouterr().out == ""
    same = {m.measure: m for m in measure(pair[0], pair[0], quiet=True)}
    assert same["psnr"].as_dict()["mean"] is None and same["ssim"].mean == pytest.approx(1)


def test_folders_by_name(tmp_path, capsys):
    for i in range(2):
        for folder, noise in (("ref", 0), ("out", 5 * i)):
            (tmp_path / folder).mkdir(exist_ok=True)
            picture(noise=noise).save(tmp_path / folder / f"{i}.{'png' if folder == 'ref' else 'bmp'}")
    (tmp_path / "out" / "notes.txt").write_text("not measured")
    found = {m.measure: m for m in measure(tmp_path / "ref", tmp_path / "out", quiet=True)}
    assert found["ms-ssim"].pictures == ("0", "1") and list(found["ms-ssim"].values) == sorted(
        found["ms-ssim"].values, reverse=True
    )
    assert found["ms-ssim"].mean == pytest.approx(sum(found["ms-ssim"].values) / 2)
    said = call(capsys, "measure", tmp_path / "ref", tmp_path / "out")
    assert "2 pictures" in said and "mean" in said and "least" in said
    picture().save(tmp_path / "ref" / "9.png")
    with pytest.raises(UserError, match="9 lie in one alone"):
        measure(tmp_path / "ref", tmp_path / "out")
    picture().save(tmp_path / "ref" / "9.bmp")
    with pytest.raises(UserError, match="names must differ"):
        measure(tmp_path / "ref", tmp_path / "out")


def test_what_does_not_apply_says_why(tmp_path, capsys):
    picture(60, 50).convert("L").save(tmp_path / "a.png")
    picture(60, 50, noise=9).save(tmp_path / "b.png")
    found = {m.measure: m for m in measure(tmp_path / "a.png", tmp_path / "a.png", quiet=True)}
    assert "161 pixels" in found["ms-ssim"].why_not and "grey" in found["fsimc"].why_not and not found["ssim"].why_not
    mixed = {m.measure: m for m in measure(tmp_path / "a.png", tmp_path / "b.png", quiet=True)}
    assert not mixed["fsimc"].why_not, "a grey picture beside one in colour is taken as colour"
    said = call(capsys, "measure", tmp_path / "a.png", tmp_path / "b.png")
    assert "–" in said and "96 pixels" in said
    assert "why_not" in found["niqe"].as_dict()


def test_one_picture_is_judged_alone(pair, capsys):
    held = json.loads(call(capsys, "measure", pair[0], "--json"))
    assert [m["measure"] for m in held] == ["niqe"] and "Kodak" in held[0]["says"]


def test_models_of_ones_own(pair, tmp_path):
    torch.manual_seed(0)
    network = LPIPS("squeeze")
    torch.save({f"features.{k}": v for k, v in network.features.state_dict().items()}, tmp_path / "w.pth")
    torch.save(
        {f"lin{i}.model.1.weight": torch.ones(1, c, 1, 1) for i, c in enumerate(network.channels)}, tmp_path / "h.pth"
    )
    options = {"lpips": f"squeeze:{tmp_path / 'w.pth'}", "heads": str(tmp_path / "h.pth")}
    plain, found = (
        {m.measure: m for m in measure(*pair, quiet=True, **more)}
        for more in ({}, options | {"niqe": str(NATURAL), "sff": str(DETECTOR)})
    )
    assert found["lpips"].mean > 0 and found["lpips"].better == "lower" and "lpips" not in plain
    assert found["niqe"].values == plain["niqe"].values and "niqe.safetensors" in found["niqe"].says
    assert found["sff"].values == plain["sff"].values and "sff.safetensors" in found["sff"].says


def table(path, n=40, **columns):
    rng = np.random.default_rng(0)
    mos = rng.uniform(1, 5, n)
    held = {
        "image": [f"{i}.png" for i in range(n)],
        "MOS": mos,
        "psnr": mos * 4 + rng.normal(0, 2, n),
        "niqe": 9 - mos + rng.normal(0, 0.5, n),
    }
    held |= columns
    lines = [",".join(held), *(",".join(str(v[i]) for v in held.values()) for i in range(n))]
    path.write_text("\n".join(lines))
    return path


def test_measures_are_ranked_by_opinions(tmp_path, capsys):
    path = table(tmp_path / "scores.csv")
    found = rank(path, quiet=True)
    assert found.keys() == {"psnr", "niqe", "rrf", "ras"} and found["niqe"].srcc < -0.8 and found["psnr"].srcc > 0.8
    assert found["rrf"].srcc > max(found["psnr"].srcc, -found["niqe"].srcc), (
        "together they know more, in the right directions"
    )
    order = [abs(a.srcc) for a in found.values()]
    assert order == sorted(order, reverse=True)
    said = call(capsys, "measure", "--rank", path)
    assert "SRCC" in said and "40 pictures" in said and "image" not in said.replace("images", "")
    held = json.loads(call(capsys, "measure", "--rank", path, "--json"))
    assert held["psnr"]["srcc"] == pytest.approx(found["psnr"].srcc)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "needs a reference and a picture"),
        (["a.png", "b.png", "c.png"], "needs a reference and a picture"),
        (["a.png", "nowhere.png"], "there is no picture or folder nowhere.png"),
        (["a.png", "small.png"], "a.png 192×164 and small.png 20×20 pixels"),
        (["a.png", "."], "is a folder"),
        (["a.png", "a.png", "--crop-border", "82"], None),
        (["text.png", "a.png"], "can't read text.png"),
        (["empty", "empty"], "holds no pictures"),
        (["a.png", "a.png", "--lpips", "alex:x.pth"], "--heads FILE"),
        (["a.png", "a.png", "--lpips", "alx:x.pth", "--heads", "h.pth"], "did you mean alex"),
        (["a.png", "a.png", "--niqe", "nowhere.npz"], "there is no weights file nowhere.npz"),
        (["--rank", "nowhere.csv"], "can't read nowhere.csv"),
        (["--rank", "nomos.csv"], "no column 'mos'"),
        (["--rank", "alone.csv"], "no column of scores"),
        (["--rank", "gap.csv"], "line 4: '' in column 'ssim' is no number"),
        (["--rank", "few.csv"], "column 'ssim'"),
        (["--rank", "twice.csv"], "two columns of one name"),
    ],
)
def test_mistakes_are_one_line(words, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    picture().save("a.png")
    picture(20, 20).save("small.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    rows = "1,2\n2,3\n"
    for name, text in {
        "nomos": "a,b\n" + rows, "alone": "mos\n1\n2\n", "gap": "mos,ssim\n" + rows + "3,\n",
        "few": "mos,ssim\n" + rows, "twice": "mos,MOS\n" + rows,
    }.items():  # fmt: skip
        (tmp_path / f"{name}.csv").write_text(text)
    if line is None:  # nothing is left inside the border: every measure says so, and none fails
        assert "leaves nothing of 192×164" in call(capsys, "measure", *words)
        return
    said = call(capsys, "measure", *words, check=1)
    assert line in said and said.startswith("sfumato: ") and said.count("\n") == 1, said

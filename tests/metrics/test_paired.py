"""Enlarged pictures against those that they were made of."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import sfumato
from sfumato.errors import UserError
from sfumato.metrics.paired import MOST, measure_pairs
from sfumato.metrics.quality import Convention, psnr, ssim
from sfumato.resample import imresize
from sfumato.tasks.evaluate import evaluate


def pairs(n=5, side=36, scale=3):
    images = torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    images = imresize(imresize(images, 1 / 4), size=(side, side))
    return [(part, imresize(part, 1 / scale)) for part in images.split(2)]


def test_means_over_pictures_of_y_without_the_border():
    results = measure_pairs(lambda low: imresize(low, 3) + 0.02, pairs(), ["ssim", "psnr"], "noise, held out")
    convention = Convention("luma", border=3)
    for result, measure in zip(results, (ssim, psnr), strict=True):
        name = measure.__name__
        for key, shift in ((name, 0.02), (f"{name} of bicubic", 0.0)):
            each = [measure(image, (imresize(low, 3) + shift).clamp(-1, 1), convention) for image, low in pairs()]
            assert result.values[key] == pytest.approx(torch.cat(each).double().mean().item(), abs=1e-6)
        assert (result.metric, result.better, result.n_fake, result.n_real) == (name, "higher", 5, 5)
        assert result.extractor == "Y of BT.601, 3 px shaved, rounded to bytes"
    assert results[1].values["psnr"] < results[1].values["psnr of bicubic"]


def test_equal_pictures_count_as_100_db():
    whole = iter([image for image, _ in pairs()])
    (result,) = measure_pairs(lambda low: next(whole), pairs(), ["psnr"], "noise")
    assert result.values["psnr"] == MOST > result.values["psnr of bicubic"]


def test_mistakes():
    with pytest.raises(UserError, match="no pictures"):
        measure_pairs(lambda low: low, [], ["psnr"], "none")
    with pytest.raises(UserError, match=r"can't compute 'ssim' .* window"):
        measure_pairs(lambda low: imresize(low, 3), pairs(side=12), ["ssim"], "small")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A system that enlarges three times, of which nobody said how its pictures are made smaller."""
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(12):
        ramp = np.linspace(0, 255, 36) * np.sin(np.arange(36) / (k + 2))[:, None] ** 2
        Image.fromarray(ramp.astype(np.uint8)).convert("RGB").save(folder / f"{k}.png")
    out = tmp_path_factory.mktemp("runs") / "run"
    options = dict(data=folder, size=36, scale=3, steps=2, holdout=0.5, threads=1, evaluate=False, quiet=True)
    return sfumato.train("edsr", preset="tiny", out=out, **options)


def test_training_takes_the_view_of_its_scale_and_measures_pairs(model):
    assert model.facts.view == "superres-x3" and model.system.scale == 3
    evaluate(model, n=4, quiet=True)
    held = {m["metric"]: m for m in json.loads((model.path / "measures.json").read_text())}
    assert {"frechet", "psnr", "ssim"} == set(held)
    assert held["psnr"]["n_real"] == 4 and held["psnr"]["values"]["psnr of bicubic"] > 10


def test_a_view_that_was_asked_for_stays(tmp_path):
    with pytest.raises(UserError, match="give --view superres-x3 or --scale 2"):
        sfumato.train(
            "edsr", preset="tiny", size=16, scale=3, view="superres-x2", steps=1, out=tmp_path / "r", quiet=True
        )


def test_what_is_asked_for_alone_and_what_nothing_has(model, capsys):
    (result,) = evaluate(model, metrics=["ssim"], n=4)
    assert result.n_real == 4
    assert "Y of BT.601, 3 px shaved" in capsys.readouterr().out
    with pytest.raises(LookupError, match="did you mean psnr"):
        evaluate(model, metrics=["psnt"])


def test_a_system_that_enlarges_nothing_has_no_pairs(tmp_path):
    plain = sfumato.train(
        "gan", preset="tiny", steps=1, out=tmp_path / "r", threads=1, quiet=True, evaluate=False
    )  # fmt: skip
    with pytest.raises(UserError, match="needs a system that enlarges pictures, and gan does not"):
        evaluate(plain, metrics=["psnr"])

"""ONNX: what onnxruntime makes of an exported network, against torch."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import sfumato
from command import call
from sfumato.errors import UserError
from sfumato.networks.superres.compact import stack
from sfumato.tasks import export as task
from sfumato.tasks.export import NEEDED, export

missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(missing), reason=f"the extra `onnx` is not installed: no {', '.join(missing)}")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporter about itself


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    options = dict(preset="tiny", steps=2, evaluate=False, quiet=True)
    made = {k: sfumato.train(k, out=home / k, **options) for k in ("stylegan2", "dcgan", "cgan", "edsr")}
    torch.manual_seed(0)
    for model in made.values():
        with torch.no_grad():
            for parameter in model.system.parameters():  # two steps leave dcgan's pictures grey, and noise unused
                parameter += 0.2 * torch.randn_like(parameter)
        model.save(model.path / "model.safetensors")
    return {name: model.path for name, model in made.items()}


def opened(path: Path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@needs_onnx
@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_a_generator_draws_the_same_pictures_in_any_batch(runs, name, tmp_path):
    path, worst = export(runs[name], tmp_path / "deep" / "G.onnx")
    assert worst < 1e-4
    session, model = opened(path), sfumato.load(runs[name], device="cpu")
    assert [i.name for i in session.get_inputs()] == ["code"] and [o.name for o in session.get_outputs()] == ["image"]
    for n in (1, 7):
        code = model.prior(n, seed=n)
        (image,) = session.run(None, {"code": code.numpy()})
        expected = model.decode(code).numpy()
        assert expected.std() > 1e-3, "the test sees nothing"
        np.testing.assert_allclose(image, expected, atol=1e-4)


@needs_onnx
def test_points_of_w_with_the_noise_of_the_run(runs, tmp_path):
    path, worst = export(runs["stylegan2"], tmp_path / "w.onnx", space="w")
    assert worst < 1e-4
    system = sfumato.load(runs["stylegan2"], device="cpu").system
    w = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = system.synthesis(w).clamp(-1, 1).numpy()
    (image,) = opened(path).run(None, {"code": w.numpy()})
    np.testing.assert_allclose(image, expected, atol=1e-4)


@needs_onnx
def test_enlarging_networks_take_pictures_of_any_sides(runs, tmp_path):
    torch.manual_seed(0)
    body = stack(3, 8, 2, 2)
    torch.save({f"body.{k}": v for k, v in body.state_dict().items()}, tmp_path / "compact.pth")
    for source, scale in ((tmp_path / "compact.pth", 2), (runs["edsr"], 2)):
        path, worst = export(source, tmp_path / f"{source.stem}.onnx")
        assert worst < 1e-4
        session = opened(path)
        channels = session.get_inputs()[0].shape[1]
        (large,) = session.run(None, {"image": np.zeros((3, channels, 21, 34), np.float32)})
        assert large.shape == (3, channels, 21 * scale, 34 * scale)


@needs_onnx
def test_from_the_command_line(runs, capsys, tmp_path):
    said = call(capsys, "export", runs["dcgan"])
    assert "onnxruntime's pictures differ by" in said and str(runs["dcgan"] / "G.onnx") in said
    assert "give a name that ends in .onnx" in call(capsys, "export", runs["dcgan"], "--out", "G.pb", check=1)


@needs_onnx
def test_what_cannot_be_exported_is_said_by_name(runs):
    with pytest.raises(UserError, match="cgan makes no pictures of codes alone"):
        export(runs["cgan"])
    with pytest.raises(UserError, match="dcgan has no space w"):
        export(runs["dcgan"], space="w")
    with pytest.raises(UserError, match="space"):
        export(runs["dcgan"], space="v")


def test_missing_packages_are_named(runs, monkeypatch):
    monkeypatch.setattr(task, "NEEDED", ("onnx_that_nobody_has",))
    with pytest.raises(
        UserError, match=r"ONNX needs onnx_that_nobody_has; install them with pip install 'sfumato\[onnx"
    ):
        export(runs["dcgan"])

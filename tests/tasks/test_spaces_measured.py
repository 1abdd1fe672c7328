"""Path length and separability of a model: which spaces, what is recorded, and who is turned away."""

import json

import pytest
import torch

import sfumato
from command import call
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.metrics.path_length import path_length, path_lengths, slerp, unit_distance
from sfumato.networks.pretrained import extractor
from sfumato.networks.pretrained.features import features
from sfumato.tasks.latent_measures import LAYERS, _between, attributes, measure_spaces, points
from sfumato.tasks.model import Facts, Model


def facts(system="stylegan2", size=32, channels=3, **hyper):
    torch.manual_seed(0)
    hyper = dict(z=8, w=6, ch=4, ch_max=8, mapping=2) | hyper if system == "stylegan2" else hyper
    built = catalog.build(system, size=size, channels=channels, **hyper).eval()
    return Model(built, Facts("faces", size, channels, ("a", "b"), "image"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    options = dict(preset="tiny", steps=2, evaluate=False, quiet=True)
    return {k: sfumato.train(k, out=home / k, **options) for k in ("dcgan", "cgan")}


def test_paths_in_z_and_w_are_those_of_the_definition():
    model, look = facts(), extractor("reader:faces")
    found = measure_spaces(model, "path-length", look, n=70, seed=3)
    system, distance = model.system, unit_distance(features("reader:faces", LAYERS["reader:faces"]))
    with torch.no_grad():
        first, second = model.prior(140, seed=3).chunk(2)
        zero = torch.zeros(70)
        z = path_lengths(lambda c: system.synthesis(system.mapping(c)), distance, (first, second), zero, slerp)
        w = path_lengths(system.synthesis, distance, (system.mapping(first), system.mapping(second)), zero)
    assert found.values["path-length z end"] == pytest.approx(path_length(z), rel=1e-3)
    assert found.values["path-length w end"] == pytest.approx(path_length(w), rel=1e-3)
    assert found.values == measure_spaces(model, "path-length", look, n=70, seed=3).values
    assert found.sha256 == look.sha256 and found.n_fake == 70 and found.better == "lower"


def test_a_generator_twice_as_steep_has_paths_four_times_as_long(monkeypatch):
    model, look = facts("dcgan", z=5), extractor("reader:faces")
    squared = lambda x, y: (x - y).square().sum((1, 2, 3))  # noqa: E731
    monkeypatch.setattr("sfumato.tasks.latent_measures.unit_distance", lambda seen: squared)
    matrix = torch.randn(5, 3 * 32 * 32) * 0.1
    lengths = []
    for steep in (1.0, 2.0):
        monkeypatch.setattr(model.system, "decode", lambda code, k=steep: (k * code @ matrix).view(-1, 3, 32, 32))
        lengths.append(measure_spaces(model, "path-length", look, n=32).values)
    assert set(lengths[0]) == {"path-length z full", "path-length z end"}
    for k in lengths[0]:
        assert lengths[1][k] == pytest.approx(4 * lengths[0][k], rel=1e-2)


def test_the_class_of_a_path_stays_that_of_its_first_code():
    model = facts(classes=2)
    first, second = points(model, "z", 40, 0).chunk(2)
    between = _between(model, "z")(first, second, torch.ones(20))
    torch.testing.assert_close(between[:, :8].float(), second[:, :8])
    assert torch.equal(between[:, 8:].float(), first[:, 8:])
    assert (first[:, 8:] != second[:, 8:]).any()


def test_separability_follows_from_what_pictures_show(monkeypatch):
    """Pictures that are dark or light by a plane in W, which codes of Z bend."""
    model, look = facts(z=2, w=2), extractor("reader:faces")
    monkeypatch.setattr(model.system, "mapping", lambda code: torch.stack([code.norm(dim=1), code[:, 0]], 1))
    light = lambda w: (w[:, 0] > 1.2).float().mul(2).sub(1)[:, None, None, None].expand(-1, 3, 32, 32)  # noqa: E731
    monkeypatch.setattr(model.system, "synthesis", light)

    def told(look, images):
        sure = images.mean((1, 2, 3))
        return {"light": (sure > 0, torch.ones(len(sure)))}

    monkeypatch.setattr("sfumato.tasks.latent_measures.attributes", told)
    found = measure_spaces(model, "separability", look, n=1000).values
    assert found["separability w"] < 1.1 < 1.7 < found["separability z"] <= 2.0


def test_a_reader_tells_each_value_and_each_number():
    look = extractor("reader:faces")
    with torch.no_grad():
        told = attributes(look, torch.rand(3, 3, 64, 64) * 2 - 1)
    assert {"hair: short", "glasses: none", "age", "yaw"} <= told.keys() and len(told) == 56
    assert all(has.dtype == torch.bool and has.shape == sure.shape == (3,) for has, sure in told.values())
    classes = attributes(extractor("reader:digits"), torch.rand(3, 1, 16, 16))
    assert set(classes) == {f"class: {c}" for c in extractor("reader:digits").classes}


def test_evaluate_records_them_with_their_cost(runs, capsys, tmp_path):
    words = ("evaluate", runs["dcgan"].path, "--n", 40, "--out", tmp_path / "m.json")
    said = call(capsys, *words, "--metric", "path-length", "--metric", "separability", "--metric", "frechet")
    assert "path-length z full" in said and "unit features of reader:digits, relu1 to relu5" in said
    assert "separate any labels; take 64 or more" in said
    held = {r["metric"]: r for r in json.loads((tmp_path / "m.json").read_text())}
    assert held["frechet"]["seconds"] > 0 and held["path-length"]["seconds"] > 0
    assert held["separability"]["values"].keys() == {"separability z"} and held["path-length"]["n_real"] == 0


def test_who_is_turned_away(runs, tmp_path):
    look = extractor("reader:digits")
    with pytest.raises(UserError, match="'path-length' is of a space of codes, and cgan decodes none"):
        measure_spaces(runs["cgan"], "path-length", look, n=4)
    with pytest.raises(UserError, match="LPIPS needs --lpips NETWORK:FILE"):
        measure_spaces(runs["dcgan"], "path-length", look, n=4, lpips="alex")
    with pytest.raises(UserError, match="can't compute 'separability' of 2 pictures"):
        measure_spaces(runs["dcgan"], "separability", look, n=2)
    look.name = "inception"
    with pytest.raises(UserError, match="inception gives no features for path-length"):
        measure_spaces(runs["dcgan"], "path-length", look, n=4)


def test_lpips_from_files(tmp_path):
    from sfumato.metrics.quality.lpips import LPIPS

    torch.manual_seed(0)
    network = LPIPS("squeeze")
    torch.save({f"features.{k}": v for k, v in network.features.state_dict().items()}, tmp_path / "w.pth")
    heads = {f"lin{k}.model.1.weight": v.data.view(1, -1, 1, 1) for k, v in enumerate(network.heads)}
    torch.save(heads, tmp_path / "heads.pth")
    files = dict(lpips=f"squeeze:{tmp_path / 'w.pth'}", heads=str(tmp_path / "heads.pth"))
    found = measure_spaces(facts(), "path-length", extractor("reader:faces"), n=4, **files)
    assert found.extractor == "LPIPS of squeeze, heads heads.pth" and len(found.sha256) == 64
    assert all(v > 0 for v in found.values.values())

"""The shipped readers, on pictures that they were never trained on."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from sfumato.data.prepare import prepare
from sfumato.data.worlds import Faces, Scenes
from sfumato.errors import UserError
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import Observed, extractor, factor_reader, names
from sfumato.networks.pretrained import __file__ as package
from sfumato.networks.pretrained.scores import confusion, factor_scores, overlaps, verification
from sfumato.networks.pretrained.world_reader import Spec, WorldReader, open_reader, ship
from sfumato.tasks.evaluate import reader as default_reader

HELD_OUT = np.arange(1_500_000, 1_500_100)  # neither trained on nor in the published figures
SOURCES = {"scenes": Scenes(), "faces": Faces()}


def images(array):
    return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture(scope="module", params=SOURCES)
def held(request):
    """A world's reader, 100 pictures of it with their factors, and what was read in them."""
    source, reader = SOURCES[request.param], factor_reader(request.param)
    factors = source.factors(HELD_OUT)
    seen = source.render(factors, 64, truth=True)
    with torch.inference_mode():
        return source, reader, factors, seen, reader.read(images(seen.image))


def test_the_file_is_small_and_says_what_it_reads():
    for world, source in SOURCES.items():
        path = Path(package).with_name(f"reader_{world}.safetensors")
        assert path.stat().st_size <= 3 * 2**20
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["reader"])
        spec, facts = about["spec"], about["facts"]
        assert {"seed", "shown", "scores"} <= facts.keys()
        assert json.loads(facts["scores"]).keys() == spec["factors"].keys()
        assert min(json.loads(facts["scores"]).values()) >= 0.75
        assert tuple(next(iter(spec["factors"].values()))) == source.classes
        assert tuple(spec["parts"]) == source.legend


@pytest.mark.parametrize("world", SOURCES)
def test_it_is_an_extractor_of_any_size_and_channels(world):
    reader = extractor(f"reader:{world}")
    assert f"reader:{world}" in names()
    assert (reader.name, reader.domain, len(reader.sha256)) == (f"reader:{world}", world, 64)
    assert not reader.training
    assert not any(p.requires_grad for p in reader.parameters())
    for channels, size in ((1, 28), (3, 130)):
        x = torch.rand(2, channels, size, size + 2) * 2 - 1
        seen = reader(x)
        assert isinstance(seen, Observed)
        assert seen.features.shape == (2, reader.dim)
        torch.testing.assert_close(seen.probabilities.sum(1), torch.ones(2))
        found = reader.read(x)
        assert found.parts.shape == (2, len(reader.spec.parts), 64, 64)
        torch.testing.assert_close(found.parts.sum(1), torch.ones(2, 64, 64))
        assert found.points.shape == (2, len(reader.spec.points), 2)
        assert found.factors.keys() == reader.spec.factors.keys()
        torch.testing.assert_close(found.features, seen.features)
    with pytest.raises(LookupError, match=f"did you mean {world}"):
        factor_reader(world[:-1])


@pytest.mark.parametrize(
    ("source", "channels", "name"),
    [("scenes", 3, "scenes"), ("faces", 1, "faces"), ("digits", 1, "digits"), ("a folder", 3, "shapes")],
)
def test_measures_look_through_the_reader_of_the_pictures_world(source, channels, name):
    model = SimpleNamespace(facts=SimpleNamespace(source=source, channels=channels), device="cpu")
    assert default_reader(model, None).name == f"reader:{name}"


def test_classes_and_numbers_are_read(held):
    source, reader, factors, _, found = held
    truth = {k: torch.from_numpy(v) for k, v in factors.items() if k in reader.spec.factors}
    scores = factor_scores(found.factors, truth)
    floors = (
        {"scene": 0.95, "time": 0.95, "weather": 0.95, "horizon": 0.9}
        if source.legend[0] == "sky"
        else {"expression": 0.9, "hair": 0.9, "skin": 0.95, "background": 0.95, "yaw": 0.9, "mouth_open": 0.9}
    )
    for name, floor in floors.items():
        assert scores[name] >= floor, (name, scores[name])


def test_parts_are_found(held):
    _, reader, _, seen, found = held
    truth = torch.from_numpy(seen.semantic)
    counts = confusion(found.parts.argmax(1), truth, len(reader.spec.parts))
    share = counts.sum(1) / counts.sum()
    assert counts.diag().sum() / counts.sum() > 0.9
    assert (overlaps(counts).nan_to_num() * share).sum() > 0.85


def test_strangers_are_refused_and_its_own_are_not(held):
    source, reader, _, seen, found = held
    own = images(seen.image)
    assert (found.known >= 0.5).double().mean() >= 0.97
    other = SOURCES["faces" if source.legend[0] == "sky" else "scenes"]
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for strangers in (
            torch.randn(50, 3, 64, 64, generator=random).clamp(-1, 1),
            images(other.render(HELD_OUT[:50], 64).image),
            images(np.array(prepare("digits", size=64, channels=3, split="test").images[:50])),
        ):
            assert (reader.read(strangers).known < 0.5).double().mean() >= 0.95
        coarse = F.interpolate(own, size=(32, 32), mode="bilinear", antialias=True)
        again = reader.read(coarse)
    assert (again.known >= 0.5).double().mean() >= 0.9
    first = next(iter(reader.spec.factors))
    truth = torch.from_numpy(source.factors(HELD_OUT)[first])
    assert factor_scores(again.factors, {first: truth})[first] >= 0.75


def test_broken_pictures_do_not_decide_a_distance(held):
    _, reader, _, seen, found = held
    own = images(seen.image)
    random = torch.Generator().manual_seed(0)
    strange = torch.cat([-own, (5 * own).clamp(-1, 1), torch.randn(own.shape, generator=random).clamp(-1, 1)])
    with torch.inference_mode():
        assert reader(strange).features.abs().max() <= reader.bound
        spoilt = torch.cat([found.features[1:], reader(strange[-1:]).features])
    apart = frechet_distance(found.features[:50], found.features[50:])
    assert frechet_distance(found.features, spoilt) < 2 * apart, "one picture of noise in a hundred"


def test_keypoints_and_people():
    source, reader = SOURCES["faces"], factor_reader("faces")
    factors = source.factors(np.arange(1_600_000, 1_600_060))
    other = source.vary(factors, yaw=10.0, age=0.5)
    with torch.inference_mode():
        one, two = (reader.read(images(source.render(f, 64).image)) for f in (factors, other))
    dark = torch.from_numpy(factors["glasses"] == 3)
    error = (one.points - torch.from_numpy(source.landmarks(factors))).norm(dim=2)
    assert error[~dark].mean() < 0.015  # of the picture's side
    who = torch.from_numpy(factors["identity"])
    score = verification(torch.cat([one.identity, two.identity]), torch.cat([who, who]))
    assert score["accuracy"] > 0.85


def test_a_reader_is_rebuilt_from_its_file_alone(tmp_path):
    torch.manual_seed(0)
    spec = Spec("toys", {"kind": ("ball", "cube"), "size": ()}, ("tip",), ("floor", "toy", "wall"), 4)
    toy = WorldReader(spec).eval()
    toy.mean.fill_(3.0)
    toy.person.normal_()
    ship(toy, tmp_path / "toys.safetensors", {"seed": "0"})
    again = open_reader(tmp_path / "toys.safetensors").eval()
    ship(again, tmp_path / "again.safetensors", again.facts)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "toys.safetensors").read_bytes()
    assert again.spec == spec
    x = torch.rand(3, 3, 40, 40) * 2 - 1
    with torch.no_grad():
        one, two = toy.read(x), again.read(x)
    torch.testing.assert_close(one.factors["size"], two.factors["size"], atol=0.01, rtol=0.01)
    torch.testing.assert_close(one.parts, two.parts, atol=0.01, rtol=0.01)
    torch.testing.assert_close(one.identity, two.identity, atol=0.01, rtol=0.01)


def test_other_files_are_no_readers(tmp_path):
    shipped = Path(package).with_name("reader_scenes.safetensors")
    with safe_open(shipped, framework="pt") as file:
        facts = file.metadata()
    state = load_file(shipped)
    save_file(state, tmp_path / "silent.safetensors")
    save_file(state, tmp_path / "wrong.safetensors", {"reader": "[1, 2]"})
    (tmp_path / "torn.safetensors").write_bytes(shipped.read_bytes()[:1000])
    for name in ("silent", "wrong", "torn"):
        with pytest.raises(UserError, match=f"{name}.safetensors is damaged or no reader"):
            open_reader(tmp_path / f"{name}.safetensors")
    save_file({k: v for k, v in state.items() if k != "head.bias"}, tmp_path / "less.safetensors", facts)
    with pytest.raises(UserError, match=r"lacks head\.bias"):
        open_reader(tmp_path / "less.safetensors")

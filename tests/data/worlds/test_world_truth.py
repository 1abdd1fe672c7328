"""What the worlds answer when a view asks."""

import pickle
from dataclasses import fields

import numpy as np
import pytest

from sfumato.data.decode import Fitting
from sfumato.data.truth import FIELDS, FRAMES, Truth
from sfumato.data.worlds import Faces, Scenes, truth
from sfumato.data.worlds.render import Rendered
from sfumato.data.worlds.source import open_faces, open_scenes
from sfumato.data.worlds.truth import face_truth, scene_truth
from sfumato.errors import UserError

NAMES = ("0000003", "0000014")


@pytest.mark.parametrize("make", [scene_truth, face_truth])
def test_every_field_is_answered_as_described(make):
    known: Truth = make()
    asked = [f for f in FIELDS if f in known.fields]
    found = known.get(asked, NAMES, 16)
    assert list(found) == asked and len(asked) >= 15
    for name, array in found.items():
        kind = next(k for k in ("uint8", "int32", "bool", "float32") if f"{k} (n" in FIELDS[name])
        assert array.dtype == kind and len(array) == 2, name
        assert array.shape[1:3] == ((FRAMES, 16) if "FRAMES" in FIELDS[name] else array.shape[1:3])
    assert found["semantic"].max() < len(known.legend) == len(known.palette)
    assert found["keypoints"].shape[1] == len(known.points)
    assert known.fields == {*asked, *known.factors, "captions"}


@pytest.mark.parametrize("make", [scene_truth, face_truth])
def test_all_at_once_is_as_one_by_one(make):
    asked = ["depth", "empty", "semantic", "ink", "boxes"]
    together = make().get(asked, NAMES, 24)
    for name in asked:
        assert np.array_equal(together[name], make().get([name], NAMES, 24)[name], equal_nan=True)


def test_maps_are_drawn_once_and_nothing_that_is_not_asked_for(monkeypatch):
    calls = []
    render = Scenes.render
    monkeypatch.setattr(Scenes, "render", lambda self, *a, **k: calls.append(k) or render(self, *a, **k))
    known = scene_truth()
    known.get(["semantic", "instance", "depth", "edges", "keypoints"], NAMES, 16)
    assert len(calls) == 1
    known.get(["night"], NAMES, 16)
    assert calls[1:] == [{}], "pictures alone, without the truth"
    known.get(["clip", "motion"], NAMES, 16)
    assert len(calls) == 3


def test_what_cannot_be_seen_has_no_keypoints():
    found = scene_truth().get(["keypoints", "boxes"], [f"{i:07}" for i in range(60)], 64)
    gone = np.isnan(found["boxes"][..., 0])
    assert np.array_equal(
        np.isnan(found["keypoints"][..., 0]).reshape(60, 12, 2), np.repeat(gone[..., None], 2, axis=2)
    )
    there = np.array([f"{i:07}" for i in range(60)])
    hidden = gone & (Scenes().factors(there.astype(int))["kind"] >= 0)
    assert hidden.any() and not gone.all()


def test_sentences_are_remembered_but_not_for_ever(monkeypatch):
    said, calls = Scenes.captions, []
    monkeypatch.setattr(Scenes, "captions", lambda self, i: calls.append(len(i)) or said(self, i))
    monkeypatch.setattr(truth, "REMEMBERED", 4)
    known = scene_truth()
    first = known.captions(["3", "4", "3"])
    assert first[0] == first[2] == said(Scenes(), np.array([3]))[0]
    assert known.captions(["4", "3"]) == [first[1], first[0]]
    assert calls == [2]
    known.captions([str(i) for i in range(10, 16)])
    assert known.captions(["3"]) == [first[0]] and calls == [2, 6, 1]
    assert len(known._said) <= 7


def test_factors_have_names_or_are_numbers():
    for make, world in ((scene_truth, Scenes()), (face_truth, Faces())):
        known, f = make(), world.factors(np.arange(300))
        for name, values in known.factors.items():
            got = known.factor(name, [str(i) for i in range(300)])
            assert got.dtype == (np.int64 if values else np.float32)
            assert not values or got.max() == len(values) - 1 or name == "identity"
            if name in f:
                assert np.array_equal(got, f[name].astype(got.dtype))
    assert known.factors["expression"] == ("neutral", "smiling", "laughing", "surprised", "sad")


@pytest.mark.parametrize("opened", [open_scenes, open_faces])
def test_sources_know_the_truth_about_their_items(opened):
    source = opened()
    for channels in (1, 3, None):
        clip = source.truth(Fitting(16, channels)).get(["clip"], NAMES, 16)["clip"]
        assert clip.shape == (2, FRAMES, 16, 16, channels or 3)
        if channels != 1:
            assert np.array_equal(clip[:, 0], source.world.render(np.array([3, 14]), 16).image)


def test_what_there_is_not_is_an_error():
    for ask in (lambda t: t.get(["source"], NAMES, 16), lambda t: t.factor("identity", NAMES)):
        with pytest.raises(UserError, match="scenes has nothing that tells"):
            ask(scene_truth())
    assert face_truth().lacks("night").endswith("scenes has: --data scenes")


def test_rendered_maps_are_all_fields():
    maps = {f.name for f in fields(Rendered)} - {"image", "motion"}
    assert maps < set(truth.MAPS)


def test_truth_survives_a_trip_to_another_process():
    for known in (scene_truth(Scenes(seed=4)), face_truth()):
        there = pickle.loads(pickle.dumps(known))
        here, there = (t.get(["ink"], NAMES, 16)["ink"] for t in (known, there))
        assert np.array_equal(here, there)

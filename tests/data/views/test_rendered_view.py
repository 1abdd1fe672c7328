"""Frames for supersampling: samples are pixels of the large render where jitter says, motion leads back."""

import numpy as np
import pytest
import torch

from data.views.worlds_pictures import some
from sfumato.data.pictures import to_bytes
from sfumato.data.views import VIEWS, Draw
from sfumato.data.views.frames import bayer, sampled
from sfumato.data.worlds import Faces, Scenes
from sfumato.data.worlds.truth import scene_truth


def draw(n, start=0, flip=None):
    return Draw(np.arange(n), lambda x: x, np.full(n, start, np.uint64), flip)


@pytest.mark.parametrize("k", [2, 4, 8])
def test_jitter_visits_every_place_once_and_goes_far(k):
    places = bayer(k)
    assert len({tuple(p) for p in places.tolist()}) == k * k and places.min() == 0 and places.max() == k - 1
    for first in range(0, k * k, 4):
        assert len({tuple(p) for p in (places[first : first + 4] // (k // 2)).tolist()}) == 4, "the four quarters"


@pytest.mark.parametrize("scale", [2, 4])
def test_low_is_one_pixel_of_many_and_the_clip_their_mean(scale):
    every, n, t = 2 * scale, 2, 5
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (n, t, 4 * every, 3 * every, 3), np.uint8)
    metres, back = rng.uniform(9, 99, fine.shape[:4]), rng.normal(size=(*fine.shape[:4], 2)).astype(np.float32)
    found = sampled(fine, metres, back, scale, 9.0, draw(n, start=every**2 - 2))
    assert torch.equal(found["image"], found["clip"][:, -1])
    whole = fine.reshape(n, t, 2 * scale * 2, 2, 3 * scale, 2, 3).mean(axis=(3, 5))
    np.testing.assert_allclose(found["clip"].numpy().transpose(0, 1, 3, 4, 2), whole / 127.5 - 1, atol=1e-6)
    for i in range(n):
        for k in range(t):
            x, y = bayer(every)[(every**2 - 2 + k) % every**2]
            part = (i, k, slice(y, None, every), slice(x, None, every))
            assert np.array_equal(to_bytes(found["low"][i, k][None])[0], fine[part])
            np.testing.assert_allclose(found["jitter"][i, k] + 0.5, (np.array([x, y]) + 0.5) / every)
            np.testing.assert_allclose(found["back"][i, k].movedim(0, -1), back[part] / every, rtol=1e-6)
            np.testing.assert_allclose(found["depth"][i, k, 0], 18 / metres[part] - 1, rtol=1e-5)


def test_mirrored_samples_are_samples_of_the_mirrored_render():
    rng = np.random.default_rng(1)
    fine = rng.integers(0, 256, (1, 3, 16, 16, 3), np.uint8)
    metres, back = rng.uniform(9, 99, fine.shape[:4]), np.zeros((*fine.shape[:4], 2), np.float32)
    turned = sampled(fine, metres, back, 2, 9.0, draw(1, flip=np.array([True])))
    shown = fine[:, :, :, ::-1]
    assert (turned["jitter"][0, 0] * 4 + 1.5).tolist() == [3, 0], "the first place, mirrored"
    for k in range(3):
        x, y = (((turned["jitter"][0, k] + 0.5) * 4) - 0.5).long().tolist()
        assert np.array_equal(to_bytes(turned["low"][0, k][None])[0], shown[0, k, y::4, x::4])


@pytest.mark.parametrize("world", [Scenes(), Faces()], ids=["scenes", "faces"])
def test_clips_that_look_back_are_the_same_pictures(world):
    ahead, back = world.clip(np.array([3, 8]), 3, 24), world.clip(np.array([3, 8]), 3, 24, back=True)
    assert np.array_equal(ahead.image, back.image) and np.array_equal(ahead.depth, back.depth)
    assert (ahead.motion != back.motion).any()


def test_back_leads_to_where_things_were():
    """In scenes all speeds are constant but those of the mill's blades: it is the motion to the next frame reversed."""
    found = scene_truth().get(["motion", "back", "clip"], [f"{i:07}" for i in range(10)], 48)
    moved = np.abs(found["motion"]).max(axis=-1) > 0.05
    same = np.abs(found["motion"] + found["back"]).max(axis=-1) < 0.01 * 48 / 100
    assert moved.mean() > 0.1 and same[moved].mean() > 0.97


def test_the_view_is_of_the_pictures_asked_for():
    data = some("scenes", 6, 16)
    found = VIEWS["rendered-x2"].fields(data, draw(3, start=5))
    fine = data.truth.world.clip(np.arange(3), 8, 32).image.reshape(3, 8, 32, 32, 3)
    assert {k: tuple(v.shape[1:]) for k, v in found.items()} == {
        "image": (3, 16, 16), "clip": (8, 3, 16, 16), "low": (8, 3, 8, 8), "jitter": (8, 2), "back": (8, 2, 8, 8),
        "depth": (8, 1, 8, 8),
    }  # fmt: skip
    x, y = bayer(4)[5]
    assert np.array_equal(to_bytes(found["low"][:, 0]), fine[:, 0, y::4, x::4])

"""The faces: the same on every machine and at every size, and true about their pixels."""

import hashlib

import numpy as np
import pytest

from data.worlds import worlds_truth as truth
from sfumato.data.worlds.faces import EXPRESSIONS, IDENTITIES, Faces, held_out
from sfumato.data.worlds.portrait import BACKGROUNDS, GLASSES, HAIR, LANDMARKS, LEGEND
from sfumato.errors import UnknownNameError, UserError

WORLD = Faces()


def seen(parts: np.ndarray, name: str) -> np.ndarray:
    return parts == LEGEND.index(name)


def test_a_picture_does_not_depend_on_its_batch():
    whole = WORLD.render(np.arange(40), 32).image
    for i in (0, 13, 27):
        assert np.array_equal(whole[i], WORLD.render(np.array([i]), 32).image[0])
    large = np.arange(6)
    assert np.array_equal(WORLD.render(large, 256).image, Faces(threads=2).render(large[::-1], 256).image[::-1])


def test_pictures_are_the_same_on_every_machine():
    pixels = WORLD.render(np.arange(20), 48).image.tobytes()
    assert hashlib.blake2b(pixels, digest_size=8).hexdigest() == "cf0e9cb373f2df54"


def test_a_picture_is_the_same_at_every_size():
    small, large = (WORLD.render(np.arange(60), size).image.astype(float) for size in (64, 256))
    difference = np.abs(large.reshape(60, 64, 4, 64, 4, 3).mean(axis=(2, 4)) - small)
    assert difference.mean() < 1.5
    assert difference.mean(axis=(1, 2, 3)).max() < 3.5


def test_factors_are_balanced_and_the_identity_makes_the_traits():
    f = WORLD.factors(np.arange(20_000))
    assert (np.bincount(f["expression"]) == 20_000 // len(EXPRESSIONS)).all()
    assert len(np.unique(f["identity"])) == IDENTITIES
    who = f["identity"] == f["identity"][0]
    assert who.sum() > 5
    for name in ("traits", "skin", "eye_colour"):
        assert (f[name][who] == f[name][who][0]).all()
    assert np.std(f["age"][who]) > 0.1
    kept = held_out(f)
    assert 0.05 < kept.mean() < 0.15
    for name in ("expression", "hair", "glasses"):
        assert set(f[name][kept]) == set(f[name][~kept])


def test_masks_change_with_their_parts():
    f = WORLD.vary(WORLD.factors(np.arange(30)), yaw=0.0, pitch=0.0)
    before = WORLD.render(f, 96, truth=True)
    eyes = WORLD.render(f | {"eye_colour": (f["eye_colour"] + 2) % 5}, 96)
    clothes = WORLD.render(f | {"clothes": (f["clothes"] + 1) % 7}, 96)
    for after, name in ((eyes, "iris"), (clothes, "clothes")):
        for i in range(30):
            own = seen(before.semantic[i], name)
            changed = (after.image[i] != before.image[i]).any(axis=-1)
            if f["glasses"][i] == 3:
                continue
            assert not (changed & ~truth.grown(own)).any()
            assert changed[own].mean() > (0.6 if name == "iris" else 0.95)


def test_the_background_is_what_is_left_without_the_person():
    whole, wall = WORLD.render(np.arange(20), 64, truth=True), WORLD.render(np.arange(20), 64, things=False, truth=True)
    assert np.array_equal(whole.image[whole.matte == 0], wall.image[whole.matte == 0])
    assert not wall.instance.any()
    assert np.array_equal(whole.instance > 0, whole.semantic > 0)


def test_normals_agree_with_the_depth():
    agreement = truth.normals_from_depth(WORLD.render(np.arange(20), 256, truth=True))
    assert len(agreement) > 100_000
    assert np.quantile(agreement, 0.01) > 0.995


def test_landmarks_lie_on_their_parts():
    f = WORLD.vary(WORLD.factors(np.arange(60)), glasses="none", beard="none")
    f["gaze_x"], f["gaze_y"] = f["gaze_x"] * 0.5, f["gaze_y"] * 0.5
    parts = WORLD.render(f, 256, truth=True).semantic
    points = dict(zip(LANDMARKS, (WORLD.landmarks(f) * 256).astype(int).transpose(1, 0, 2), strict=True))
    each = np.arange(60)
    for name, allowed in (
        ("left pupil", ("pupil", "iris", "eye")), ("right pupil", ("pupil", "iris", "eye")), ("nose tip", ("nose",)),
        ("upper lip", ("lips", "mouth", "teeth", "face")), ("lower lip", ("lips", "mouth", "face")),
    ):  # fmt: skip
        x, y = points[name].T
        found = np.isin(parts[each, y, x], [LEGEND.index(a) for a in allowed])
        assert found.mean() > 0.9, name
    for side, sign in (("left", -1), ("right", 1)):
        x, y = points[f"{side} mouth corner"].T
        lips = seen(parts, "lips") | seen(parts, "mouth") | seen(parts, "teeth")
        edge = np.array([np.nonzero(row.any(axis=0))[0][0 if sign < 0 else -1] for row in lips])
        assert np.abs(edge - x).max() <= 4
    chin = points["chin"][:, 1]
    face = np.array([np.nonzero(seen(p, "face").any(axis=1))[0][-1] for p in parts])
    assert np.abs(chin - face).max() <= 6


def test_hidden_pairs_differ_in_one_factor():
    f = WORLD.factors(np.arange(30))
    young, old = (WORLD.vary(f, age=age) for age in (0.1, 0.95))
    assert [name for name in f if not np.array_equal(young[name], old[name])] == ["age"]
    other = WORLD.vary(f, identity=7)
    assert {name for name in f if not np.array_equal(f[name], other[name])} == {
        "identity", "traits", "skin", "eye_colour",
    }  # fmt: skip
    glad = WORLD.vary(f, expression="laughing")
    assert (glad["smile"] > 0.5).all() and np.array_equal(glad["traits"], f["traits"])
    turned = WORLD.landmarks(WORLD.vary(f, yaw=30.0)) - WORLD.landmarks(WORLD.vary(f, yaw=-30.0))
    assert (turned[:, LANDMARKS.index("nose tip"), 0] > 0.1).all()
    with pytest.raises(UnknownNameError, match="did you mean laughing"):
        WORLD.vary(f, expression="laughin")
    with pytest.raises(UserError, match="yaw is -40 to 40"):
        WORLD.vary(f, yaw=90.0)
    with pytest.raises(UserError, match="age is a number"):
        WORLD.vary(f, age="old")


def test_captions_agree_with_the_picture():
    f = WORLD.factors(np.arange(150))
    parts = WORLD.render(f, 128, truth=True).semantic
    for i, sentences in enumerate(WORLD.captions(f)):
        text = " / ".join(sentences)
        assert len(sentences) == 5
        assert ("glasses" in text) == bool(f["glasses"][i]) == bool(seen(parts[i], "glasses").any())
        assert ("moustache" in text or "beard" in text) == bool(seen(parts[i], "beard").any())
        assert ("bald" in text) == (HAIR[f["hair"][i]] == "bald") == (not seen(parts[i], "hair").any())
        assert f"{tuple(BACKGROUNDS)[f['background'][i]]} wall" in text
        assert [
            e for e in EXPRESSIONS if {"neutral": "calm", "laughing": "laugh", "smiling": "smil"}.get(e, e) in text
        ] == [EXPRESSIONS[f["expression"][i]]]
    assert len(GLASSES) == 4


def test_clips_keep_the_person_and_move_the_head():
    clip = WORLD.clip(5, 5, 48)
    assert clip.image.shape == (5, 48, 48, 3) and clip.motion.shape == (5, 48, 48, 2)
    assert np.array_equal(clip.image[0], WORLD.render(np.array([5]), 48).image[0])
    f = WORLD.factors(np.array([5]))
    later = WORLD.at(f, 1.0)
    assert later["yaw"] != f["yaw"] and later["identity"] == f["identity"]
    assert np.abs(WORLD.landmarks(later) - WORLD.landmarks(f)).max() > 0.005
    several = WORLD.clip(np.array([7, 5]), 5, 48)
    assert np.array_equal(several.image[5:], clip.image) and np.array_equal(several.motion[5:], clip.motion)
    with_nobody = WORLD.render(f, 48, nearer=later, things=False)
    assert not with_nobody.motion.any()


def test_motion_leads_to_the_next_frame():
    f = WORLD.factors(np.arange(40))
    later = WORLD.at(f, 0.4)
    now, then = WORLD.render(f, 128, nearer=later), WORLD.render(later, 128, truth=True)
    errors, still = truth.warped(now, then, least=1.0)
    assert len(errors) > 40_000
    assert errors.mean() < 0.4 * still.mean()
    for name in ("brow", "iris", "nose", "lips", "glasses"):
        assert _stays(now, then, name) > 0.75 > _stays(now, then, name, still=True), name


def _stays(now, then, name, still=False):
    """How many pixels of a part are led to pixels of it."""
    picture, y, x = np.nonzero(seen(now.semantic, name))
    moved = 0 * now.motion if still else now.motion
    to = np.rint(np.stack([x, y], axis=-1) + moved[picture, y, x]).astype(int).clip(0, 127)
    return seen(then.semantic, name)[picture, to[:, 1], to[:, 0]].mean()


def test_landmarks_move_as_the_pixels_below_them_do():
    f = WORLD.vary(WORLD.factors(np.arange(60)), glasses="none", beard="none")
    f["eyes_open"] = np.maximum(f["eyes_open"], 0.8)
    later = WORLD.at(f, 0.3)
    now = WORLD.render(f, 192, nearer=later)
    start, end = WORLD.landmarks(f) * 192, WORLD.landmarks(later) * 192
    for name, part in (("left pupil", "pupil"), ("right pupil", "pupil"), ("nose tip", "nose")):
        k = LANDMARKS.index(name)
        x, y = start[:, k].astype(int).T
        own = now.semantic[np.arange(60), y, x] == LEGEND.index(part)
        assert own.sum() > 40
        assert np.abs(now.motion[np.arange(60), y, x] - (end - start)[:, k])[own].max() < 0.35

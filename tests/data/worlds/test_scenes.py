"""The scenes: the same on every machine and at every size, and true about their pixels."""

import hashlib

import numpy as np
import pytest

from data.worlds import worlds_truth as truth
from sfumato.data.worlds.captions import FEWEST, REFERENCE
from sfumato.data.worlds.landscape import SCENES, TIMES, WEATHERS
from sfumato.data.worlds.scenes import SLOTS, Scenes, held_out
from sfumato.data.worlds.things import KIND, KINDS, LEGEND
from sfumato.errors import UnknownNameError

WORLD = Scenes()


def test_a_picture_does_not_depend_on_its_batch():
    whole = WORLD.render(np.arange(40), 32).image
    assert np.array_equal(whole[::-1], WORLD.render(np.arange(40)[::-1], 32).image)
    for i in (0, 13, 27):
        assert np.array_equal(whole[i], WORLD.render(np.array([i]), 32).image[0])
    assert np.array_equal(whole, Scenes(threads=2).render(np.arange(40), 32).image)
    large = np.arange(6)
    assert np.array_equal(WORLD.render(large, 256).image, Scenes(threads=2).render(large, 256).image)
    assert not np.array_equal(whole, Scenes(seed=1).render(np.arange(40), 32).image)


def test_pictures_are_the_same_on_every_machine():
    pixels = WORLD.render(np.arange(20), 48).image.tobytes()
    assert hashlib.blake2b(pixels, digest_size=8).hexdigest() == "ec66680aaa9df799"


def test_a_picture_is_the_same_at_every_size():
    small, large = (WORLD.render(np.arange(60), size).image.astype(float) for size in (64, 256))
    difference = np.abs(large.reshape(60, 64, 4, 64, 4, 3).mean(axis=(2, 4)) - small)
    assert difference.mean() < 2.0
    assert difference.mean(axis=(1, 2, 3)).max() < 4.5
    other = np.abs(np.roll(small, 10, axis=0) - small).mean(axis=(1, 2, 3))
    assert other.min() > 4.5


def test_factors_are_balanced_and_independent():
    f = WORLD.factors(np.arange(20_000))
    assert (np.bincount(f["scene"]) == 2000).all()
    assert np.bincount(f["time"]) / 20_000 == pytest.approx([0.25] * 4, abs=0.015)
    assert np.bincount(f["weather"]) / 20_000 == pytest.approx([0.36, 0.24, 0.14, 0.14, 0.12], abs=0.015)
    for name, k in (("time", len(TIMES)), ("weather", len(WEATHERS))):
        joint = np.histogram2d(f["scene"], f[name], bins=(len(SCENES), k))[0] / 2000
        assert np.abs(joint - joint.mean(axis=0)).max() < 0.05
    kept = held_out(f)
    assert 0.07 < kept.mean() < 0.13
    for name in ("scene", "time", "weather"):
        assert set(f[name][kept]) == set(f[name][~kept])
    combination = f["scene"] * 100 + f["time"] * 10 + f["weather"]
    assert not set(combination[kept]) & set(combination[~kept])


@pytest.mark.parametrize(("name", "part"), [("house", "wall"), ("car", "car"), ("oak", "leaves")])
def test_a_mask_covers_the_pixels_its_object_drew(name, part):
    f = WORLD.vary(WORLD.factors(np.arange(400)), time="day", weather="clear")
    size, before, tried = 128, None, 0
    rows = np.flatnonzero((f["kind"] == KIND[name]).any(axis=1))[:8]
    f = {k: v[rows] for k, v in f.items()}
    before = WORLD.render(f, size, truth=True)
    slot = (f["kind"] == KIND[name]).argmax(axis=1)
    each = np.arange(len(rows))
    changed = {**f, "colour": f["colour"].copy()}
    changed["colour"][each, slot] = (f["colour"][each, slot] + 1) % len(KINDS[KIND[name]].colours)
    after = WORLD.render(changed, size)
    touched = (before.image != after.image).any(axis=-1)
    for i in each:
        own = before.instance[i] == slot[i] + 1
        if own.sum() < 60:
            continue
        assert not (touched[i] & ~truth.grown(own)).any()
        painted = own & (before.semantic[i] == LEGEND.index(part))
        if painted.sum() > 60:
            tried += 1
            assert touched[i][painted].mean() > 0.93
    assert tried >= 4


def test_the_background_is_what_is_left_without_things():
    f = WORLD.factors(np.arange(30))
    whole, ground = WORLD.render(f, 64, truth=True), WORLD.render(f, 64, things=False, truth=True)
    assert np.array_equal(whole.image[whole.matte == 0], ground.image[whole.matte == 0])
    assert not ground.instance.any() and not ground.matte.any()
    assert (whole.matte[whole.instance > 0] >= 0.5).all()
    assert (whole.image != ground.image).any(axis=-1)[whole.matte > 0.9].mean() > 0.95


def test_normals_agree_with_the_depth():
    seen = WORLD.render(np.arange(20), 256, truth=True)
    agreement = truth.normals_from_depth(seen)
    assert len(agreement) > 100_000
    assert np.quantile(agreement, 0.01) > 0.995


def test_nearer_things_hide_farther_ones():
    f = WORLD.factors(np.arange(50))
    seen = WORLD.render(f, 64, truth=True)
    for i in range(50):
        for k in np.unique(seen.instance[i])[1:]:
            near = 1 / f["w"][i, k - 1]
            assert np.median(seen.depth[i][seen.instance[i] == k]) == pytest.approx(near, rel=0.35)
    assert np.isinf(seen.depth[seen.semantic == 0]).all()
    assert (seen.normals[seen.semantic == 0] == 0).all()


def test_motion_leads_to_the_next_frame():
    f = WORLD.vary(WORLD.factors(np.arange(0, 60)), weather="clear")
    f = {k: v[f["scene"] != SCENES.index("lake")] for k, v in f.items()}
    later = WORLD.at(f, 0.5)
    now, then = WORLD.render(f, 128, nearer=later), WORLD.render(later, 128, truth=True)
    assert np.abs(now.motion).max() > 4
    errors, still = truth.warped(now, then)
    assert len(errors) > 400_000
    assert np.quantile(errors, 0.95) < 6
    assert errors.mean() < 0.5 * still.mean()


@pytest.mark.parametrize("scene", ["farm", "road", "mountains"])
def test_the_ground_and_the_hills_move_with_the_camera(scene):
    rows = np.arange(40) * 10 + SCENES.index(scene)
    f = WORLD.vary(WORLD.factors(rows), time="day", weather="clear")
    later = f | {"pan": f["pan"] + (60.0 if scene == "mountains" else 1.0)}
    now = WORLD.render(f, 128, nearer=later, things=False)
    then = WORLD.render(later, 128, truth=True, things=False)
    errors, still = truth.warped(now, then)
    assert errors.mean() < 0.5 * still.mean()


def test_clips_show_one_scene_that_moves():
    clip = WORLD.clip(3, 4, 32)
    assert clip.image.shape == (4, 32, 32, 3) and clip.motion.shape == (4, 32, 32, 2)
    assert np.array_equal(clip.image[0], WORLD.render(np.array([3]), 32).image[0])
    assert (clip.image[0] != clip.image[3]).any()


def test_hills_may_lie_wholly_behind_the_ground():
    f = WORLD.factors(np.arange(40))
    low = {k: v[f["scene"] == 5][:1] for k, v in f.items()} | {"hills": np.zeros_like(f["hills"][:1])}
    drawn = WORLD.render(low, 128, truth=True)
    assert np.array_equal(drawn.image, WORLD.render(low, 128).image)


def test_hidden_pairs_differ_in_one_factor():
    f = WORLD.factors(np.arange(40))
    day, night = (WORLD.vary(f, time=t, weather="clear") for t in ("day", "night"))
    assert [name for name in f if not np.array_equal(day[name], night[name])] == ["time"]
    a, b = (WORLD.render(g, 64, truth=True) for g in (day, night))
    assert np.array_equal(a.instance, b.instance) and np.array_equal(a.depth, b.depth)
    assert a.image.mean() > 1.8 * b.image.mean()
    ink = WORLD.render(WORLD.vary(day, style="ink"), 64, truth=True)
    assert (ink.instance == a.instance).mean() > 0.999 and (ink.image != a.image).any(axis=-1).mean() > 0.5
    with pytest.raises(UnknownNameError, match="did you mean night"):
        WORLD.vary(f, time="nigth")


def test_captions_name_what_is_there_and_nothing_else():
    f = WORLD.factors(np.arange(120))
    seen = WORLD.render(f, REFERENCE, truth=True)
    words = {k.name: k.name for k in KINDS} | {"bush": "bush", "cactus": "cact", "sun": "the sun", "moon": "the moon"}
    for i, sentences in enumerate(WORLD.captions(f)):
        assert len(sentences) == 5 and len(set(sentences)) >= 4
        visible = {KINDS[f["kind"][i, s]].name for s in range(SLOTS) if (seen.instance[i] == s + 1).sum() >= FEWEST}
        visible |= {name for name in ("sun", "moon") if (seen.semantic[i] == LEGEND.index(name)).sum() >= FEWEST}
        for name, word in words.items():
            named = any(word in sentence for sentence in sentences)
            assert named == (name in visible), (sentences, name)


def test_boxes_and_anchors_are_where_things_are():
    f = WORLD.factors(np.arange(30))
    seen = WORLD.render(f, 128, truth=True)
    boxes, anchors = seen.boxes(SLOTS), WORLD.anchors(f)
    shown = ~np.isnan(boxes[..., 0])
    assert shown.sum() > 60
    assert (shown <= (f["kind"] >= 0)).all()
    for i, k in np.argwhere(shown):
        x0, y0, x1, y1 = boxes[i, k]
        ys, xs = np.nonzero(seen.instance[i] == k + 1)
        assert (x0 * 128, y0 * 128) == (xs.min(), ys.min()) and (x1 * 128, y1 * 128) == (xs.max() + 1, ys.max() + 1)
        if 0.3 < anchors[i, k, 0, 0] < 0.7 and f["kind"][i, k] != KIND["bird"]:
            assert y1 <= anchors[i, k, 0, 1] + 0.03 and y0 >= anchors[i, k, 1, 1] - 0.06


def test_edges_run_between_parts():
    seen = WORLD.render(np.arange(5), 64, truth=True)
    edges = seen.edges()
    assert 0.02 < edges.mean() < 0.5
    assert edges[0, 10, 10] == (
        (seen.semantic[0, 10, 10] != seen.semantic[0, 10, 11]) | (seen.semantic[0, 10, 10] != seen.semantic[0, 11, 10])
    )


def test_maps_keep_their_areas_at_every_size():
    small, large = (WORLD.render(np.arange(40), size, truth=True).semantic for size in (64, 256))
    for name in ("sky", "grass", "road", "water", "hill"):
        part = LEGEND.index(name)
        assert abs((small == part).mean() - (large == part).mean()) < 0.002

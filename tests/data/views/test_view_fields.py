"""What the views say is true: of hidden pairs, objects, clips, sentences, maps; and stays so when it is mirrored."""

from functools import cache

import numpy as np
import pytest
import torch

from data.views.worlds_pictures import SERVED, some, told
from data.worlds import worlds_truth
from sfumato.data.batches import Batches
from sfumato.data.pictures import to_bytes
from sfumato.data.prepare import Pictures
from sfumato.data.text import decode
from sfumato.data.views import VIEWS, Draw
from sfumato.data.views.maps import mirror
from sfumato.data.worlds.portrait import LANDMARKS
from sfumato.data.worlds.render import Rendered
from sfumato.data.worlds.things import LEGEND
from sfumato.errors import UserError

pictures = cache(some)


def fields(world, view, rows=None, flip=None, n=24, size=16):
    """A view of given rows."""
    data = pictures(world, n, size)
    rows = np.arange(len(data)) if rows is None else rows
    bits = np.random.default_rng(0).integers(0, 2**63, len(rows)).astype(np.uint64)
    survey = VIEWS[view].survey(data, 10, 0) if VIEWS[view].survey else None
    turned = None if flip is None else np.full(len(rows), flip)
    return VIEWS[view].fields(
        data, Draw(rows, lambda pool: pool[np.arange(len(rows)) % len(pool)], bits, turned, survey)
    )


@pytest.mark.parametrize(("world", "view"), SERVED)
def test_images_are_images_and_the_docstring_names_every_field(world, view):
    found = fields(world, view, np.arange(4))
    doc = getattr(VIEWS[view].fields, "func", VIEWS[view].fields).__doc__
    for name, value in found.items():
        assert name in doc or view == "factors"
        assert value.is_contiguous() and len(value) == 4
        if value.ndim == 4 and name not in ("normals",):
            assert value.dtype == torch.float32 and value.abs().max() <= 1 and value.std() > 0.02
    assert found["image"].shape == (4, 3, *[15 if view == "superres-x3" else 16] * 2)  # what 3 divides


@pytest.mark.parametrize("world", ["scenes", "faces"])
def test_the_image_is_the_packed_picture(world):
    data = pictures(world)
    for view in ("maps", "clips", "objects", "keypoints", "caption", "paired-edges"):
        assert np.array_equal(to_bytes(fields(world, view, np.arange(3))["image"]), data.images[:3])


def test_maps_edges_depth_and_normals_are_the_truth():
    data = pictures("scenes")
    seen = data.truth.world.render(np.array([int(n) for n in data.names]), 16, truth=True)
    found = {k: v.numpy() for view in ("maps", "edges", "depth", "normals") for k, v in fields("scenes", view).items()}
    assert found["semantic"].dtype == np.int64 and np.array_equal(found["semantic"], seen.semantic)
    assert np.array_equal(found["instance"], seen.instance)
    assert np.array_equal(found["edges"][:, 0] == 1, seen.edges()) and set(np.unique(found["edges"])) == {-1, 1}
    finite = np.isfinite(seen.depth) & (seen.depth < 500)
    assert np.allclose(18 / (found["depth"][:, 0][finite] + 1), seen.depth[finite], rtol=1e-3)
    assert (found["depth"][:, 0][np.isinf(seen.depth)] == -1).all()
    assert np.array_equal(np.moveaxis(found["normals"], 1, -1), seen.normals)
    assert ((found["semantic"] == LEGEND.index("sky")) <= (found["depth"][:, 0] == -1)).all()


@pytest.mark.parametrize("world", ["scenes", "faces"])
def test_no_depth_is_clipped(world):
    data = pictures(world, 60, 32)
    depth = data.truth.get(["depth"], data.names, 32)["depth"]
    assert depth.min() >= data.truth.near > 0.6 * depth.min()


@pytest.mark.parametrize(
    ("view", "first", "second"),
    [("unpaired-night", "day", "night"), ("unpaired-dusk", "day", "dusk"), ("unpaired-ink", "painted", "ink")],
)
def test_what_is_hidden_differs_in_one_factor(view, first, second):
    data = pictures("scenes", 24, 32)
    world, rows = data.truth.world, VIEWS[view].rows(data)
    found = fields("scenes", view, rows, size=32)
    f = world.factors(np.array([int(data.names[i]) for i in rows]))
    name = "style" if "ink" in view else "time"
    a, b = (world.render(world.vary(f, **{name: value}), 32, truth=True) for value in (first, second))
    assert np.array_equal(to_bytes(found["source"]), a.image)
    assert np.array_equal(to_bytes(found["hidden"]), b.image)
    heaven = np.isin(a.semantic, [0, 1, 2]) & np.isin(b.semantic, [0, 1, 2])
    assert ((a.semantic == b.semantic) | heaven).mean() > 0.995
    assert np.array_equal(a.instance, b.instance) or name == "style"
    assert (a.image != b.image).any(axis=-1).mean() > 0.5
    others = {p.tobytes() for p in to_bytes(found["image"])}
    assert not others & {p.tobytes() for p in b.image}, "no picture of domain B is of a place of domain A"


def test_the_old_are_the_young_grown_old():
    data = pictures("faces", 24, 32)
    rows = VIEWS["unpaired-old"].rows(data)
    found = fields("faces", "unpaired-old", rows, size=32)
    f = data.truth.world.factors(np.array([int(data.names[i]) for i in rows]))
    for field, age in (("source", 0.25), ("hidden", 0.9)):
        assert np.array_equal(
            to_bytes(found[field]), data.truth.world.render(data.truth.world.vary(f, age=age), 32).image
        )


def test_pairs_are_of_one_scene():
    data = pictures("scenes", 24, 32)
    night = fields("scenes", "paired-night", size=32)
    named = data.truth.get(["day", "night"], data.names, 32)
    assert np.array_equal(to_bytes(night["source"]), named["day"])
    assert np.array_equal(to_bytes(night["image"]), named["night"])
    semantic = fields("scenes", "maps", size=32)["semantic"].numpy()
    colours = to_bytes(fields("scenes", "paired-map", size=32)["source"])
    assert np.array_equal(colours, data.truth.palette[semantic])
    assert len(np.unique(data.truth.palette, axis=0)) == len(data.truth.legend)
    drawn = fields("scenes", "paired-edges", size=32)["source"]
    assert torch.equal(drawn[:, :1] == -1, fields("scenes", "edges", size=32)["edges"] == 1)
    assert set(drawn.unique().tolist()) == {-1, 1}


@pytest.mark.parametrize("world", ["scenes", "faces"])
def test_objects_are_what_the_empty_place_lacks(world):
    found = fields(world, "objects", size=32)
    image, empty, matte = found["image"], found["empty"], found["matte"].expand(-1, 3, -1, -1)
    assert torch.equal(image[matte == 0], empty[matte == 0])
    changed = (image != empty).any(dim=1, keepdim=True)
    assert changed[found["matte"] > 0.9].float().mean() > 0.95
    assert 0.02 < matte.mean() < 0.9 and matte.min() >= 0 and matte.max() <= 1
    assert (found["background"] != empty).flatten(1).any(dim=1).all(), "the background is another picture's"


def frames(array, part):
    """Some frames of every clip, one after the other: (n, 8, …) -> (n·t, …)."""
    return array[:, part].reshape(-1, *array.shape[2:])


@pytest.mark.parametrize("flip", [False, True])
def test_the_motion_of_a_clip_leads_to_its_next_frame(flip):
    """Also when mirrored: with the wrong sign, or arrows left where they were, it would lead elsewhere."""
    data = pictures("scenes", 8, 128)
    f = data.truth.world.factors(np.array([int(name) for name in data.names]))
    rows = np.flatnonzero(f["weather"] < 2)[:3]  # no motion knows of rain
    found = fields("scenes", "clips", rows, flip, 8, 128)
    assert torch.equal(found["clip"][:, 0], found["image"])
    truth = data.truth.world.clip(f["index"][rows], 8, 128)
    ids = [(a[..., ::-1] if flip else a).reshape(-1, 8, 128, 128) for a in (truth.semantic, truth.instance)]
    shown = to_bytes(found["clip"].flatten(0, 1)).reshape(-1, 8, 128, 128, 3)
    now, then = (Rendered(*(frames(a, part) for a in (shown, *ids))) for part in (slice(0, 7), slice(1, 8)))
    now.motion = frames(np.moveaxis(found["motion"].numpy(), 2, -1), slice(0, 7))
    errors, still = worlds_truth.warped(now, then, least=0.5)
    assert len(errors) > 1_000
    assert errors.mean() < 0.5 * still.mean()
    now.motion = now.motion * [-1, 1]
    wrong, still = worlds_truth.warped(now, then, least=0.5)
    assert wrong.mean() > still.mean()


@pytest.mark.parametrize("world", ["scenes", "faces"])
def test_clips_are_rendered_small_too(world):
    found = fields(world, "clips", np.arange(3), n=24, size=32)
    assert found["low"].shape == (3, 8, 3, 8, 8) and found["depth"].shape == (3, 8, 1, 32, 32)
    data = pictures(world, 24, 32)
    assert np.array_equal(to_bytes(found["low"][:, 0]), data.truth.get(["clip"], data.names[:3], 8)["clip"][:, 0])
    assert "low" not in fields(world, "clips", np.arange(1), n=6, size=18)


@pytest.mark.parametrize("world", ["scenes", "faces"])
def test_a_caption_is_one_of_the_sentences(world):
    data = pictures(world)
    said = decode(fields(world, "caption")["caption"].numpy())
    sentences = data.truth.captions(data.names)
    assert sentences == data.truth.world.captions(np.array([int(n) for n in data.names]))
    assert [s in some for s, some in zip(said, sentences, strict=True)] == [True] * len(data)
    assert len({some.index(s) for s, some in zip(said, sentences, strict=True)}) > 2, "not always the first"


def test_factors_are_those_of_the_picture():
    for world in ("scenes", "faces"):
        data = pictures(world)
        f = data.truth.world.factors(np.array([int(n) for n in data.names]))
        found = fields(world, "factors")
        assert set(found) == {"image", *data.truth.factors}
        for name, values in data.truth.factors.items():
            assert found[name].dtype == (torch.int64 if values else torch.float32)
            if name != "things":
                assert np.allclose(found[name].numpy(), f[name], rtol=1e-6)
            if values:
                assert found[name].max() < len(values)
    assert set(told(factors={"seed": np.arange(20.0)}).truth.fields) == {"seed"}
    assert "seed_" in Batches(told(factors={"seed": np.arange(20.0)}), view="factors", batch=4).at(0)


def test_the_other_picture_is_of_the_same_person():
    data = pictures("faces")
    f = data.truth.world.factors(np.array([int(n) for n in data.names]))
    found = fields("faces", "people")
    known = {p.tobytes(): i for i, p in enumerate(data.images)}
    other = np.array([known[p.tobytes()] for p in to_bytes(found["other"])])
    assert (other != np.arange(len(data))).all()
    assert np.array_equal(f["identity"][other], found["identity"].numpy())
    for name in ("yaw", "pitch", "age", "expression"):
        assert np.allclose(found[name], f[name], rtol=1e-6) and np.allclose(
            found[f"other_{name}"], f[name][other], rtol=1e-6
        )
    alone = told(factors={"identity": np.array([0, 0, *range(1, 19)])})
    assert Batches(alone, view="people", batch=2).rows.tolist() == [0, 1]
    with pytest.raises(UserError, match="no two pictures of one person"):
        Batches(told(factors={"identity": np.arange(20)}), view="people")


def test_domains_and_pairs_of_a_source():
    kept = told(factors={"domain": (np.arange(20) % 4 == 1).astype(np.int64)})
    its = Batches(kept, view="unpaired", batch=5)
    batch = its.at(0)
    assert its.rows.tolist() == [i for i in range(20) if i % 4 != 1] and "hidden" not in batch
    assert {int(v) % 4 for v in to_bytes(batch.image)[:, 0, 0, 0]} == {1}
    pairs = told(get={"source": told().images + 100})
    paired = Batches(pairs, view="paired", batch=5).at(0)
    assert np.array_equal(to_bytes(paired.source), to_bytes(paired.image) + 100)
    apart = Batches(pairs, view="unpaired", batch=5).at(0)
    assert np.array_equal(to_bytes(apart.source), to_bytes(apart.hidden) + 100)
    its = Batches(pairs, view="unpaired", batch=5)
    assert set(to_bytes(its.at(0).image)[:, 0, 0, 0].tolist()) <= set(its.survey.tolist())
    with pytest.raises(UserError, match="20 pictures of told leave none for one of two domains"):
        Batches(told(factors={"domain": np.zeros(20, np.int64)}), view="unpaired")


@pytest.mark.parametrize(("world", "view"), [s for s in SERVED if s[1] not in ("factors", "caption", "people")])
def test_what_is_mirrored_is_mirrored_everywhere(world, view):
    straight, turned = (fields(world, view, np.arange(5), flip) for flip in (False, True))
    for name, value in straight.items():
        expected = value.flip(-1) if value.ndim > 2 else value
        if name in ("motion", "back", "normals"):
            expected = expected * torch.tensor([-1, 1, 1] if name == "normals" else [-1, 1]).view(-1, 1, 1)
        if name == "jitter":
            expected = value * torch.tensor([-1, 1])
        if name not in ("keypoints", "boxes"):
            assert torch.equal(turned[name], expected), name


def test_mirrored_boxes_and_keypoints_are_where_things_are():
    for world in ("scenes", "faces"):
        found = fields(world, "keypoints", np.arange(12), True, 24, 64)
        instance = fields(world, "maps", np.arange(12), True, 24, 64)["instance"].numpy()
        boxes = Rendered(None, instance=instance).boxes(found["boxes"].shape[1])
        assert np.allclose(found["boxes"], boxes, atol=1e-6, equal_nan=True) and (~np.isnan(boxes)).any()
    points = dict(zip(LANDMARKS, found["keypoints"].unbind(1), strict=True))
    for part in ("brow outer", "eye outer", "pupil", "mouth corner", "nostril"):
        assert (points[f"left {part}"][:, 0] < points[f"right {part}"][:, 0]).all()
    assert mirror(("left eye", "beak", "right eye", "left wing")) == [2, 1, 0, 3]


def test_mirrored_normals_are_those_of_the_mirrored_depth():
    data = pictures("scenes", 12, 128)
    found = data.truth.get(["semantic", "instance", "depth"], data.names, 128)
    turned = fields("scenes", "normals", flip=True, n=12, size=128)["normals"]
    seen = Rendered(None, **{k: v[..., ::-1] for k, v in found.items()}, normals=np.moveaxis(turned.numpy(), 1, -1))
    assert np.quantile(worlds_truth.normals_from_depth(seen), 0.01) > 0.995


def test_mirrored_people_look_the_other_way():
    straight, turned = (fields("faces", "people", np.arange(9), flip) for flip in (False, True))
    for name in ("yaw", "other_yaw"):
        assert torch.equal(turned[name], -straight[name])
    for name in ("pitch", "age", "other_expression", "identity"):
        assert torch.equal(turned[name], straight[name])
    assert torch.equal(turned["other"], straight["other"].flip(-1))


def test_mirrored_pictures_have_no_sentence_of_left_and_right():
    said = {i: ["it looks left", "it is on the RIGHT", f"bright {i}"] if i % 2 else ["to the left"] for i in range(20)}
    data = told(captions=said)
    data.images[:, :, 0] = 200
    for step in range(4):
        batch = Batches(data, view="caption", batch=20, flip=True, seed=1).at(step)
        turned = to_bytes(batch.image)[:, 0, 0, 0] != 200
        sentences = decode(batch.caption.numpy())
        assert turned.any() and all(s.startswith("bright") for s, t in zip(sentences, turned, strict=True) if t)
        assert any("left" in s and "to" not in s for s in sentences)


def test_grey_pictures_have_grey_fields():
    data = some("scenes", 6, 16, channels=1)
    for view in ("clips", "objects", "unpaired-night", "paired-map", "paired-edges", "paired-night"):
        rows = VIEWS[view].rows(data)
        survey = VIEWS[view].survey(data, 1, 0) if VIEWS[view].survey else None
        draw = Draw(
            rows, lambda pool, rows=rows: np.resize(pool, len(rows)), np.zeros(len(rows), np.uint64), survey=survey
        )
        found = VIEWS[view].fields(data, draw)
        assert {v.shape[1] for k, v in found.items() if k in ("image", "source", "hidden", "empty", "background")} == {
            1
        }
    assert np.array_equal(to_bytes(VIEWS["clips"].fields(data, draw)["clip"][:, 0]), data.images[rows])


@pytest.mark.parametrize("view", [v for v, its in VIEWS.items() if its.needs or v in ("factors", "labelled")])
def test_what_a_source_cannot_show_is_said_in_one_line(view):
    bare = told()
    bare = Pictures(bare.images, bare.labels, (), bare.names, (), (), "", "somewhere.zip")
    with pytest.raises(UserError) as e:
        Batches(bare, view=view)
    message = str(e.value)
    assert "somewhere.zip" in message and repr(view) in message and "\n" not in message
    if its := VIEWS[view].needs:
        assert repr(its[0]) in message


def test_a_world_says_which_world_has_what_it_lacks():
    with pytest.raises(UserError, match=r"scenes cannot be seen as 'people'.*'identity'; faces has: --data faces"):
        Batches(pictures("scenes"), view="people")
    with pytest.raises(UserError, match=r"faces cannot be seen as 'unpaired-night'.*'day'; scenes has"):
        Batches(pictures("faces"), view="unpaired-night")

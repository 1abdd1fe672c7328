"""Sheets show what a view holds: the right pixels in the right colours, and say what the colours mean."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.views.worlds_pictures import SERVED, some, told
from sfumato.data.batches import Batches
from sfumato.data.pictures import to_bytes
from sfumato.data.prepare import prepare
from sfumato.data.views import VIEWS
from sfumato.errors import UserError
from sfumato.tasks.data import inspect
from sfumato.tasks.pages import shades
from sfumato.tasks.pages.legends import fastest, legends
from sfumato.tasks.pages.paper import MARGIN, PAPER, card, font
from sfumato.tasks.pages.sheet import sheet

pictures = cache(some)
DOCS = Path(__file__).parents[3] / "docs"


def found_in(page, cell):
    """Whether a picture stands somewhere on a page, pixel for pixel."""
    page, cell = np.asarray(page.convert("RGB")), np.asarray(cell)
    h, w = cell.shape[:2]
    corners = np.argwhere((page[: -h + 1, : -w + 1] == cell[0, 0]).all(axis=-1))
    return any(np.array_equal(page[y : y + h, x : x + w], cell) for y, x in corners)


@pytest.mark.parametrize(("world", "view"), [s for s in SERVED if s[0] == "scenes" or s[1] in ("people", "clips")])
def test_every_view_can_be_shown_and_shows_its_pictures(world, view):
    data = pictures(world, 24, 80)
    page = sheet(data, view, 2, seed=1)
    batch = Batches(data, view=view, batch=2, seed=1).at(0)
    for name in ("image", "source", "hidden", "background", "empty"):
        if name in batch and batch.fields[name].ndim == 4:
            assert found_in(page, to_bytes(batch.fields[name])[1]), name
    assert np.asarray(page)[:MARGIN].min() == 255, "a white margin"


@pytest.mark.parametrize("view", ["few-shot", "few-shot-seen"])
def test_examples_stand_beside_what_they_are_examples_for(view):
    data = prepare("shapes", size=80)
    page, batch = sheet(data, view, 2, seed=1), Batches(data, view=view, batch=2, seed=1).at(0)
    for name in ("source", "image", "other"):
        assert all(found_in(page, cell) for cell in to_bytes(batch.fields[name])), name


def test_a_small_field_is_as_large_as_its_picture():
    data = pictures("scenes", 24, 80)
    low = to_bytes(Batches(data, view="superres-x4", batch=2).at(0).low)[1]
    assert found_in(sheet(data, "superres-x4", 2), low.repeat(4, axis=0).repeat(4, axis=1))


def test_small_pictures_are_enlarged():
    data = pictures("scenes", 24, 16)
    batch = Batches(data, view="maps", batch=2).at(0)
    cell = data.truth.palette[batch.semantic[1].numpy()].repeat(5, axis=0).repeat(5, axis=1)
    assert found_in(sheet(data, "maps", 2), cell)


def test_people_stand_in_rows_by_the_way_they_look():
    data = pictures("faces", 24, 80)
    page = sheet(data, "people", 24)
    assert page.width > 4 * 80 and page.height > 6 * 80, "six people of four pictures each"
    who = data.truth.factor("identity", data.names)
    same = np.flatnonzero(who == who[0])
    order = same[np.argsort(data.truth.factor("yaw", [data.names[i] for i in same]))]
    page = np.asarray(page)
    places = [
        next((x, y) for y, x in np.argwhere((page == data.images[i][0, 0]).all(axis=-1))
             if np.array_equal(page[y : y + 80, x : x + 80], data.images[i]))
        for i in order
    ]  # fmt: skip
    assert [x for x, _ in places] == sorted(x for x, _ in places) and len({y for _, y in places}) == 1


def test_keypoints_and_boxes_are_drawn_where_they_are():
    data = pictures("faces", 24, 128)
    batch = Batches(data, view="keypoints", batch=1).at(0)
    plain, marked = to_bytes(batch.image)[0], np.asarray(sheet(data, "keypoints", 1))
    top = np.argwhere([np.array_equal(marked[y : y + 128, MARGIN : MARGIN + 128], plain) for y in range(90)])[0, 0]
    beside = marked[top : top + 128, MARGIN + 128 + 8 : MARGIN + 256 + 8]
    for x, y in (batch.keypoints[0] * 128).int().tolist():
        assert beside[y, x].tolist() == [230, 60, 60]
    x0, y0, x1, _ = (batch.boxes[0, 0] * 128).int().tolist()
    assert (beside[y0, x0:x1] == beside[y0, x0]).all(axis=-1).mean() > 0.8
    assert (beside != plain).any(axis=-1).mean() < 0.2


def test_depth_is_dark_where_it_is_far():
    drawn = shades.depth(torch.linspace(-1, 1, 50).view(1, 1, 1, -1))[0, 0].astype(int)
    assert drawn[0].tolist() == shades.FAR_TO_NEAR[0].tolist() and drawn[-1].tolist() == shades.FAR_TO_NEAR[-1].tolist()
    assert (np.diff(drawn.sum(axis=1)) >= 0).all()


def test_motion_has_the_colour_of_its_direction():
    arrows = torch.tensor([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]).view(5, 2, 1, 1)
    up, right, down, left, still = shades.motion(arrows, 1.0)[:, 0, 0].astype(int)
    assert up.tolist() == [248, 0, 0] and still.tolist() == [248, 248, 248]
    assert (up + down).tolist() == (right + left).tolist() == [248] * 3, "opposite directions have opposite colours"
    assert (shades.motion(arrows * 0.5, 1.0)[:4] >= shades.motion(arrows, 1.0)[:4]).all()
    assert np.array_equal(shades.motion(arrows * 7, 1.0), shades.motion(arrows, 1.0))


def test_maps_have_the_colours_of_their_legend():
    data = pictures("scenes", 24, 32)
    batch = Batches(data, view="maps", batch=3).at(0)
    shown = shades.classes(batch.semantic, data.truth.palette)
    (legend,) = legends(batch, data.truth)
    colours = set(map(tuple, np.asarray(legend).reshape(-1, 3).tolist()))
    assert set(map(tuple, shown.reshape(-1, 3).tolist())) <= colours
    assert shades.classes(torch.tensor([[[255]]]), data.truth.palette)[0, 0, 0].tolist() == list(shades.GREY)
    objects = shades.objects(torch.arange(13)[None, None])[0, 0]
    assert objects[0].tolist() == list(shades.GREY) and len(np.unique(objects, axis=0)) == 13


def test_normals_and_edges():
    directions = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]).view(4, 3, 1, 1)
    assert shades.normals(directions)[:3, 0, 0].tolist() == [[255, 128, 128], [128, 255, 128], [128, 128, 255]]
    assert shades.normals(directions)[3, 0, 0].tolist() == list(shades.GREY)
    assert shades.edges(torch.tensor([[[[1.0, -1.0]]]]))[0, 0].tolist() == [list(shades.INK), list(shades.PAPER)]


def test_the_scale_of_motion_is_that_of_the_fastest():
    batch = Batches(pictures("faces", 24, 32), view="clips", batch=2).at(0)
    speed = batch.motion.square().sum(dim=2).sqrt()
    assert fastest(batch) == pytest.approx(max(0.5, float(speed.quantile(0.995))), rel=0.05)
    assert len(legends(batch, pictures("faces", 24, 32).truth)) == 2


def test_text_is_wrapped_to_the_width_of_its_card():
    image = Image.new("RGB", (90, 90), (0, 0, 0))
    short, long = (card(image, ["word " * k], 90) for k in (1, 40))
    assert short.width == long.width == 90 and long.height > short.height > 90
    assert (np.asarray(long)[:, -1][90:] == 255).mean() > 0.9
    assert font(12).getlength("word") > 0 and np.asarray(short)[-1].tolist() == [list(PAPER)] * 90


def test_inspect_shows_a_view(tmp_path, capsys):
    for k in range(4):
        for side in "AB":
            path = tmp_path / "pairs" / side / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 24), (200 * (side == "A"), 60 * k, 40)).save(path)
    inspect(tmp_path / "pairs", show=tmp_path / "new" / "view.png", view="paired", size=20, n=3)
    page = Image.open(tmp_path / "new" / "view.png")
    assert "4 usable pictures" in capsys.readouterr().out
    shown = [k for k in range(4) if found_in(page, np.full((80, 80, 3), (200, 60 * k, 40), np.uint8))]
    assert shown == [k for k in range(4) if found_in(page, np.full((80, 80, 3), (0, 60 * k, 40), np.uint8))]
    assert len(shown) == 3
    with pytest.raises(UserError, match=r"Add --show paired\.png"):
        inspect(tmp_path / "pairs", view="paired")
    with pytest.raises(UserError, match="cannot be seen as 'people'"):
        inspect(tmp_path / "pairs", show=tmp_path / "x.png", view="people")
    with pytest.raises(LookupError, match="did you mean paired"):
        inspect(tmp_path / "pairs", show=tmp_path / "x.png", view="pared")
    assert not (tmp_path / "x.png").exists()


def test_other_fields_of_a_source_are_shown_by_name():
    data = told(size=80, factors={"weight": np.arange(20.0), "identity": np.arange(20) // 2})
    assert (
        sheet(data, "factors", 3).height
        > sheet(told(size=80, factors={"weight": np.arange(20.0)}), "factors", 3).height
    )
    assert sheet(data, "people", 3).height > 100


def test_the_page_of_views_is_what_its_script_writes():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    assert (DOCS / "views.md").read_text(encoding="utf-8") == gallery.page(), "run python docs/gallery.py"
    assert all(path.stat().st_size <= 150_000 for path in (DOCS / "views").glob("*.png"))
    shown = {view for group in gallery.GROUPS.values() for view in group}
    assert shown | {"image", "semi"} == set(VIEWS)

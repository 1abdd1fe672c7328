"""Clips: the ways of codes, that they close, and what is in the files."""

from math import pi

import numpy as np
import pytest
import torch
from PIL import Image

from command import call
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.tasks.editing import clips
from sfumato.tasks.model import Facts, Model


@pytest.fixture
def model():
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    return Model(system.eval(), Facts("cats", 16, 3, (), "image"))


def test_slerp_turns_evenly():
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([0.0, 2, 0])
    t = torch.linspace(0, 1, 5)
    expected = torch.stack([2 * (t * pi / 2).cos(), 2 * (t * pi / 2).sin(), torch.zeros(5)], 1)
    torch.testing.assert_close(clips.slerp(a, b, t), expected)
    torch.testing.assert_close(clips.slerp(a, a, t), a.expand(5, 3))
    torch.testing.assert_close(clips.slerp(a, -a, t)[2], torch.zeros(3))


@pytest.mark.parametrize("space", ["z", "w"])
def test_a_walk_meets_its_stops_and_closes(space):
    stops = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    path = clips.between(stops, 10, space)
    torch.testing.assert_close(path[::10], stops)
    steps = (path.roll(-1, 0) - path).norm(dim=1)
    assert steps.max() < 0.2 * (stops - stops.roll(-1, 0)).norm(dim=1).max()


def test_a_swing_goes_to_both_sides_and_back():
    code, change = torch.ones(1, 2, 3), torch.ones(2, 3)
    path = clips.along(code, change, 8)
    torch.testing.assert_close(path[:, 0, 0], 1 + (torch.arange(8) * pi / 4).sin())


@pytest.mark.parametrize("name", ["walk.gif", "walk.mp4"])
def test_files(model, tmp_path, capsys, name):
    model.save(tmp_path / "m.safetensors")
    path = tmp_path / name
    call(capsys, "clip", tmp_path / "m.safetensors", 0, 1, "--frames", 3, "--rate", 10, "--out", path, "--space", "w")
    first = np.asarray(
        Image.fromarray(model.sample(1)[0].permute(1, 2, 0).add(1).mul(127.5).byte().numpy()).resize((256, 256), 0)
    )
    if name.endswith("gif"):
        with Image.open(path) as film:
            assert film.n_frames == 6 and film.info["duration"] == 100 and film.info["loop"] == 0
            shown = np.asarray(film.convert("RGB"))
    else:
        av = pytest.importorskip("av")
        with av.open(str(path)) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            assert len(frames) == 6 and film.streams.video[0].average_rate == 10
            shown = frames[0]
    assert shown.shape == (256, 256, 3)
    assert np.abs(shown.astype(float) - first).mean() < 12


@pytest.mark.parametrize(
    ("stops", "options"),
    [([0], {}), ([0, 1], {"directions": {"sefa0": 1.0}}), ([0, 1], {"out": "x.avi"}), ([0, 1], {"frames": 1})],
)
def test_what_makes_no_clip(model, stops, options):
    with pytest.raises(UserError):
        clips.clip(model, stops, **options)

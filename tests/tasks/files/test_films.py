"""Films: what is kept of them, and that a stopped command goes on as if it had never stopped."""

import csv
import os
import signal
import subprocess
import sys
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import sfumato
from command import execute
from sfumato.data.decode import BrokenError
from sfumato.errors import UserError
from sfumato.tasks import upscale as verb
from sfumato.tasks.files import films as page
from sfumato.tasks.files.reels import Shot, is_film, reel, shots

av = pytest.importorskip("av", reason="films need PyAV")
REAL = Path(__file__).parents[4] / "shared" / "data" / "motion" / "mv" / "vid_h264.mp4"
TIMES = [0, 40, 80, 200, 210, 400, 440]  # milliseconds, at no steady rate


def scene(k, h=32, w=48):
    """A square that wanders over a ramp: (h, w, 3) bytes."""
    picture = np.zeros((h, w, 3), np.uint8)
    picture[..., 0] = np.linspace(30, 220, w)
    picture[..., 1] = np.linspace(220, 60, h)[:, None]
    picture[8:16, 3 * k : 3 * k + 8] = 200, 40, 60
    return picture


def film(path, frames, times=None, *, unit=Fraction(1, 1000), sound=None, matrix=1, rotation=0):
    """A film of these pictures, by default of 25 a second."""
    times = [40 * k for k in range(len(frames))] if times is None else times
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        stream.time_base = stream.codec_context.time_base = unit
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1
        noise = container.add_stream(sound, rate=48_000) if sound else None
        for at, pixels in zip(times, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
            frame.pts, frame.time_base = at, unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if noise is not None:
            for k in range(20):
                tone = np.sin(np.arange(960) / 9 + 960 * k / 9).astype(np.float32)
                part = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
                part.sample_rate, part.pts, part.time_base = 48_000, 960 * k, Fraction(1, 48_000)
                container.mux(noise.encode(part))
            container.mux(noise.encode())
    return path


def decoded(path):
    """Times from the first frame on, milliseconds, and the pictures."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(stream)]
    return [float((at - frames[0][0]) * 1000) for at, _ in frames], [pixels for _, pixels in frames]


def sounds(path):
    """The bytes of every packet of sound, and the coder's name."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [bytes(p) for p in container.demux(stream) if p.size], stream.codec_context.name


@pytest.fixture(autouse=True)
def _no_weights(tmp_path_factory, monkeypatch):
    from sfumato.tasks.enlarging import method

    monkeypatch.setattr(method.pretrained, "__file__", str(tmp_path_factory.mktemp("weights") / "__init__.py"))


@pytest.fixture
def walk(tmp_path):
    return film(tmp_path / "walk.mp4", [scene(k) for k in range(7)], TIMES, sound="aac")


def near(found, expected, most=3.0):
    """Pictures alike but for what the coder loses."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(float) - expected).mean() < most


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_film_keeps_its_times_its_sound_and_its_colours(tmp_path, walk, ending):
    out = sfumato.upscale(walk, out=tmp_path / f"large{ending}")
    times, frames = decoded(out)
    assert times == TIMES
    assert [f.shape for f in frames] == [(64, 96, 3)] * 7
    near(frames[3], np.asarray(Image.fromarray(scene(3)).resize((96, 64), Image.Resampling.BICUBIC)), 5.0)
    assert sounds(out) == sounds(walk)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"large{ending}", "walk.mp4"]


@pytest.mark.parametrize("matrix", [1, 5])
def test_colours_are_those_that_the_film_says(tmp_path, matrix):
    flat = np.full((32, 32, 3), (210, 30, 70), np.uint8)
    out = sfumato.upscale(film(tmp_path / "a.mp4", [flat] * 2, matrix=matrix), out=tmp_path / "b.mp4")
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == matrix and frame.color_range == 1
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - flat[0, 0]).max() <= 4


def test_without_h264_it_is_mpeg4_whose_clock_is_coarser(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "CODERS", {"absent": {}, "mpeg4": page.CODERS["mpeg4"]})
    source = film(tmp_path / "a.mp4", [scene(k) for k in range(4)], [0, 3003, 6006, 9009], unit=Fraction(1, 90_000))
    out = sfumato.upscale(source, scale=1.5, out=tmp_path / "b.mp4")
    times, frames = decoded(out)
    assert times == pytest.approx([0, 33.367, 66.733, 100.1], abs=0.01)
    near(frames[2], np.asarray(Image.fromarray(scene(2)).resize((72, 48), Image.Resampling.BICUBIC)), 5.0)


def test_odd_sides_are_made_even_by_a_row_that_is_there_twice(tmp_path):
    gif(tmp_path / "a.gif", [scene(k, 11, 13) for k in range(3)], 50)
    _, frames = decoded(sfumato.upscale(tmp_path / "a.gif", scale=1, out=tmp_path / "b.mp4"))
    assert frames[0].shape == (12, 14, 3)


def gif(path, frames, duration):
    pictures = [Image.fromarray(f) for f in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0)
    return path


def moving(path):
    with Image.open(path) as image:
        frames = [(f.info.get("duration"), np.asarray(f.convert("RGB"))) for f in ImageSequence.Iterator(image)]
    return [d for d, _ in frames], [pixels for _, pixels in frames]


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_moving_pictures_stay_as_they_were_timed(tmp_path, ending):
    source = gif(tmp_path / f"a.{ending}", [scene(k) for k in range(4)], [50, 120, 70, 200])
    assert is_film(source)
    lasting, frames = moving(sfumato.upscale(source, out=tmp_path / "b.gif"))
    assert lasting == [50, 120, 70, 200] and frames[0].shape == (64, 96, 3)
    near(frames[2], np.asarray(Image.fromarray(scene(2)).resize((96, 64), Image.Resampling.BICUBIC)), 12.0)
    times, _ = decoded(sfumato.upscale(source, out=tmp_path / "b.mp4"))
    assert times == [0, 50, 170, 240]
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.duration == 440_000, "the last frame lasts as long as it did"


def test_what_is_seen_through_in_a_gif_stays_so(tmp_path):
    frames = []
    for k in range(3):
        pixels = np.zeros((16, 16, 4), np.uint8)
        pixels[4:12, 2 * k : 2 * k + 6] = 250, 10, 10, 255
        frames.append(Image.fromarray(pixels))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=60, disposal=2)
    with Image.open(sfumato.upscale(tmp_path / "a.gif", out=tmp_path / "b.gif")) as image:
        found = [np.asarray(f.convert("RGBA")) for f in ImageSequence.Iterator(image)]
    assert [int(f[16, 2, 3]) for f in found] == [255, 0, 0] and [int(f[16, 13, 3]) for f in found] == [0, 255, 255]


def test_a_film_becomes_frames_with_their_times(tmp_path, walk, capsys):
    out = sfumato.upscale(walk, out=tmp_path / "frames")
    names = sorted(p.name for p in out.iterdir())
    assert names == [*(f"{k:06}.png" for k in range(7)), "frames.csv", "upscale.json"]
    with (out / "frames.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert [round(1000 * float(row["seconds"])) for row in rows] == TIMES
    assert "its sound is left out" in capsys.readouterr().err
    with Image.open(out / "000003.png") as image:
        near(np.asarray(image), np.asarray(Image.fromarray(scene(3)).resize((96, 64), Image.Resampling.BICUBIC)))


def test_a_film_of_a_folder_lies_where_it_was(tmp_path, walk):
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    walk.rename(folder / "walk.mp4")
    gif(folder / "a.gif", [scene(k) for k in range(2)], 50)
    Image.fromarray(scene(0)).save(folder / "b.gif")
    (folder / "bad.mkv").write_bytes(b"no film")
    out = sfumato.upscale(tmp_path / "in", out=tmp_path / "out")
    names = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert names == ["skipped.csv", "sub/a.gif", "sub/b.gif.png", "sub/walk.mp4", "upscale.json"]
    assert "bad.mkv" in (out / "skipped.csv").read_text()


@pytest.mark.parametrize("name", ["large.mp4", "large.gif", "frames"])
@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_a_stopped_command_goes_on_and_ends_as_if_it_had_not_been(tmp_path, walk, monkeypatch, name, after):
    monkeypatch.setattr(page, "PART", 2)
    whole, out = tmp_path / "whole" / name, tmp_path / "stopped" / name
    sfumato.upscale(walk, out=whole)
    enlarge, done = verb.enlarge, []

    def stopping(*given, **options):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(1)
        return enlarge(*given, **options)

    monkeypatch.setattr(verb, "enlarge", stopping)
    with pytest.raises(KeyboardInterrupt):
        sfumato.upscale(walk, out=out)
    assert not out.is_file()
    done.clear()
    monkeypatch.setattr(verb, "enlarge", lambda *given, **options: (done.append(1), enlarge(*given, **options))[1])
    sfumato.upscale(walk, out=out)
    assert len(done) == 7 - (after // 2 * 2 if name == "large.mp4" else after)
    for path in [whole] if whole.is_file() else sorted(whole.iterdir()):
        other = out if whole.is_file() else out / path.name
        assert path.read_bytes() == other.read_bytes(), path.name
    assert sorted(p.name for p in out.parent.iterdir()) == [name]


def test_a_killed_command_goes_on(tmp_path, walk):
    """SIGKILL between two frames; the same command in a new process ends as one that nobody killed."""
    code = (
        "import os, signal, sys, sfumato\n"
        "from sfumato.tasks import upscale as verb\nfrom sfumato.tasks.files import films\n"
        "films.PART, enlarge, done = 2, verb.enlarge, []\n"
        "def dying(*given, **options):\n"
        "    done.append(1)\n"
        "    return os.kill(os.getpid(), signal.SIGKILL) if len(done) > 4 else enlarge(*given, **options)\n"
        "verb.enlarge = dying\n"
        "sfumato.upscale(sys.argv[1], out=sys.argv[2], like='bicubic', quiet=True)\n"
    )
    out = tmp_path / "large.mp4"
    died = subprocess.run([sys.executable, "-c", code, walk, out], env=os.environ, check=False, timeout=100)
    assert died.returncode == -signal.SIGKILL
    assert sorted(p.name for p in (tmp_path / "large.mp4.parts").glob("*.nut")) == ["00000.nut", "00001.nut"]
    page_part, page.PART = page.PART, 2
    try:
        sfumato.upscale(walk, out=out, like="bicubic")
        whole = sfumato.upscale(walk, out=tmp_path / "whole.mp4", like="bicubic")
    finally:
        page.PART = page_part
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.mp4", "walk.mp4", "whole.mp4"]


def test_parts_made_otherwise_are_not_mixed(tmp_path, walk, monkeypatch):
    def stopping(*given, **options):
        raise KeyboardInterrupt

    out = tmp_path / "large.mp4"
    with monkeypatch.context() as patch:
        patch.setattr(verb, "enlarge", stopping)
        with pytest.raises(KeyboardInterrupt):
            sfumato.upscale(walk, out=out)
    with pytest.raises(UserError, match="made with other settings"):
        sfumato.upscale(walk, scale=3, out=out)


def test_a_film_that_breaks_off_gives_none(tmp_path, walk, monkeypatch):
    def breaking(path):
        yield from islice(shots(path), 3)
        raise BrokenError("it ends in the middle")

    monkeypatch.setattr(page, "shots", breaking)
    for name in ("large.mp4", "large.gif"):
        with pytest.raises(UserError, match=r"walk.mp4 can't be read: it ends in the middle"):
            sfumato.upscale(walk, out=tmp_path / name)
        assert not (tmp_path / name).exists()


def test_half_a_film_is_none(tmp_path):
    """Its table of frames comes last, so that nothing of it can be read."""
    source = film(tmp_path / "a.mp4", [scene(k) for k in range(9)])
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(UserError, match=r"a.mp4 can't be read: not a film"):
        sfumato.upscale(source, out=tmp_path / "b.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["walk.mp4", "--out", "b.png"], "films are written as .mp4, .mkv, .gif, or a folder of frames"),
        (["walk.mp4", "--out", "b.avi"], "films are written as .mp4"),
        (["walk.mp4", "--out", "walk.mp4"], "is the film itself"),
        (["still.png", "--out", "b.mp4"], "pictures are written as .png"),
    ],
)
def test_a_mistake_is_one_line(words, line, capsys, tmp_path, walk, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene(0)).save("still.png")
    code, _, said = execute(capsys, "upscale", *words)
    last = said.splitlines()[-1]
    assert code == 1 and last.startswith("sfumato: ") and line in last, said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["still.png", "walk.mp4"]


def test_names_that_nobody_gave(tmp_path, walk, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert execute(capsys, "upscale", "walk.mp4", "--quiet")[1].strip() == "walk-x2.mp4"
    Path("films").mkdir()
    assert execute(capsys, "upscale", "walk.mp4", "--out", "films")[1].strip() == str(Path("films/walk.mp4"))
    gif(tmp_path / "a.gif", [scene(k) for k in range(2)], 50)
    assert execute(capsys, "upscale", "a.gif")[1].strip() == "a-x2.gif"
    assert execute(capsys, "upscale", "a.gif", "--out", "a.png")[1].strip() == "a.png", "its first frame"


@pytest.mark.skipif(not REAL.exists(), reason="the film of ../shared/data/motion is absent")
def test_a_real_film(tmp_path, monkeypatch):
    about = reel(REAL)
    assert about.count > 5 and about.rate and about.end
    given = [Shot(shot.at, partial(lambda photo: photo, shot.read())) for shot in islice(shots(REAL), 3)]
    monkeypatch.setattr(page, "shots", lambda path: iter(given))
    times, frames = decoded(sfumato.upscale(REAL, scale=1.5, like="bilinear", out=tmp_path / "b.mp4"))
    expected = [float((s.at - given[0].at) * about.unit * 1000) for s in given]
    assert len(frames) == 3 and times == pytest.approx(expected, abs=0.01)

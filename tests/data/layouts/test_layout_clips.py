"""Films, moving pictures and numbered frames as clips, with the motion that a coder found."""

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sfumato.data.batches import Batches
from sfumato.data.layouts import films
from sfumato.data.layouts.clips import from_code, to_code
from sfumato.data.prepare import prepare
from sfumato.data.truth import FRAMES
from sfumato.errors import UserError

VECTOR = np.dtype(
    {
        "names": ["source", "w", "h", "src_x", "src_y", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale"],
        "formats": ["<i4", "u1", "u1", "<i2", "<i2", "<i2", "<i2", "<i4", "<i4", "<u2"],
    }
)


def shifting(n, w=64, h=48, right=3, down=1):
    """A picture that moves by so many pixels a frame to the right and down: n of (h, w, 3)."""
    rng = np.random.default_rng(0)
    wide = np.asarray(Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).resize((480, 320), Image.BICUBIC))
    return [wide[150 - down * k : 150 - down * k + h, 200 - right * k : 200 - right * k + w] for k in range(n)]


def gif(n, **options):
    first, *others = [Image.fromarray(frame).quantize(64) for frame in shifting(n)]
    return encoded(first, "GIF", save_all=True, append_images=others, **options)


def film(path, pictures, codec="mpeg4", **options):
    av = pytest.importorskip("av", reason="films are read with PyAV, which is not installed")
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=12, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def warped(images, motion):
    """What the next pictures (n, h, w, c) look like when each pixel is fetched from where it will be."""
    n, h, w = motion.shape[:3]
    y, x = np.mgrid[:h, :w]
    x = np.clip(np.rint(x + motion[..., 0]), 0, w - 1).astype(int)
    y = np.clip(np.rint(y + motion[..., 1]), 0, h - 1).astype(int)
    return images[np.arange(n)[:, None, None], y, x]


def psnr(a, b):
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b.astype(float)).mean()))


def vectors(*some):
    """(source, w, h, dst x, dst y, to the reference x, y) in whole pixels."""
    rows = [(s, w, h, x + mx, y + my, x, y, 4 * mx, 4 * my, 4) for s, w, h, x, y, mx, my in some]
    return np.array(rows, VECTOR)


def test_a_moving_gif(tmp_path):
    (tmp_path / "walk.gif").write_bytes(gif(12))
    (tmp_path / "still.gif").write_bytes(encoded(photo(), "GIF"))
    got = prepare(tmp_path, size=16, view="clips")
    assert got.names == tuple(f"walk.gif#{k:05}" for k in range(12 - FRAMES + 1))
    clip = got.truth.get(["clip"], got.names, 16)["clip"]
    assert clip.shape == (5, FRAMES, 16, 16, 3) and (clip[:, 0] == got.images).all()
    assert (clip[0, 1:] == clip[1, :-1]).all() and not (clip[0, 0] == clip[0, 1]).all()
    assert got.truth.get(["clip"], got.names, 4)["clip"].shape == (5, FRAMES, 4, 4, 3)
    batch = Batches(got, view="clips", batch=3).at(0)
    assert batch.clip.shape == (3, FRAMES, 3, 16, 16) and batch.low.shape == (3, FRAMES, 3, 4, 4)
    assert "motion" not in batch and "H.264" in got.truth.lacks("motion")


def test_the_ends_of_clips_stand_still(tmp_path):
    (tmp_path / "a.gif").write_bytes(gif(FRAMES + 1))
    (tmp_path / "b.gif").write_bytes(gif(FRAMES + 1))
    got = prepare(tmp_path, size=8, view="clips")
    last = f"a.gif#{FRAMES:05}"
    assert last not in got.names
    clip = got.truth.get(["clip"], [last], 8)["clip"][0]
    assert (clip == clip[0]).all()


def test_a_moving_webp_with_transparency(tmp_path):
    frames = [Image.fromarray(np.uint8(np.full((8, 8, 4), 255) * [1, 0, 0, k % 2])) for k in range(FRAMES)]
    (tmp_path / "a.webp").write_bytes(
        encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    )
    got = prepare(tmp_path, size=8, view="clips")
    clip = got.truth.get(["clip"], got.names, 8)["clip"][0]
    assert [tuple(frame[4, 4].tolist()) for frame in clip[:2]] == [(255, 255, 255), (255, 0, 0)]


def test_numbered_frames_in_folders(tmp_path):
    for split, clip in (("train", "walk"), ("train", "run"), ("test", "swim")):
        folder = tmp_path / split / clip
        folder.mkdir(parents=True)
        for k, frame in enumerate(shifting(FRAMES + 2), 9):
            Image.fromarray(frame).save(folder / f"frame{k}.png")
    (tmp_path / "train/cover.png").write_bytes(encoded(photo()))
    got = prepare(tmp_path, size=8, view="clips")
    assert [name.split("/")[1:] for name in got.names] == [
        [c, f"frame{k}.png"] for c in ("run", "walk") for k in (9, 10, 11)
    ]
    clip = got.truth.get(["clip"], ["train/walk/frame10.png"], 8)["clip"][0]
    assert (clip[0] == got.images[4]).all()
    assert prepare(tmp_path, size=8, view="clips", split="test").names[0] == "test/swim/frame9.png"


def test_a_gap_in_the_numbers_ends_a_clip(tmp_path):
    for k, frame in enumerate(shifting(2 * FRAMES)):
        Image.fromarray(frame).save(tmp_path / f"{k:03}.png")
    (tmp_path / f"{FRAMES - 1:03}.png").unlink()
    got = prepare(tmp_path, size=8, view="clips")
    assert got.names == (f"{FRAMES:03}.png",)
    assert dict(got.skipped) == {"000.png": f"{FRAMES - 1} frames, where a clip has at least {FRAMES}"}


def test_a_broken_frame_ends_a_clip(tmp_path):
    for k, frame in enumerate(shifting(2 * FRAMES)):
        Image.fromarray(frame).save(tmp_path / f"{k:03}.png")
    (tmp_path / "010.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    got = prepare(tmp_path, size=8, view="clips")
    clip = got.truth.get(["clip"], ["004.png"], 8)["clip"][0]
    assert (clip[5:] == clip[5]).all() and not (clip[4] == clip[5]).all()


def test_what_is_no_film_is_listed(tmp_path):
    film(tmp_path / "a.mp4", shifting(FRAMES + 2))
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:500])
    (tmp_path / "c.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    (tmp_path / "d.gif").write_bytes(gif(3))
    got = prepare(tmp_path, size=8, view="clips")
    assert [name.split("#")[0] for name in got.names] == ["a.mp4"] * 3
    reasons = dict(got.skipped)
    assert reasons["d.gif"] == f"3 frames, where a clip has at least {FRAMES}"
    assert all(reasons[name].startswith("not a film that can be decoded") for name in ("b.mp4", "c.mp4"))


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_motion_vectors_say_how_a_film_moves(tmp_path, codec):
    options = {"bf": "0"} if codec == "mpeg4" else {"preset": "fast"}
    film(tmp_path / "a.mp4", shifting(FRAMES + 6), codec, **options)
    got = prepare(tmp_path, size=48, view="clips")
    found = got.truth.get(["clip", "motion"], got.names[:3], 48)
    motion = found["motion"]
    assert motion.shape == (3, FRAMES, 48, 48, 2) and motion.dtype == np.float32
    inner = motion[:, :-1, 8:-8, 8:-8]
    assert np.abs(np.median(inner[..., 0]) - 3) < 0.3 and np.abs(np.median(inner[..., 1]) - 1) < 0.3
    now, then = found["clip"][1, :-1], found["clip"][1, 1:]
    assert psnr(warped(then, motion[1, :-1]), now) > psnr(then, now) + 5
    batch = Batches(got, view="clips", batch=2).at(0)
    assert batch.motion.shape == (2, FRAMES, 2, 48, 48)


def test_motion_is_in_pixels_of_the_square(tmp_path):
    film(tmp_path / "a.mp4", shifting(FRAMES + 2), bf="0")
    small, large = (prepare(tmp_path, size=size, fit="fit", view="clips") for size in (16, 96))
    for got, size in ((small, 16), (large, 96)):
        motion = got.truth.get(["motion"], got.names[:1], size)["motion"][
            0, 2, size // 4 : -size // 4, size // 4 : -size // 4
        ]
        np.testing.assert_allclose(np.median(motion, (0, 1)), [3 * size / 64, size / 48], atol=0.02 * size)


def test_the_last_frame_of_a_film_goes_nowhere(tmp_path):
    film(tmp_path / "a.mp4", shifting(FRAMES), bf="0")
    got = prepare(tmp_path, size=16, view="clips")
    motion = got.truth.get(["motion"], got.names, 16)["motion"]
    assert motion.shape[0] == 1 and not motion[0, -1].any() and motion[0, 0].any()


def test_films_without_vectors_and_moving_pictures_have_no_motion(tmp_path):
    film(tmp_path / "a.mp4", shifting(FRAMES))
    assert "motion" in prepare(tmp_path, size=8, view="clips").truth.fields
    (tmp_path / "b.gif").write_bytes(gif(FRAMES))
    assert "motion" not in prepare(tmp_path, size=8, view="clips").truth.fields
    (tmp_path / "b.gif").unlink()
    (tmp_path / "a.mp4").unlink()
    film(tmp_path / "a.mkv", shifting(FRAMES), "ffv1")
    assert "motion" not in prepare(tmp_path, size=8, view="clips").truth.fields


def test_a_vector_points_from_a_block_to_its_reference():
    """A block of 8×8 at 16…24 was 4 pixels farther left and 2 farther up in the frame before: it moved right, down."""
    x = y = np.arange(32)
    motion = films.forward_motion(vectors((-1, 8, 8, 20, 20, -4, -2)), x, y, back=1, ahead=1)
    assert (motion[14:22, 12:20] == [4, 2]).all()  # where it was
    assert (motion[16:24, 16:24] == [4, 2]).all()  # where it is, as nothing else came from there
    assert not motion[:14].any() and not motion[24:].any() and not motion[:, :12].any() and not motion[:, 24:].any()


def test_references_farther_back_and_ahead_are_divided_by_their_distance():
    x = y = np.arange(32)
    past = films.forward_motion(vectors((-1, 8, 8, 20, 20, -6, 0)), x, y, back=3, ahead=1)
    assert (past[16:24, 14:22] == [2, 0]).all()
    future = films.forward_motion(vectors((1, 8, 8, 20, 20, -6, 0)), x, y, back=1, ahead=2)
    assert (future[16:24, 19:27] == [-3, 0]).all()
    both = films.forward_motion(vectors((-1, 8, 8, 20, 20, -2, 0), (1, 8, 8, 20, 20, 9, 0)), x, y, back=1, ahead=1)
    assert (both[16:24, 14:22] == [2, 0]).all()  # the past has the last word


def test_blocks_across_the_border_and_sampled_pixels():
    some = vectors((-1, 16, 16, 8, 8, 5, 5), (-1, 16, 8, 24, 28, 0, -8))
    whole = films.forward_motion(some, np.arange(32), np.arange(32), 1, 1)
    x, y = np.array([-3, 1, 9, 20, 31, 40]), np.array([0, 7, 15, 30])
    part = films.forward_motion(some, x, y, 1, 1)
    assert (part[:, 1:5] == whole[np.ix_(y, x[1:5])]).all()


def test_a_film_that_lies_on_its_side_is_turned_with_its_motion():
    motion = np.zeros((2, 3, 2), np.float32)
    motion[0, 2] = 5, 1  # in the upper right corner, to the right and a little down
    left = films.turned(motion, 1)
    assert left.shape == (3, 2, 2) and left[0, 0].tolist() == [1, -5]  # in the upper left, up and a little right
    assert (films.turned(left, 3) == motion).all()
    assert films.turned(motion, -2)[1, 0].tolist() == [-5, -1]


def test_bytes_hold_motion_to_a_4096th_of_the_side():
    motion = np.random.default_rng(0).uniform(-60, 60, (64, 64, 2)).astype(np.float32)
    assert np.abs(from_code(to_code(motion), 64) - motion).max() <= 64 / 4096 + 1e-5
    assert from_code(to_code(np.zeros((8, 8, 2), np.float32)), 8).max() == 0
    assert np.abs(from_code(to_code(np.full((8, 8, 2), 1e6, np.float32)), 8)).max() <= 8


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"sfumato\[video\]"):
        prepare(tmp_path, size=8, view="clips")


def test_pictures_alone_show_what_clips_are(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(photo()))
    with pytest.raises(UserError, match=r"'clips'.*walk\.mp4, walk\.gif, or a folder of numbered frames"):
        Batches(prepare(tmp_path, size=8, view="clips"), view="clips", batch=1)


def test_the_frames_of_a_clip_are_held_out_together(tmp_path):
    for k in range(8):
        (tmp_path / f"{k}.gif").write_bytes(gif(9))
        for i in range(9):
            path = tmp_path / f"walk{k}" / f"f{i:03}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((16, 16, 3), 8 * k + i, np.uint8)).save(path)
    kept, held = (prepare(tmp_path, size=16, view="clips", holdout=0.5, split=s).names for s in ("train", "test"))
    clips = [{name.partition("#")[0].partition("/")[0] for name in names} for names in (kept, held)]
    assert clips[0] and clips[1] and not clips[0] & clips[1]

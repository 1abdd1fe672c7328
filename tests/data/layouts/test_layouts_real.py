"""The layouts on real files of ../shared/data, where they are."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from sfumato.data.decode import Fitting
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source
from sfumato.data.truth import FRAMES


def test_cityscapes_in_pix2pixhds_folders(shared):
    path = shared / "cityscapes_pix2pixHD"
    got = prepare(path, size=128, fit="fit", view="maps")
    assert (got.n, got.skipped) == (4, ())
    assert sum("6 maps of" in note and "have no picture" in note for note in got.notes) == 2
    found = got.truth.get(["semantic", "instance", "edges"], got.names, 128)
    seen = {got.truth.legend[k] for k in np.unique(found["semantic"])}
    assert {"road", "building", "vegetation", "sky", "car", "sidewalk"} <= seen
    objects = {got.truth.legend[k // 1000] for k in np.unique(found["instance"]) if k}
    assert "car" in objects and objects <= {"person", "rider", "car", "bicycle", "motorcycle", "truck", "bus"}
    assert 0.02 < found["edges"].mean() < 0.3


def test_no_number_of_a_real_instance_map_is_lost(shared):
    path = shared / "cityscapes_pix2pixHD"
    name = "aachen_000000_000019_gtFine_instanceIds.png"
    published = np.asarray(Image.open(path / "train_inst" / name)).astype(int)
    got = prepare(path, size=1024, view="maps")
    found = got.truth.get(["instance"], got.names[:1], 1024)["instance"][0]
    assert (found == np.where(published >= 1000, published, 0)[:, 512:1536]).all()


def test_photographs_beside_outlines(shared, tmp_path):
    """The folder is called facades, but holds people: photographs on the left, their outlines on the right."""
    path = shared / "facades_155_paired"
    got = prepare(path, size=64, view="paired", channels=3)
    assert got.n == 155 and any("--channels 3" in note for note in got.notes)
    source = got.truth.get(["source"], got.names, 64)["source"]
    assert (np.ptp(source, axis=-1) > 30).mean() > 0.05 and (np.ptp(got.images, axis=-1) > 30).mean() < 1e-3
    (tmp_path / "val").symlink_to(path / "val")
    (tmp_path / "direction.txt").write_text("BtoA")
    swapped = prepare(tmp_path, size=64, view="paired")
    assert swapped.channels == 3 and (swapped.images == source).all()


def test_one_picture_of_each_domain(shared):
    got = prepare(shared / "cut_single_image", size=32, view="unpaired")
    assert got.n == 2 and got.truth.factor("domain", got.names).tolist() == [0, 1]


def test_omniglot(shared):
    got = prepare(shared / "omniglot_small/python", size=28, view="labelled")
    assert (got.n, len(got.classes), got.channels) == (4840, 242, 1)
    assert Counter(np.bincount(got.labels).tolist()) == {20: 242}
    assert len(got.truth.factors["alphabet"]) == 8 and got.images.mean() > 200  # black on white


def test_every_emoji_has_a_name_of_its_own(shared):
    source = open_source(shared / "noto_emoji_72.tar.gz", "caption")
    names = [item.name for item in source.items(8)]
    said = [some[0] for some in source.truth(Fitting(8)).captions(names)]
    assert len(said) == 3583 and len(set(said)) == 3583
    assert dict(zip(names, said, strict=True))["png/72/emoji_u1f408.png"] == "cat"


@pytest.mark.parametrize(
    ("path", "frames", "gain"),
    [("../motion/mv/vid_h264.mp4", 337, 5.0), ("adain_inputs/input/videos/cutBunny.mp4", 240, 1.5)],
)
def test_motion_vectors_of_films_help(shared, path, frames, gain):
    """Of pictures at 96 px, fetched from where the vectors lead: closer to the frame before than the next frame is."""
    pytest.importorskip("av", reason="films are read with PyAV, which is not installed")
    got = prepare(shared / path, size=96, view="clips")
    assert got.n == frames - FRAMES + 1
    found = got.truth.get(["clip", "motion"], got.names[::8], 96)
    now, then = found["clip"][:, 0].astype(float), found["clip"][:, 1].astype(float)
    motion = found["motion"][:, 0]
    assert psnr(sampled(then, motion), now) > psnr(then, now) + gain
    assert psnr(sampled(then, -motion), now) < psnr(then, now)


def sampled(images, motion):
    """Bilinear: (n, h, w, c) fetched from where each pixel will be."""
    n, h, w = motion.shape[:3]
    y, x = np.mgrid[:h, :w]
    x, y = np.clip(x + motion[..., 0], 0, w - 1.001), np.clip(y + motion[..., 1], 0, h - 1.001)
    left, top, k = x.astype(int), y.astype(int), np.arange(n)[:, None, None]
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = images[k, top, left] * (1 - across) + images[k, top, left + 1] * across
    lower = images[k, top + 1, left] * (1 - across) + images[k, top + 1, left + 1] * across
    return upper * (1 - down) + lower * down


def psnr(a, b):
    return float(np.mean(10 * np.log10(255**2 / np.maximum(np.square(a - b).mean((1, 2, 3)), 1e-9))))

"""The pairs of super-resolution: small pictures are MATLAB's, of the same place, mirrored where the large ones are."""

import numpy as np
import pytest
import torch

from data.views.worlds_pictures import told
from sfumato.data.batches import Batches
from sfumato.data.pictures import to_bytes
from sfumato.resample import imresize


def pictures(n=6, size=16, channels=3):
    """Smooth pictures with noise, so that a shift by one pixel shows."""
    data = told(n, size, channels)
    grid = np.add.outer(np.arange(size), 2 * np.arange(size))[None, :, :, None]
    noise = np.random.default_rng(0).integers(0, 60, (n, size, size, channels))
    data.images[:] = np.clip(grid * 3 + noise, 0, 255)
    return data


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_low_is_the_picture_reduced_and_rounded(scale, channels):
    data = pictures(channels=channels)
    batch = next(iter(Batches(data, view=f"superres-x{scale}", batch=6).epoch()))
    side = 16 // scale
    assert batch.image.shape == (6, channels, side * scale, side * scale) and batch.low.shape == (
        6,
        channels,
        side,
        side,
    )
    assert np.array_equal(to_bytes(batch.image), data.images[:, : side * scale, : side * scale])
    expected = imresize(torch.from_numpy(to_bytes(batch.image)).movedim(-1, 1), size=(side, side))
    assert np.array_equal(to_bytes(batch.low), expected.movedim(1, -1).numpy())


@pytest.mark.parametrize("scale", [2, 3])
def test_both_are_mirrored_or_neither(scale):
    data = pictures(n=16)
    view = f"superres-x{scale}"
    plain, some = (Batches(data, view=view, batch=16, seed=1, flip=flip).at(0) for flip in (False, True))
    turned = torch.tensor([not torch.equal(a, b) for a, b in zip(plain.image, some.image, strict=True)])
    assert 0 < turned.sum() < 16
    for name in ("image", "low"):
        a, b = plain.fields[name], some.fields[name]
        assert torch.equal(b[turned], a[turned].flip(-1)) and torch.equal(b[~turned], a[~turned])


def test_parts_of_a_batch_are_the_whole():
    feed = Batches(pictures(n=12), view="superres-x4", batch=8, seed=2, flip=True)
    whole, parts = feed.at(3), [feed.at(3, k, 2) for k in (0, 1)]
    for name in ("image", "low"):
        assert torch.equal(whole.fields[name], torch.cat([p.fields[name] for p in parts]))

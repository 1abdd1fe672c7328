"""Tiles against the whole picture."""

import numpy as np
import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.networks.reach import reach
from sfumato.networks.superres.blocks import conv
from sfumato.resample import imresize
from sfumato.tasks.enlarging import enlarge as page
from sfumato.tasks.enlarging.enlarge import enlarge, passes, tiling
from sfumato.tasks.enlarging.method import Method
from sfumato.tasks.enlarging.tiles import Held, Networked, Resampled, free_memory, ramp, tiles
from sfumato.tasks.files.photo import Photo

SYSTEMS = [name for name in catalog.names() if hasattr(catalog.find(name), "upscale")]


def held(image):
    return Held(*image.shape[-2:], lambda box: image[..., box.top : box.bottom, box.left : box.right])


def whole(layer, side):
    """A layer's picture from tiles; what no tile covers stays NaN."""
    tile, parts = None, None
    for box, _, _ in tiles(layer.height, layer.width, side):
        tile = layer.part(box)
        if parts is None:
            parts = torch.full((*tile.shape[:2], layer.height, layer.width), torch.nan)
        parts[..., box.top : box.bottom, box.left : box.right] = tile
    return parts


@pytest.mark.parametrize("size", [(46, 62), (23, 31), (60, 40), (11, 17), (1, 1)])
@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
def test_resampled_tiles_are_imresize(size, kernel):
    image = torch.rand(1, 3, 23, 31)
    expected = imresize(image, size=size, kernel=kernel)
    torch.testing.assert_close(whole(Resampled(held(image), *size, kernel), 13), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_that_enlarges_does_it_in_tiles(name):
    torch.manual_seed(0)
    cls = catalog.find(name)
    system = catalog.build(name, **catalog.preset(cls, "tiny").hyper).eval()
    with torch.inference_mode():
        found = reach(system.upscale, 3).pixels
        if found is None:
            pytest.skip("it looks at the whole picture")
        image = torch.rand(1, 3, 17, 90) * 2 - 1
        layer = Networked(held(image), system.upscale, system.scale, found)
        torch.testing.assert_close(whole(layer, 40), system.upscale(image), atol=1e-5, rtol=0)


class Net(torch.nn.Module):
    """Two convolutions and nearest neighbours: sees 2 pixels (1 before, at most 1 after)."""

    def __init__(self, channels=3, scale=2):
        super().__init__()
        self.layers = torch.nn.Sequential(
            conv(channels, 4), torch.nn.Upsample(scale_factor=scale), conv(4, channels), torch.nn.Tanh()
        )
        self.areas = []

    def forward(self, x):
        self.areas.append(x.shape[-2] * x.shape[-1])
        return self.layers(x)


def method(net, channels=3, scale=2, seen=2, memory=100.0):
    return Method("a test", net, scale, channels, seen, memory)


def photo(h=37, w=29, c=3, seed=0):
    return Photo(np.random.default_rng(seed).integers(0, 256, (h, w, c), dtype=np.uint8))


@pytest.mark.parametrize("scale", [1.5, 2, 3, 4])
def test_tiles_of_any_size_give_the_same_bytes_at_any_scale(scale):
    torch.manual_seed(0)
    net = Net()
    expected = enlarge(photo(), method(net), scale, tile=100).colour
    assert expected.shape == (round(37 * scale), round(29 * scale), 3)
    assert expected.std() > 2
    for tile in (8, 17):
        assert (enlarge(photo(), method(net), scale, tile=tile).colour == expected).all()
    assert (enlarge(photo(), method(net), scale, tile=8, overlap=0).colour != expected).any(), "the test sees nothing"


def test_passes_are_as_many_as_it_takes():
    assert [passes(method(Net()), s) for s in (1, 1.5, 2, 2.01, 4, 8, 9)] == [1, 1, 1, 2, 2, 3, 4]
    assert [passes(method(Net(), scale=3), s) for s in (3, 9, 9.1)] == [1, 2, 3]
    assert passes(method(Net(), scale=1), 4) == 1 and passes(Method("none"), 4) == 0


def test_memory_is_bounded(monkeypatch):
    """At most (tile + 2 · overlap)² pixels at a time, whose maps fit in half of what is free."""
    for free in (2e6, 2e7):
        monkeypatch.setattr(page, "free_memory", lambda device, free=free: free)
        net = Net(scale=2)
        asked = method(net, seen=4, memory=400.0)
        taken = 2 * 256 * 2 * 300 * 3
        with torch.inference_mode():
            enlarge(photo(256, 300), asked, 2)
        assert max(net.areas) * asked.memory <= (free - taken) / 2
        assert max(net.areas) >= 0.5 * min((free - taken) / 2 / asked.memory, 256 * 300)
    assert tiling(method(Net(), memory=1.0), 1, None, None).side == page.TILE
    monkeypatch.setattr(page, "free_memory", lambda device: 1e5)
    with pytest.raises(UserError, match=r"takes 0\.0 GB"):
        enlarge(photo(256, 300), method(Net()), 2)


def test_a_network_that_sees_too_far_is_faded(monkeypatch):
    """Tiles whose values step from one to the next leave no step in the picture."""
    calls = iter([0.0, 0.5] * 100)

    def stepping(x):
        return torch.full((1, 3, 2 * x.shape[-2], 2 * x.shape[-1]), next(calls))

    found = enlarge(photo(40, 200), method(stepping, seen=None), 2, tile=50, overlap=16).colour
    assert found.min() == 128 and found.max() == 191
    steps = np.abs(np.diff(found[:, :, 0].astype(int), axis=1)).max()
    assert steps <= 5, "16 pixels of the result are faded over"
    assert not tiling(method(Net(), seen=349), 1, None, None).exact
    assert tiling(method(Net(), seen=349), 1, None, 349).exact


def test_every_pixel_is_in_a_tile_and_shares_are_whole():
    for h, w, side, fade in ((10, 10, 10, 4), (23, 31, 7, 3), (5, 50, 8, 0)):
        count = np.zeros((h, w))
        for box, up, back in tiles(h, w, side, fade):
            share = ramp(box.bottom - box.top, box.right - box.left, up, back).numpy()
            place = count[box.top : box.bottom, box.left : box.right]
            place[:] = place * (1 - share) + share
        np.testing.assert_allclose(count, 1, atol=1e-6)


def test_out_of_memory_halves_tiles_or_says_so():
    net = Net()

    def small(x):
        if x.shape[-1] * x.shape[-2] > 900:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return net(x)

    expected = enlarge(photo(80, 90), method(net), 2, tile=500).colour
    assert (enlarge(photo(80, 90), method(small), 2).colour == expected).all()
    with pytest.raises(UserError, match="smaller --tile"):
        enlarge(photo(80, 90), method(small), 2, tile=64)


def test_values_that_are_not_finite_and_other_faults_end_it():
    with pytest.raises(UserError, match="not finite"):
        enlarge(photo(), method(lambda x: imresize(x, 2) * torch.nan), 2)

    def faulty(x):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        enlarge(photo(), method(faulty), 2)


def test_networks_for_other_channels():
    grey, colour = photo(c=1), photo()
    repeat = torch.nn.Upsample(scale_factor=2)
    found = enlarge(grey, method(repeat), 2).colour
    assert found.shape == (74, 58, 1) and (found == grey.colour.repeat(2, 0).repeat(2, 1)).all()
    by_luma = enlarge(colour, method(lambda x: imresize(x, 2), channels=1), 2, tile=11).colour
    by_cubic = enlarge(colour, Method("bicubic"), 2).colour
    assert np.abs(by_luma.astype(int) - by_cubic).max() <= 1, "luma and chroma by bicubic are bicubic"
    brighter = enlarge(colour, method(lambda x: imresize(x, 2) + 0.1, channels=1), 2).colour.astype(int)
    inside = (by_cubic > 20) & (by_cubic < 230)
    assert np.abs((brighter - by_cubic)[inside] - 12.75).max() <= 1.5


def test_free_memory_is_a_sensible_number():
    assert 1e6 < free_memory(torch.device("cpu")) < 1e14

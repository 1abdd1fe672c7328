"""Supersampling of rendered frames: what accumulates, what is forgotten, where gradients flow; the large presets."""

import numpy as np
import pytest
import torch

from sfumato import catalog
from sfumato.data.views import Draw
from sfumato.data.views.frames import sampled
from sfumato.errors import UserError
from sfumato.networks.superres.temporal import History, enlarged
from sfumato.system import Batch

FIELDS = ("low", "jitter", "back", "depth")


def still(frames=16, low=8, scale=2, channels=3, seed=0):
    """A clip in which nothing moves."""
    rng = np.random.default_rng(seed)
    side = 2 * scale * low
    fine = np.repeat(rng.integers(0, 256, (2, 1, side, side, channels), np.uint8), frames, axis=1)
    metres, back = np.full(fine.shape[:4], 20.0), np.zeros((*fine.shape[:4], 2), np.float32)
    return Batch(
        **sampled(fine, metres, back, scale, 9.0, Draw(np.arange(2), lambda x: x, np.array([0, 7], np.uint64)))
    )


def made(name="dlss", trained=False, **more):
    """A system whose network says nothing, or at random."""
    torch.manual_seed(0)
    system = catalog.build(name, **{"ch": 4, **more})
    if trained:
        torch.nn.init.normal_(system.G.last.weight, std=1.0)
    return system


def trusting(system):
    """The system as one that never clamps history."""
    c = system.channels
    with torch.no_grad():
        system.G.last.bias.view(c + 2, -1)[c + 1] = 300.0
    return system


def inputs(clip, k=slice(None)):
    return [clip.fields[name][:, k] for name in FIELDS]


@pytest.mark.parametrize("scale", [2, 4])
def test_frames_of_what_stands_still_become_the_supersampled_picture(scale):
    """After as many frames as there are places of samples every one has been seen, and their mean is the target."""
    count = (2 * scale) ** 2
    clip = still(count, low=4, scale=scale)
    found = trusting(made(scale=scale)).supersample(*inputs(clip))
    errors = (found - clip.clip).square().mean((0, 2, 3, 4)).sqrt()
    assert errors[-1] < 0.01 < 0.2 * errors[0]
    assert (errors[count // 4 - 1 :: count // 4].diff() < 0).all(), "the more samples the better"


def test_the_clamp_keeps_history_within_the_samples_around():
    clip = still(1)
    system, (low, jitter, back, depth) = made(), inputs(clip, 0)
    with torch.no_grad():
        system.G.last.bias.view(5, -1)[4] = -300.0
        wild = History(torch.full((2, 3, 16, 16), 5.0), torch.full((2, 1, 16, 16), 8.0), depth)
        image, _ = system.frame(low, jitter, back, depth, wild)
    assert image.max() <= low.max() < 5


def test_what_has_just_appeared_takes_no_history():
    """A near wall stood before everything, or all of the picture is new: whatever the network says of history."""
    clip = still(1)
    system, (low, jitter, back, depth) = made(trained=True), inputs(clip, 0)
    with torch.no_grad():
        alone, _ = system.frame(low, jitter, back, depth)
        for moved, before in ((back, torch.ones_like(depth)), (back + 99, depth)):
            wild = History(torch.full((2, 3, 16, 16), 5.0), torch.full((2, 1, 16, 16), 8.0), before)
            image, after = system.frame(low, jitter, moved, depth, wild)
            torch.testing.assert_close(image, alone)
            assert after.count.max() <= 1.01
        tempted = History(wild.image, wild.count, depth)
        assert (system.frame(low, jitter, back, depth, tempted)[0] - alone).abs().max() > 0.1


def test_only_what_has_appeared_is_forgotten():
    """Half of the picture was hidden by a wall that has gone: the other half keeps its mean of many samples."""
    clip = still(16)
    system = trusting(made())
    history = None
    with torch.no_grad():
        for k in range(15):
            image, history = system.frame(*inputs(clip, k), history)
        history.depth[..., :4] = 1.0
        image, after = system.frame(*inputs(clip, 15), history)
    error = (image - clip.clip[:, 15]).abs().mean((0, 1, 2))
    assert error[9:].mean() < 0.01 and error[:6].mean() > 0.1
    assert after.count[..., :6].max() < 1.1 and after.count[..., 9:].min() > 3.5


def test_history_moves_with_what_is_seen():
    """A picture that moves by whole pixels of the small frame is as sharp in the end as one that stands still."""
    rng = np.random.default_rng(3)
    wide = rng.integers(0, 256, (1, 64, 64 + 16 * 4, 3), np.uint8)
    fine = np.stack([wide[:, :, 4 * k : 4 * k + 64] for k in range(16)], axis=1)
    back = np.zeros((*fine.shape[:4], 2), np.float32)
    back[..., 0] = 4
    given = sampled(
        fine, np.full(fine.shape[:4], 20.0), back, 2, 9.0, Draw(np.arange(1), lambda x: x, np.zeros(1, np.uint64))
    )
    clip = Batch(**given)
    error = (trusting(made()).supersample(*inputs(clip)) - clip.clip)[:, -1].abs().mean((0, 1, 2))
    assert error[0] < 0.02, "at the left, what has been seen all the time"
    assert error[-2:].mean() > 0.1, "at the right, what has just come into the picture"


def test_gradients_flow_through_the_history_of_a_window_and_end_there():
    clip = still(8)
    low = clip.low.clone().requires_grad_()
    system = made(trained=True)
    losses = [losses["G"]["l1"].mean() for losses in system.step(clip.having(**{**clip.fields, "low": low}))]
    first, second = (torch.autograd.grad(loss, low, retain_graph=True)[0].abs().sum((0, 2, 3, 4)) for loss in losses)
    assert (first[:4] > 0).all() and (first[4:] == 0).all()
    assert (second[:4] == 0).all() and (second[4:] > 0).all()
    history = None
    for k in range(4):
        image, history = system.frame(low[:, k], *inputs(clip, k)[1:], history)
    assert torch.autograd.grad(image.square().mean(), low)[0][:, 0].abs().sum() > 0, "from the last frame to the first"


def test_a_clip_is_its_frames_one_after_another():
    clip = still(6)
    system = made(trained=True).eval()
    with torch.no_grad():
        history, frames = None, []
        for k in range(6):
            image, history = system.frame(*inputs(clip, k), history)
            frames.append(image.clamp(-1, 1))
    whole = system.supersample(*inputs(clip))
    assert torch.equal(whole, torch.stack(frames, 1)) and not whole.requires_grad
    assert torch.equal(system.sample(clip.without("image")), whole[:, -1])


@pytest.mark.parametrize("name", ["dlss", "dlss1"])
def test_an_untrained_network_adds_nothing_to_interpolation(name):
    clip = still(1, low=9)
    low, jitter, back, depth = inputs(clip)
    system = made(name)
    found = system.supersample(low, jitter) if name == "dlss1" else system.supersample(low, jitter, back, depth)
    base = enlarged(low[:, 0], jitter[:, 0], 2).clamp(-1, 1)
    if name == "dlss":  # the samples themselves are where they landed
        base[0, :, 0::2, 0::2] = low[0, 0]
        row, column = ((jitter[1, 0].flip(0) + 0.5) * 2).long().tolist()
        base[1, :, row::2, column::2] = low[1, 0]
    assert torch.allclose(found[:, 0], base, atol=1e-6)


def test_version_one_sees_each_frame_alone_and_enlarges_pictures():
    clip = still(3)
    system = made("dlss1", trained=True).eval()
    whole = system.supersample(clip.low, clip.jitter)
    assert torch.equal(whole[:, 1:2], system.supersample(clip.low[:, 1:2], clip.jitter[:, 1:2]))
    with torch.no_grad():
        large = system.upscale(clip.low[:, 0, :, :5])
    assert large.shape == (2, 3, 10, 16) and large.abs().max() <= 1
    assert torch.equal(system.sample(clip.without("image")), whole[:, -1])


@pytest.mark.parametrize("name", ["dlss", "dlss1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_may_be_compared_too(name, channels):
    clip = still(5, channels=channels)
    plain, more = (list(made(name, channels=channels, perceptual=p).step(clip)) for p in (0.0, 0.5))
    assert len(plain) == len(more) == (2 if name == "dlss" else 1)
    for a, b in zip(plain, more, strict=True):
        assert a["G"].keys() == {"l1"} and b["G"].keys() == {"l1", "perceptual"}
        assert torch.equal(a["G"]["l1"], b["G"]["l1"]) and b["G"]["perceptual"].mean() > 0
        assert a["G"]["l1"].shape == (10,) if name == "dlss1" else (2,)


@pytest.mark.parametrize("name", ["dlss", "dlss1"])
def test_frames_rendered_for_another_scale_are_refused(name):
    with pytest.raises(UserError, match="give --view rendered-x4 or --scale 2"):
        list(made(name, scale=4).step(still(1)))


@pytest.mark.parametrize("name", ["dlss", "dlss1"])
@pytest.mark.parametrize("preset", ["paper", "paper-x4"])
def test_the_large_presets_build_and_take_a_step(name, preset):
    cls = catalog.find(name)
    system = catalog.build(name, **cls.presets[preset].hyper)
    s, c, ch = system.scale**2, 3, 32
    n, m = (3 * s * c + 2 * s + 1, s * (c + 2)) if name == "dlss" else (s * c, s * c)
    widths = [(n, ch), (ch, ch), (ch, 2 * ch), (2 * ch, 2 * ch), (2 * ch, 4 * ch), (4 * ch, 4 * ch), (6 * ch, 2 * ch),
              (2 * ch, 2 * ch), (3 * ch, ch), (ch, m)]  # fmt: skip
    assert sum(p.numel() for p in system.parameters()) == sum(9 * a * b + b for a, b in widths)
    (player,) = system.optimizers().values()
    before = system.G.last.weight.clone()
    for losses in system.step(still(5, low=4, scale=system.scale)):
        player.zero_grad()
        losses["G"]["l1"].mean().backward()
        player.step()
    assert (system.G.last.weight != before).any()

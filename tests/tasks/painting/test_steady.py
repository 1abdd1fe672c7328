import torch

from sfumato.tasks.painting.steady import MOVED, Steady, flicker, moved


def film(n=8, size=32, noise=0.0):
    """A square that moves over a still ground: (n, 3, size, size)."""
    grain = torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0)) * noise
    frames = torch.linspace(-0.8, 0.8, size).expand(n, 3, size, size) + grain
    for k, frame in enumerate(frames):
        frame[:, 4:10, 2 * k : 2 * k + 6] = 1.0
    return frames


def painting(frames):
    """A style that flickers: each frame gets colours of its own."""
    noise = torch.randn(len(frames), 3, 1, 1, generator=torch.Generator().manual_seed(1))
    return (frames + 0.1 * noise).clamp(-1, 1)


def test_still_places_flicker_less():
    frames = film(noise=0.005)
    painted = painting(frames)
    mix = Steady()
    steady = torch.cat([mix(f[None], p[None]) for f, p in zip(frames, painted, strict=True)])
    before, after = flicker(frames, painted), flicker(frames, steady)
    assert after < before / 3
    torch.testing.assert_close(steady[0], painted[0])


def test_the_grain_of_a_camera_is_no_movement():
    frames = film(noise=3 / 127.5)
    seen = moved(frames[:1], frames[1:2])[0, 0]
    assert (seen[18:] < MOVED / 2).float().mean() > 0.9 and seen[4:10, 2:6].min() > MOVED


def test_what_moves_is_as_it_was_painted():
    frames = film()
    painted = painting(frames)
    mix = Steady()
    for k in range(4):
        steady = mix(frames[k : k + 1], painted[k : k + 1])
    changed = (frames[3] - frames[2]).abs().amax(0) > 0.3
    torch.testing.assert_close(steady[0][:, changed], painted[3][:, changed], atol=1e-3, rtol=0)
    assert moved(frames[2:3], frames[3:4])[0, 0, 25:].max() == 0


def test_a_cut_and_another_size_begin_anew():
    mix = Steady()
    mix(-torch.ones(1, 3, 16, 16), torch.zeros(1, 3, 16, 16))
    torch.testing.assert_close(mix(torch.ones(1, 3, 16, 16), torch.ones(1, 3, 16, 16)), torch.ones(1, 3, 16, 16))
    assert torch.equal(mix(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)), torch.zeros(1, 3, 8, 8))


def test_flicker_is_a_mean_difference_of_255():
    frames = torch.zeros(3, 3, 16, 16)
    painted = torch.stack([torch.full((3, 16, 16), v) for v in (0.0, 0.1, 0.0)])
    assert abs(flicker(frames, painted) - 0.1 * 127.5) < 1e-4

"""Measures that rest on something learnt: sparse features, natural pictures, deep features."""

import math
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.io import savemat

from sfumato.errors import UserError
from sfumato.metrics.quality import (
    LPIPS,
    RGB,
    Convention,
    Y,
    fit_natural,
    learn_detector,
    load_detector,
    load_lpips,
    load_natural,
    niqe,
    perceptual_index,
    sff,
)
from sfumato.metrics.quality.niqe import _fitted, _shapes, features
from sfumato.metrics.quality.sff import shipped_detector


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def picture(h, w, c=3, seed=0):
    """Filtered noise, whose spectrum falls as that of photographs does."""
    y, x = torch.meshgrid(torch.fft.fftfreq(h), torch.fft.fftfreq(w), indexing="ij")
    fall = 1 / (x.square() + y.square()).sqrt().clamp(min=1 / max(h, w))
    waves = torch.fft.fft2(torch.randn(1, c, h, w, generator=seeded(seed), dtype=torch.float64)) * fall
    x = torch.fft.ifft2(waves).real
    return (x / x.std() * 0.35).clamp(-1, 1)


def naive_sff(x, y, W):
    """As the paper puts it, patch by patch, of bytes (h, w, 3)."""
    rows = []
    for v in (x, y):
        h, w, _ = v.shape
        corners = [(i, j) for i in range(0, h - 8, 8) for j in range(0, w - 8, 8)]
        rows.append(np.array([v[i : i + 8, j : j + 8].transpose(2, 1, 0).ravel() for i, j in corners]))
    (p, q), means = rows, [r.mean(1) for r in rows]
    p, q = p - means[0][:, None], q - means[1][:, None]
    error = np.abs(p - q).mean(1)
    a, b = (r[error >= np.median(error)] @ W.T for r in (p, q))
    strong = (a**2).sum(1) > 0.4 * (a**2).sum(1).mean()
    a, b = a[strong], b[strong]
    error = np.abs(means[0] - means[1])
    m, n = (v[error >= np.median(error)] for v in means)
    m, n = m - m.mean(), n - n.mean()
    light = ((m * n).sum() + 0.001) / (np.sqrt((m**2).sum() * (n**2).sum()) + 0.001)
    return 0.8 * light + 0.2 * ((2 * a * b + 0.08) / (a**2 + b**2 + 0.08)).mean()


@pytest.mark.parametrize(("h", "w"), [(48, 41), (33, 80)])
def test_sff_equals_a_loop(h, w):
    x = picture(h, w)
    y = (x + 0.2 * torch.randn(x.shape, generator=seeded(1))).clamp(-1, 1)
    W = torch.randn(8, 192, generator=seeded(2), dtype=torch.float64) / 50
    plain = [(v[0].permute(1, 2, 0) * 127.5 + 127.5).numpy() for v in (x, y)]
    assert sff(x, y, W).item() == pytest.approx(naive_sff(*plain, W.numpy()), abs=1e-9)
    assert sff(x, x, W).item() == 1 and 0 < sff(x, y).item() < 1
    both = sff(torch.cat([x, y]), torch.cat([y, y]))
    assert both.tolist() == pytest.approx([sff(x, y).item(), 1])
    flat = torch.zeros(1, 1, 20, 20)
    assert sff(flat, flat).item() == 1
    with pytest.raises(ValueError, match="9 pixels or more"):
        sff(flat[..., :8], flat[..., :8])


def test_fastica_finds_what_was_mixed():
    # eight sparse sources in eight directions of 192, nearly nothing in the others
    sources = torch.distributions.Laplace(0.0, 1.0).icdf(torch.rand(6000, 8, generator=seeded()).clamp(1e-6, 1 - 1e-6))
    mixing = torch.linalg.qr(torch.randn(192, 8, generator=seeded(1)) - 0.0).Q
    mixing = mixing - mixing.mean(0)  # so that taking off a patch's mean changes nothing
    rows = sources @ mixing.T * 40 + 0.01 * torch.randn(6000, 192, generator=seeded(2)) + 100
    found = learn_detector(rows) @ mixing.double()
    share = found.abs() / found.norm(dim=1, keepdim=True)
    assert share.amax(1).min() > 0.99 and sorted(share.argmax(1).tolist()) == list(range(8))
    responses = (rows.double() - rows.double().mean(1, keepdim=True)) @ learn_detector(rows).T
    torch.testing.assert_close(responses.T @ responses / 6000, torch.eye(8).double(), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="not settled in 1 iterations"):
        learn_detector(rows, iterations=1)


def test_the_shipped_detector_is_whitening_and_smooth():
    W = shipped_detector()
    assert W.shape == (8, 192) and W.dtype == torch.float64
    assert W.mean(1).abs().max() < 1e-3 * W.abs().max()
    neighbours = W.view(8, 3, 8, 8)
    assert neighbours.diff(dim=2).square().mean() < 0.5 * neighbours.square().mean()


def test_models_are_read_from_any_of_their_files(tmp_path):
    W = torch.randn(8, 192, generator=seeded(), dtype=torch.float64)
    mean, covariance = torch.randn(36, generator=seeded(1)).double(), torch.eye(36).double() * 2
    save_file({"W": W}, tmp_path / "w.safetensors")
    savemat(tmp_path / "w.mat", {"W": W.numpy()})
    np.savez(tmp_path / "n.npz", mu_pris_param=mean.numpy()[None], cov_pris_param=covariance.numpy(), other=np.ones(3))
    savemat(tmp_path / "n.mat", {"mu_prisparam": mean.numpy()[None], "cov_prisparam": covariance.numpy()})
    for name in ("w.safetensors", "w.mat"):
        assert torch.equal(load_detector(tmp_path / name), W)
    for name in ("n.npz", "n.mat"):
        natural = load_natural(tmp_path / name)
        assert torch.equal(natural.mean, mean) and torch.equal(natural.covariance, covariance)


def test_bad_models_are_refused_in_one_line(tmp_path):
    np.savez(tmp_path / "shape.npz", W=np.ones((8, 64)))
    np.savez(tmp_path / "nan.npz", W=np.full((8, 192), np.nan))
    np.savez(tmp_path / "name.npz", V=np.ones((8, 192)))
    np.savez(tmp_path / "object.npz", W=np.array([print], dtype=object))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "name.npz").read_bytes()[:300])
    (tmp_path / "text.mat").write_text("not a matrix")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("W.npy", b"\0" * (1 << 25))
    complaints = {
        "shape": r"'W' is \(8, 64\)",
        "nan": "not finite numbers",
        "name": "no array 'W'; it has V",
        "object": "more than arrays of numbers",
        "torn": "damaged",
        "bomb": "more than 16 MB",
    }
    for name, complaint in complaints.items():
        with pytest.raises(UserError, match=complaint):
            load_detector(tmp_path / f"{name}.npz")
    with pytest.raises(UserError, match="no MATLAB file"):
        load_detector(tmp_path / "text.mat")
    with pytest.raises(UserError, match="there is no weights file"):
        load_natural(tmp_path / "nowhere.npz")


@pytest.mark.parametrize(("power", "spread"), [(2.0, (1.0, 1.0)), (1.0, (0.7, 1.4)), (2.0, (2.0, 0.5))])
def test_the_fit_finds_the_shape_and_widths_of_a_distribution(power, spread):
    # an asymmetric generalised Gaussian: |x|ᵖ is Gamma of 1/p, sides chosen by their widths
    n = 200_000
    gamma = torch.distributions.Gamma(1 / power, 1.0)
    torch.manual_seed(0)
    size = gamma.sample((n,)).double() ** (1 / power)
    left = torch.rand(n, generator=seeded()) < spread[0] / sum(spread)
    x = torch.where(left, -size * spread[0], size * spread[1])
    alpha, found_left, found_right, mean = _fitted(x[None])
    assert alpha.item() == pytest.approx(power, rel=0.03)
    assert (found_left.item(), found_right.item()) == pytest.approx(spread, rel=0.03)
    expected = (spread[1] - spread[0]) * math.gamma(2 / power) / math.gamma(1 / power)
    assert mean.item() == pytest.approx(expected, abs=0.02) and x.mean().item() == pytest.approx(expected, abs=0.02)


def test_the_table_of_shapes_is_searched_to_the_nearest():
    shapes, ratios = _shapes()
    assert (ratios.diff() > 0).all() and shapes[0] == 0.2 and shapes[-1].item() == pytest.approx(10)
    assert ratios[1800].item() == pytest.approx(2 / math.pi)  # a Gaussian's
    x = torch.randn(40, 300, generator=seeded(), dtype=torch.float64)
    left, right = (torch.stack([(r[s * r > 0] ** 2).mean().sqrt() for r in x]) for s in (-1, 1))
    g = left / right
    r = x.abs().mean(1) ** 2 / (x**2).mean(1) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    brute = shapes[(ratios - r[:, None]).abs().argmin(1)]
    torch.testing.assert_close(_fitted(x)[0], brute)


def test_niqe_measures_the_distance_from_its_model():
    pictures = [picture(288, 288, 1, seed) for seed in range(12)]
    natural = fit_natural(pictures)
    assert natural.mean.shape == (36,) and torch.linalg.eigvalsh(natural.covariance).min() > -1e-9
    x = picture(288, 384, 1, 99)
    noisy = (x + 0.3 * torch.randn(x.shape, generator=seeded(3))).clamp(-1, 1)
    blurred = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (3, 3, 3, 3), mode="reflect"), 7, 1)
    clean, *spoilt = (niqe(v, model=natural).item() for v in (x, noisy, blurred))
    assert clean < 0.5 * min(spoilt)
    both = niqe(torch.cat([x, noisy]), model=natural)
    assert both.tolist() == pytest.approx([clean, spoilt[0]])
    torch.testing.assert_close(
        niqe(x[..., :300], model=natural), niqe(x[..., :288], model=natural)
    )  # whole blocks only
    assert features(torch.rand(1, 1, 96, 192, generator=seeded()).double() * 255).shape == (1, 2, 36)
    assert niqe(picture(200, 200, 3)).item() > 0


def test_what_niqe_cannot_judge():
    with pytest.raises(ValueError, match="96 pixels or more, not 300×95"):
        niqe(torch.zeros(1, 1, 95, 300))
    with pytest.raises(ValueError, match="two blocks"):
        niqe(picture(100, 150, 1))
    with pytest.raises(ValueError, match="two blocks"):
        niqe(torch.zeros(1, 1, 200, 200))
    with pytest.raises(ValueError, match="choose luma or grey"):
        niqe(picture(200, 200), RGB)
    with pytest.raises(ValueError, match="sharp blocks"):
        fit_natural([picture(192, 192)])
    assert Convention("luma") == Y


def test_the_perceptual_index():
    assert perceptual_index(torch.tensor([4.0, 2.0]), torch.tensor([6.0, 10.0])).tolist() == [4.0, 1.0]


LAYERS = {  # torchvision's names of the convolutions' weights
    "alex": {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)},
    "vgg": {0: (64, 3, 3, 3), 5: (128, 64, 3, 3), 14: (256, 256, 3, 3), 17: (512, 256, 3, 3), 28: (512, 512, 3, 3)},
    "squeeze": {0: (64, 3, 3, 3)},
}


@pytest.mark.parametrize("name", LAYERS)
def test_backbones_have_torchvisions_layout_and_taps(name):
    torch.manual_seed(0)
    model = LPIPS(name).eval()
    state = {k: tuple(v.shape) for k, v in model.features.state_dict().items()}
    assert {k: state[f"{k}.weight"] for k in LAYERS[name]} == LAYERS[name]
    with torch.no_grad():
        seen = model._seen(torch.rand(1, 3, 64, 64))
    assert [v.shape[1] for v in seen] == list(model.channels)
    if name == "alex":
        assert sum(v.numel() for v in model.features.parameters()) == 2_469_696
    if name == "vgg":
        assert sum(v.numel() for v in model.features.parameters()) == 14_714_688


def test_lpips_is_the_weighted_distance_of_unit_features():
    torch.manual_seed(0)
    model = LPIPS("alex").eval()
    x, y = (picture(48, 64, 3, s).float() for s in (0, 1))
    with torch.no_grad():
        expected = 0.0
        for a, b, head in zip(model._seen(x), model._seen(y), model.heads, strict=True):
            a, b = (v / v.square().sum(1, keepdim=True).sqrt() for v in (a, b))
            expected += ((a - b).square() * head.view(1, -1, 1, 1)).sum(1).mean().item()
        assert model(x, y).item() == pytest.approx(expected, rel=1e-4) and expected > 0
        assert model(x, x).item() == 0 and model(x, y).item() == pytest.approx(model(y, x).item())
        grey = x[:, :1]
        torch.testing.assert_close(
            model(grey, y[:, :1]), model(grey.expand(-1, 3, -1, -1), y[:, :1].expand(-1, 3, -1, -1))
        )
    with pytest.raises(ValueError, match="32 pixels or more"):
        model(x[..., :31], y[..., :31])


def test_lpips_is_loaded_whole_or_not_at_all(tmp_path):
    model = LPIPS("alex")
    torch.save(
        {f"features.{k}": v for k, v in model.features.state_dict().items()} | {"classifier.1.weight": torch.ones(2)},
        tmp_path / "alex.pth",
    )
    heads = {f"lin{i}.model.1.weight": torch.full((1, c, 1, 1), i + 1.0) for i, c in enumerate(model.channels)}
    torch.save(heads, tmp_path / "heads.pth")
    loaded = load_lpips("alex", tmp_path / "alex.pth", tmp_path / "heads.pth")
    assert torch.equal(loaded.features[0].weight, model.features[0].weight) and not loaded.training
    assert [h.unique().tolist() for h in loaded.heads] == [[1], [2], [3], [4], [5]]
    torch.save(heads | {"lin4.model.1.weight": torch.ones(1, 9, 1, 1)}, tmp_path / "other.pth")
    torch.save(heads | {"lin0.model.1.weight": -torch.ones(1, 64, 1, 1)}, tmp_path / "negative.pth")
    for name, complaint in {"other": "has 4", "negative": "negative weights", "alex": "doesn't fit"}.items():
        with pytest.raises(UserError, match=complaint):
            load_lpips("alex", tmp_path / "alex.pth", tmp_path / f"{name}.pth")
    with pytest.raises(LookupError, match="did you mean vgg"):
        load_lpips("vggg", tmp_path / "alex.pth", tmp_path / "heads.pth")
    with pytest.raises(UserError, match="doesn't fit"):
        load_lpips("squeeze", tmp_path / "alex.pth", tmp_path / "heads.pth")

"""Truncation curves: fidelity for diversity, the model left as it was, standing statistics at each threshold."""

import pytest
import torch

from sfumato import catalog
from sfumato.errors import UserError
from sfumato.evaluation import observe
from sfumato.networks.pretrained import extractor
from sfumato.system import Batch
from sfumato.tasks.model import Facts, Model
from sfumato.tasks.truncation import _point, truncation_curve


def model(name, names, **hyper):
    torch.manual_seed(0)
    tiny = catalog.find(name).presets["tiny"].hyper
    system = catalog.build(name, **{**tiny, "size": 16, "channels": 1, **hyper}).eval()
    return Model(system, Facts("digits", 16, 1, names, "labelled" if names else "image"))


def state(held):
    return {k: v.clone() for k, v in held.system.state_dict().items()}


@pytest.mark.parametrize(("name", "thresholds"), [("stylegan2", [0.0, 0.3, 1.0]), ("biggan", [0.05, 0.7, 0.0])])
def test_samples_spread_with_the_threshold_and_the_model_stays(name, thresholds, tmp_path):
    held = model(name, ())
    if name == "stylegan2":
        torch.nn.init.normal_(held.system.w_mean)
    before = state(held), held.sample(3)
    points = truncation_curve(held, thresholds, 48, out=tmp_path / "curve.png")
    assert [p.threshold for p in points] == thresholds
    assert points[0].spread < points[1].spread < points[2].spread
    assert all(0 <= p.precision <= 1 and 0 <= p.recall <= 1 and 1 <= p.inception <= 10 for p in points)
    assert all(torch.equal(v, before[0][k]) for k, v in state(held).items())
    assert torch.equal(held.sample(3), before[1]) and (tmp_path / "curve.png").stat().st_size > 0


def test_spread_is_within_classes():
    """Of two classes that are far apart, in samples that are all alike: nothing."""
    look, labels = extractor("reader:digits"), torch.arange(20) % 2
    images = (labels * 2.0 - 1).view(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    real = observe(images, look).features
    assert _point(1.0, images, labels, real, look).spread == pytest.approx(0, abs=1e-3)
    assert _point(1.0, images, None, real, look).spread > 1


def test_what_does_not_truncate_says_so():
    with pytest.raises(UserError, match="dcgan truncates nothing; stylegan"):
        truncation_curve(model("dcgan", ()), [1.0], 16)
    with pytest.raises(UserError, match="10 samples at each, not 5"):
        truncation_curve(model("biggan", ()), [1.0], 5)


def test_standing_statistics_are_means_over_samples():
    """Of the first norm, whose input does not depend on any norm before it, they are those of all samples at once."""
    system = model("biggan", (), z=12, truncation=0.5).system
    norm = system.G.blocks[0].norm1.norm
    batches = [Batch(32, seed=k) for k in range(4)]
    seen = []
    hook = norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    system.settle(Batch(32, seed=k) for k in range(4))
    hook.remove()
    assert not system.training and norm.momentum == 0.1
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))
    assert all((system.prior(b).abs() <= 0.5).all() for b in batches)

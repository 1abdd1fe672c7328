"""Directions against closed forms: of linear factors, of a generator's own weights."""

import pytest
import torch

from command import call
from sfumato import catalog
from sfumato.errors import UserError
from sfumato.tasks.editing import finding
from sfumato.tasks.editing.boundaries import ranked_apart, slope
from sfumato.tasks.editing.codes import draw, lift, numbered
from sfumato.tasks.editing.directions import at_space, learn, read_directions
from sfumato.tasks.editing.factorise import closed_form, principal
from sfumato.tasks.model import Facts, Model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    system = catalog.build("stylegan2", z=8, w=8, ch=4, ch_max=8, mapping=2, size=16, channels=3)
    return Model(system.eval(), Facts("faces", 16, 3, (), "image"))


@pytest.fixture(scope="module")
def linear():
    """Codes of which two factors are linear functions, that are not independent: codes, a, b, covariance."""
    g = torch.Generator().manual_seed(0)
    skew, a = torch.randn(6, 6, generator=g), torch.randn(6, generator=g)
    b = a + 0.5 * torch.randn(6, generator=g)
    codes = torch.randn(4000, 6, generator=g) @ skew.T + 3
    return codes, a, b, codes.T.cov()


@pytest.mark.parametrize("yes_or_no", [False, True])
def test_a_step_is_one_standard_deviation_of_the_factor(linear, yes_or_no):
    codes, a, _, covariance = linear
    factor = codes @ a
    found = learn(codes, {"a": factor > factor.median() if yes_or_no else factor}, space="z")
    step = covariance @ a / (a @ covariance @ a).sqrt()  # where factors are linear and codes normal
    torch.testing.assert_close(found.step("a"), step, atol=0.05 * step.norm().item(), rtol=0)
    torch.testing.assert_close(found.step("a") @ a, factor.std(), rtol=0.02, atol=0)
    assert found.scores[0] > 0.99


def test_what_is_kept_does_not_move(linear):
    codes, a, b, _ = linear
    found = learn(codes, {"a": codes @ a, "b": codes @ b}, space="z")
    assert (found.step("a") @ b).abs() > 0.5 * (codes @ b).std()
    kept = found.change({"a": 2.0}, keep=["b"])
    assert (kept @ b).abs() < 0.01 * (codes @ b).std() and kept @ a > 0.1 * (codes @ a).std()
    with pytest.raises(UserError, match="both"):
        found.step("a", keep=["a"])


def test_what_does_not_differ_is_left_out(linear):
    codes = linear[0]
    rare = torch.zeros(len(codes), dtype=torch.bool)
    rare[:5] = True
    found = learn(codes, {"rare": rare, "same": torch.ones(len(codes)), "first": codes[:, 0]}, space="z")
    assert found.names == ("first",)
    with pytest.raises(UserError, match="do not differ"):
        learn(codes, {"rare": rare}, space="z")


def test_ranks_and_slopes():
    assert ranked_apart(torch.tensor([1.0, 4.0, 2.0, 3.0]), torch.tensor([False, True, False, True])) == 1.0
    assert ranked_apart(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([True, False, False, True])) == 0.5
    x = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        slope(x, x @ torch.tensor([1.0, -2.0, 0.5]) + 7), torch.tensor([1.0, -2, 0.5]), atol=0.01, rtol=0
    )


def test_sefa_is_the_svd_of_the_weights_of_styles(model):
    system = model.system
    layers = [system.G.convs[0], system.G.convs[1], system.G.pictures[0]]  # those that take the points 0 and 1 of W
    weights = torch.cat([layer.affine.weight * layer.affine.scale for layer in layers])
    _, values, axes = torch.linalg.svd(weights)
    found = closed_form(model, layers="0-1", k=3)
    assert found.space == "w+" and found.names == ("sefa0", "sefa1", "sefa2")
    assert (found.steps[:, 2:] == 0).all()
    torch.testing.assert_close(found.steps[:, 0], found.steps[:, 1])
    cosines = torch.nn.functional.cosine_similarity(found.steps[:, 0], axes[:3])
    torch.testing.assert_close(cosines.abs(), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.tensor(found.scores), values[:3] ** 2 / values.square().sum(), rtol=1e-4, atol=0)
    along = draw(model, 2048, space="w") @ axes[0]
    torch.testing.assert_close(found.steps[0, 0].norm(), along.std(), rtol=1e-3, atol=0)


def test_sefa_of_a_generator_without_styles_takes_the_first_layer():
    model = Model(catalog.build("dcgan", z=6, ch=4, size=16, channels=1).eval(), Facts("digits", 16, 1, (), "image"))
    first = next(m for m in model.system.G.modules() if getattr(m, "weight", None) is not None)
    weight = first.weight.flatten(1) if first.weight.shape[0] == 6 else first.weight.T
    found = closed_form(model, k=2, n=256)
    axes = torch.linalg.svd(weight.T)[2]
    cosines = torch.nn.functional.cosine_similarity(found.steps, axes[:2])
    torch.testing.assert_close(cosines.abs(), torch.ones(2), atol=1e-3, rtol=0)
    assert found.space == "z"


def test_principal_axes_are_those_of_the_covariance(model):
    found = principal(model, k=2, n=512)
    values, axes = torch.linalg.eigh(draw(model, 512, space="w").T.cov())
    torch.testing.assert_close(found.steps.norm(dim=1), values.flip(0)[:2].sqrt(), rtol=1e-3, atol=0)
    assert (found.steps[0] @ axes[:, -1]).abs() > 0.999 * found.steps[0].norm()


def test_a_direction_of_w_is_one_of_w_plus_and_of_s(model):
    w = draw(model, 1, space="w")
    step = draw(model, 1, seed=1, space="w")[0]
    for space in ("w+", "s"):
        moved = lift(model.system, w, "w", space) + at_space(model.system, step, "w", space)
        torch.testing.assert_close(moved, lift(model.system, w + step, "w", space), atol=1e-5, rtol=1e-4)
    with pytest.raises(UserError, match="--space w"):
        at_space(model.system, step, "z", "w")


def test_files(model, tmp_path):
    found = principal(model, n=64)
    again = read_directions(found.save(tmp_path / "d.safetensors"))
    assert again.names == found.names and again.how == "pca" and again.space == "w"
    torch.testing.assert_close(again.steps, found.steps)
    with pytest.raises(UserError, match="pca1"):
        again.step("pca11")
    (tmp_path / "d.safetensors").write_bytes(b"no" * 100)
    with pytest.raises(UserError, match="damaged"):
        read_directions(tmp_path / "d.safetensors")


def test_labels_of_samples(model, tmp_path):
    """Samples labelled by a linear function of their points of W."""
    w = lift(model.system, numbered(model, range(200)), "z", "w")
    rows = [f"{k},{float(v > w[:, 2].median()):g},{v:.4f}" for k, v in enumerate(w[:, 2].tolist())]
    (tmp_path / "labels.csv").write_text("sample,much,number\n" + "\n".join(rows) + "\n")
    found = finding.find(model, tmp_path / "labels.csv", space="w")
    assert found.names == ("much", "number") and min(found.scores) > 0.97
    torch.testing.assert_close(found.step("number")[2], w[:, 2].std(), rtol=0.15, atol=0)
    for wrong in ("", "picture,much\n1,2\n", "sample,much\n1,yes\n", "sample,much\n-1,0\n", "sample\n1\n"):
        (tmp_path / "labels.csv").write_text(wrong)
        with pytest.raises(UserError, match=r"labels\.csv"):
            finding.find(model, tmp_path / "labels.csv")


def test_what_a_reader_tells_names_directions(model, tmp_path, capsys):
    model.save(tmp_path / "m.safetensors")
    said = call(
        capsys, "directions", tmp_path / "m.safetensors", "--n", 96, "--out", tmp_path / "d.safetensors", "--space", "w"
    )
    found = read_directions(tmp_path / "d.safetensors")
    assert {"yaw", "age", "smile"} <= set(found.names) and found.how == "reader:faces" and "yaw" in said
    with pytest.raises(UserError, match="reader"):
        finding.find(model, "raeder")

"""A model in Python: drawing, asking for classes, saving."""

import pytest
import torch

import sfumato
from sfumato.errors import UserError


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    options = dict(preset="tiny", steps=3, evaluate=False, quiet=True)
    return {name: sfumato.train(name, out=home / name, **options) for name in ("dcgan", "cgan")}


def test_three_lines_of_python(models):
    model = sfumato.load(models["dcgan"].path)
    images = model.sample(5)
    assert images.shape == (5, 1, 16, 16) and images.min() >= -1 and images.max() <= 1
    assert "dcgan of digits, 16 px, step 3" in repr(model)


def test_classes_by_number_name_and_list(models):
    model = models["cgan"]
    assert torch.equal(model.sample(4, label=7), model.sample(4, label="7"))
    assert torch.equal(model.sample(4, label=[0, 1, 2, 3]), model.sample(4))
    assert torch.equal(model.sample(70, label=[i % 10 for i in range(70)]), model.sample(70))
    assert not torch.equal(model.sample(4, label=7), model.sample(4, label=8))


@pytest.mark.parametrize(
    ("label", "line"), [("eleven", "no class is called 'eleven'"), (10, "from 0 to 9"), ([1, 2], "from 0 to 9")]
)
def test_a_class_that_is_not_there(models, label, line):
    with pytest.raises(UserError, match=line):
        models["cgan"].sample(3, label=label)


def test_what_a_system_cannot_do_is_said_by_name(models):
    with pytest.raises(UserError, match="dcgan was trained without classes"):
        models["dcgan"].sample(2, label=1)
    with pytest.raises(UserError, match="cgan cannot decode a code"):
        models["cgan"].prior(2)
    with pytest.raises(UserError, match="dcgan cannot classify"):
        models["dcgan"].classify(torch.zeros(1, 1, 16, 16))
    with pytest.raises(UserError, match="0 images"):
        models["dcgan"].sample(0)


def test_codes_are_those_of_samples(models):
    model = models["dcgan"]
    torch.testing.assert_close(model.decode(model.prior(70, seed=3)), model.sample(70, seed=3))
    assert torch.equal(model.prior(4, seed=3, first=62), model.prior(70, seed=3)[62:66])


def test_a_file_of_its_own(models, tmp_path):
    path = models["cgan"].save(tmp_path / "deep" / "cgan.safetensors")
    assert torch.equal(sfumato.load(path).sample(3), models["cgan"].sample(3))


def test_sampling_leaves_no_trace(models):
    model = models["dcgan"]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model.sample(3, seed=9)
    assert torch.equal(torch.rand(3), expected)
    assert all(p.grad is None for p in model.system.parameters() if p.grad is None)

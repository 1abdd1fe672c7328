import pytest
import torch

from networks.editing.generators_small import small
from sfumato import catalog
from sfumato.errors import UnknownNameError, UserError
from sfumato.system import Batch
from sfumato.tasks.editing.regions import diffuse
from sfumato.tasks.model import Facts, Model, load, write_model
from sfumato.training.loop import Budget, begin, train


class Drawn:
    """Pictures that a model draws, for ever."""

    def __init__(self, model, n=8):
        self.model, self.n = model, n

    def at(self, step, part=0, parts=1):
        return Batch(seed=step, image=self.model.sample(self.n, seed=step))


def learned(name, steps, **more):
    model = small()
    torch.manual_seed(0)
    hyper = dict(generator=model.system, ch=8, ch_max=16, size=16, channels=3, lr=5e-3) | more
    system = catalog.build(name, **hyper)
    for _ in train(begin(system), Drawn(model), Budget(steps=steps)):
        pass
    return model, system.eval()


@pytest.mark.parametrize("space", ["w", "w+"])
def test_an_encoder_learns_where_pictures_lie(space):
    _, system = learned("inversion", 40, space=space)
    batch = Batch(32, seed=900)
    with torch.no_grad():
        code = system.drawn(batch)
        found = system.encode(system.generate(code).clamp(-1, 1))
    assert found.shape == code.shape
    assert (found - code).square().mean() < 0.85 * (system.mean - code).square().mean()


def test_the_in_domain_encoder_learns_from_pictures_alone():
    model, system = learned("in-domain", 40)
    image = model.sample(32, seed=900)
    with torch.no_grad():
        mean = system.generate(system.mean).clamp(-1, 1)
        assert (system.reconstruct(image) - image).square().mean() < 0.75 * (mean - image).square().mean()


@pytest.mark.parametrize("name", ["stylegan2", "dcgan"])
def test_codes_of_z_are_as_the_generator_draws_them(name):
    model = small(name)
    system = catalog.build("inversion", generator=model.system, space="z", ch=4, ch_max=8, size=16, channels=3)
    batch = Batch(3, seed=1)
    assert torch.equal(system.drawn(batch), model.system.prior(Batch(3, seed=1)))
    assert system.encode(model.sample(3)).shape == (3, model.system.z)


def test_in_w_plus_half_of_the_codes_mix_two():
    _, system = learned("inversion", 1)
    with torch.no_grad():
        code = system.drawn(Batch(400, seed=1))
    mixed = (code[:, 0] != code[:, -1]).any(1).float().mean()
    assert 0.4 < mixed < 0.6


def test_semantic_diffusion_keeps_the_part_that_is_given():
    model, system = learned("in-domain", 20)
    encoder = Model(system, model.facts)
    target, context = model.sample(1, seed=1), model.sample(1, seed=2)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    begun, done = (diffuse(model, encoder, target, context, mask, steps=n, domain=0.1) for n in (0, 30))
    part = [((found.image - target) * mask).square().sum() for found in (begun, done)]
    assert part[1] < 0.8 * part[0] and done.space == "w+"


def test_a_generator_is_a_run_that_is_read_and_not_stored(tmp_path):
    path = small().save(tmp_path / "g.safetensors")
    facts = Facts("faces", 16, 3, (), "image")
    system = catalog.build("inversion", generator=str(path), ch=4, ch_max=8, size=16, channels=3)
    assert not any(k.startswith("H") for k in system.state_dict())
    write_model(tmp_path / "e.safetensors", system, facts, 1, dict(system.state_dict()))
    again = load(tmp_path / "e.safetensors", device="cpu")
    image = small().sample(2)
    assert torch.equal(again.system.reconstruct(image), system.eval().reconstruct(image))
    path.unlink()
    with pytest.raises(UserError, match="no such file; a model is a run folder"):
        load(tmp_path / "e.safetensors", device="cpu")


def test_what_does_not_fit_a_generator_is_said(tmp_path):
    path = str(small().save(tmp_path / "g.safetensors"))
    with pytest.raises(
        UserError, match="draws 16×16 pixels in colour; take data of the same kind and --size 16 --channels 3"
    ):
        catalog.build("inversion", generator=path, size=32, channels=3)
    with pytest.raises(UserError, match="space s: encoders"):
        catalog.build("inversion", generator=path, space="s", size=16, channels=3)
    with pytest.raises(UserError, match="and noise: give the run of a stylegan"):
        catalog.build("image2stylegan-plus", generator=small("dcgan").system, size=16, channels=3)
    with pytest.raises(UnknownNameError, match="did you mean superres-x4"):
        catalog.build("dgp", generator=path, damage="superres-4", size=16, channels=3)
    with pytest.raises(UserError, match="no map of 7 pixels"):
        catalog.build("mgan-prior", generator=path, side=7, size=16, channels=3)


def test_dgp_frees_the_generator_layer_after_layer():
    model = small()
    system = catalog.build("dgp", generator=model.system, stages=3, drawn=4, size=16, channels=3, lr=1e-3)
    for state in train(begin(system), Drawn(model, 1), Budget(steps=3)):
        free = -(-len(system.names) * state.step // 3)
        moved = [bool(change.any()) for change in system.change]
        assert not any(moved[free:]) and any(moved[:free])

"""One contract for every system in the catalogue: nothing here names one."""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
import torch

from data.views.worlds_pictures import TRUTHS, some
from sfumato import catalog
from sfumato.data.batches import Batches
from sfumato.data.prepare import prepare
from sfumato.errors import UnknownNameError
from sfumato.system import Batch, Classifies, Decodes, Encodes, linear
from sfumato.tasks.model import Facts, Model, load, write_model
from sfumato.tasks.train import described
from sfumato.training import checkpoint
from sfumato.training.loop import Budget, begin, train

NAMES = sorted(catalog.names())
SOURCE = Path(catalog.__file__).parent
PAGE = 150  # lines


@cache
def pictures_of(data, size):
    """Those of a source; of a world, some."""
    return some(data, 48, size) if data in TRUTHS else prepare(data, size=size)


def make(name, preset="tiny", colour=False, **more):
    """A system and its feed, as `sfumato train` would make them."""
    cls = catalog.find(name)
    chosen = catalog.preset(cls, preset)
    recipe = {k: getattr(cls.recipe, k) for k in ("data", "size", "batch", "view")} | dict(chosen.recipe)
    data = "shapes" if colour and recipe["data"] not in TRUTHS else recipe["data"]
    pictures = pictures_of(data, recipe["size"])
    facts = Facts(data, recipe["size"], pictures.channels, pictures.classes, recipe["view"])
    torch.manual_seed(0)
    system = catalog.build(name, **{**chosen.hyper, **described(catalog.hyperparameters(cls), facts), **more})
    return system, Batches(pictures, view=recipe["view"], batch=recipe["batch"]), facts


def as_model(system, feed, facts):
    """The system as a user holds it, who draws from the pictures of the feed where it needs any."""
    model = Model(system, facts)
    model.pictures = feed.pictures
    return model


def given(system, feed, step=0):
    """What `sample` is given: everything but the image."""
    return feed.at(step).without("image")


def rounds(name):
    """Iterations until every player has played."""
    system, feed, _ = make(name)
    state, played = begin(system), set()
    step = system.step

    def noting(batch):
        for losses in step(batch):
            played.update(losses)
            yield losses

    system.step = noting
    for _ in train(state, feed, Budget(steps=30)):
        if played == state.optimizers.keys():
            return state.step
    raise AssertionError(f"{state.optimizers.keys() - played} never played in {state.step} iterations")


@pytest.mark.parametrize("name", NAMES)
def test_every_player_learns_and_moves_nobody_else(name, monkeypatch):
    system, feed, _ = make(name)
    state = begin(system)
    own = {k: {id(p) for g in o.param_groups for p in g["params"]} for k, o in state.optimizers.items()}
    assert not any(own[a] & own[b] for a in own for b in own if a < b) or "shared" in (system.__doc__ or "")
    names = {id(p): n for n, p in system.named_parameters()}
    moved = set()

    def watched(step):
        def run(batch):
            for losses in step(batch):
                before = {n: p.detach().clone() for n, p in system.named_parameters()}
                players = list(losses)
                yield losses
                theirs = set().union(*(own[k] for k in players))
                for i, n in names.items():
                    if not torch.equal(before[n], dict(system.named_parameters())[n]):
                        assert i in theirs, f"{n} moved though {players} played"
                        moved.add(n)

        return run

    monkeypatch.setattr(system, "step", watched(system.step))
    for _ in train(state, feed, Budget(steps=2 * rounds(name))):
        pass
    still = [n for n, p in system.named_parameters() if p.requires_grad and n not in moved]
    assert not still, f"never trained: {still}"
    assert set().union(*own.values()) <= names.keys(), "an optimiser holds parameters that the system does not"


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_images_and_a_function_of_what_is_given(name):
    system, feed, facts = make(name)
    for _ in train(begin(system), feed, Budget(steps=2)):
        pass
    system.eval()
    with torch.no_grad():
        a, b, c = (system.sample(given(system, feed, step)) for step in (0, 0, 1))
    assert a.shape == (feed.batch, facts.channels, facts.size, facts.size) and a.dtype == torch.float32
    assert a.isfinite().all() and a.abs().max() <= 1
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_what_else_is_drawn(name):
    model = as_model(*make(name))
    many, few = model.sample(70, seed=3), model.sample(5, seed=3)
    torch.testing.assert_close(many[:5], few, rtol=0, atol=1e-5)
    late = torch.cat([x for x, _ in model.draw(62, 4, seed=3)])
    torch.testing.assert_close(many[62:66], late, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_resuming_equals_not_stopping(name, tmp_path):
    steps = rounds(name) + 1
    options = {"budget": Budget(steps=2 * steps), "schedule": linear}
    systems, states = [], []
    for _ in range(2):
        system, feed, _ = make(name)
        systems.append(system.to(memory_format=torch.channels_last))
        states.append(begin(system, ema=0.9))
    for _ in train(states[0], feed, **options):
        if states[0].step == steps:
            checkpoint.write(tmp_path / "c.safetensors", states[0].pack())
    torch.rand(5)
    states[1].restore(checkpoint.read(tmp_path / "c.safetensors"))
    for _ in train(states[1], feed, **options):
        pass
    (a, b), (c, d) = [s.state_dict() for s in systems], [s.average.values for s in states]
    assert [k for k in a if not torch.equal(a[k], b[k])] == []
    assert [k for k in c if not torch.equal(c[k], d[k])] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_is_the_same_model(name, tmp_path):
    system, feed, facts = make(name)
    for _ in train(begin(system), feed, Budget(steps=1)):
        pass
    write_model(tmp_path / "m.safetensors", system, facts, 1, dict(system.state_dict()))
    loaded = load(tmp_path / "m.safetensors", device="cpu")
    assert loaded.facts == facts
    loaded.pictures = feed.pictures
    assert torch.equal(loaded.sample(3), as_model(system, feed, facts).sample(3))


@pytest.mark.parametrize("name", NAMES)
def test_abilities_do_what_they_promise(name):
    system, feed, facts = make(name)
    system.eval()
    batch = feed.at(0)
    with torch.no_grad():
        if isinstance(system, Decodes):
            code = system.prior(Batch(4, seed=1))
            images = system.decode(code)
            assert code.ndim == 2 and len(images) == 4
            assert torch.equal(images, system.sample(Batch(4, seed=1)))
        if isinstance(system, Encodes):
            assert len(system.encode(batch.image)) == len(batch.image)
        if isinstance(system, Classifies):
            logs = system.classify(batch.image)
            assert logs.shape == (len(batch.image), len(facts.classes))
            torch.testing.assert_close(logs.exp().sum(1), torch.ones(len(logs)))


@pytest.mark.parametrize("name", NAMES)
def test_trains_in_colour_and_in_lower_precision(name):
    system, feed, _ = make(name, colour=True)
    state = begin(system)
    for _ in train(state, feed, Budget(steps=rounds(name)), dtype=torch.bfloat16):
        pass
    assert all(v.isfinite().all() for v in system.state_dict().values())
    assert all(v.dtype == torch.float32 for v in system.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_is_documented_and_one_page(name):
    cls = catalog.find(name)
    module = inspect.getmodule(cls)
    source = inspect.getsource(module)
    assert source.count("\n") <= PAGE
    assert cls.paper.url in module.__doc__ and re.search(r"arxiv.org/abs/\d{4}\.\d{4,5}", module.__doc__)
    assert "Deviations:" in module.__doc__
    assert {"paper", "small", "tiny"} <= cls.presets.keys()
    assert cls.__subclasses__() == [] and cls.__doc__
    init = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    for a in init.args.args[1:]:
        assert a.annotation, f"{a.arg} has no type"
    fields = set(catalog.find(name).recipe.__dataclass_fields__)
    assert catalog.hyperparameters(cls).keys() & fields <= {"size", "aspect"}, "a flag would mean two things"


ARROWS = {
    "systems": {"system", "networks", "objectives", "optim", "generators", "errors"},
    "generators": {"tasks.model", "catalog", "system", "errors"},
    "networks": {"networks", "aspect", "resample", "errors"},
    "objectives": {"objectives", "errors"},
    "training": {"training", "system", "errors"},
    "metrics": {"metrics", "networks.pretrained", "resample", "errors"},
    "data": {"data", "system", "aspect", "resample", "errors"},
    "evaluation": {"metrics", "networks.pretrained", "system", "errors"},
    "catalog": {"systems", "system", "errors"},
    "cli": {"cli", "tasks", "catalog", "errors"},
    "formats": {"formats", "networks", "errors"},
    "resample": {"errors"},
    "aspect": {"errors"},
}


@pytest.mark.parametrize("part", ARROWS)
def test_arrows_point_one_way(part):
    files = [SOURCE / f"{part}.py"] if (SOURCE / f"{part}.py").exists() else sorted((SOURCE / part).rglob("*.py"))
    assert files
    for path in files:
        package = ["sfumato", *path.relative_to(SOURCE).with_suffix("").parts][:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                target = [*base, *(node.module or "").split(".")] if node.module or base else []
                for alias in node.names:
                    full = ".".join(p for p in [*target, alias.name] if p)
                    if full.startswith("sfumato."):
                        inside = full.removeprefix("sfumato.")
                        assert any(inside == a or inside.startswith(a + ".") for a in ARROWS[part]), f"{path}: {full}"


def test_systems_do_not_know_each_other():
    for path in (SOURCE / "systems").rglob("*.py"):
        assert not re.search(r"from \.(\w| import)|from \.\.(\w| import)|sfumato\.systems", path.read_text()), path


def test_an_unknown_name_or_hyperparameter_is_an_error_with_a_suggestion():
    with pytest.raises(UnknownNameError, match=f"did you mean .*{NAMES[0]}"):
        catalog.build(NAMES[0] + "x")
    with pytest.raises(UnknownNameError, match=r"no hyperparameter of .* is called 'llr'; did you mean lr"):
        catalog.build(NAMES[0], llr=1)

"""The documentation is true: its code runs, its links lead somewhere, its commands exist."""

import json
import re
import sys
from pathlib import Path

import pytest
import typer

import sfumato
from sfumato import catalog, systems
from sfumato.cli import app

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)


@pytest.fixture
def my_vae(tmp_path, monkeypatch):
    """The worked example as a file of the catalogue, as its page says."""
    text = (DOCS / "adding-a-system.md").read_text(encoding="utf-8")
    folder = tmp_path / "tutorial"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "my_vae.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], encoding="utf-8")
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(tmp_path)])
    yield "my-vae"
    for module in [m for m in sys.modules if "systems.tutorial" in m]:
        del sys.modules[module]


def test_the_worked_example_trains_and_is_used(my_vae, tmp_path):
    run = tmp_path / "run"
    model = sfumato.train(
        my_vae, preset="tiny", steps=100, out=run, evaluate=False, quiet=True, device="cpu", threads=1
    )
    lines = [json.loads(x) for x in (run / "log.jsonl").read_text().splitlines()]
    values = [x["values"] for x in lines if "values" in x]
    assert values[-1].keys() == {"VAE/reconstruction", "VAE/kl"}
    loss = sum(values[-1].values())
    assert 0 < loss < 0.6 * 16 * 16 * 0.6931, "far better than one bit a pixel"
    assert model.sample(3).shape == (3, 1, 16, 16)
    assert model.encode(model.sample(3)).shape == (3, 8)
    assert (run / "report.html").exists()


def test_the_worked_example_keeps_to_the_house(my_vae):
    cls = catalog.find(my_vae)
    module = sys.modules[cls.__module__]
    assert cls.paper.url in module.__doc__
    assert "Deviations:" in module.__doc__
    assert {"paper", "small", "tiny"} <= cls.presets.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_commands_exist(page):
    verbs = typer.main.get_command(app).commands
    for line in re.findall(r"^\$ (?:torchrun .*? -m )?sfumato (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        verb, *words = line.split()
        known = {flag for p in verbs[verb].params for flag in p.opts}
        if verb == "train":
            known |= {
                f"--{k.replace('_', '-')}" for n in catalog.names() for k in catalog.hyperparameters(catalog.find(n))
            }
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= known, line

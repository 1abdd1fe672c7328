"""The README's own commands and lines of Python, with a smaller budget."""

import re
import shlex
from pathlib import Path

import pytest

import sfumato
from sfumato import cli

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TINY = "--preset tiny --steps 8 --no-evaluate --quiet"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_command_trains(tmp_path, monkeypatch):
    (install,) = [b for b in blocks("sh") if "pip install" in b and "sfumato train" in b]
    words = shlex.split(install.split("&&")[1])
    assert words[:2] == ["sfumato", "train"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [*words, *shlex.split(TINY)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert (tmp_path / "runs" / "00000-dcgan-digits" / "report.html").exists()


def test_the_python_runs_and_saves_the_same_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = next(b for b in blocks("python") if b.startswith("import sfumato"))
    assert "minutes=3" in code
    found = {}
    exec(code.replace("minutes=3", 'preset="tiny", steps=3, evaluate=False, quiet=True'), found)
    assert found["images"].shape == (16, 1, 16, 16) and found["same"].equal(found["images"])


def test_every_flag_and_verb_in_the_readme_exists():
    import typer

    group = typer.main.get_command(cli.app)
    for line in re.findall(r"^(?:.*&& )?(sfumato .*)$", "\n".join(blocks("sh")), re.MULTILINE):
        words = shlex.split(line, comments=True)
        flags = {o for p in group.commands[words[1]].params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= flags, line


def test_every_system_is_in_the_table_and_every_link_leads_somewhere():
    from sfumato import catalog

    for name in catalog.names():
        assert f"`{name}`" in README, name
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert target.startswith("http") or (Path(__file__).parents[1] / target).exists(), target


def test_the_version_is_one():
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'version = "{sfumato.__version__}"' in text

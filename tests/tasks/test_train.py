"""Training a system on pictures, beyond what every system's contract asks for."""

import json

import pytest

import sfumato
from command import execute
from sfumato.errors import UserError
from sfumato.tasks import evaluate

QUIET = dict(preset="tiny", data="digits", quiet=True, device="cpu", precision="float32", threads=1)


def distances(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {x["step"]: x["values"]["frechet"] for x in lines if "frechet" in x.get("values", {})}


def test_what_is_followed_is_measured_on_the_way_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "FOLLOWED", 60)
    plain = sfumato.train("dcgan", steps=4, out=tmp_path / "a", evaluate=False, **QUIET)
    assert not distances(tmp_path / "a")
    watched = []
    monkeypatch.setattr("sfumato.training.watch.Watch.figures", lambda self, values: watched.append(values) or [])
    sfumato.train("dcgan", steps=2, out=tmp_path / "b", evaluate=False, follow=True, **QUIET)
    followed = sfumato.resume(tmp_path / "b", steps=4, evaluate=False, quiet=True)
    found = distances(tmp_path / "b")
    assert list(found) == [1, 2, 3, 4] and min(found.values()) > 0
    assert len(watched) == 2 and not any("frechet" in values for values in watched)  # or a streak of wins would end
    ours, theirs = (dict(m.system.state_dict()) for m in (followed, plain))
    assert all((ours[k] == theirs[k]).all() for k in theirs)
    (last,) = sfumato.evaluate(followed, metrics=["frechet"], n=60, quiet=True)
    assert last.values["frechet"] == pytest.approx(found[4], rel=1e-5)
    assert "<h3>frechet</h3>" in (tmp_path / "b/report.html").read_text()


def test_what_cannot_be_followed_is_said_before_a_run_begins(tmp_path, monkeypatch, capsys):
    words = ["train", "dcgan", "--follow", "--metric", "path-length", "--out", tmp_path / "run", "--preset", "tiny"]
    status, _, err = execute(capsys, *words, "--data", "digits", "--device", "cpu")
    assert status and "--follow: this system has no measure that could be followed" in err
    monkeypatch.setattr("sfumato.training.distributed.world", lambda: 2)
    monkeypatch.setattr("sfumato.training.distributed.agree", lambda value: value)
    with pytest.raises(UserError, match="--follow measures in one process alone"):
        sfumato.train("dcgan", follow=True, out=tmp_path / "run", **QUIET)
    assert not (tmp_path / "run").exists()

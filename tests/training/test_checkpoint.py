"""Checkpoints: whole or absent, checked, and data only."""

import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from sfumato.errors import UserError
from sfumato.training import checkpoint
from sfumato.training.checkpoint import DamagedError

TREE = {
    "a": torch.arange(6.0).view(2, 3).T,
    "half": torch.ones(3, dtype=torch.bfloat16),
    "scalar": torch.tensor(7),
    "empty": torch.zeros(0, 4),
    "nested": {0: [1, 2.5, None, True, "x"], 1: (torch.ones(2), "y")},
}


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


def test_what_is_written_is_read(tmp_path):
    checkpoint.write(tmp_path / "c.safetensors", TREE)
    assert same(checkpoint.read(tmp_path / "c.safetensors"), TREE)
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_a_model_may_be_read_by_those_who_may_read_other_files(tmp_path):
    other = tmp_path / "other"
    other.touch()
    checkpoint.write(tmp_path / "a.safetensors", {"x": torch.ones(2)})
    assert (tmp_path / "a.safetensors").stat().st_mode == other.stat().st_mode


def test_the_state_of_real_optimisers_survives(tmp_path):
    net = torch.nn.Linear(3, 2)
    for make in (
        torch.optim.Adam,
        torch.optim.RMSprop,
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        torch.optim.LBFGS,
    ):
        optimizer = make(net.parameters())

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            loss = net(torch.ones(1, 3)).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        checkpoint.write(tmp_path / "o.safetensors", optimizer.state_dict())
        assert same(checkpoint.read(tmp_path / "o.safetensors"), optimizer.state_dict())


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.write(path, TREE)
    whole = path.read_bytes()
    for i in range(0, len(whole), 3):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x10]) + whole[i + 1 :])
        try:
            read = checkpoint.read(path)
        except DamagedError:
            continue
        assert same(read, TREE), f"byte {i} changed what was read"  # e.g. white space of the header


@pytest.mark.parametrize("keep", [0, 1, 8, 100, -1])
def test_a_truncated_file_is_noticed(tmp_path, keep):
    path = tmp_path / "c.safetensors"
    checkpoint.write(path, TREE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedError):
        checkpoint.read(path)


def test_a_damaged_newest_state_costs_one_interval(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save_state(tmp_path, step, {"step": step})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000000002.safetensors", "000000003.safetensors"]
    newest = tmp_path / "000000003.safetensors"
    data = bytearray(newest.read_bytes())
    data[-3] ^= 1
    newest.write_bytes(data)
    state, complaints = checkpoint.load_state(tmp_path)
    assert state == {"step": 2} and len(complaints) == 1 and "000000003" in complaints[0]


def test_nothing_to_resume_is_one_line(tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        checkpoint.load_state(tmp_path)


class Evil:
    def __reduce__(self):
        return os.system, ("touch OWNED",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "torch legacy"])
def test_a_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil()))
    else:
        torch.save(Evil(), path, _use_new_zipfile_serialization=kind == "torch")
    with pytest.raises(DamagedError, match="pickle, which could run code"):
        checkpoint.read(path)
    assert not (tmp_path / "OWNED").exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DamagedError, match="not one that sfumato wrote"):
        checkpoint.read(tmp_path / "x.safetensors")


def test_what_is_not_data_cannot_be_written(tmp_path):
    with pytest.raises(TypeError, match=r"a\.b is a function"):
        checkpoint.write(tmp_path / "x.safetensors", {"a": {"b": print and same}})


FULL = """
import resource, signal, sys, torch
from pathlib import Path
from sfumato.training import checkpoint
from sfumato.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoint.save_state(Path(sys.argv[1]), 1, {"a": torch.ones(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoint.save_state(Path(sys.argv[1]), 2, {"a": torch.ones(1_000_000)})
except UserError as e:
    print(e)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_full_disk_is_loud_and_leaves_the_one_before(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert "could not save" in done.stdout and "what was saved before is intact" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["000000001.safetensors"]
    assert checkpoint.load_state(tmp_path)[0]["a"].sum() == 10


KILLED = """
import os, sys, torch
from pathlib import Path
from sfumato.training import checkpoint
path = Path(sys.argv[1]) / "model.safetensors"
checkpoint.write(path, {"a": torch.ones(10)})
def half(tensors, to, meta):
    Path(to).write_bytes(b"half a file")
    os._exit(9)
checkpoint.save_file = half
checkpoint.write(path, {"a": torch.zeros(10)})
"""


def test_a_process_killed_while_writing_leaves_the_file_that_was_there(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == 9
    assert checkpoint.read(tmp_path / "model.safetensors")["a"].sum() == 10


def test_temporaries_of_the_killed_are_swept_and_nothing_else(tmp_path):
    (tmp_path / "resume").mkdir()
    (tmp_path / "resume" / "1.safetensors.4711.tmp").write_text("half")
    (tmp_path / "mine.tmp").write_text("keep")
    assert checkpoint.sweep(tmp_path) == 1
    assert [p.name for p in tmp_path.rglob("*.tmp")] == ["mine.tmp"]

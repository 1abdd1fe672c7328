"""Every verb once, tiny, as a user would type it; and every mistake in one line."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import sfumato
from command import call
from sfumato import catalog

TRAIN = ["train", "dcgan", "--preset", "tiny", "--threads", "1", "--precision", "float32"]


def run(*words, cwd=None, check=0, **options):
    """A sfumato process, as from a shell."""
    done = subprocess.run(
        [sys.executable, "-m", "sfumato", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
        **options,
    )
    assert done.returncode == check, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny run of its own for the verbs that need one."""
    home = tmp_path_factory.mktemp("home")
    done = run(*TRAIN, "--steps", 60, cwd=home)
    return home / "runs" / "00000-dcgan-digits", done.stderr + done.stdout


def test_train_leaves_all_that_a_run_promises(trained):
    folder, said = trained
    names = {p.name for p in folder.iterdir()}
    assert {
        "config.json",
        "log.jsonl",
        "samples",
        "model.safetensors",
        "resume",
        "measures.json",
        "report.html",
    } <= names
    assert "img/s" in said and "eta" in said and "frechet" in said and "two real halves" in said
    config = json.loads((folder / "config.json").read_text())
    assert config["command"].startswith("sfumato train dcgan --preset tiny")
    assert config["choices"]["threads"]["value"] == 1 and config["seed"] == 0
    report = (folder / "report.html").read_text()
    assert "data:image/png;base64," in report and "sfumato train dcgan" in report and "http://" not in report
    grids = sorted((folder / "samples").glob("*.png"))
    with Image.open(grids[-1]) as grid:
        assert len(grids) >= 10 and grid.size[0] > 100


def test_sample_makes_a_grid_or_a_folder_of_pictures(trained, tmp_path, capsys):
    folder, _ = trained
    assert "samples-9" in call(capsys, "sample", folder, "--n", 9)
    call(capsys, "sample", folder, "--n", 70, "--out", tmp_path / "many")
    assert len(list((tmp_path / "many").glob("*.png"))) == 70
    call(capsys, "sample", folder / "model.safetensors", "--n", 4, "--seed", 3, "--out", tmp_path / "a.png")
    call(capsys, "sample", folder, "--n", 4, "--seed", 3, "--out", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_evaluate_records_what_the_number_depends_on(trained, tmp_path, capsys):
    folder, _ = trained
    out = tmp_path / "m.json"
    said = call(capsys, "evaluate", folder, "--n", 128, "--metric", "frechet", "--metric", "kernel", "--out", out)
    results = {r["metric"]: r for r in json.loads(out.read_text())}
    assert results.keys() == {"frechet", "kernel"} and "held out" in said
    for r in results.values():
        assert (
            r["extractor"] == "reader:digits" and len(r["sha256"]) == 64 and r["n_fake"] == 128 and r["n_real"] == 359
        )
    anchors = results["frechet"]["anchors"]
    assert anchors["two real halves"] < anchors["the mean picture"] and anchors["two real halves"] < anchors["noise"]


def test_resume_goes_on_and_equals_not_stopping(trained, tmp_path, capsys):
    folder, _ = trained
    short = tmp_path / "short"
    call(capsys, *TRAIN, "--steps", 25, "--no-evaluate", "--quiet", "--out", short)
    call(capsys, "resume", short, "--steps", 60, "--no-evaluate", "--quiet")
    a, b = sfumato.load(folder, device="cpu"), sfumato.load(short, device="cpu")
    assert a.step == b.step == 60
    for k, v in a.system.state_dict().items():
        assert torch.equal(v, b.system.state_dict()[k]), k
    steps = [json.loads(x)["step"] for x in (short / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_compare_sets_runs_side_by_side(trained, tmp_path, capsys):
    folder, _ = trained
    said = call(capsys, "compare", folder, folder, "--out", tmp_path / "c.html")
    assert "dcgan" in said and "frechet" in said and "data:image/png" in (tmp_path / "c.html").read_text()


def test_latent_verbs_draw_and_say_their_figures(trained, tmp_path, capsys):
    folder, _ = trained
    call(capsys, "interpolate", folder, "--n", 2, "--out", tmp_path / "i.png")
    assert "rank correlation" in call(capsys, "turn", folder, "lightness", "--out", tmp_path / "t.png")
    call(capsys, "arithmetic", folder, "0,1,2 - 3,4 + 5,", "--out", tmp_path / "a.png")
    assert {p.name for p in tmp_path.iterdir()} == {"i.png", "t.png", "a.png"}
    assert "did you mean slant" in call(capsys, "turn", folder, "slamt", check=1)
    assert "no class is called '3 -'" in call(capsys, "arithmetic", folder, "3 - ", check=1)


def test_list_info_version_and_report(trained, capsys):
    said = call(capsys, "list")
    assert all(name in said for name in catalog.names())
    info = call(capsys, "info", "dcgan")
    assert "1511.06434" in info and "--ch" in info and "paper" in info and "Deviations" in info
    assert "torch" in call(capsys, "version")
    assert "report.html" in call(capsys, "report", trained[0])


def test_data_says_what_is_in_a_source(tmp_path, capsys):
    for i in range(3):
        Image.new("RGB", (40, 30), (i * 80, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    said = call(capsys, "data", tmp_path, "--show", tmp_path / "grid.png")
    assert "3 usable pictures" in said and "broken.png" in said and (tmp_path / "grid.png").exists()


def test_a_folder_with_broken_pictures_trains_and_lists_them(tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(12):
        Image.new("RGB", (20, 20 + i), (i * 20, 90, 0)).save(pictures / f"{i}.jpg")
    (pictures / "torn.jpg").write_bytes((pictures / "3.jpg").read_bytes()[:200])
    out = tmp_path / "run"
    said = call(capsys, *TRAIN, "--data", pictures, "--steps", 3, "--no-evaluate", "--out", out)
    assert "1 skipped" in said and "torn.jpg" in (out / "skipped.csv").read_text()


def test_help_is_quick_and_loads_no_torch():
    code = "import sys; sys.argv = ['sfumato', '--help']\nfrom sfumato import cli\n"
    code += "try: cli.main()\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Train a system on pictures" in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["train", "dcgam"], "no system is called 'dcgam'; did you mean dcgan"),
        (["train", "dcgan", "--preset", "smal"], "no preset is called 'smal'; did you mean small"),
        (["train", "dcgan", "--stepz", "3"], "did you mean steps"),
        (["train", "dcgan", "--lr", "fast"], "--lr is 'fast'"),
        (["train", "dcgan", "--lr"], "--lr needs a value"),
        (["train", "dcgan", "--data", "nowhere"], "nowhere"),
        (["train", "dcgan", "--size", "33"], "33"),
        (["train", "dcgan", "--steps", "0"], "--steps is 0"),
        (["train", "dcgan", "--micro", "3"], "--batch 64 cannot be shared by 3"),
        (["train", "dcgan", "--device", "cuda:9"], "cuda"),
        (["train", "dcgan", "--precision", "float61"], "float61"),
        (["sample", "nowhere"], "nowhere"),
        (["resume", "."], "not a run"),
        (["evaluate", "nowhere"], "nowhere"),
        (["compare", "nowhere", "elsewhere"], "nowhere"),
        (["info", "dcga"], "did you mean dcgan"),
        (["data", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line(words, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = call(capsys, *words, check=1)
    assert line in said and said.startswith("sfumato: ") and said.count("\n") == 1, said
    assert not (tmp_path / "runs").exists(), "a run folder was left behind"


class Evil:
    def __reduce__(self):
        return os.system, ("touch OWNED",)


def test_hostile_and_foreign_checkpoints_are_refused_in_one_line(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Evil()))
    assert "pickle, which could run code" in call(capsys, "sample", "evil.safetensors", check=1)
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    assert "not one that sfumato wrote" in call(capsys, "sample", "foreign.safetensors", check=1)
    assert not (tmp_path / "OWNED").exists()

    other = tmp_path / "other"
    call(capsys, "train", "gan", "--preset", "tiny", "--steps", 3, "--no-evaluate", "--quiet", "--out", other)
    config = json.loads((trained[0] / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"budget": {"steps": 9, "images": None, "minutes": None}}))
    said = call(capsys, "resume", other, "--quiet", check=1)
    assert "checkpoint of another system" in said and said.count("\n") == 1


def test_an_existing_run_is_not_overwritten(trained, capsys):
    before = (trained[0] / "model.safetensors").read_bytes()
    assert "holds a run already" in call(capsys, *TRAIN, "--out", trained[0], check=1)
    assert (trained[0] / "model.safetensors").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_sigterm_saves_and_leaves(tmp_path):
    words = [*TRAIN, "--steps", "1000000", "--no-evaluate", "--save-every", "5", "--out", str(tmp_path / "run")]
    process = subprocess.Popen([sys.executable, "-m", "sfumato", *words], stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "run").glob("resume/*.safetensors")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "saved; continue with: sfumato resume" in said.replace(" and saved", ", saved") and "Traceback" not in said
    assert sfumato.load(tmp_path / "run", device="cpu").step > 0


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from sfumato.training import checkpoint
write = checkpoint.write
calls = []
def counted(path, tree):
    calls.append(path)
    if len(calls) == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    write(path, tree)
checkpoint.write = counted
from sfumato.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_full_disk_ends_the_run_loudly_with_the_last_checkpoint_whole(tmp_path):
    out = tmp_path / "run"
    words = [*TRAIN, "--steps", "50", "--save-every", "5", "--no-evaluate", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", FULL, *words], capture_output=True, text=True, timeout=200)
    assert done.returncode == 1 and "could not" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert sfumato.load(out, device="cpu").step > 0
    run("resume", out, "--no-evaluate", "--quiet")
    assert sfumato.load(out, device="cpu").step == 50

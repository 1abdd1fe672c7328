"""Kill a run that saves often, at random moments, and see whether it ends as if nothing had happened.

    python benchmarks/kill.py --kills 50

Trains dcgan's tiny preset once undisturbed and once under SIGKILL, resuming each time. Reports unreadable
checkpoints, failed resumes, stale temporaries, and whether the final weights are equal bit for bit. Then flips a byte
of the newest checkpoint, and ends a run by SIGTERM. Writes docs/results/kill.md.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from sfumato.errors import UserError
from sfumato.training import checkpoint

OUT = Path(__file__).parents[1] / "docs" / "results" / "kill.md"
SETTINGS = ["--preset", "tiny", "--save-every", "2", "--no-evaluate", "--threads", "1", "--precision", "float32"]
QUIET = ["--no-evaluate", "--quiet"]


def start(*words: str) -> subprocess.Popen[bytes]:
    """A sfumato process."""
    return subprocess.Popen([sys.executable, "-m", "sfumato", *words], env=os.environ | {"OMP_NUM_THREADS": "1"})


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Of the model that a run left."""
    return checkpoint.read(run / "model.safetensors")["weights"]


def wait_for_checkpoint(run: Path, process: subprocess.Popen[bytes]) -> None:
    """Until there is a checkpoint newer than the process."""
    born = time.time()
    while process.poll() is None:
        if any(p.stat().st_mtime > born for p in (run / "resume").glob("*.safetensors")):
            return
        time.sleep(0.005)


def main() -> None:
    """Run the trial and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=4000)
    arguments = parser.parse_args()
    chance = random.Random(0)
    unreadable = failed = kills = swept = 0
    with TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        steps = ["--steps", str(arguments.steps)]
        assert start("train", "dcgan", *SETTINGS, "--quiet", *steps, "--out", str(whole)).wait() == 0
        words = ["train", "dcgan", *SETTINGS, "--quiet", *steps, "--out", str(killed)]
        while True:
            process = start(*words)
            if kills < arguments.kills:
                wait_for_checkpoint(killed, process)
                time.sleep(chance.uniform(0, 0.25))
                process.kill()
            code = process.wait()
            if code == 0:
                break
            if code != -signal.SIGKILL:
                failed += 1
                break
            kills += 1
            swept += len(list(killed.rglob("*.tmp")))
            for path in (killed / "resume").glob("*.safetensors"):
                try:
                    checkpoint.read(path)
                except UserError:
                    unreadable += 1
            words = ["resume", str(killed), *QUIET]
        a, b = weights(whole), weights(killed)
        equal = all(torch.equal(a[k], b[k]) for k in a)
        left = len(list(killed.rglob("*.tmp")))

        newest = max((killed / "resume").glob("*.safetensors"))
        data = bytearray(newest.read_bytes())
        data[len(data) // 2] ^= 1
        newest.write_bytes(data)
        state, complaints = checkpoint.load_state(killed / "resume")
        step = state["step"]

        gentle = Path(folder) / "gentle"
        process = start("train", "dcgan", *SETTINGS, "--quiet", *steps, "--out", str(gentle))
        wait_for_checkpoint(gentle, process)
        begun = time.perf_counter()
        process.terminate()
        code, seconds = process.wait(), time.perf_counter() - begun
        saved = checkpoint.load_state(gentle / "resume")[0]["step"]
    rows = {
        "kills (SIGKILL)": kills,
        "checkpoints unreadable after a kill": unreadable,
        "resumes that failed": failed,
        "temporaries that kills left, all swept": f"{swept}, {left} left",
        "final weights equal those of the uninterrupted run": "bit for bit" if equal else "NO",
        "a flipped byte in the newest checkpoint": f"noticed, step {step} used" if complaints else "NOT NOTICED",
        "SIGTERM": f"saved at step {saved} and left with code {code} in {seconds:.1f} s",
    }
    lines = [
        "# Killing a run",
        "",
        "Regenerate with `python benchmarks/kill.py`.",
        "",
        "| what | result |",
        "|---|---|",
    ]
    text = "\n".join([*lines, *(f"| {k} | {v} |" for k, v in rows.items())]) + "\n"
    OUT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

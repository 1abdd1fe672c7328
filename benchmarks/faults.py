"""Plant realistic faults, one at a time, and count how many the tests catch.

    python benchmarks/faults.py            all; some minutes
    python benchmarks/faults.py --only ema

Each fault is a small edit of a copy of the sources, on which the tests named beside it are run. A fault is caught if
one of them fails. Writes docs/results/faults.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

HOME = Path(__file__).parents[1]


class Fault(NamedTuple):
    """An edit that a tired person could make."""

    name: str
    file: str  # below src/sfumato
    old: str
    new: str
    tests: str  # below tests, and a filter behind "::"


CONTRACT, LOOP, CHECKPOINT = "test_contract.py::dcgan or wgan", "training/test_loop.py", "training/test_checkpoint.py"

# fmt: off
FAULTS = [
    Fault("a player's loss reaches the other's weights", "training/loop.py", "inputs=list(_parameters(state.optimizers[player])), ", "", LOOP),
    Fault("gradients are not cleared between steps", "training/loop.py", "state.optimizers[k].zero_grad(set_to_none=True)", "pass", LOOP),
    Fault("micro-batches are summed, not averaged", "training/loop.py", "scaled / parts if parts > 1 else scaled", "scaled", LOOP),
    Fault("resuming forgets the optimiser", "training/loop.py", 'o.load_state_dict(packed["optimizers"][k])', "pass", LOOP),
    Fault("loaded moments keep other strides", "training/loop.py", "            _lay_out(o)\n", "            pass\n", CONTRACT),
    Fault("random layers are not reseeded each step", "training/loop.py", "        torch.manual_seed(hash", "        (hash", LOOP),
    Fault("the schedule is applied to the rate of the step before", "training/loop.py", 'group["lr"] = group["initial_lr"]', 'group["lr"] = group["lr"]', LOOP),
    Fault("a loss of NaN is let through", "training/loop.py", "if not total.isfinite():", "if False:", LOOP),
    Fault("the average copies instead of averaging", "training/loop.py", "weight = 1 - min(self.decay, (1 + step) / (10 + step))", "weight = 1.0", LOOP),
    Fault("ranks do not average their gradients", "training/loop.py", "    distributed.average(gradients)\n", "", "training/test_distributed.py"),
    Fault("every part of a batch sees the same noise", "system.py", "whole[self.first : self.first + self.n]", "whole[: self.n]", LOOP),
    Fault("a checkpoint is not checked when read", "training/checkpoint.py", 'if meta.get("digest") != _digest(meta["layout"], tensors):', "if False:", CHECKPOINT),
    Fault("a checkpoint is written in place", "training/checkpoint.py", 'temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")\n    try:\n        path.parent', "temporary = path\n    try:\n        path.parent", CHECKPOINT),
    Fault("only one checkpoint is kept", "training/checkpoint.py", "KEPT = 2", "KEPT = 1", CHECKPOINT),
    Fault("the samples are drawn in training mode", "tasks/model.py", "        self.system.eval()\n", "", "test_contract.py::does_not_depend and dcgan"),
    Fault("an image depends on its batch", "tasks/model.py", "seed=seeded, first=offset, total=CHUNK", "seed=seeded, total=n", "test_contract.py::does_not_depend and gan"),
    Fault("D's loss has the labels swapped", "objectives/adversarial.py", "F.softplus(-real).mean() + F.softplus(fake).mean()", "F.softplus(real).mean() + F.softplus(-fake).mean()", "objectives"),
    Fault("the penalty is taken at the reals alone", "objectives/adversarial.py", "torch.lerp(real.detach().float(), fake.detach().float(), mix.float())", "torch.lerp(real.detach().float(), real.detach().float(), mix.float())", "objectives"),
    Fault("covariance is divided by n", "metrics/moments.py", "return self._scatter / (self.n - 1)", "return self._scatter / self.n", "metrics/test_frechet.py"),
    Fault("16-bit pictures lose their low byte's scale", "data/decode.py", "values / 257", "values / 256", "data"),
    Fault("EXIF rotation is ignored", "data/decode.py", "image.getexif().get(0x0112, 1)", "1", "data"),
    Fault("an epoch is shuffled the same every time", "data/batches.py", "self._permutation(n, self.seed, stream, epoch)", "self._permutation(n, self.seed, stream, 0)", "data"),
    Fault("a hostile member of an archive is read", "data/archives.py", "    if \"..\" in parts:", "    if False:", "data"),
    Fault("an unknown hyperparameter is swallowed", "catalog.py", '        nearest(k, known, f"hyperparameter of {name}")\n', "        pass\n", "test_contract.py::unknown_name"),
    Fault("the Fréchet distance forgets the means", "metrics/frechet.py", "means = (real.mean - fake.mean).square().sum()", "means = 0 * real.mean.sum()", "metrics/test_frechet.py"),
    Fault("a reduced picture is not antialiased", "resample.py", "max(1 / scale, 1.0) if antialias else 1.0", "1.0", "test_resample.py"),
    Fault("the second domain shows the first one's places", "data/views/domains.py", "draw.among(draw.survey), second", "draw.rows, second", "data/views"),
    Fault("SSIM forgets the luminance", "metrics/quality/ssim.py", "self.luminance() * self.contrast_structure()", "self.contrast_structure()", "metrics/quality"),
]
# fmt: on


def caught(fault: Fault) -> bool:
    """Whether a test fails on the sources with the fault. Raises ValueError if the edit does not apply."""
    with TemporaryDirectory() as folder:
        shutil.copytree(HOME / "src", Path(folder) / "src")
        path = Path(folder) / "src" / "sfumato" / fault.file
        text = path.read_text()
        if text.count(fault.old) < 1:
            raise ValueError(f"{fault.name}: {fault.file} has no {fault.old!r}")
        path.write_text(text.replace(fault.old, fault.new))
        where, _, chosen = fault.tests.partition("::")
        words = ["-x", "-n", "0", "-p", "no:cacheprovider", *(["-k", chosen] if chosen else [])]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, str(HOME / "tests" / where)],
            cwd=HOME,
            env=os.environ | {"PYTHONPATH": str(Path(folder) / "src"), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 1):
            raise ValueError(f"{fault.name}: the tests did not run: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.returncode == 1


def main() -> None:
    """Plant, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="plant only faults whose name contains this")
    only = parser.parse_args().only
    rows = []
    for fault in FAULTS:
        if only in fault.name:
            rows.append((fault, caught(fault)))
            print(f"{'caught' if rows[-1][1] else 'MISSED'}  {fault.name}", flush=True)
    count = sum(found for _, found in rows)
    lines = [
        "# Planted faults",
        "",
        f"{count} of {len(rows)} are caught. Regenerate with `python benchmarks/faults.py`.",
        "",
    ]
    lines += ["| fault | in | caught by |", "|---|---|---|"]
    lines += [f"| {f.name} | `{f.file}` | {f'`tests/{f.tests}`' if found else '**missed**'} |" for f, found in rows]
    print(f"{count} of {len(rows)}")
    if not only:
        (HOME / "docs" / "results" / "faults.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

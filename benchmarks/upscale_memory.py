"""The peak of memory of `sfumato upscale` on a photograph of 12 megapixels: `python benchmarks/upscale_memory.py`.

It makes the picture and, unless the weights that come with sfumato are there, those of a compact network, runs the verb
in a process of its own, and asks the system what that took. A picture of 512×512 is timed as well, as a command and
from Python, where it is not the first. `--megapixels 1` tries it.
"""

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

LIMIT = 2 * 1024**3  # bytes


def made(path: Path, scale: int, ch: int = 64, layers: int = 16) -> Path:
    """A compact network with weights drawn at random."""
    torch.manual_seed(0)
    state, last = {}, 2 * layers + 2
    for k in range(0, last + 1, 2):
        n, m = (3 if k == 0 else ch), (3 * scale**2 if k == last else ch)
        state |= {f"body.{k}.weight": torch.randn(m, n, 3, 3) / (9 * n) ** 0.5, f"body.{k}.bias": torch.zeros(m)}
        state |= {f"body.{k + 1}.weight": torch.full((m,), 0.2)} if k < last else {}
    torch.save({"params": state}, path)
    return path


def photograph(path: Path, megapixels: float) -> tuple[int, int]:
    """Waves and noise, 4 : 3."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    y, x = (np.arange(n, dtype=np.float32) for n in (height, width))
    grey = 100 + 70 * np.sin(y[:, None] / 90) * np.cos(x / 70)
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3)).astype(np.float32)
    Image.fromarray((grey[..., None] + noise).clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return width, height


def small(folder: Path) -> str:
    """The seconds that a picture of 512×512 takes, by the clock: the least of three, as a command, and in a process."""
    import sfumato

    picture = folder / "small.png"
    Image.open(folder / "photo.jpg").crop((0, 0, 512, 512)).save(picture)
    alone, beside = [], []
    for k in range(3):
        out, start = str(folder / f"small-{k}.png"), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sfumato", "upscale", picture, "--out", out], check=True, stdout=subprocess.DEVNULL
        )
        alone.append(time.perf_counter() - start)
    for k in range(4):
        start = time.perf_counter()
        sfumato.upscale(picture, out=folder / f"again-{k}.png", quiet=True)
        beside.append(time.perf_counter() - start)
    return (
        f"A photograph of 512×512 pixels to 1024×1024 takes {min(beside[1:]):.2f} s by the clock, files read and "
        f"written; as a command of its own, with the start of PyTorch, {min(alone):.1f} s (the least of three)."
    )


def main() -> None:
    """One row a scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 4])
    parser.add_argument(
        "--layers", type=int, default=2, help="of the network that is made; memory does not ask for more"
    )
    given = parser.parse_args()
    from pages import record
    from sfumato.tasks.enlarging.method import shipped

    lines = ["| picture | by | result | peak of memory | seconds of CPU |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        width, height = photograph(folder / "photo.jpg", given.megapixels)
        for scale in given.scales:
            out = folder / f"x{scale}.png"
            model = [] if shipped(scale) else ["--model", made(folder / f"x{scale}.pth", scale, layers=given.layers)]
            words = [folder / "photo.jpg", "--scale", scale, "--out", out, *model, "--device", "cpu"]
            pid = subprocess.Popen([sys.executable, "-m", "sfumato", "upscale", *map(str, words)], env=os.environ).pid
            _, status, used = os.wait4(pid, 0)
            if status:
                raise SystemExit(f"sfumato upscale failed: {status}")
            peak, seconds = used.ru_maxrss * 1024, used.ru_utime + used.ru_stime
            with out.open("rb") as file:  # Pillow opens nothing so large
                size = "{}×{}".format(*struct.unpack(">16x2I", file.read(24)))
            by = "the shipped network" if shipped(scale) else f"a compact network of {given.layers} layers of 64"
            verdict = "within" if peak <= LIMIT else "**over**"
            lines.append(f"| {width}×{height} | {by} ×{scale} | {size} | {peak / 1024**2:.0f} MiB, {verdict} 2 GiB | ")
            lines[-1] += f"{seconds:.0f} |"
            print(lines[-1], flush=True)
        lines += ["", small(folder)]
        print(lines[-1], flush=True)
    record(
        "upscale-memory", "The memory and time that a photograph takes", lines, "python benchmarks/upscale_memory.py"
    )


if __name__ == "__main__":
    main()

"""How long an epoch of pictures takes: decoded every time, and with the cache that the toolkit keeps.

    python benchmarks/decoding.py [SOURCE] [--size 64]

SOURCE defaults to the emoji archive of ../shared/data, or to 2,000 PNG that the benchmark writes itself.
"""

import argparse
import os
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from pages import record
from sfumato.data.batches import Batches
from sfumato.data.cache import decoded
from sfumato.data.decode import Fitting
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source

EMOJI = Path(__file__).parents[1] / "../shared/data/datasets/noto_emoji_72.tar.gz"
REQUIRED, BATCH = 10.0, 64


def generated(path: Path) -> Path:
    rng = np.random.RandomState(0)
    with tarfile.open(path, "w:gz") as archive:
        for i in range(2000):
            small = Image.fromarray(rng.randint(0, 256, (9, 9, 4), np.uint8))
            buffer = BytesIO()
            small.resize((72, 72), Image.Resampling.BICUBIC).save(buffer, "PNG")
            info = tarfile.TarInfo(f"{i}.png")
            info.size = buffer.tell()
            archive.addfile(info, BytesIO(buffer.getvalue()))
    return path


def decoding(source: Path, size: int) -> float:
    """Seconds for everything once in batches of float tensors, read and decoded on the way by all threads."""
    start, pixels = time.perf_counter(), []
    for _, result in decoded(open_source(source).items(size), Fitting(size, 3)):
        pixels.append(result.pixels)
        if len(pixels) == BATCH:
            torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
            pixels.clear()
    return time.perf_counter() - start


def epoch(batches: Batches) -> float:
    """Seconds for everything once in shuffled batches of float tensors, as the trainer gets them."""
    start = time.perf_counter()
    for step in range(len(batches.rows) // BATCH):
        batches.at(step)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SFUMATO_CACHE"] = folder
        source = given.source or (EMOJI if EMOJI.is_file() else generated(Path(folder) / "generated.tar.gz"))
        start = time.perf_counter()
        batches = Batches(prepare(source, size=given.size, channels=3), batch=BATCH)
        first = time.perf_counter() - start + epoch(batches)
        every, later, opening = [], [], []
        for _ in range(5):  # alternately, so that both meet the same machine
            every.append(decoding(source, given.size))
            later.append(epoch(batches))
            start = time.perf_counter()
            prepare(source, size=given.size, channels=3)
            opening.append(time.perf_counter() - start)
    ratio = median(e / t for e, t in zip(every, later, strict=True))
    lines = [
        f"{len(batches.rows):,} pictures of {source.name} at {given.size} px, median of 5 rounds.",
        "",
        "| what | seconds |",
        "|---|---|",
        f"| first epoch, decoded and packed | {first:.2f} |",
        f"| an epoch that decodes every time | {median(every):.2f} |",
        f"| second epoch and later | {median(later):.3f} |",
        f"| opening the cache, once a run | {median(opening):.3f} |",
        "",
        f"From the second epoch on **{ratio:.0f}×** as fast as decoding every time; {REQUIRED:.0f}× is required.",
    ]
    record("decoding", "How long an epoch of pictures takes", lines)
    if ratio < REQUIRED:
        raise SystemExit("too slow")


if __name__ == "__main__":
    main()

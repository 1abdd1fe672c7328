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
from PIL import Image

from sfumato.data.batches import Batches
from sfumato.data.cache import decoded
from sfumato.data.decode import Fitting
from sfumato.data.prepare import prepare
from sfumato.data.sources import open_source

EMOJI = Path(__file__).parents[1] / "../shared/data/datasets/noto_emoji_72.tar.gz"
REQUIRED = 10.0


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
    """Seconds to read and decode everything, threads and all, as the first epoch does."""
    start = time.perf_counter()
    for _ in decoded(open_source(source).items(size), Fitting(size, 3)):
        pass
    return time.perf_counter() - start


def epoch(source: Path, size: int) -> float:
    """Seconds for everything once in shuffled batches of float tensors, from opening the source on."""
    start = time.perf_counter()
    batches = Batches(prepare(source, size=size), batch=64)
    for step in range(len(batches.rows) // 64):
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
        first = epoch(source, given.size)
        every, later = [], []
        for _ in range(3):  # alternately, so that both meet the same machine
            every.append(decoding(source, given.size))
            later.append(epoch(source, given.size))
    ratio = median(every) / median(later)
    print(f"{source.name} at {given.size} px")
    print(f"first epoch, decoding and packing  {first:7.2f} s")
    print(f"decoding every time                {median(every):7.2f} s")
    print(f"second epoch and later             {median(later):7.2f} s, opening included")
    print(f"ratio                              {ratio:7.1f}× (required: {REQUIRED:.0f}×)")
    if ratio < REQUIRED:
        raise SystemExit("too slow")


if __name__ == "__main__":
    main()

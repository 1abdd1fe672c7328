"""Train the networks that `sfumato upscale` comes with: `python benchmarks/upscale_weights.py KODAK`.

KODAK is the folder of Kodak's 24 photographs, released for unrestricted use. They are cut into squares at three sizes,
and a compact network learns from these for each scale (about 40 minutes of one core), then, as `sharp`, goes on against
a discriminator (about 10); every run resumes where it was stopped. `--steps` and `--sharp-steps` make it shorter, to
try it. What comes out lies in src/sfumato/networks/pretrained.
"""

import argparse
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors.torch import save
from torch import nn

import sfumato
from sfumato.networks import pretrained
from sfumato.tasks.train import resume

RUNS = Path("runs/benchmark")
SIDE = 128  # of the squares, pixels
SIZES = (1.0, 0.7, 0.5)  # of the photographs
SHARP = dict(pretrain=0.0, features="style", layer="relu3_1", adversarial=2e-3, pixels=0.1)
SHARE = {2: 1.0, 4: 0.5}  # of the way from P to G that is shipped as sharp: at its end ×4 shows a lattice


def main() -> None:
    """Cut, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--sharp-steps", type=int, default=1_200)
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 4])
    chosen = parser.parse_args()
    tiles = cut(chosen.photographs, RUNS / "kodak-tiles")
    for scale in chosen.scales:
        weights = Path(pretrained.__file__).parent / f"upscale_x{scale}.safetensors"
        accurate = dict(patch=32 * scale, pretrain=1.0)
        write(trained(tiles, scale, f"upscale-x{scale}", chosen.steps, accurate).P, weights)
        sharp = SHARP | dict(patch=32 * scale, begin=str(weights))
        system = trained(tiles, scale, f"upscale-x{scale}-sharp", chosen.sharp_steps, sharp)
        system.G.load_state_dict(system.interpolate(SHARE[scale]))
        write(system.G, weights.with_stem(f"{weights.stem}_sharp"))


def trained(tiles: Path, scale: int, name: str, steps: int, hyper: dict[str, Any]) -> Any:
    """The system of a run that is begun, or gone on with."""
    folder = RUNS / name
    if (folder / "config.json").exists():
        return resume(folder, steps=steps).system
    return sfumato.train(
        "esrgan", preset="compact", data=tiles, size=SIDE, scale=scale, view=f"superres-x{scale}", steps=steps,
        evaluate=False, out=folder, threads=1, **hyper,
    ).system  # fmt: skip


def cut(photographs: Path, folder: Path) -> Path:
    """Squares of the photographs at every size, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(photographs.rglob("*.png")):
        photograph = Image.open(path).convert("RGB")
        for size in SIZES:
            w, h = (round(size * side) for side in photograph.size)
            small = photograph.resize((w, h), Image.Resampling.LANCZOS) if size < 1 else photograph
            for top in range(0, h - SIDE + 1, SIDE):
                for left in range(0, w - SIDE + 1, SIDE):
                    square = small.crop((left, top, left + SIDE, top + SIDE))
                    square.save(folder / f"{path.stem}-{size}-{top}-{left}.png")
    return folder


def write(network: nn.Module, path: Path) -> None:
    """Weights under the names of SRVGGNetCompact, which other programs read as well."""
    state = network.state_dict()
    path.write_bytes(save({k.removeprefix("network."): v.contiguous() for k, v in state.items()}))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

"""Learn and ship what SFF and NIQE know of natural pictures, and set it beside what their authors published.

    python benchmarks/quality_models.py FOLDER [--detector W.mat]

FOLDER holds photographs; those shipped are from the 24 of Kodak. Writes src/sfumato/metrics/quality/*.safetensors and
docs/results/quality-models.md; the comparison reads ../shared/data. `--detector` is the matrix of the authors of SFF.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from torch import Tensor

from sfumato.data.whole import read_whole
from sfumato.metrics import quality
from sfumato.metrics.quality.agreement import spearman
from sfumato.metrics.quality.pixels import scaled
from sfumato.metrics.quality.sff import patches

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
SHIPPED = ROOT / "src/sfumato/metrics/quality"
PATCHES = 18_000  # as many as the paper of SFF learns from
SPOILT = (
    "Set5/image_SRF_2/img_001",
    "Set14/image_SRF_2/img_002",
    "Set14/image_SRF_2/img_011",
    "Set14/image_SRF_2/img_013",
)


def pixels_of(path: Path) -> Tensor:
    """A picture's bytes: uint8 (1, c, h, w)."""
    return torch.from_numpy(read_whole(path)).permute(2, 0, 1)[None]


def fit(folder: Path) -> None:
    """Write the models that ship: SFF's detector and NIQE's natural pictures."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".tif", ".bmp"))
    photographs = [pixels_of(p).double() / 127.5 - 1 for p in paths]
    generator = torch.Generator().manual_seed(0)
    rows = []
    for x in photographs:
        down, across = torch.randint(0, 8, (2,), generator=generator).tolist()
        found = patches(scaled(x[..., down:, across:]))[0]
        rows.append(found[torch.randperm(len(found), generator=generator)[: PATCHES // len(photographs)]])
    natural = quality.fit_natural(photographs)
    models = {
        "sff": {"W": quality.learn_detector(torch.cat(rows))},
        "niqe": {"mean": natural.mean, "covariance": natural.covariance},
    }
    for name, held in models.items():
        path = SHIPPED / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in held.items()}, path, {"pictures": str(len(paths))})
        path.chmod(0o644)
    print(f"learnt SFF's detector and NIQE's natural pictures from {len(paths)} photographs")


def spoilt() -> Iterator[tuple[Tensor, Tensor]]:
    """Four pictures, each with noise, blur and compression of three strengths, and as it is."""
    generator = torch.Generator().manual_seed(0)
    for name in SPOILT:
        x = pixels_of(DATA / "superres" / f"{name}_SRF_2_HR.png")
        picture = Image.fromarray(x[0].permute(1, 2, 0).numpy())
        noisy = [x + s * torch.randn(x.shape, generator=generator) for s in (5, 15, 40)]
        files = [picture.filter(ImageFilter.GaussianBlur(s)) for s in (1, 2, 4)]
        for q in (60, 20, 5):
            packed = io.BytesIO()
            picture.save(packed, "JPEG", quality=q)
            files.append(Image.open(packed).convert("RGB"))
        others = [torch.frombuffer(bytearray(f.tobytes()), dtype=torch.uint8).view(*f.size[::-1], 3) for f in files]
        for y in (x, *noisy, *(o.permute(2, 0, 1)[None] for o in others)):
            yield x / 127.5 - 1, y.clamp(0, 255) / 127.5 - 1


def shipped_models(detector: Path | None) -> Iterator[str]:
    """How the shipped models order spoilt pictures, beside the authors'."""
    pairs = list(spoilt())
    natural = quality.load_natural(DATA / "metrics/basicsr/basicsr/metrics/niqe_pris_params.npz")
    ours, theirs = (torch.cat([quality.niqe(y, model=m) for _, y in pairs]) for m in (None, natural))
    yield f"- NIQE: rank correlation {spearman(ours, theirs):.3f}, means {ours.mean():.2f} and {theirs.mean():.2f}."
    if detector:
        W = quality.load_detector(detector)
        ours, theirs = (torch.cat([quality.sff(x, y, d) for x, y in pairs]) for d in (None, W))
        worst = (ours - theirs).abs().max()
        yield f"- SFF: rank correlation {spearman(ours, theirs):.3f}, largest difference {worst:.4f}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", type=Path)
    given = parser.parse_args()
    fit(given.folder)
    text = PAGE.replace("ROWS", "\n".join(shipped_models(given.detector)))
    (ROOT / "docs/results/quality-models.md").write_text(text, encoding="utf-8")
    print(text)


PAGE = """# What SFF and NIQE ship with

Written by `python benchmarks/quality_models.py kodak24 --detector W.mat`.

SFF and NIQE rest on statistics of photographs. Those that ship were learnt from the 24 Kodak photographs, so that both
work without a download: NIQE's by the procedure of its section II-C, SFF's by FastICA from 18,000 patches, as its
section III-A says. On four photographs of Set5 and Set14, each as it is and with three strengths of noise, blur and
JPEG, they stand to what the authors published as follows.

ROWS

So SFF's values may be read beside published ones. NIQE's may not: 24 photographs vary less than the authors' 125, so
that others seem further from natural. They order pictures in much the same way, and `--niqe FILE` takes the authors'.
"""


if __name__ == "__main__":
    main()

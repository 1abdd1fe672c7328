"""Measures of quality against published values, in precision and in speed.

    python benchmarks/quality.py [--rounds 9]    # writes docs/results/quality.md

Reads ../shared/data and needs SciPy. The tables of Set5 and Set14 are those of the SelfExSR project: pictures
`img_001_SRF_2_HR.png` …, and `result_Set5_SRF_2.mat` … with PSNR_table and SSIM_table, whose first column is bicubic.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sfumato.data.whole import read_whole
from sfumato.metrics import quality
from sfumato.metrics.quality import Convention, Y
from sfumato.metrics.quality.pixels import gaussian, scaled
from sfumato.metrics.quality.ssim import C1, C2
from sfumato.resample import imresize

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
SETS = {"Set5": 5, "Set14": 14}

Row = Iterator[str]


def pixels_of(path: Path) -> Tensor:
    """A picture's bytes: uint8 (1, c, h, w)."""
    return torch.from_numpy(read_whole(path)).permute(2, 0, 1)[None]


def images_of(path: Path) -> Tensor:
    """A picture as float64 (1, c, h, w) in [-1, 1]."""
    return pixels_of(path).double() / 127.5 - 1


def high_resolution(name: str, scale: int) -> Iterator[Tensor]:
    """The pictures of a set as uint8 (1, c, h, w), their sides multiples of the scale."""
    for i in range(1, SETS[name] + 1):
        folder = DATA / "superres" / name
        path = folder / f"image_SRF_{scale}" / f"img_{i:03}_SRF_{scale}_HR.png"
        if not path.exists():  # Set14 has no folder for ×3; its pictures for ×2 are the same, a pixel larger at most
            path = folder / "image_SRF_2" / f"img_{i:03}_SRF_2_HR.png"
        found = pixels_of(path)
        h, w = (side // scale * scale for side in found.shape[-2:])
        yield found[..., :h, :w]


def bicubic(pixels: Tensor, scale: int, edge: str) -> tuple[float, float]:
    """PSNR and SSIM of Y after a reduction and an enlargement of bytes, borders shaved by the scale."""
    again = imresize(imresize(pixels, 1 / scale, edge=edge), scale, edge=edge)
    reference, image = (v.double() / 127.5 - 1 for v in (pixels, again))
    convention = Convention("luma", scale)
    return quality.psnr(reference, image, convention).item(), quality.ssim(reference, image, convention).item()


def tables() -> Row:
    """Bicubic on each set and scale beside the published table, and the largest difference of a single picture."""
    from scipy.io import loadmat

    yield "| set | scale | PSNR, dB | published | SSIM | published | largest difference of a picture | mirrored |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in SETS:
        for scale in (2, 3, 4):
            held = loadmat(DATA / "superres/published" / f"result_{name}_SRF_{scale}.mat")
            published = torch.stack([torch.from_numpy(held[k][:, 0]) for k in ("PSNR_table", "SSIM_table")])
            pictures = list(high_resolution(name, scale))
            found, mirrored = (
                torch.tensor([bicubic(x, scale, edge) for x in pictures], dtype=torch.float64).T
                for edge in ("repeat", "mirror")
            )
            worst = (found - published).abs().amax(1).tolist()
            ours, theirs, other = (v.mean(1).tolist() for v in (found, published, mirrored))
            yield (
                f"| {name} | ×{scale} | {ours[0]:.4f} | {theirs[0]:.4f} | {ours[1]:.5f} | {theirs[1]:.5f} "
                f"| {worst[0]:.1e} dB, {worst[1]:.1e} | {other[0]:.4f} dB, {other[1]:.5f} |"
            )


def bytes_equal() -> str:
    """How many of the published low-resolution pictures we make byte for byte."""
    same = total = 0
    for path in sorted((DATA / "superres").glob("Set*/image_SRF_*/*_HR.png")):
        low = imresize(pixels_of(path), 1 / int(path.parent.name[-1]), edge="repeat")
        same += torch.equal(low, pixels_of(Path(str(path).replace("_HR", "_LR"))))
        total += 1
    return f"{same} of {total}"


def checks() -> Row:
    """Single published values beside ours."""
    held = DATA / "metrics"
    goldhill, jpeg, i01, noisy = (
        images_of(held / "piq/tests/assets" / f"{n}")
        for n in ("goldhill.gif", "goldhill_jpeg.gif", "I01.BMP", "i01_01_5.bmp")
    )
    lena, lena_noisy = (images_of(held / f"sewar/sewar/tests/res/lena512gray{n}.tiff") for n in ("", "_noise"))
    baboon = images_of(held / "mmagic/tests/data/image/gt/baboon.png")
    natural = quality.load_natural(held / "basicsr/basicsr/metrics/niqe_pris_params.npz")
    grey = Convention("grey")
    rows: list[tuple[str, Callable[[], Tensor], str]] = [
        ("SSIM, thinned (goldhill)", lambda: quality.ssim(goldhill, jpeg, thin=True), "0.8202"),
        ("SSIM of Y (I01)", lambda: quality.ssim(i01, noisy, Y), "0.6927"),
        ("PSNR (lena, noise)", lambda: quality.psnr(lena, lena_noisy), "15.064594"),
        ("MS-SSIM (lena, noise)", lambda: quality.ms_ssim(lena, lena_noisy), "0.631429952770791"),
        ("IW-SSIM (goldhill)", lambda: quality.iw_ssim(goldhill, jpeg), "0.886297251092821"),
        ("IW-SSIM (I01 as the distorted one)", lambda: quality.iw_ssim(noisy, i01), "0.946804801436296"),
        ("VIF, pixels (goldhill)", lambda: quality.vif(goldhill, jpeg), "0.2665"),
        ("VIF, pixels (lena, noise)", lambda: quality.vif(lena, lena_noisy), "0.120490551257006"),
        ("FSIM (goldhill)", lambda: quality.fsim(goldhill, jpeg), "0.89691"),
        ("FSIM (I01)", lambda: quality.fsim(i01, noisy), "0.93674"),
        ("FSIMc (I01)", lambda: quality.fsimc(i01, noisy), "0.92587"),
        ("VSI, corners aligned (I01)", lambda: quality.vsi(i01, noisy, aligned=True), "0.96405"),
        ("VSI (I01)", lambda: quality.vsi(i01, noisy), "0.96405"),
        ("NIQE of Y (baboon)", lambda: quality.niqe(baboon, Y, natural), "5.72957"),
        ("NIQE of grey (baboon)", lambda: quality.niqe(baboon, grey, natural), "5.73154"),
        ("NIQE of Y, 6 px shaved (baboon)", lambda: quality.niqe(baboon, Convention("luma", 6), natural), "6.10074"),
    ]
    yield "| measure | published | ours |"
    yield "|---|---|---|"
    for name, compute, published in rows:
        yield f"| {name} | {published} | {compute().item():.{len(published.split('.')[1]) + 1}f} |"


def plain_ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM as it is usually written: five convolutions with the window in two dimensions."""
    x, y = scaled(x), scaled(y)
    line = gaussian(dtype=x.dtype)
    window = (line[:, None] * line).expand(x.shape[1], 1, 11, 11).contiguous()

    def under(v: Tensor) -> Tensor:
        return F.conv2d(v, window, groups=v.shape[1])

    mean_x, mean_y = under(x), under(y)
    xx, yy, xy = under(x * x) - mean_x**2, under(y * y) - mean_y**2, under(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return (luminance * (2 * xy + C2) / (xx + yy + C2)).flatten(1).mean(1)


def speed(rounds: int) -> Row:
    """Processor time of SSIM beside the plain form, in turns."""
    unrounded = Convention(rounded=False)
    forms = {"ours": lambda x, y: quality.ssim(x, y, unrounded), "plain": plain_ssim}
    yield "| pictures | ours, ms | plain, ms | ratio |"
    yield "|---|---|---|---|"
    for shape in ((1, 1, 512, 512), (1, 3, 512, 512), (8, 3, 128, 128), (1, 3, 1080, 1920)):
        generator = torch.Generator().manual_seed(0)
        x = torch.rand(shape, generator=generator) * 2 - 1
        y = (x + 0.2 * torch.randn(shape, generator=generator)).clamp(-1, 1)
        taken: dict[str, list[float]] = {k: [] for k in forms}
        for i in range(rounds + 1):
            for k in list(forms) if i % 2 else reversed(forms):
                start = time.process_time()
                with torch.inference_mode():
                    forms[k](x, y)
                taken[k].append(1e3 * (time.process_time() - start))
        ours, plain = (taken[k][1:] for k in ("ours", "plain"))  # the first round warms up
        ratio = statistics.median(p / o for o, p in zip(ours, plain, strict=True))
        size = "×".join(map(str, shape))
        yield f"| {size} | {statistics.median(ours):.1f} | {statistics.median(plain):.1f} | {ratio:.1f}× |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of the timing")
    given = parser.parse_args()
    text = PAGE.replace("EQUAL", bytes_equal()).replace("VERSION", torch.__version__.split("+")[0])
    for name, rows in {"TABLES": tables(), "CHECKS": checks(), "SPEED": speed(given.rounds)}.items():
        text = text.replace(name, "\n".join(rows))
    (ROOT / "docs/results/quality.md").write_text(text, encoding="utf-8")
    print(text)


PAGE = """# Measures of quality

Written by `python benchmarks/quality.py`, torch VERSION, one thread.

## Bicubic on Set5 and Set14

Each picture is made smaller and larger again by `imresize` on bytes, and compared on Y of BT.601 with as many pixels
shaved as the scale. *Published* are the tables of [SelfExSR](https://github.com/jbhuang0604/SelfExSR), picture by
picture; the last column but one is the largest difference of any picture from its entry. No entry had to be excepted.

TABLES

Two properties of the MATLAB of that time matter, and are what `edge="repeat"` and uint8 pictures give: beyond the edge
the last pixel was repeated, where MATLAB mirrors today, and bytes were rounded after the first of the two directions.
*Mirrored* is what today's MATLAB would give. EQUAL of the published low-resolution pictures come out byte for byte.

## Check values

Values in the tests of [piq](https://github.com/photosynthesis-team/piq), of
[sewar](https://github.com/andrewekhalel/sewar) and of [mmagic](https://github.com/open-mmlab/mmagic), which these
attribute to the authors' MATLAB code, and SSIM of I01 from TID2013. One digit more of ours.

CHECKS

VSI's check value is met if resizing lets corner pixels fall on corner pixels, so it was presumably made with Octave;
the authors' code under MATLAB's resizing, which is the default here, differs by 1e-4.

## Speed of SSIM

Processor time of one thread, in float32, beside the plain form with five convolutions of an 11×11 window; the two take
turns, the medians and the median ratio are given. The machine was shared.

SPEED
"""


if __name__ == "__main__":
    main()

"""Super-resolution in figures: `python benchmarks/superres.py sets|srgan|esrgan`.

`sets`    the networks that `sfumato upscale` comes with, on Set5 and Set14 → docs/results/superres.md
`srgan`   SRGAN's table, pixels and features, with and without a discriminator → docs/results/srgan-table.md
`esrgan`  accuracy against looks on the way from P to G → docs/results/esrgan-curve.md and .svg

Reads ../shared/data/superres. `srgan` and `esrgan` train on squares of the Kodak photographs, which
upscale_weights.py cuts, and look through the features of --features; what is trained is kept in runs/benchmark.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import sfumato
from pages import RESULTS, record
from quality import DATA, SETS, images_of
from sfumato.formats.superres import read_upscaler
from sfumato.metrics import quality
from sfumato.metrics.quality import Convention
from sfumato.networks import pretrained
from sfumato.resample import imresize
from sfumato.tasks.model import load
from sfumato.tasks.pages.charts import line_chart
from upscale_weights import RUNS, SIDE, cut

Enlarge = Callable[[Tensor], Tensor]
VGG = DATA / "features/vgg19_16x_collabdistill/trained_models/wct_se_16x_new/20191109-211322_E20.pth"
RESCALE = {"relu2_1": 0.023, "relu5_1": 0.061}  # of these features: a bicubic enlargement is as far as by pixels
ROWS = {  # preset: what the paper's table 1 has on Set5 and Set14, PSNR and SSIM
    "small-srresnet": ("SRResNet, MSE", "32.05 / 0.9019", "28.49 / 0.8184"),
    "small-srresnet-vgg22": ("SRResNet, VGG2.2", "30.51 / 0.8803", "27.19 / 0.7807"),
    "small-srgan-mse": ("SRGAN, MSE", "30.64 / 0.8701", "26.92 / 0.7611"),
    "small-srgan-vgg22": ("SRGAN, VGG2.2", "29.84 / 0.8468", "26.44 / 0.7518"),
    "small": ("SRGAN, VGG5.4", "29.40 / 0.8472", "26.02 / 0.7397"),
}


def pairs(name: str, scale: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The pictures of a set and the published ones that are smaller: float32 (1, 3, h, w) in [-1, 1]."""
    for path in sorted((DATA / "superres" / name / f"image_SRF_{scale}").glob("*_HR.png")):
        found = [images_of(p).float() for p in (path, Path(str(path).replace("_HR", "_LR")))]
        large, low = (x.expand(-1, 3, -1, -1) for x in found)
        yield large, low


def judged(enlarge: Enlarge, name: str, scale: int) -> tuple[float, float]:
    """Mean PSNR, dB, and SSIM of Y of the bytes that come out, borders shaved by the scale."""
    convention = Convention("luma", scale)
    figures = []
    for large, low in pairs(name, scale):
        with torch.inference_mode():
            estimate = enlarge(low).clamp(-1, 1)
        a, b = large.double(), estimate.double()
        figures.append((quality.psnr(a, b, convention).item(), quality.ssim(a, b, convention).item()))
    psnr, ssim = (sum(column) / len(figures) for column in zip(*figures, strict=True))
    return psnr, ssim


def sets() -> None:
    """Bicubic, what is shipped, and a public network of forty times as many weights."""
    lines = [
        "PSNR, dB, and SSIM of Y, borders shaved by the scale, of the published low-resolution pictures enlarged. The",
        "networks were trained on the Kodak photographs alone, by `python benchmarks/upscale_weights.py`.",
        "",
        "| set | scale | bicubic | shipped | gain, dB | SRCNN's published gain, dB | leftthomas' SRGAN |",
        "|---|---|---|---|---|---|---|",
    ]
    gains = {("Set5", 2): "3.00", ("Set5", 4): "2.07", ("Set14", 2): "2.22", ("Set14", 4): "1.50"}
    for name in SETS:
        for scale in (2, 4):
            path = Path(pretrained.__file__).with_name(f"upscale_x{scale}.safetensors")
            methods: list[Enlarge] = [lambda x, s=scale: imresize(x, s)]  # type: ignore[misc]
            if path.exists():
                methods.append(read_upscaler(path).upscale)
            methods.append(read_upscaler(DATA / f"weights/srgan_leftthomas/a_netG_epoch_{scale}_100.pth").upscale)
            found = [judged(f, name, scale) for f in methods]
            cells = [f"{psnr:.2f} / {ssim:.4f}" for psnr, ssim in found]
            gain = f"{found[1][0] - found[0][0]:+.2f}"
            lines.append(
                f"| {name} | ×{scale} | {cells[0]} | {cells[1]} | {gain} | {gains[name, scale]} | {cells[-1]} |"
            )
    record("superres", "Enlarging Set5 and Set14", lines, "python benchmarks/superres.py sets")


def trained(system: str, preset: str, steps: int, **options: object) -> sfumato.Model:
    """The model of a run that is there already, or of one that is made now."""
    folder = RUNS / f"{system}-{preset}-kodak"
    if (folder / "model.safetensors").exists():
        return load(folder)
    tiles = cut(DATA / "superres/kodak24", RUNS / "kodak-tiles")
    return sfumato.train(
        system, preset=preset, data=tiles, size=SIDE, steps=steps, view="superres-x4", evaluate=False, out=folder,
        threads=1, **options,
    )  # fmt: skip


def srgan(steps: int, features: str) -> None:
    """Five rows, each with its own training."""
    layers = {"small-srresnet-vgg22": "relu2_1", "small-srgan-vgg22": "relu2_1", "small": "relu5_1"}
    lines = [
        f"PSNR, dB, and SSIM of Y on ×4. Each row was trained for {steps:,} steps on squares of 48 pixels of the Kodak",
        "photographs by four blocks of 24 channels; the paper's for 1,000,000 and more on ImageNet by sixteen of 64.",
        "The features are those of a VGG-19 with a quarter of the channels, relu2_1 for VGG2.2 and relu5_1 for VGG5.4,",
        "scaled so that a bicubic enlargement is as far from the truth in them as in pixels.",
        "",
        "| | Set5 | paper | Set14 | paper |",
        "|---|---|---|---|---|",
    ]
    order = []
    for preset, (words, *published) in ROWS.items():
        more: dict[str, object] = {}
        if layer := layers.get(preset):
            more = dict(features=features, content=layer, rescale=RESCALE[layer])
        model = trained("srgan", preset, steps, **more)
        found = [judged(model.system.upscale, name, 4) for name in SETS]  # type: ignore[operator]
        cells = [f"{psnr:.2f} / {ssim:.4f} | {paper}" for (psnr, ssim), paper in zip(found, published, strict=True)]
        lines.append(f"| {words} | {' | '.join(cells)} |")
        order.append((found[0][0], words))
    ranked = "; ".join(words for _, words in sorted(order, reverse=True))
    lines += ["", f"By PSNR on Set5, from the best: {ranked}."]
    record("srgan-table", "SRGAN's table", lines, "python benchmarks/superres.py srgan")


def esrgan(steps: int, features: str) -> None:
    """PSNR and NIQE at eleven places between P and G."""
    model = trained("esrgan", "small", steps, features=features, layer="conv5_1")
    curve = []
    for k in range(11):
        alpha = k / 10
        psnr, _ = judged(lambda x, a=alpha: model.system.upscale(x, a), "Set14", 4)  # type: ignore[misc, operator]
        looks = []
        for _, low in pairs("Set14", 4):
            with torch.inference_mode():
                looks.append(quality.niqe(model.system.upscale(low, alpha).double(), Convention("luma", 4)).item())  # type: ignore[operator]
        curve.append((alpha, psnr, sum(looks) / len(looks)))
    lines = [
        "On Set14, ×4. NIQE is lower for pictures that look natural.",
        "",
        "| α | PSNR-Y, dB | NIQE |",
        "|---|---|---|",
    ]
    lines += [f"| {a:.1f} | {p:.2f} | {n:.2f} |" for a, p, n in curve]
    chart = line_chart({"NIQE": [(p, n) for _, p, n in reversed(curve)]})
    (RESULTS / "esrgan-curve.svg").write_text(chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    record("esrgan-curve", "From P to G", lines, "python benchmarks/superres.py esrgan")


def main() -> None:
    """One part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["sets", "srgan", "esrgan"])
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--features", default=f"vgg19:{VGG}")
    chosen = parser.parse_args()
    if chosen.part == "sets":
        sets()
    elif chosen.part == "srgan":
        srgan(chosen.steps, chosen.features)
    else:
        esrgan(chosen.steps, chosen.features)


if __name__ == "__main__":
    main()

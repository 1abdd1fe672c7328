"""What realsr and decrappify show on pictures, kernels and noise that they have not seen.

    python benchmarks/restoration.py            # trains what is not in runs/benchmark yet, and writes the page
    python benchmarks/restoration.py --quick    # a few steps in runs/quick, to see that it works; prints

Pictures are the built-in scenes that are for testing, and squares of the Kodak photographs of ../shared/data, without
which their rows are left out. Writes docs/results/restoration.md and restoration.png.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import sfumato
from pages import RESULTS, record
from quality import DATA, pixels_of
from sfumato.data.batches import Batches
from sfumato.data.pictures import grid
from sfumato.data.prepare import prepare
from sfumato.metrics import quality
from sfumato.networks.pretrained.features import features
from sfumato.networks.superres.crappify import Crappifier
from sfumato.networks.superres.degrade import as_bytes, shrink_each
from sfumato.networks.superres.kernels import bicubic_kernel, fitted, gaussian_kernel
from sfumato.networks.superres.pictures import enlarge
from sfumato.system import Batch

RUNS = Path("runs/benchmark")
KODAK = DATA / "superres/kodak24/PhotoCD_PCD0992"
SQUEEZENET = DATA / "features/squeezenet1_1_keras_notop/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
N, SQUARE = 200, 256  # scenes, and pixels of the photographs' squares
SYSTEMS = {
    "blind": ("realsr", "small"), "bicubic alone": ("realsr", "small-bicubic"),
    "restorer": ("decrappify", "small"), "colourist": ("decrappify", "small-colour"),
}  # fmt: skip
LOSSES = {
    "low resolution": Crappifier(low=2),
    "JPEG": Crappifier(worst=10, best=70),
    "noise": Crappifier(noise=25.0),
    "all of these": Crappifier(2, 10, 70, 25.0),
}
Restore = Callable[[Tensor], Tensor]


def trained(name: str, preset: str, quick: bool) -> sfumato.Model:
    """A model from its finished run, trained on if it was begun, trained now if there is none."""
    run = (Path("runs/quick") if quick else RUNS) / f"{name}-{preset}-0"
    if (run / "model.safetensors").exists():
        return sfumato.load(run)
    if list((run / "resume").glob("*.safetensors")):
        return sfumato.resume(run, evaluate=False, quiet=True)
    print(f"training {name}, preset {preset}", flush=True)
    return sfumato.train(
        name, preset=preset, seed=0, out=run, steps=30 if quick else None, evaluate=False, quiet=True, threads=1,
        precision="float32",
    )  # fmt: skip


def minutes(model: sfumato.Model) -> float:
    """By the clock."""
    lines = (model.path / "log.jsonl").read_text().splitlines() if model.path else []
    return [json.loads(x) for x in lines if "values" in x][-1]["seconds"] / 60


def sources(quick: bool) -> Iterator[tuple[str, Tensor]]:
    """Pictures by where they are from: (n, 3, h, w) in [-1, 1]."""
    scenes = prepare("scenes", size=64, split="test")
    yield "scenes", next(Batches(scenes, view="image").epoch(8 if quick else N)).image
    paths = sorted(KODAK.glob("*.png"))[: 2 if quick else None]
    if paths:
        squares = [pixels_of(p) for p in paths]
        middles = [((x.shape[-2] - SQUARE) // 2, (x.shape[-1] - SQUARE) // 2) for x in squares]
        cut = [x[..., t : t + SQUARE, s : s + SQUARE] for x, (t, s) in zip(squares, middles, strict=True)]
        yield "photographs", torch.cat(cut).float() / 127.5 - 1


def cameras(image: Tensor, scale: int) -> Iterator[tuple[str, Tensor]]:
    """Pictures as cameras that no system has seen would have made them: kernels, noise, or both of other families.

    Kernels are discs, as of a lens out of focus, and Gaussians not drawn in training, in turn; the noise has a variance
    that grows with the light.
    """
    generator, n = torch.Generator().manual_seed(7), len(image)
    plain = fitted(bicubic_kernel(scale), 10 * scale, scale).expand(n, -1, -1)
    draws = torch.rand(n, 3, generator=generator).tolist()
    blurs = torch.stack([disc(0.5 + 0.6 * a, scale) if k % 2 else
                         gaussian_kernel(10 * scale, ((scale * (0.3 + 0.6 * a)) ** 2, (scale * (0.3 + 0.6 * b)) ** 2),
                                         3.14 * c, scale)
                         for k, (a, b, c) in enumerate(draws)])  # fmt: skip
    for name, kernels, noisy in (("neither", plain, 0), ("blur", blurs, 0), ("noise", plain, 1), ("both", blurs, 1)):
        low = shrink_each(image, kernels, scale)
        spread = (2 + 12 * (low + 1) / 2).clamp(min=0).sqrt() / 127.5
        yield name, as_bytes(low + noisy * spread * torch.randn(low.shape, generator=generator))


def disc(radius: float, scale: int) -> Tensor:
    """The blur of a lens out of focus, of a radius in pixels of the small picture: (10 · scale, 10 · scale)."""
    at = (torch.arange(40 * scale) - 20 * scale + 0.5) / 4
    inside = ((at[:, None] ** 2 + at**2) < (radius * scale) ** 2).float()
    found = torch.nn.functional.avg_pool2d(inside[None, None], 4)[0, 0]
    return found / found.sum()


def apart(reference: Tensor, image: Tensor) -> Tensor:
    """Distance of SqueezeNet's normalised features, layer by layer, as LPIPS has it before its weights: (b,)."""
    look = features(f"squeezenet:{SQUEEZENET}", ("relu1", "fire3", "fire5", "fire9"))
    seen = [[x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in look(y)] for y in (reference, image)]
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in zip(*seen, strict=True)]).mean(0)


def judged(reference: Tensor, image: Tensor) -> str:
    """PSNR, dB, the distance of features, and NIQE where pictures are large enough."""
    image = image.clamp(-1, 1)
    cells = [f"{quality.psnr(reference, image).mean():.2f}"]
    if SQUEEZENET.exists():
        cells.append(f"{apart(reference, image).mean():.3f}")
    if image.shape[-1] >= 192:
        cells.append(f"{quality.niqe(image.double()).mean():.2f}")
    return " / ".join(cells)


def colour_error(reference: Tensor, image: Tensor) -> float:
    """Root of the mean squared error of Cb and Cr, of 255."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    chroma = [torch.stack([(x[:, c] - (x * weights).sum(1)) * k for c, k in ((2, 0.564), (0, 0.713))], 1)
              for x in (reference, image)]  # fmt: skip
    return (127.5 * (chroma[0] - chroma[1]).square().mean().sqrt()).item()


def in_parts(restore: Restore, image: Tensor) -> Tensor:
    """Of many pictures."""
    with torch.inference_mode():
        return torch.cat([restore(x) for x in image.split(16)])


def enlarged(models: dict[str, sfumato.Model], images: dict[str, Tensor]) -> Iterator[str]:
    """The table of enlargement."""
    yield "| pictures | what the camera does | bicubic | trained on bicubic alone | RealSR |"
    yield "|---|---|---|---|---|"
    scale = models["blind"].system.scale
    for source, image in images.items():
        for name, low in cameras(image, scale):
            results = [enlarge(low, scale)]
            results += [in_parts(models[k].system.upscale, low) for k in ("bicubic alone", "blind")]
            yield f"| {source} | {name} | {' | '.join(judged(image, x) for x in results)} |"
            print(".", end="", flush=True)


def restored(models: dict[str, sfumato.Model], images: dict[str, Tensor]) -> Iterator[str]:
    """The table of restoration."""
    yield "| pictures | lost | as they are, dB | restored, dB | gain, dB |"
    yield "|---|---|---|---|---|"
    for source, image in images.items():
        for name, crappify in LOSSES.items():
            draw = Batch(len(image), seed=11)
            crappy = crappify(image, draw.rand, draw.randn)
            found = in_parts(models["restorer"].system.restore, crappy)
            before, after = (quality.psnr(image, x).mean().item() for x in (crappy, found))
            yield f"| {source} | {name} | {before:.2f} | {after:.2f} | {after - before:+.2f} |"


def coloured(models: dict[str, sfumato.Model], images: dict[str, Tensor]) -> Iterator[str]:
    """The table of colours."""
    yield "| pictures | colour error of grey | coloured | PSNR of grey, dB | coloured, dB |"
    yield "|---|---|---|---|---|"
    for source, image in images.items():
        draw = Batch(len(image))
        grey = Crappifier(grey=True)(image, draw.rand, draw.randn)
        found = in_parts(models["colourist"].system.restore, grey)
        errors = [f"{colour_error(image, x):.2f}" for x in (grey, found)]
        yield (
            f"| {source} | {' | '.join(errors)} | "
            + " | ".join(f"{quality.psnr(image, x).mean():.2f}" for x in (grey, found))
            + " |"
        )


def draw(models: dict[str, sfumato.Model], images: dict[str, Tensor], path: Path) -> None:
    """Rows of what a system is given, what it makes of it, and the truth, twice; the last is an enlargement."""
    rows = []
    for row, (name, crappify) in enumerate((LOSSES | {"colour": Crappifier(grey=True)}).items()):
        for image in images.values():
            truth = image[3 * row + 1 : 3 * row + 2, :, :96, :96]
            noise = Batch(1, seed=row)
            crappy = crappify(truth, noise.rand, noise.randn)
            restore = models["colourist" if name == "colour" else "restorer"].system.restore
            rows += [sized(x) for x in (crappy, in_parts(restore, crappy), truth)]
    for image in images.values():
        truth = image[5:6, :, 32:128, 32:128] if image.shape[-1] > 96 else image[5:6]
        low = dict(cameras(truth, models["blind"].system.scale))["both"]
        rows += [sized(x) for x in (enlarge(low, 4), in_parts(models["blind"].system.upscale, low), truth)]
    sheet = grid(torch.cat(rows), columns=3 * len(images), zoom=1)
    sheet.quantize(255, Image.Quantize.MEDIANCUT).save(path, optimize=True)


def sized(image: Tensor) -> Tensor:
    """At 96 pixels."""
    return torch.nn.functional.interpolate(image, (96, 96), mode="nearest" if image.shape[-1] < 96 else "area")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps each, nothing recorded")
    quick = parser.parse_args().quick
    models = {k: trained(*of, quick) for k, of in SYSTEMS.items()}
    images = dict(sources(quick))
    text = PAGE
    for key, rows in (("ENLARGED", enlarged), ("RESTORED", restored), ("COLOURED", coloured)):
        text = text.replace(key, "\n".join(rows(models, images)))
    spent = ", ".join(
        f"`{m.name} {of[1]}` {minutes(m):.1f}" for m, of in zip(models.values(), SYSTEMS.values(), strict=True)
    )
    text = text.replace("MINUTES", spent)
    draw(models, images, Path("runs/quick/restoration.png") if quick else RESULTS / "restoration.png")
    if quick:
        print(text)
    else:
        record("restoration", "Real-world enlargement and restoration", text.splitlines())


PAGE = """Small presets, one seed, trained on the built-in scenes of 64 pixels; minutes by the clock on a machine at
work: MINUTES. Scenes are 200 of those for testing, photographs squares of 256 pixels of Kodak's 24. No system has
seen them.

## Enlarging four times

PSNR, dB / distance of SqueezeNet's features, which is LPIPS without its learned weights / NIQE where pictures are large
enough, its model from the same photographs. Of the features and NIQE less is better. Both networks are the same and
learned equally long. The blurs are discs and Gaussians, the noise grows with the light; neither was drawn in training.

ENLARGED

## Restoring

JPEG qualities from 10 to 70, noise of up to 25 of 255, half the pixels in each direction. One network for all.

RESTORED

## Colouring

The colour error is the root of the mean squared error of Cb and Cr, of 255. Grey is what the network is given.

COLOURED

![Given, restored, truth; scenes at the left, photographs at the right](restoration.png)

From above: low resolution, JPEG, noise, all of these, colour, and an enlargement of what blur and noise have left.
Of each three pictures the first is what the system was given, the last the truth.
"""


if __name__ == "__main__":
    main()

"""What realsr and decrappify show on photographs, kernels and noise that they have not seen.

    python benchmarks/restoration.py            # trains what is not in runs/benchmark yet, and writes the page
    python benchmarks/restoration.py --quick    # a few steps in runs/quick, to see that it works; prints

Everything learns from squares of Kodak's photographs but two, and is tried on Set5 and Set14, all in ../shared/data.
realsr takes kernels and noise from pictures that a simulated camera took; this takes the pictures for testing with
other blurs and other noise. Writes docs/results/restoration.md and restoration.png.
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
from sfumato.data.pictures import grid, to_bytes
from sfumato.data.prepare import prepare
from sfumato.metrics import quality
from sfumato.networks.pretrained.features import features
from sfumato.networks.superres.crappify import Crappifier
from sfumato.networks.superres.degrade import as_bytes, shrink_each
from sfumato.networks.superres.kernels import bicubic_kernel, fitted, gaussian_kernel
from sfumato.networks.superres.pictures import enlarge
from sfumato.system import Batch
from sfumato.tasks.enlarging.pools import pools
from upscale_weights import SIDE, cut

RUNS = Path("runs/benchmark")
KODAK = sorted(DATA.glob("superres/kodak24/**/*.png"))
SHOWN = -2, -10  # of them, whose squares nothing learns from
SQUEEZENET = DATA / "features/squeezenet1_1_keras_notop/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
SCALE, SQUARE = 2, 224  # of the enlargements; pixels a side of the pictures for testing
PICTURES = 12  # that a camera took for its pools
CAMERAS = {  # its noise's variance in the dark, what the light adds, and the bound of what is smooth; of 255
    "by day": (4.0, 32.0, 60.0),
    "at night": (16.0, 128.0, 160.0),
}
SCENES = 200  # for testing
SYSTEMS: dict[str, tuple[str, str, int, dict[str, object]]] = {  # the system, its preset, the side of squares, more
    **{f"blind, {camera}": ("realsr", "small", SIDE, dict(scale=SCALE, patch=48)) for camera in CAMERAS},
    "bicubic alone": ("realsr", "small-bicubic", SIDE, dict(scale=SCALE, patch=48)),
    "restorer, photographs": ("decrappify", "small", SIDE // 2, {}),
    "colourist, photographs": ("decrappify", "small-colour", SIDE // 2, {}),
    "restorer, scenes": ("decrappify", "small", 64, dict(data="scenes")),
    "colourist, scenes": ("decrappify", "small-colour", 64, dict(data="scenes")),
}
LOSSES = {
    "low resolution": Crappifier(low=2),
    "JPEG": Crappifier(worst=10, best=70),
    "noise": Crappifier(noise=25.0),
    "all of these": Crappifier(2, 10, 70, 25.0),
}
Restore = Callable[[Tensor], Tensor]


def trained(key: str, quick: bool) -> sfumato.Model:
    """A model from its finished run, trained on if it was begun, trained now if there is none."""
    name, preset, side, options = SYSTEMS[key]
    folder = Path("runs/quick") if quick else RUNS
    camera = key.removeprefix("blind, ")
    kind = "-scenes" if "data" in options else f"-{camera.split()[-1]}" if camera in CAMERAS else ""
    run = folder / f"restoration-{name}-{preset}{kind}-0"
    if (run / "model.safetensors").exists():
        return sfumato.load(run)
    if list((run / "resume").glob("*.safetensors")):
        return sfumato.resume(run, evaluate=False, quiet=True)
    if camera in CAMERAS:
        options = options | dict(pools=str(gathered(camera, folder, quick)))
    print(f"training {name}, preset {preset}", flush=True)
    options = dict(data=tiles(side)) | options if "data" not in options else options
    return sfumato.train(
        name, preset=preset, size=side, seed=0, out=run, steps=30 if quick else None, evaluate=False, quiet=True,
        threads=1, precision="float32", **options,
    )  # fmt: skip


def tiles(side: int) -> Path:
    """Squares of so many pixels of the photographs that are not to be shown."""
    found, folder = cut(KODAK[0].parent.parent, RUNS / "kodak-tiles"), RUNS / f"restoration-tiles-{side}"
    folder.mkdir(exist_ok=True)
    held = [KODAK[k].stem for k in SHOWN]
    for path in found.glob("*.png"):
        if path.name.split("-")[0] not in held and not (folder / f"{path.stem}-0-0.png").exists():
            for top in range(0, SIDE, side):
                for left in range(0, SIDE, side):
                    square = Image.open(path).crop((left, top, left + side, top + side))
                    square.save(folder / f"{path.stem}-{top}-{left}.png")
    return folder


def gathered(camera: str, folder: Path, quick: bool) -> Path:
    """Kernels and noise, from pictures that a camera took: KernelGAN finds the kernels, knowing nothing of them."""
    kind = camera.split()[-1]
    taken, out = folder / f"restoration-camera-{kind}", folder / f"restoration-pools-{kind}.safetensors"
    if not out.exists():
        taken.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(1)
        paths = KODAK[:: 12 if quick else 24 // PICTURES]
        for path, kernel in zip(paths, blurs(len(paths), generator), strict=True):
            low = photographed(pixels_of(path).float() / 127.5 - 1, kernel[None], camera, generator)
            Image.fromarray(to_bytes(low)[0]).save(taken / path.name)
        print("gathering kernels and noise", flush=True)
        found = pools(
            taken, out, scale=SCALE, side=64, variance=1e4 if quick else CAMERAS[camera][2], steps=30 if quick else None
        )
        print(f"{found.kernels} kernels, {found.patches} patches of noise", flush=True)
    return out


def minutes(model: sfumato.Model) -> float:
    """By the clock."""
    lines = (model.path / "log.jsonl").read_text().splitlines() if model.path else []
    return [json.loads(x) for x in lines if "values" in x][-1]["seconds"] / 60


def sources(quick: bool) -> Tensor:
    """The middles of the pictures for testing: (n, 3, h, w) in [-1, 1]."""
    found = []
    for path in sorted(DATA.glob("superres/Set*/image_SRF_2/*_HR.png"))[: 3 if quick else None]:
        image = pixels_of(path).expand(-1, 3, -1, -1).float() / 127.5 - 1
        top, left = ((side - SQUARE) // 2 for side in image.shape[-2:])
        found.append(image[..., top : top + SQUARE, left : left + SQUARE])
    return torch.cat(found)


def taken_by(camera: str, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Pictures as a camera takes them, by blurs and noise that no system has seen: (n, 3, h / 2, w / 2)."""
    generator = torch.Generator().manual_seed(7)
    plain = fitted(bicubic_kernel(SCALE), 10 * SCALE, SCALE).expand(len(image), -1, -1)
    found = blurs(len(image), generator)
    for name, kernels, noisy in (("nothing", plain, False), ("blur", found, False), ("noise", plain, True),
                                 ("blur and noise", found, True)):  # fmt: skip
        yield name, photographed(image, kernels, camera if noisy else None, generator)


def blurs(n: int, generator: torch.Generator) -> Tensor:
    """Gaussians at any angle and discs, as of a lens out of focus, in turn: (n, 10 · SCALE, 10 · SCALE)."""
    found = []
    for k, (a, b, c) in enumerate(torch.rand(n, 3, generator=generator).tolist()):
        u, v = ((SCALE * (0.3 + 0.6 * x)) ** 2 for x in (a, b))
        found.append(disc(0.5 + 0.6 * a, SCALE) if k % 2 else gaussian_kernel(10 * SCALE, (u, v), 3.14 * c, SCALE))
    return torch.stack(found)


def photographed(image: Tensor, kernels: Tensor, camera: str | None, generator: torch.Generator) -> Tensor:
    """Pictures by kernels of their own, and a camera's noise, if one is named, whose variance grows with the light."""
    low = shrink_each(image, kernels, SCALE)
    dark, light, _ = CAMERAS[camera] if camera else (0.0, 0.0, 0.0)
    spread = (dark + light * (low + 1) / 2).clamp(min=0).sqrt() / 127.5
    return as_bytes(low + spread * torch.randn(low.shape, generator=generator))


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
    """PSNR, dB, the distance of features, and NIQE."""
    image = image.clamp(-1, 1)
    near = f"{apart(reference, image).mean():.3f}" if SQUEEZENET.exists() else ""
    return f"{quality.psnr(reference, image).mean():.2f} / {near} / {quality.niqe(image.double()).mean():.2f}"


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


def enlarged(models: dict[str, sfumato.Model], image: Tensor) -> Iterator[str]:
    """The table of enlargement."""
    yield "| camera | what it adds | bicubic | trained on bicubic alone | RealSR |"
    yield "|---|---|---|---|---|"
    for camera in CAMERAS:
        for name, low in taken_by(camera, image):
            results = [enlarge(low, SCALE)]
            results += [in_parts(models[k].system.upscale, low) for k in ("bicubic alone", f"blind, {camera}")]
            yield f"| {camera} | {name} | {' | '.join(judged(image, x) for x in results)} |"


def restored(models: dict[str, sfumato.Model], images: dict[str, Tensor]) -> Iterator[str]:
    """The table of restoration."""
    yield "| pictures | lost | as they are, dB | restored, dB | gain, dB |"
    yield "|---|---|---|---|---|"
    for source, image in images.items():
        for name, crappify in LOSSES.items():
            draw = Batch(len(image), seed=11)
            crappy = crappify(image, draw.rand, draw.randn)
            found = in_parts(models[f"restorer, {source}"].system.restore, crappy)
            before, after = (quality.psnr(image, x).mean().item() for x in (crappy, found))
            yield f"| {source} | {name} | {before:.2f} | {after:.2f} | {after - before:+.2f} |"


def coloured(models: dict[str, sfumato.Model], images: dict[str, Tensor]) -> Iterator[str]:
    """The table of colours, of the pictures that have any."""
    yield "| pictures | colour error of grey | coloured | PSNR of grey, dB | coloured, dB |"
    yield "|---|---|---|---|---|"
    for source, image in images.items():
        image = image[(image.amax(1) - image.amin(1)).mean((1, 2)) > 0.05]
        draw = Batch(len(image))
        grey = Crappifier(grey=True)(image, draw.rand, draw.randn)
        both = grey, in_parts(models[f"colourist, {source}"].system.restore, grey)
        errors, near = [f"{colour_error(image, x):.2f}" for x in both], [quality.psnr(image, x).mean() for x in both]
        yield f"| {source} | {' | '.join(errors)} | {near[0]:.2f} | {near[1]:.2f} |"


def draw(models: dict[str, sfumato.Model], path: Path) -> None:
    """Rows of what a system is given, what it makes of it, and the truth, twice; the last is an enlargement."""
    photographs = [pixels_of(KODAK[k]).float() / 127.5 - 1 for k in SHOWN]
    rows = []
    for row, (name, crappify) in enumerate((LOSSES | {"colour": Crappifier(grey=True)}).items()):
        for image in photographs:
            truth, noise = image[..., 160:288, 60 + 90 * row : 188 + 90 * row], Batch(1, seed=row)
            crappy = crappify(truth, noise.rand, noise.randn)
            restore = models[f"{'colourist' if name == 'colour' else 'restorer'}, photographs"].system.restore
            rows += [crappy, in_parts(restore, crappy), truth]
    for image in photographs:
        truth = image[..., 160:288, 240:368]
        low = dict(taken_by("at night", truth))["blur and noise"]
        rows += [enlarge(low, SCALE), in_parts(models["blind, at night"].system.upscale, low), truth]
    sheet = grid(torch.cat(rows).clamp(-1, 1), columns=6, zoom=1)
    sheet.quantize(255, Image.Quantize.MEDIANCUT).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps each, nothing recorded")
    quick = parser.parse_args().quick
    models = {key: trained(key, quick) for key in SYSTEMS}
    photographs = sources(quick)
    scenes = next(Batches(prepare("scenes", size=64, split="test"), view="image").epoch(8 if quick else SCENES)).image
    images = {"photographs": photographs, "scenes": scenes}
    text = PAGE.replace("ENLARGED", "\n".join(enlarged(models, photographs)))
    for key, rows in (("RESTORED", restored), ("COLOURED", coloured)):
        text = text.replace(key, "\n".join(rows(models, images)))
    spent = "; ".join(f"{key} {minutes(m):.1f}" for key, m in models.items())
    text = text.replace("MINUTES", spent).replace("PICTURES", str(PICTURES))
    draw(models, Path("runs/quick/restoration.png") if quick else RESULTS / "restoration.png")
    if quick:
        print(text)
    else:
        record("restoration", "Real-world enlargement and restoration", text.splitlines())


PAGE = """Small presets, one seed, trained on squares of Kodak's photographs; minutes by the clock on a machine at
work: MINUTES. What is measured are the middles of the 19 pictures of Set5 and Set14, 224 pixels a side.

## Enlarging twice

PSNR, dB / distance of SqueezeNet's features, which is LPIPS without its learned weights / NIQE. Of the last two less is
better. All networks are the same and learned equally long. Two cameras were simulated: their blurs are discs and
Gaussians, their noise grows with the light, from a deviation of 2 to one of 6, of 255, by day, and from 4 to 12 at
night. RealSR's kernels and noise were gathered from PICTURES pictures that a camera took, by KernelGAN and from what is
smooth, with no truth beside them; the pictures below have other blurs, drawn anew, and other noise.

ENLARGED

## Restoring

JPEG qualities from 10 to 70, noise of up to 25 of 255, half the pixels in each direction. One network for all that is
lost, by turns and together; one for photographs, and one for the built-in scenes of 64 pixels, tried on 200 others.

RESTORED

## Colouring

The colour error is the root of the mean squared error of Cb and Cr, of 255. Grey is what the network is given.

COLOURED

![Given, restored, truth](restoration.png)

From above: low resolution, JPEG, noise, all of these, colour, and an enlargement of what the camera took at night.
Of each three pictures the first is what the system was given, the last the truth. These are the two photographs of
Kodak's from whose squares nothing learned.
"""


if __name__ == "__main__":
    main()

"""What the systems of image translation show with their small presets, on pictures whose true partners are known.

    OMP_NUM_THREADS=1 python benchmarks/translation.py [night cyclegan maps facades] [--quick] [--only-measure]

- night: pix2pix, L1 alone and the game alone, from day to night (`scenes`, view paired-night). 8 core-minutes.
- cyclegan: the same without pairs, with and without the identity loss, against identity and histograms. 12 minutes.
- maps: pix2pix, pix2pixhd (with and without styles, and edges of objects), spade and crn, to clear days. 50 minutes.
- facades: pix2pix on the real facades, a fifth of which is held out by name (../shared/data). 4 minutes.

Trained runs are kept in runs/benchmark and gone on with; what is there is measured, and docs/results/translation.md and
its pictures are written anew. --quick trains for 20 steps, into other folders, and writes nothing to docs.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import sfumato
from pages import RESULTS, Part, by_parts, record_parts
from sfumato.data.batches import Batches
from sfumato.data.pictures import save_grid, to_bytes
from sfumato.data.prepare import prepare
from sfumato.data.worlds.scenes import Scenes
from sfumato.data.worlds.source import TEST_START
from sfumato.data.worlds.truth import SCENE_PALETTE
from sfumato.evaluation import observe
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import extractor, factor_reader
from sfumato.networks.pretrained.scores import confusion, overlaps
from sfumato.system import Batch
from sfumato.tasks.model import Model

FACADES = Path(__file__).parents[1] / "../shared/data/datasets/facades_155_paired"
N = 1_000  # held-out pictures measured
DAYS = 3_000, 500  # clear days to train on, and to test on
QUICK = {"steps": 20}


def folder(name: str, quick: bool) -> Path:
    return Path("runs/benchmark") / f"translation-{name}-{'quick' if quick else 0}"


def trained(name: str, system: str, arguments: argparse.Namespace, **options: object) -> Model | None:
    """A model from its finished run, trained now, or gone on with, if it is not; None if that is not wanted."""
    run = folder(name, arguments.quick)
    if not (run / "done").exists():
        if arguments.only_measure:
            return None
        print(f"training {name}", flush=True)
        if (run / "resume").exists() and any((run / "resume").glob("*.safetensors")):
            sfumato.resume(run, evaluate=False, quiet=True)
        else:
            options = {"preset": "small"} | options | (QUICK if arguments.quick else {})
            sfumato.train(system, out=run, evaluate=False, quiet=True, threads=1, **options)  # type: ignore[arg-type]
        (run / "done").touch()
    return sfumato.load(run, device="cpu")


def held_out(model: Model, n: int = N) -> Batch:
    """Pictures that training never saw, and all that belongs to them."""
    n = min(n, len(model.pictures), 64 if model.step <= QUICK["steps"] else n)
    return next(Batches(model.pictures, view=model.facts.view, batch=8).epoch(n))


def drawn(model: Model, batch: Batch) -> Tensor:
    """What a model makes of a batch, as bytes would hold it, in parts: (n, c, h, w)."""
    model.system.eval()
    made = []
    with torch.inference_mode():
        for k in range(0, batch.n, 50):
            fields = {name: x[k : k + 50] for name, x in batch.fields.items() if name != "image"}
            made.append(model.system.sample(Batch(seed=k, **fields)))
    return torch.from_numpy(to_bytes(torch.cat(made))).permute(0, 3, 1, 2).float() / 127.5 - 1


def distance(images: Tensor, real: Tensor) -> float:
    """Fréchet distance by the reader of scenes."""
    look = extractor("reader:scenes")
    return frechet_distance(*(observe(x, look).features for x in (real, images)))


def psnr(images: Tensor, true: Tensor) -> float:
    """Mean over pictures, dB."""
    return (10 * (4 / (images - true).square().flatten(1).mean(1)).log10()).mean().item()


def night(arguments: argparse.Namespace) -> list[str]:
    rows = ["| | Fréchet distance ↓ | mean absolute error ↓ | PSNR ↑ |", "|---|---|---|---|"]
    columns = []
    for name, preset in (("pix2pix", "small"), ("pix2pix-l1", "small-l1"), ("pix2pix-gan", "small-gan")):
        model = trained(name, "pix2pix", arguments, preset=preset)
        if model is None:
            continue
        batch = held_out(model)
        made = drawn(model, batch)
        error = (made - batch.image).abs().mean().item() / 2
        figures = f"{distance(made, batch.image):.3f} | {error:.4f} | {psnr(made, batch.image):.2f}"
        rows.append(f"| {'L1 + GAN' if preset == 'small' else 'L1' if 'l1' in preset else 'GAN'} | {figures} |")
        columns.append(made[:8])
        given = batch
    if not columns:
        return []
    first, second = given.image.chunk(2)
    rows.append(f"| two halves of the true nights | {distance(first, second):.3f} | | |")
    shown([given.source[:8], *columns, given.image[:8]], "translation-night", arguments)
    return [
        f"## pix2pix: from day to night\n\n{given.n:,} held-out pictures of `scenes` at 64 px.\n", *rows,
        "\n![day; L1 + GAN; L1; GAN; the true night](translation-night.png)\n\nDay, what each made of it (in the order "
        "of the table), and the true night.\n",
    ]  # fmt: skip


def matched(images: Tensor, domain: Tensor) -> Tensor:
    """Pictures with the histogram, channel by channel, of all pictures of a domain."""
    found = []
    for channel in range(3):
        wanted = domain[:, channel].flatten().sort().values
        flat = images[:, channel].flatten(1)
        ranks = (flat.argsort(1).argsort(1).float() + 0.5) / flat.shape[1]
        found.append(wanted[(ranks * len(wanted)).long().clamp(max=len(wanted) - 1)].view_as(images[:, channel]))
    return torch.stack(found, 1)


def cyclegan(arguments: argparse.Namespace) -> list[str]:
    rows = ["| | PSNR to the hidden night ↑ | Fréchet distance ↓ | there and back ↑ |", "|---|---|---|---|"]
    columns: list[Tensor] = []
    given: Batch | None = None
    for name, preset in (("cyclegan", "small"), ("cyclegan-identity", "small-identity")):
        model = trained(name, "cyclegan", arguments, preset=preset)
        if model is None:
            continue
        given = held_out(model)
        made = drawn(model, given)
        with torch.inference_mode():
            back = torch.cat([model.system.reconstruct(x) for x in given.source.split(50)])  # type: ignore[operator]
        both = f"{distance(made, given.hidden):.3f} | {psnr(back, given.source):.2f} dB"
        rows.append(f"| {name} | {psnr(made, given.hidden):.2f} dB | {both} |")
        columns += [made[:8], back[:8]]
    if given is None:
        return []
    for name, made in (("as it is", given.source), ("histogram matched", matched(given.source, given.image))):
        rows.append(f"| {name} | {psnr(made, given.hidden):.2f} dB | {distance(made, given.hidden):.3f} | |")
    shown([given.source[:8], *columns, given.hidden[:8]], "translation-cyclegan", arguments)
    return [
        f"## cyclegan: from day to night without pairs\n\n{given.n:,} held-out pictures of `scenes` at 32 px.\n", *rows,
        "\n![day; night and back by each; the hidden night](translation-cyclegan.png)\n\nDay; what it became, and what "
        "that became again, for each row of the table; the hidden night.\n",
    ]  # fmt: skip


def days(path: Path) -> Path:
    """Clear days of `scenes` with their maps of classes and objects, as files."""
    world = Scenes()
    for split, first, n in (("train", 0, DAYS[0]), ("test", TEST_START, DAYS[1])):
        for start in range(0, n, 250):
            names = np.arange(first + start, first + min(start + 250, n))
            seen = world.render(world.vary(world.factors(names), time="day", weather="clear"), 64, truth=True)
            assert seen.instance is not None
            for kind, values in (("images", seen.image), ("labels", seen.semantic), ("instances", seen.instance)):
                (path / kind / split).mkdir(parents=True, exist_ok=True)
                for i, value in zip(names.tolist(), values, strict=True):
                    Image.fromarray(value.astype(np.uint8)).save(path / kind / split / f"{i:07}.png", compress_level=1)
    lines = [f"{name},{','.join(map(str, c))}\n" for name, c in zip(world.legend, SCENE_PALETTE.tolist(), strict=True)]
    (path / "legend.csv").write_text("".join(lines))
    return path


def read(images: Tensor, semantic: Tensor) -> tuple[float, float]:
    """How many pixels the reader finds in the class of the map, and the mean overlap of classes."""
    reader, found = factor_reader("scenes"), []
    with torch.inference_mode():
        for part in images.split(100):
            found.append(reader.read(part).parts.argmax(1))
    counts = confusion(torch.cat(found).flatten(), semantic.flatten(), len(reader.spec.parts))
    return (counts.diagonal().sum() / counts.sum()).item(), overlaps(counts).nanmean().item()


MAPS: dict[str, tuple[str, dict[str, object]]] = {
    "pix2pix": ("pix2pix", {"view": "paired-map", "steps": 1_500}),  # as many as the others
    "pix2pixhd": ("pix2pixhd", {"z": 0}),  # as it is in the paper's comparison: E is its section 3.4
    "pix2pixhd-perceptual": ("pix2pixhd", {"z": 0, "features": "style"}),  # the same, looking through frozen features
    "pix2pixhd-styles": ("pix2pixhd", {}),
    "pix2pixhd-styles-no-objects": ("pix2pixhd", {"objects": False}),
    "spade": ("spade", {}),
    "crn": ("crn", {}),
}


def maps(arguments: argparse.Namespace) -> list[str]:
    data = Path("runs/benchmark/clear-days")
    data = data if (data / "legend.csv").exists() else days(data)
    test = prepare(data, size=64, view="maps", split="test")
    true = next(Batches(test, view="maps").epoch(len(test)))
    rows = ["| | Fréchet distance ↓ | pixels read rightly ↑ | mean overlap ↑ | |", "|---|---|---|---|---|"]
    columns, models = [], {}
    for name, (system, options) in MAPS.items():
        model = trained(f"days-{name}", system, arguments, data=data, size=64, **options)
        if model is None:
            continue
        models[name] = model
        made = drawn(model, held_out(model, len(test)))
        figures = [f"{distance(made, true.image):.3f}", *(f"{x:.3f}" for x in read(made, true.semantic[: len(made)]))]
        rows.append(f"| {name} | {' | '.join(figures)} | {model.parameters:,} parameters |")
        columns.append(made[:8])
    if not columns:
        return []
    figures = [f"{x:.3f}" for x in read(true.image, true.semantic)]
    rows.append(f"| the true days | | {' | '.join(figures)} | |")
    coloured = torch.from_numpy(np.append(SCENE_PALETTE, [[0, 0, 0]], 0))[true.semantic[:8].clamp(max=27)]
    shown([coloured.permute(0, 3, 1, 2) / 127.5 - 1, *columns, true.image[:8]], "translation-maps", arguments)
    lines = [
        f"## From maps to clear days\n\n{len(test)} held-out pictures at 64 px; parts by the reader of scenes.\n",
        *rows,
        "\n![maps; each row of the table; the true days](translation-maps.png)\n",
        "Maps, what each painted, and the truth. `perceptual` matches frozen features, too; `styles` has the encoder "
        "of styles, which are drawn at random; `no-objects` does not see where one object ends and the next begins.\n",
    ]
    if "pix2pixhd-styles" in models:
        lines += styles(models["pix2pixhd-styles"], models.get("pix2pixhd-styles-no-objects"), true, arguments)
    return lines


def styles(model: Model, blind: Model | None, true: Batch, arguments: argparse.Namespace) -> list[str]:
    """One object in every style of its class, how far what is around it changes; and touching objects."""
    pick, thing = largest(true, "wall")
    semantic, instance = true.semantic[pick : pick + 1], true.instance[pick : pick + 1]
    kind = int(semantic[instance == thing].mode().values)
    system = model.system.eval()
    with torch.inference_mode():
        made = torch.cat([
            system.translate(semantic, instance, {(kind, thing): k})  # type: ignore[operator]
            for k in range(max(1, system.styles(kind)))  # type: ignore[operator]
        ])  # fmt: skip
    inside = (instance[0] == thing) & (semantic[0] == kind)
    change = (made[1:] - made[:1]).abs().mean(1) / 2
    rows = [made[:8]]
    lines = [
        "## One object in the styles of its class\n",
        f"A {legend()[kind]}, in the {len(made)} styles of the menu. From one style to another its pixels change "
        f"by {change[:, inside].mean():.3f} on average (of 1), all others by {change[:, ~inside].mean():.4f}.\n",
        "![one object in several styles](translation-styles.png)\n",
    ]
    shown(rows, "translation-styles", arguments)
    if blind is not None:
        touching = [k for k in range(true.n) if touches(true.semantic[k], true.instance[k])]
        given = Batch(semantic=true.semantic[touching], instance=true.instance[touching], n=len(touching))
        pairs = [drawn(m, given) for m in (blind, model)]
        shown([x[:8] for x in (*pairs, true.image[touching])], "translation-touching", arguments)
        steps = [border(x, given.semantic, given.instance) for x in (*pairs, true.image[touching])]
        lines += [
            "## Objects that touch\n",
            f"In {len(touching)} pictures objects of one class touch. Neighbouring pixels of two of them differ by "
            f"{steps[0]:.4f} (of 1) more than those within one without edges of objects, by {steps[1]:.4f} more with "
            f"them, and by {steps[2]:.4f} in truth: so far the edge is seen.\n",
            "![objects that touch](translation-touching.png)\n",
            "Without edges of objects (above), with them (middle), and the truth.\n",
        ]
    return lines


def legend() -> tuple[str, ...]:
    return Scenes().legend


def largest(true: Batch, kind: str) -> tuple[int, int]:
    """The picture and the number of the object that shows most of a class."""
    place = true.semantic == legend().index(kind)
    best = int((place & (true.instance > 0)).flatten(1).sum(1).argmax())
    return best, int(true.instance[best][place[best] & (true.instance[best] > 0)].mode().values)


def touches(semantic: Tensor, instance: Tensor) -> bool:
    """Whether two objects share a border of at least four pixels within one class."""
    right = (instance[:, 1:] != instance[:, :-1]) & (semantic[:, 1:] == semantic[:, :-1])
    return int((right & (instance[:, 1:] > 0) & (instance[:, :-1] > 0)).sum()) >= 4


def border(images: Tensor, semantic: Tensor, instance: Tensor) -> float:
    """How far neighbours differ, of one class but two objects, more than those of one object do: of 1."""
    found = []
    for axis in (1, 2):
        n = semantic.shape[axis] - 1
        (a, b), (c, d), (x, y) = ((m.narrow(k, 0, n), m.narrow(k, 1, n)) for m, k in
                                  ((semantic, axis), (instance, axis), (images, axis + 1)))  # fmt: skip
        change, things = (x - y).abs().mean(1) / 2, (a == b) & (c > 0) & (d > 0)
        found.append((change[things & (c != d)], change[things & (c == d)]))
    across, within = (torch.cat(parts).mean().item() for parts in zip(*found, strict=True))
    return across - within


def facades(arguments: argparse.Namespace) -> list[str]:
    if not FACADES.exists():
        print("facades: ../shared/data is absent")
        return []
    model = trained("facades", "pix2pix", arguments, data=FACADES, view="paired", holdout=0.2, flip=True, size=64)
    if model is None:
        return []
    batch = held_out(model)
    made = drawn(model, batch)
    shown([batch.source[:8], made[:8], batch.image[:8]], "translation-facades", arguments)
    mean = prepare(FACADES, size=64, view="paired", holdout=0.2).images.mean(0) / 127.5 - 1
    plain = torch.from_numpy(mean).permute(2, 0, 1).float().expand_as(batch.image)
    return [
        "## pix2pix on real facades\n",
        f"{batch.n} of 155 pairs held out by name (`holdout=0.2`), at 64 px: mean absolute error "
        f"{(made - batch.image).abs().mean() / 2:.4f}, PSNR {psnr(made, batch.image):.2f} dB; the mean facade has "
        f"{(plain - batch.image).abs().mean() / 2:.4f} and {psnr(plain, batch.image):.2f} dB.\n",
        "The photographs may be looked at, and are not shown here: their licence is not clear.\n",
    ]


def shown(rows: list[Tensor], name: str, arguments: argparse.Namespace) -> None:
    """Rows of eight pictures each as docs/results/NAME.png; quick ones, and those of unclear licence, elsewhere."""
    place = Path("runs/benchmark") if arguments.quick or "facades" in name else RESULTS
    save_grid(torch.cat([x.cpu().clamp(-1, 1) for x in rows]), place / f"{name}.png", columns=len(rows[0]))


PARTS: dict[str, Part] = {
    "night": night,
    "cyclegan": cyclegan,
    "maps": maps,
    "facades": facades,
}


def main() -> None:
    record_parts("translation", "Image translation", PARTS, by_parts(__doc__, PARTS).parse_args())


if __name__ == "__main__":
    main()

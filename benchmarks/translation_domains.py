"""What unit, munit, funit and dtn show with their small presets: nothing is paired, and readers judge.

    OMP_NUM_THREADS=1 python benchmarks/translation_domains.py [unit munit funit dtn] [--quick] [--only-measure]

- unit: from day to night, against the hidden nights, identity and histograms, as cyclegan is. 8 core-minutes.
- munit: from day to dawn, dusk and night: what is kept, how far styles differ, styles of examples. 9 minutes.
- funit: the poses of people with the looks of others who were never seen, by 1, 5 and 10 pictures. 13 minutes.
- dtn: faces become drawings in ink; a classifier of drawings reads whether they smile. 7 minutes.

Trained runs are kept in runs/benchmark and gone on with; what is there is measured, and
docs/results/translation-domains.md and its pictures are written anew. --quick trains for 20 steps, into other folders,
and writes nothing to docs. cyclegan's rows are those of benchmarks/translation.py, where that has been run.
"""

import argparse
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pages import Part, by_parts, record_parts
from sfumato.data.batches import Batches
from sfumato.data.prepare import Pictures, prepare
from sfumato.data.views.facts import HELD
from sfumato.data.worlds.faces import Faces
from sfumato.evaluation import observe
from sfumato.metrics import frechet_distance
from sfumato.networks.pretrained import extractor, factor_reader
from sfumato.tasks.model import Model
from translation import distance, drawn, held_out, matched, psnr, shown, trained

STYLES = 6  # of each picture
SHOTS = 1, 5, 10  # examples of a class
PEOPLE, PICTURES = 120, 40  # that funit learns from, or is tried on: every sixth of the people


def measured(name: str, arguments: argparse.Namespace) -> Model | None:
    """A model of another benchmark, if that has trained it."""
    return trained(name, name, argparse.Namespace(quick=arguments.quick, only_measure=True))


def parts_of(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """A function of pictures, fifty at a time."""
    with torch.inference_mode():
        return torch.cat([function(*some) for some in zip(*(x.split(50) for x in tensors), strict=True)])


def unit(arguments: argparse.Namespace) -> list[str]:
    model = trained("unit", "unit", arguments)
    if model is None:
        return []
    rows = ["| | PSNR to the hidden night ↑ | Fréchet distance ↓ | there and back ↑ |", "|---|---|---|---|"]
    given = held_out(model)
    columns = []
    for name, its in (("unit", model), ("cyclegan", measured("cyclegan", arguments))):
        if its is None:
            continue
        made = drawn(its, given)
        back = parts_of(its.system.reconstruct, given.source)  # type: ignore[arg-type]
        figures = f"{psnr(made, given.hidden):.2f} dB | {distance(made, given.hidden):.3f}"
        rows.append(f"| {name} | {figures} | {psnr(back, given.source):.2f} dB |")
        columns += [made[:8], back[:8]]
    for name, made in (("as it is", given.source), ("histogram matched", matched(given.source, given.image))):
        rows.append(f"| {name} | {psnr(made, given.hidden):.2f} dB | {distance(made, given.hidden):.3f} | |")
    shown([given.source[:8], *columns, given.hidden[:8]], "translation-unit", arguments)
    return [
        f"## unit: from day to night without pairs\n\n{given.n:,} held-out pictures of `scenes` at 32 px.\n", *rows,
        "\n![day; night and back; the hidden night](translation-unit.png)\n\nDay; what it became, and what that became "
        "again, for each row of the table; the hidden night.\n",
    ]  # fmt: skip


def kept(before: Tensor, after: Tensor) -> tuple[float, float]:
    """Shares of pixels whose class, and of pictures whose scene, the reader finds to be the same."""
    reader = factor_reader("scenes")
    found = []
    for images in (before, after):
        with torch.inference_mode():
            some = [reader.read(x) for x in images.split(50)]
        scenes = torch.cat([x.factors["scene"].argmax(1) for x in some])
        found.append((torch.cat([x.parts.argmax(1) for x in some]), scenes))
    (a, b), (c, d) = found
    return (a == c).float().mean().item(), (b == d).float().mean().item()


def times(images: Tensor) -> Tensor:
    """The time of day that the reader sees: (n,)."""
    reader = factor_reader("scenes")
    return parts_of(lambda x: reader.read(x).factors["time"].argmax(1), images)


def spread(made: Tensor) -> float:
    """The mean absolute difference, of 1, of two styles of one picture: (styles, n, c, h, w)."""
    return torch.stack([(a - b).abs().mean() / 2 for a, b in combinations(made, 2)]).mean().item()


def munit(arguments: argparse.Namespace) -> list[str]:
    model = trained("munit", "munit", arguments)
    if model is None:
        return []
    system: Any = model.system.eval()
    given = held_out(model, 200)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(STYLES, given.n, system.z, generator=generator)
    made = torch.stack([parts_of(lambda x, z: system.translate(x, style=z), given.source, z) for z in codes])
    same = parts_of(lambda x, y: system.translate(x, style=system.style(y)), given.source, given.image)
    truth = model.pictures.truth
    rows_ = Batches(model.pictures, view="unpaired-times", batch=8).rows[: given.n]
    names = [model.pictures.names[k] for k in rows_.tolist()]
    fields = truth.get(["dusk", "night"], names, model.pictures.size)
    true = torch.stack([torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1 for x in fields.values()])
    rows = ["| | pixels of the same class ↑ | same scene ↑ | difference of two styles ↑ |", "|---|---|---|---|"]
    pixels, scene = kept(given.source, made[0])
    rows.append(f"| munit, random styles | {pixels:.1%} | {scene:.1%} | {spread(made):.3f} |")
    cyclegan = measured("cyclegan", arguments)
    if cyclegan is not None:
        pixels, scene = kept(given.source, drawn(cyclegan, given))
        rows.append(f"| cyclegan (to night) | {pixels:.1%} | {scene:.1%} | 0 |")
    pixels, scene = kept(given.source, true[0])
    rows.append(f"| the same places at dusk, and at night | {pixels:.1%} | {scene:.1%} | {spread(true):.3f} |")
    wanted = times(given.image)
    like = ["| | same time of day as the example ↑ | mean colour's difference to it ↓ |", "|---|---|---|"]
    for name, images in (("in the example's style", same), ("in a random style", made[0]), ("as it is", given.source)):
        agree = (times(images) == wanted).float().mean()
        colour = (images.mean((2, 3)) - given.image.mean((2, 3))).abs().mean() / 2
        like.append(f"| {name} | {agree:.1%} | {colour:.3f} |")
    shown([given.source[:8], *made[:4, :8], same[:8], given.image[:8]], "translation-munit", arguments)
    return [
        f"## munit: from day to other times\n\n{given.n} held-out `scenes` at 32 px, {STYLES} styles each.\n",
        *rows, "", *like,
        "\n![day; four random styles; in the styles of examples; the examples](translation-munit.png)\n\nDay; the same "
        "in four random styles; in the style of the picture below; that picture.\n",
    ]  # fmt: skip


def people(path: Path) -> Path:
    """Portraits in a folder for each person, who keeps bones, skin, hair, beard and age; the rest is as it comes."""
    world = Faces()
    for person in range(PEOPLE):
        some = world.factors(np.arange(PICTURES) + PICTURES * person)
        own = {k: some[k][0].item() for k in ("age", "hair", "hair_colour", "beard")}
        seen = world.render(world.vary(some, identity=person, **own), 32)
        folder = path / f"{person:03}"
        folder.mkdir(parents=True, exist_ok=True)
        for k, image in enumerate(seen.image):
            Image.fromarray(image).save(folder / f"{k:03}.png")
    return path


def shot(model: Model, pictures: Pictures, rows: np.ndarray, wanted: np.ndarray, k: int) -> tuple[Tensor, Tensor]:
    """Pictures in the looks of classes, each by the first k of ten examples of its own; and the first of these."""
    system: Any = model.system.eval()
    random = np.random.default_rng(0)
    of = {c: np.flatnonzero(pictures.labels == c) for c in np.unique(wanted).tolist()}
    examples = np.stack([random.choice(of[c], SHOTS[-1], replace=False)[:k] for c in wanted.tolist()])

    def paint(which: Tensor, few: Tensor) -> Tensor:
        codes = system.S(tensor(pictures, few.flatten().numpy())).unflatten(0, (len(few), k)).mean(1)
        return system.painted(tensor(pictures, which.numpy()), codes)

    made = parts_of(paint, torch.from_numpy(rows), torch.from_numpy(examples))
    return made, tensor(pictures, examples[:, 0])


def tensor(pictures: Pictures, rows: np.ndarray) -> Tensor:
    """Pictures as networks see them."""
    return torch.from_numpy(np.ascontiguousarray(pictures.images[rows])).permute(0, 3, 1, 2).float() / 127.5 - 1


def funit(arguments: argparse.Namespace) -> list[str]:
    data = Path("runs/benchmark/people")
    data = data if (data / f"{PEOPLE - 1:03}").exists() else people(data)
    model = trained("funit-people", "funit", arguments, data=data, size=32)
    if model is None:
        return []
    pictures, n = prepare(data, size=32), 100 if arguments.quick else 4_000
    label = pictures.labels
    unseen = np.unique(label[label % HELD == 0])
    new = np.flatnonzero(label % HELD == 0)
    tried = np.arange(len(new)) % 4 == 0
    look = classifier("people", tensor(pictures, new[~tried]), torch.from_numpy(label[new[~tried]] // HELD), arguments)
    found = parts_of(look, tensor(pictures, new[tried])).argmax(1).numpy()
    sure = (found == label[new[tried]] // HELD).mean()
    sources = np.random.default_rng(0).choice(np.flatnonzero(label % HELD != 0), n, replace=False)
    wanted = unseen[np.arange(n) % len(unseen)]
    right = torch.from_numpy(wanted // HELD)
    before, reader = tensor(pictures, sources), factor_reader("faces")

    def turned(images: Tensor) -> Tensor:
        return parts_of(lambda x: reader.read(x).factors["yaw"].flatten(), images)

    def row(name: str, made: Tensor) -> str:
        chances = parts_of(look, made).softmax(1)
        accuracy, chance = (chances.argmax(1) == right).float().mean(), chances.gather(1, right[:, None]).mean()
        kept = torch.corrcoef(torch.stack([turned(made), turned(before)]))[0, 1]
        far = (made - before).square().mean().sqrt() / 2
        return f"| {name} | {accuracy:.1%} | {chance:.3f} | {kept:.2f} | {far:.3f} |"

    rows = [
        "| pictures of the new person | taken for this person ↑ | with a chance of ↑ "
        "| correlation of the heads' turns ↑ | change |",
        "|---|---|---|---|---|",
    ]
    columns = [before[:8]]
    for k in SHOTS:
        made, first = shot(model, pictures, sources, wanted, k)
        rows.append(row(str(k), made))
        columns += [first[:8], made[:8]] if k == 1 else [made[:8]]
    rows.append(row("none: the sources as they are", before))
    shown(columns, "translation-funit", arguments)
    return [
        f"## funit: people who were never seen\n\n{PEOPLE - len(unseen)} people of `faces` at 32 px were seen in "
        f"training, {PICTURES} pictures of each; {n:,} pictures of them are given the looks of {len(unseen)} others. "
        "Who that is, is judged by a classifier trained on true pictures of these, of which it takes "
        f"{sure:.1%} of new ones rightly; by chance {1 / len(unseen):.1%} are.\n", *rows,
        "\n![sources; an example; by 1, 5 and 10 of them](translation-funit.png)\n\nSources; one picture of the other "
        "person; the source with this person's looks by 1, 5 and 10 pictures.\n",
    ]  # fmt: skip


def ink(pictures: Pictures, rows: np.ndarray) -> Tensor:
    """Pictures drawn in ink, as networks see them."""
    names = [pictures.names[k] for k in rows.tolist()]
    return (
        torch.from_numpy(pictures.truth.get(["ink"], names, pictures.size)["ink"]).permute(0, 3, 1, 2).float() / 127.5
        - 1
    )


def drawings(size: int, arguments: argparse.Namespace) -> nn.Module:
    """A classifier of expressions in ink, which has nothing to do with f."""
    pictures = prepare("faces", size=size)
    rows = np.arange(300 if arguments.quick else 5_000)
    images = torch.cat([ink(pictures, x) for x in np.array_split(rows, 10)])
    return classifier("drawings", images, torch.from_numpy(pictures.labels[rows]), arguments)


def classifier(name: str, images: Tensor, labels: Tensor, arguments: argparse.Namespace) -> nn.Module:
    """A judge, trained once."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for n, m in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(n, m, 3, padding=1), nn.BatchNorm2d(m), nn.ReLU(), nn.MaxPool2d(2)]
    head = nn.Linear(64 * (images.shape[-1] // 8) ** 2, int(labels.max()) + 1)
    network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), head)
    path = Path("runs/benchmark") / f"translation-judge-{name}-{'quick' if arguments.quick else 0}.pt"
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()
    print(f"training the judge of {name}", flush=True)
    epochs = 1 if arguments.quick else max(8, 40_000 // len(images))
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for part in torch.randperm(len(images)).split(50):
            loss = nn.functional.cross_entropy(network(images[part]), labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path)
    return network.eval()


def alike(before: list[dict[str, Tensor]], after: list[dict[str, Tensor]], name: str) -> float:
    """How often a factor is read as before."""
    found = [a[name].argmax(1) == b[name].argmax(1) for a, b in zip(before, after, strict=True)]
    return torch.cat(found).float().mean().item()


def dtn(arguments: argparse.Namespace) -> list[str]:
    model = trained("dtn", "dtn", arguments)
    if model is None:
        return []
    given = held_out(model, 500)
    feed = Batches(model.pictures, view=model.facts.view, batch=8)
    label = torch.from_numpy(model.pictures.labels[feed.rows[: given.n]])
    made, look, reader = drawn(model, given), drawings(model.facts.size, arguments), factor_reader("faces")
    names = ("expression", "hair", "glasses", "background")
    rows = [
        f"| | expression, by the judge ↑ | {', '.join(names)}, by the reader ↑ | PSNR to the hidden drawing ↑ | "
        "Fréchet distance ↓ |",
        "|---|---|---|---|---|",
    ]
    with torch.inference_mode():
        before = [reader.read(x).factors for x in given.source.split(50)]
        real = observe(given.image, extractor("reader:faces")).features
        for name, images in (
            ("dtn", made),
            ("the true drawings", given.hidden),
            ("the photos as they are", given.source),
        ):
            right = (parts_of(look, images).argmax(1) == label).float().mean()
            after = [reader.read(x).factors for x in images.split(50)]
            same = ", ".join(f"{alike(before, after, k):.0%}" for k in names)
            far = frechet_distance(real, observe(images, extractor("reader:faces")).features)
            true = "" if images is given.hidden else f"{psnr(images, given.hidden):.2f} dB"
            rows.append(f"| {name} | {right:.1%} | {same} | {true} | {far:.3f} |")
    shown([given.source[:8], made[:8], given.hidden[:8]], "translation-dtn", arguments)
    return [
        f"## dtn: from photos to drawings in ink\n\n{given.n} held-out `faces` at {model.facts.size} px. Of five "
        "expressions a fifth is right by chance. The judge is a classifier trained on true drawings; the reader "
        "is f itself, compared with what it reads in the photo: dtn was trained to please it.\n", *rows,
        "\n![photos; what they became; the hidden drawings](translation-dtn.png)\n\nPhotos, what they became, and the "
        "hidden drawings.\n",
    ]  # fmt: skip


PARTS: dict[str, Part] = {"unit": unit, "munit": munit, "funit": funit, "dtn": dtn}


def main() -> None:
    record_parts("translation-domains", "Translation between domains", PARTS, by_parts(__doc__, PARTS).parse_args())


if __name__ == "__main__":
    main()

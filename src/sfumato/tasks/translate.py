"""Translate pictures or maps to what a network has learned to make of them: one file, or a folder with all below it."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from ..data.decode import BrokenError
from ..data.folder import walk
from ..data.source import is_picture, plain
from ..errors import UserError, nearest
from ..formats.translation import read_translator
from ..networks.pretrained.base import grey
from ..networks.reach import reach
from ..training.checkpoint import sweep
from ..training.machine import choose_device, choose_threads, keep_memory
from .enlarging.enlarge import enlarge
from .enlarging.method import Method
from .enlarging.tiles import free_memory
from .files.jobs import check_apart, each, note_skipped
from .files.photo import WRITTEN, Photo, as_numbers, check_output, read_photo, write_photo
from .model import load
from .painting.drawn import Mapped, map_files, mapped
from .painting.looks import Looks
from .progress import Advance, bar

PROBE = 256  # side of the picture that memory is estimated from, pixels
OVERLAP = 64  # pixels that parts of a picture see around them, where it does not fit into memory as a whole
WAYS = ("AtoB", "BtoA")


def translate(
    model: str | Path,
    pictures: str | Path,
    *,
    out: str | Path | None = None,
    direction: str | None = None,
    style: Sequence[str] = (),
    like: Sequence[str | Path] = (),
    n: int = 1,
    seed: int = 0,
    tile: int | None = None,
    device: str | None = None,
    quiet: bool = False,
) -> Path:
    """Translate a picture, or every picture of a folder and the folders in it; where the (first) result is.

    `model` is a run folder or model file of a system that translates, or a public checkpoint
    (`formats.translation.read_translator`). Systems that paint maps of classes take such maps, and maps of objects
    beside them (`drawn.map_files`); `style` chooses how: "road=2" for all of a class, "car#3=1" for one object. To
    systems with codes of style, `style` is example pictures, or "random", of which `n` are drawn by `seed`; there is a
    result for each, numbered if they are several. Systems of classes by example see pictures of one, or folders of
    these, `like`. `direction` is AtoB or BtoA. `tile` is the side of the parts that a picture is translated in, pixels;
    as a whole if it is not given and memory suffices. Broken pictures are listed in skipped.csv. Raises UserError if
    nothing can be translated.
    """
    source = Path(pictures)
    if tile is not None and tile < 1:
        raise UserError(f"--tile is {tile}; it must be 1 or more pixels")
    if not source.exists():
        raise UserError(f"there is no picture or folder {source}")
    ways = _opened(Path(model), direction, Looks(style, like, n, seed), choose_device(device))
    target = Path(out) if out is not None else _beside(source)
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    console.print(ways[0].words, markup=False)
    job = _Job(ways, tile, console)
    if source.is_dir():
        return _folder(source, target, job)
    target = target / _named(source.name) if target.is_dir() else target
    check_output(target, 1, 1)
    if any(p.exists() and p.samefile(source) for p in job.targets(target)):
        raise UserError(f"--out {target} is the picture itself; give another name")
    try:
        with bar(console, 1) as advance:
            job.do(source, target, advance)
    except BrokenError as e:
        raise UserError(f"{source} can't be used: {plain(str(e))}") from None
    return job.targets(target)[0]


@dataclass(frozen=True)
class Translation:
    """What translates, and from what."""

    words: str
    network: Callable[..., Tensor]  # pictures (1, channels, h, w), or maps as `Mapped` has them -> (1, outputs, h, w)
    channels: int
    outputs: int
    device: torch.device
    maps: Mapped | None = None  # what maps of classes mean, to a system that paints these


@dataclass(frozen=True)
class _Job:
    """What is done to each picture."""

    ways: Sequence[Translation]  # one for each result of a picture
    tile: int | None
    console: Console

    @property
    def maps(self) -> Mapped | None:
        """What maps of classes mean, where these are painted."""
        return self.ways[0].maps

    def targets(self, target: Path) -> list[Path]:
        """Where the results of a picture are: numbered from 1 on if there are several."""
        if len(self.ways) == 1:
            return [target]
        return [target.with_name(f"{target.stem}-{k + 1}{target.suffix}") for k in range(len(self.ways))]

    def do(self, source: Path, target: Path, advance: Advance) -> None:
        """One picture from file to files. Raises BrokenError if it can't be used."""
        check_output(target, 1, 1)
        if self.maps is not None:
            way, given = self.ways[0], self.maps.read(source)
            with torch.inference_mode():
                image = way.network(*(x.to(way.device) for x in given))
            write_photo(Photo(as_numbers(image.float().cpu(), np.dtype(np.uint8))), target)
            advance(1.0)
            return
        photo = read_photo(source)
        for note in photo.notes:
            self.console.print(f"  {plain(source.name)}: {note}", markup=False)
        if photo.colour.shape[2] == 1 < self.ways[0].channels:
            self.console.print(f"  {plain(source.name)}: grey, seen as colour", markup=False)
        photo = replace(photo, colour=np.repeat(photo.colour, 3 // photo.colour.shape[2], 2))
        for k, (way, path) in enumerate(zip(self.ways, self.targets(target), strict=True)):

            def partly(share: float, before: int = k) -> None:
                advance((before + share) / len(self.ways))

            method = _method(way)
            side = self.tile or _whole(method, *photo.colour.shape[:2])
            large = enlarge(photo, method, 1.0, tile=side, overlap=OVERLAP, advance=partly)
            write_photo(large if way.outputs == 3 else replace(large, colour=large.colour[..., :1]), path)


def _method(way: Translation) -> Method:
    """As pictures are enlarged, by a factor of 1, in colour."""

    def run(image: Tensor) -> Tensor:
        return way.network(image if way.channels == 3 else grey(image)).float().expand(-1, 3, -1, -1)

    return Method(way.words, run, 1, 3, None, device=str(way.device))


def _whole(method: Method, height: int, width: int) -> int:
    """The side of parts: that of the picture, or what memory has room for."""
    assert method.network is not None
    network, times = method.network, PROBE // 16
    memory = 0.0
    if height * width > PROBE**2:
        memory = (
            reach(lambda x: network(F.interpolate(x, scale_factor=float(times))), 3, method.device).memory / times**2
        )
    budget = free_memory(torch.device(method.device)) / 2
    if memory * height * width <= budget:
        return max(height, width)
    return max(PROBE, int(math.sqrt(budget / memory)) - 2 * OVERLAP)


def _opened(path: Path, direction: str | None, looks: Looks, device: torch.device) -> list[Translation]:
    """What a run, a model file or a public checkpoint translates by. Raises UserError."""
    if direction is not None:
        nearest(direction, WAYS, "direction")
    if device.type == "cpu":
        keep_memory()
        torch.set_num_threads(int(choose_threads().value))
    if path.is_file() and path.suffix in (".pth", ".pt"):
        network = read_translator(path).to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if looks != Looks() or direction == "BtoA":
            what = "--direction BtoA" if looks == Looks() else "--like" if looks.like else "--style"
            raise UserError(f"{path} goes one way and knows no styles: leave out {what}")
        words = f"{network.name} ({path})"
        return [Translation(words, network.translate, network.channels, network.outputs, device)]
    held = load(path, device=str(device))
    run = getattr(held.system, "translate", None)
    if run is None:
        raise UserError(f"{path}: {held.name} translates no pictures; `sfumato list` shows which systems do")
    held.system.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    takes = inspect.signature(run).parameters
    options: dict[str, Any] = {}
    if "direction" in takes:
        options["direction"] = direction or "AtoB"
    elif direction == "BtoA":
        raise UserError(f"{held.name} goes from A to B alone; to go back, train it with a direction.txt that says BtoA")
    maps = mapped(held) if held.facts.view == "maps" else None
    if maps is not None and looks.style and "style" in takes:
        options["style"] = maps.chosen(looks.style, held.system)
        looks = replace(looks, style=())
    words = f"{held.name} ({path})" + (f", {options['direction']}" if "direction" in options else "")
    channels = held.facts.channels
    return [
        Translation(words, partial(run, **chosen), channels, channels, device, maps)
        for chosen in looks.variants(held, options)
    ]


def _folder(source: Path, target: Path, job: _Job) -> Path:
    """Every picture below a folder, by name; what can't be used is listed."""
    check_apart(source, target)
    inside = target.resolve()
    found = {n: p for n, p, _ in walk(source) if is_picture(n) and inside not in p.resolve().parents}
    found = map_files(found) if job.maps is not None else found
    if not found:
        raise UserError(f"there is no {'map of classes' if job.maps is not None else 'picture'} in {source}")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"can't use the folder {target}: {e.strerror}; give another --out") from None
    sweep(target)
    files = dict(sorted(found.items()))
    skipped = each(files, lambda name, path, advance: job.do(path, target / _named(name), advance), job.console)
    note_skipped(skipped, len(found), source, target, job.console, "used")
    return target


def _named(name: str) -> str:
    """The name of a result: the picture's, with .png added where its format is not written."""
    return name if Path(name).suffix.lower() in WRITTEN else f"{name}.png"


def _beside(source: Path) -> Path:
    """Where a result goes if nobody says: here, with -translated in its name."""
    if source.is_dir():
        return Path(f"{source.resolve().name}-translated")
    return Path(_named(f"{source.stem}-translated{source.suffix}"))

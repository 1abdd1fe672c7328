"""Pictures of two domains, A and B: pairs to translate between, or two sets.

Pairs are either two halves side by side in one file, as pix2pix publishes them, or files of one name in two folders,
`A/` and `B/` (or `trainA/` and `trainB/`, `source/` and `target/`, with folders for splits above or below). A, the left
half, is what is translated and B what it becomes, unless `direction.txt` at the root says BtoA. The view "unpaired"
takes the two folders as sets, whatever the names in them: the factor "domain" tells them apart.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ...errors import UserError
from ..decode import BrokenError, Fitting, decode
from ..labels import from_folders
from ..source import Item, broken, is_picture, plain
from .known import Known, Laid, Rows
from .opened import as_bytes, header, opened
from .place import LONGEST, Place, split_name, splits

DIRECTION = "direction.txt"
WIDE = 1.9  # width by height from which on a picture may be two
_DOMAINS = {"a": "A", "b": "B", "source": "A", "target": "B"}
_LOOKED_AT = 16  # pictures, to tell whether all are pairs


def open_joined(place: Place) -> Laid | None:
    """Pairs side by side, None unless the pictures are that wide, or `direction.txt` says that they are pairs."""
    names = place.pictures
    if not names or not (DIRECTION in place.files or all(_wide(place, name) for name in some_of(names))):
        return None
    source, _ = _direction(place)
    _, split, notes = from_folders(names)

    def half(name: str, of_source: bool) -> Callable[[], bytes]:
        return partial(_half, place, name, right=of_source == (source == "B"))

    def items(of_source: bool, size: int) -> Iterable[Item]:
        for name, belongs in zip(names, split, strict=True):
            yield Item(name, half(name, of_source), split=belongs, cost=place.files[name].size)

    def tell(fitting: Fitting) -> Known:
        sources = Laid(place.name, f"half {source}", seal=place.seal(), make=partial(items, True))
        return Known(place.name, readers={"source": Rows(sources, fitting)})

    notes += colour_lost((half(name, True), half(name, False)) for name in some_of(names))
    kind = f"pairs side by side, {source} is the source"
    return Laid(place.name, kind, (), notes, seal=place.seal(), make=partial(items, False), tell=tell, n=len(names))


def some_of(names: list[Any]) -> list[Any]:
    """A few from everywhere."""
    return names[:: max(1, -(-len(names) // _LOOKED_AT))]


def colour_lost(pairs: Iterable[Sequence[Callable[[], bytes]]]) -> list[str]:
    """A note if of these (source, target) the sources have colour and the targets have none."""
    channels = []
    for pair in pairs:
        try:
            channels.append([decode(read(), Fitting(32)).pixels.shape[2] for read in pair])
        except BrokenError:
            continue
    source, target = (max((c[k] for c in channels), default=1) for k in (0, 1))
    if source <= target:
        return []
    return ["the sources are in colour and the targets grey: without --channels 3 the sources become grey as well"]


def _wide(place: Place, name: str) -> bool:
    try:
        width, height = header(place.read(name))
    except BrokenError:
        return True  # it is skipped later, with the reason
    return width >= WIDE * height


def _half(place: Place, name: str, right: bool) -> bytes:
    data = place.read(name)
    width, height = header(data)
    if width % 2 or not (width >= WIDE * height or DIRECTION in place.files):
        raise BrokenError(f"{width}×{height}: these are no two pictures side by side")
    with opened(data) as image:
        return as_bytes(image.crop((width // 2, 0, width, height) if right else (0, 0, width // 2, height)))


def _direction(place: Place) -> tuple[str, str]:
    """The domains of source and target."""
    if DIRECTION not in place.files:
        return "A", "B"
    said = place.text(DIRECTION, LONGEST).strip()
    if said.lower() not in ("atob", "btoa"):
        raise UserError(f"{place.name}: {DIRECTION} says {plain(said[:40])!r}; it says AtoB or BtoA")
    return ("A", "B") if said.lower() == "atob" else ("B", "A")


@dataclass
class Domains:
    """Pictures in two folders: by domain, (split folder, rest of the name) -> name."""

    place: Place
    pictures: dict[str, dict[tuple[str, str], str]] = field(default_factory=lambda: {"A": {}, "B": {}})
    doubles: list[str] = field(default_factory=list)  # pictures of the same name but for the extension
    notes: list[str] = field(default_factory=list)

    def split(self) -> dict[str, str]:
        """Split folder -> split."""
        return splits({key[0] for some in self.pictures.values() for key in some})

    def pairs(self, size: int) -> Iterable[Item]:
        """The targets; broken is one without a source or of another shape."""
        source, target = (self.pictures[domain] for domain in _direction(self.place))
        split = self.split()
        for key, name in sorted(target.items(), key=lambda pair: pair[1]):
            if key in source:
                cost = self.place.files[name].size
                yield Item(name, partial(self.checked, name, source[key]), split=split[key[0]], cost=cost)
            else:
                yield broken(name, f"there is no partner of its name like {next(iter(source.values()))}")
        yield from (broken(name, "there is another picture of its name in the folder") for name in self.doubles)

    def checked(self, name: str, partner: str) -> bytes:
        """A target's bytes. Raises BrokenError unless its source can be read, and has its shape."""
        data, other = self.place.read(name), self.place.read(partner)
        try:
            with opened(other):
                pass
            (w, h), (v, g) = header(data), header(other)
        except BrokenError as e:
            raise BrokenError(f"the pair with {partner}: {e}") from None
        if abs(w * g - v * h) > max(w * g, v * h) / 50:
            raise BrokenError(f"{w}×{h}, but its partner {partner} is {v}×{g}: the two do not cover each other")
        return data

    def sources(self, size: int) -> Iterable[Item]:
        """The sources, under the names of the targets."""
        source, target = (self.pictures[domain] for domain in _direction(self.place))
        for key, name in target.items():
            if key in source:
                cost = self.place.files[source[key]].size
                yield Item(name, partial(self.place.read, source[key]), cost=cost)

    def sets(self, size: int) -> Iterable[Item]:
        """All pictures of both domains."""
        split = self.split()
        for some in self.pictures.values():
            for key, name in sorted(some.items(), key=lambda pair: pair[1]):
                yield Item(name, partial(self.place.read, name), split=split[key[0]], cost=self.place.files[name].size)


def open_pairs(place: Place) -> Laid | None:
    """Pairs in two folders, None if there are no two. Raises UserError if no two names match."""
    found = _domains(place, by_stem=True)
    if found is None:
        return None
    a, b = found.pictures.values()
    if not a.keys() & b.keys():
        raise UserError(
            f"{place.name} has no pairs: no picture of A has the name of one of B, as in A/1.png with B/1.png; "
            "--view unpaired takes them as two sets"
        )
    if lone := sorted(some[key] for key in a.keys() ^ b.keys() for some in (a, b) if key in some):
        found.notes.append(f"{len(lone)} pictures have no partner of their name, the first: {plain(lone[0])}")

    def tell(fitting: Fitting) -> Known:
        sources = Laid(place.name, "source", seal=place.seal(), make=found.sources)
        return Known(place.name, readers={"source": Rows(sources, fitting)})

    source, _ = _direction(place)
    given, wanted = (a, b) if source == "A" else (b, a)
    both = [key for key in sorted(wanted) if key in given]
    found.notes += colour_lost([partial(place.read, some[key]) for some in (given, wanted)] for key in some_of(both))
    kind = f"pairs in two folders, {source} is the source"
    return Laid(place.name, kind, (), found.notes, seal=place.seal(), make=found.pairs, tell=tell)


def open_domains(place: Place) -> Laid | None:
    """Two folders as two sets, None if there are no two."""
    found = _domains(place, by_stem=False)
    if found is None:
        return None
    source, _ = _direction(place)
    number = {name: int(domain != source) for domain, some in found.pictures.items() for name in some.values()}

    def tell(fitting: Fitting) -> Known:
        factors = {"domain": ("A", "B") if source == "A" else ("B", "A")}
        return Known(place.name, factors=factors, values={"domain": number.__getitem__})

    return Laid(place.name, "two sets", (), found.notes, seal=place.seal(), make=found.sets, tell=tell, n=len(number))


def _domains(place: Place, by_stem: bool) -> Domains | None:
    found, neither = Domains(place), []
    for name in filter(is_picture, place.files):
        if role := _role(name):
            domain, split, rest = role
            key = split, str(PurePosixPath(rest).with_suffix("")) if by_stem else rest
            if found.pictures[domain].setdefault(key, name) != name:
                found.doubles.append(name)
        else:
            neither.append(name)
    if not any(found.pictures.values()):
        return None
    if neither:
        found.notes.append(f"{len(neither)} pictures are in neither domain, the first: {plain(neither[0])}")
    for domain, some in found.pictures.items():
        if not some:
            full = next(iter(found.pictures["B" if domain == "A" else "A"].values()))
            raise UserError(
                f"{place.name} has pictures of one domain alone, like {plain(full)}, and none in {domain}/: "
                "two domains are, for example, A/1.png and B/1.png"
            )
    return found


def _role(name: str) -> tuple[str, str, str] | None:
    """Domain, split folder and the rest of a name, None if no folder says its domain."""
    parts = list(PurePosixPath(name).parts)
    for k, folder in enumerate(parts[:-1]):
        low = folder.lower()
        domain, split = _DOMAINS.get(low), ""
        if domain is None and split_name(low[:-1]) and low[-1] in "ab":
            domain, split = low[-1].upper(), low[:-1]
        if domain:
            rest = parts[:k] + parts[k + 1 :]
            split = split or next((part for part in rest[:-1] if split_name(part)), "")
            return domain, split, "/".join(rest)
    return None

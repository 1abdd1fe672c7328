"""Clips, every frame of which is a picture: films, moving GIF and WebP pictures, and folders of numbered frames.

Frame 12 of `walk.mp4` is called `walk.mp4#00012`; numbered frames keep their names. A picture with fewer than
truth.FRAMES − 1 frames after it begins no clip: it is decoded, but belongs to neither split. Where such a picture is
asked for nevertheless, as when frames are held out by name, its clip stands still at its end. Films need PyAV.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from PIL import ImageSequence

from ..cache import packed
from ..decode import BrokenError, Fitting
from ..labels import from_folders
from ..source import Item, at_hand, broken, suffix
from ..truth import FRAMES
from . import films
from .known import Known, Laid, Rows
from .maps import from_three_bytes, in_three_bytes
from .opened import as_bytes, opened
from .place import Place

MOVING = (".gif", ".webp")
MOST = 100_000  # frames of one file
ENDS = "ends of clips"  # the split of pictures that begin no clip
_NUMBERED = re.compile(r"(.*?)(\d+)(\.\w+)")


@dataclass(frozen=True)
class Clip:
    """Pictures that follow each other."""

    name: str
    frames: tuple[str, ...] = ()  # files; () if they are all in the one of this name

    @property
    def path(self) -> str:
        """The file, or the folder of the files."""
        return str(PurePosixPath(self.name).parent) if self.frames else self.name


def open_clips(place: Place) -> Laid | None:
    """The frames of every clip, None if there is no clip."""
    clips = [Clip(name) for name in place.files if suffix(name) in films.EXTENSIONS]
    clips += [Clip(name) for name in place.files if suffix(name) in MOVING and _moves(place, name)]
    clips += _numbered([name for name in place.pictures if suffix(name) not in MOVING])
    if not clips:
        return None
    clips.sort(key=lambda clip: clip.name)
    folders, split, notes = from_folders([clip.path for clip in clips])
    classes = tuple(sorted({folder for folder in folders if folder}))

    def make(size: int) -> Iterable[Item]:
        for clip, folder, belongs in zip(clips, folders, split, strict=True):
            label = classes.index(folder) if folder else -1
            yield from (replace(item, label=label) for item in _items(place, clip, belongs))

    found = Laid(place.name, "clips", classes, notes, seal=place.seal(), make=make)
    found.tell = partial(_tell, place, clips, found)
    return found


def _moves(place: Place, name: str) -> bool:
    try:
        with opened(place.read(name), sound=True) as image:
            return bool(getattr(image, "is_animated", False))
    except BrokenError:
        return False


def _numbered(names: Iterable[str]) -> list[Clip]:
    """Runs of at least two files in one folder whose names differ by a number that grows by one."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            groups.setdefault((found[1], found[3]), []).append((int(found[2][-12:]), name))
    clips = []
    for files in groups.values():
        run: list[tuple[int, str]] = []
        for file in [*sorted(files), (-1, "")]:
            if run and file[0] != run[-1][0] + 1:
                if len(run) > 1:
                    clips.append(Clip(run[0][1], tuple(name for _, name in run)))
                run = []
            run.append(file)
    return clips


def _items(place: Place, clip: Clip, split: str) -> Iterator[Item]:
    """The frames of a clip; broken is a clip that is too short, or cannot be decoded to its end."""
    waiting: deque[Item] = deque()
    begun = False
    try:
        for item in _frames(place, clip):
            waiting.append(item)
            if len(waiting) == FRAMES:
                begun = True
                yield replace(waiting.popleft(), split=split)
    except BrokenError as e:
        yield broken(clip.name, str(e))
    else:
        if not begun:
            yield broken(clip.name, f"{len(waiting)} frames, where a clip has at least {FRAMES}")
    if begun:
        yield from (replace(item, split=ENDS) for item in waiting)


def _frames(place: Place, clip: Clip) -> Iterator[Item]:
    if clip.frames:
        for name in clip.frames:
            yield Item(name, partial(place.read, name), cost=place.files[name].size)
        return
    pictures: Iterable[bytes | np.ndarray] = (
        _moving(place, clip.name) if suffix(clip.name) in MOVING else films.frames(place.files[clip.name].path)
    )
    for k, content in enumerate(pictures):
        if k == MOST:
            raise BrokenError(f"more than {MOST} frames: the rest is left out")
        cost = content.nbytes if isinstance(content, np.ndarray) else len(content)
        yield Item(frame_name(clip.name, k), at_hand(content), cost=cost)


def frame_name(clip: str, k: int) -> str:
    """What frame k of a file is called."""
    return f"{clip}#{k:05}"


def _moving(place: Place, name: str) -> Iterator[bytes]:
    with opened(place.read(name)) as image:
        for frame in ImageSequence.Iterator(image):
            yield as_bytes(frame.convert("RGBA" if frame.has_transparency_data else "RGB"))


@dataclass
class Runs:
    """Clips out of the pictures of a source, which are packed already."""

    source: Laid
    fitting: Fitting
    clips: list[Clip]
    sizes: dict[int, tuple[np.ndarray, list[str]]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)  # name -> row
    ends: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # row -> the last row of its clip

    def content(self, size: int) -> tuple[np.ndarray, list[str]]:
        """All frames and their names; the same file of the cache as the pictures' own, if they chose their channels."""
        if size not in self.sizes:
            fitting = replace(self.fitting, size=size)
            found = packed(self.source, replace(fitting, channels=None))
            if found.images.shape[3] != fitting.channels:
                found = packed(self.source, fitting)
            self.sizes[size] = found.images, found.names
            self.places = {name: i for i, name in enumerate(found.names)}
            self.ends = self._ends(found.names)
        return self.sizes[size]

    def _ends(self, names: list[str]) -> np.ndarray:
        files = {name: (clip.name, k) for clip in self.clips for k, name in enumerate(clip.frames)}
        ends = np.arange(len(names))
        spots = [files.get(name) or _spot(name) for name in names]
        for row in reversed(range(len(names) - 1)):
            if spots[row + 1] == (spots[row][0], spots[row][1] + 1):
                ends[row] = ends[row + 1]
        return ends

    def rows(self, names: Sequence[str]) -> np.ndarray:
        """The rows of the clips that begin with these pictures: (n, FRAMES)."""
        rows = np.array([self.places[name] for name in names], np.int64)
        return np.minimum(rows[:, None] + np.arange(FRAMES), self.ends[rows, None])

    def clip(self, names: Sequence[str], size: int) -> np.ndarray:
        """uint8 (n, FRAMES, h, w, channels)."""
        images, _ = self.content(size)
        return images[self.rows(names)]


def _spot(name: str) -> tuple[str, int]:
    clip, _, number = name.rpartition("#")
    return clip, int(number)


def _tell(place: Place, clips: list[Clip], source: Laid, fitting: Fitting) -> Known:
    """Clips, and their motion if every one of them is a film with motion vectors."""
    runs = Runs(source, fitting, clips)

    def make(size: int) -> Iterable[Item]:
        for clip in clips:
            yield from _motions(place, clip, replace(fitting, size=size))

    motions = Rows(Laid(place.name, "motion", seal=place.seal(), make=make), replace(fitting, channels=3))

    def motion(names: Sequence[str], size: int) -> np.ndarray:
        all_names = runs.content(size)[1]
        rows = runs.rows(names)
        found = motions([all_names[row] for row in rows.ravel().tolist()], size)
        return from_code(found, size).reshape(*rows.shape, *found.shape[1:3], 2)

    known = Known(place.name, readers={"clip": runs.clip})
    if all(_has_vectors(place, clip) for clip in clips):
        known.readers = {"clip": runs.clip, "motion": motion}
        known.fields |= {"motion"}
    return known


def _has_vectors(place: Place, clip: Clip) -> bool:
    try:
        return suffix(clip.name) in films.EXTENSIONS and films.has_vectors(place.files[clip.name].path)
    except BrokenError:
        return True  # it has no frames either


def _motions(place: Place, clip: Clip, fitting: Fitting) -> Iterator[Item]:
    """The motion from every frame of a film to the next, in three bytes a pixel."""
    try:
        for k, moved in enumerate(films.motion(place.files[clip.name].path, fitting)):
            if k == MOST:
                return
            code = to_code(moved)
            yield Item(frame_name(clip.name, k), at_hand(code), cost=code.nbytes)
    except BrokenError as e:
        yield broken(clip.name, str(e))


def to_code(moved: np.ndarray) -> np.ndarray:
    """Motion in pixels as bytes, in 2048ths of a picture's shorter side: (h, w, 2) -> uint8 (h, w, 3)."""
    steps = np.clip(np.rint(moved * (2048 / min(moved.shape[:2]))), -2048, 2047).astype(np.int64) + 2048
    return in_three_bytes(steps[..., 0] << 12 | steps[..., 1])


def from_code(code: np.ndarray, size: int) -> np.ndarray:
    """Back again, by the shorter side: uint8 (…, 3) -> float32 (…, 2)."""
    values = from_three_bytes(code)
    steps = np.stack([values >> 12, values & 4095], axis=-1).astype(np.float32) - 2048
    return steps * np.float32(size / 2048)

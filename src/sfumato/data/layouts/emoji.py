"""Emoji by the names of their files, `emoji_u1f600.png`: what they show is what Unicode calls them.

A sequence is said in its order, with commas: `emoji_u1f3c4_1f3fd_200d_2640.png` is "surfer, medium skin tone, female
sign". A flag is said by the letters of its country: "flag NO". Noto's archive is in this form.
"""

import re
import unicodedata
import zipfile
from pathlib import PurePosixPath

from ..archives import Tar, Zip
from ..folder import Folder
from ..source import Source, is_picture
from .known import Known, Told, told
from .place import Place

_NAME = re.compile(r"emoji_u((?:[0-9a-f]{2,6}_)*[0-9a-f]{2,6})", re.IGNORECASE)
_JOINERS = (0x200D, 0xFE0E, 0xFE0F)
_TONES = {0x1F3FB: "light", 0x1F3FC: "medium-light", 0x1F3FD: "medium", 0x1F3FE: "medium-dark", 0x1F3FF: "dark"}
_LETTERS, _TAGS, _KEYCAP = range(0x1F1E6, 0x1F200), range(0xE0020, 0xE007F), 0x20E3

# names that are younger than Unicode 14, the one that Python 3.11 knows; names never change once they are given
_YOUNG = {
    0x1F6DC: "wireless", 0x1FA75: "light blue heart", 0x1FA76: "grey heart", 0x1FA77: "pink heart",
    0x1FA87: "maracas", 0x1FA88: "flute", 0x1FA89: "harp", 0x1FA8F: "shovel", 0x1FAAD: "folding hand fan",
    0x1FAAE: "hair pick", 0x1FAAF: "khanda", 0x1FABB: "hyacinth", 0x1FABC: "jellyfish", 0x1FABD: "wing",
    0x1FABE: "leafless tree", 0x1FABF: "goose", 0x1FAC6: "fingerprint", 0x1FACE: "moose", 0x1FACF: "donkey",
    0x1FADA: "ginger root", 0x1FADB: "pea pod", 0x1FADC: "root vegetable", 0x1FADF: "splatter",
    0x1FAE8: "shaking face", 0x1FAE9: "face with bags under eyes", 0x1FAF7: "leftwards pushing hand",
    0x1FAF8: "rightwards pushing hand", 0xFE82B: "unknown flag",
}  # fmt: skip


def sentences(name: str) -> list[str]:
    """What a file shows, by its name: one sentence, none if the name is no emoji's."""
    found = _NAME.fullmatch(PurePosixPath(name).stem)
    said = _said([int(code, 16) for code in found[1].split("_")]) if found else ""
    return [said] if said else []


def _said(codes: list[int]) -> str:
    if len(codes) == 2 and all(code in _LETTERS for code in codes):
        return "flag " + "".join(chr(ord("A") + code - _LETTERS.start) for code in codes)
    if tags := "".join(chr(code - 0xE0000) for code in codes if code in _TAGS):
        return "flag " + tags.upper()
    words = []
    for code in codes:
        if code in _TONES:
            words.append(f"{_TONES[code]} skin tone")
        elif code == _KEYCAP:
            words.append("keycap")
        elif code not in _JOINERS:
            words.append(_named(code))
    return ", ".join(words) if all(words) else ""


def _named(code: int) -> str:
    """A character's name in small letters, "" if it has none."""
    return _YOUNG.get(code) or (unicodedata.name(chr(code), "").lower() if code < 0x110000 else "")


def open_emoji(place: Place) -> Told | None:
    """A folder, zip or tar of emoji with what they show, None if its first picture is none."""
    source, other = _source(place), _source(place)
    first = next((item.name for item in other.items(1) if is_picture(item.name)), "") if other else ""
    if source is None or not sentences(first):
        return None
    return told(source, lambda fitting: Known(place.name, sentences=sentences))


def _source(place: Place) -> Source | None:
    path = place.path
    if path.is_dir():
        return Folder(place.name, "folder", path=path)
    if zipfile.is_zipfile(path):
        return Zip(place.name, "zip archive", path=path)
    with path.open("rb") as f:
        head = f.read(512)
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        return Tar(place.name, "tar archive", path=path)
    return None

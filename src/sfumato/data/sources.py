"""From what a user names to a source of pictures."""

import difflib
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from .archives import Tar, Zip
from .cifar import is_cifar, open_cifar
from .decode import EXTENSIONS, looks_like_picture
from .digits import open_digits
from .folder import Folder
from .idx import image_files, is_idx, open_idx
from .layouts import bare, open_layout
from .shapes import open_shapes
from .source import Source, is_picture
from .worlds.source import open_faces, open_scenes

BUILT_IN: dict[str, Callable[[], Source]] = {
    "digits": open_digits,
    "shapes": open_shapes,
    "scenes": open_scenes,
    "faces": open_faces,
}
LOOKED_FOR = (
    f"pictures ({' '.join(EXTENSIONS)}) at any depth of a folder, zip, tar or tar.gz, MNIST idx files, "
    "CIFAR-10/100 archives"
)


_PLAIN = ("image", "labelled", "semi")  # views that pictures alone can serve


def open_source(data: str | Path, view: str = "image") -> Source:
    """The source that a name or path stands for.

    `data` is the name of a built-in, a folder, a zip, tar or tar.gz archive, a file of images in MNIST's idx form or
    a folder that holds some, a CIFAR archive as published, or one picture. "./digits" is the folder of that name.
    `view` is what is to be made of it: files beside the pictures that tell what it needs are looked for in `layouts`.
    Raises UserError if there is nothing there, or nothing that can be read.
    """
    if isinstance(data, str) and data in BUILT_IN:
        return BUILT_IN[data]()
    path = Path(data).expanduser()
    try:
        if view != "image" and path.exists() and (found := open_layout(path, view)):
            return found
        if path.is_dir() or path.is_file():
            source = _open_folder(path) if path.is_dir() else _open_file(path)
            return source if view in _PLAIN else bare(source)
    except (PermissionError, OSError) as e:
        raise UserError(f"{path} cannot be read: {e.strerror or e}") from None
    close = difflib.get_close_matches(str(data), BUILT_IN, n=1)
    hint = f"did you mean {close[0]}?" if close else f"built in are {', '.join(BUILT_IN)}"
    raise UserError(f"there is no file or folder {str(data)!r}; {hint}")


def _open_folder(path: Path) -> Source:
    if is_cifar(path):
        return open_cifar(path)
    if image_files(path):
        return open_idx(path)
    return Folder(path.name or str(path), "folder", path=path)


def _open_file(path: Path) -> Source:
    with path.open("rb") as f:
        head = f.read(512)
    if looks_like_picture(head) or is_picture(path.name):
        return Folder(path.name, "picture", path=path)
    if is_idx(path):
        return open_idx(path)
    if zipfile.is_zipfile(path) or head[:4] == b"PK\3\4":
        return Zip(path.name, "zip archive", path=path)
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar" or path.suffix == ".tar":
        return open_cifar(path) if is_cifar(path) else Tar(path.name, "tar archive", path=path)
    raise UserError(f"{path} is no source that sfumato reads; it reads {LOOKED_FOR}")

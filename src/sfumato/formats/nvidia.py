"""Generators of stylegan2-ada-pytorch (`network-snapshot-….pkl`), read without running anything that they hold.

Such a file is a pickle of objects that carry their own source code, which is to be run to restore them. Here the
source is a string that nobody looks at: an object becomes a plain record of its attributes, and of those only tensors
and names are used. Whatever else a file asks to be called is refused.

In the layout of these files a mapping network is fc0, fc1, … with the mean of W, and each side has a block b4, b8, …
of conv0 (which doubles the side), conv1 and torgb. Karras et al., 2020. https://arxiv.org/abs/2006.06676
"""

import io
import math
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from .states import State

PARTS = ("G_ema", "G")  # the averaged generator first
DEEP = 64  # objects within objects


@dataclass(frozen=True)
class Published:
    """A generator as the system stylegan2 has it: its arguments, and M, G, w_mean and the noise by name."""

    hyper: dict[str, Any]
    state: State
    classes: int


class Held:
    """What is left of an object: what it was made from, or nothing that anyone needs."""

    about: Mapping[str, Any] = {}

    def __init__(self, about: object = None) -> None:
        if isinstance(about, dict):
            self.about = about

    def __setstate__(self, state: object) -> None:
        """Ignored: what is needed comes with the object's making."""


class Numbers:
    """A tensor that nothing in the file can change any more."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __setstate__(self, state: object) -> None:
        """Refused, as no such file does it. Raises UnpicklingError."""
        raise pickle.UnpicklingError("a tensor that changes after it was made")


def read_generator(path: str | Path) -> Published:
    """The averaged generator of a file. Nothing in it can run.

    Raises UserError if the file is missing, damaged, asks for anything to be called that is not known to be harmless,
    or holds a network of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # of torch, about old storages
            held = Reader(file, path).load()
        found = next((held[k] for k in PARTS if k in held), None) if isinstance(held, dict) else held
    except UserError:
        raise
    except Exception as e:  # what a damaged pickle raises is anybody's guess
        why = " ".join(str(e).split())[:120]
        raise UserError(f"{path} is damaged or no pickle of a generator: {why}") from None
    if not isinstance(found, Held) or "state" not in found.about:
        raise UserError(f"{path} holds no generator of stylegan2-ada-pytorch; its pickles have G_ema")
    try:
        return stylegan2(tensors(found))
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as e:
        why = " ".join(str(e).split())[:120]
        raise UserError(f"{path}: its generator is not StyleGAN2's with skips, which is read: {why}") from None


class Reader(pickle._Unpickler):
    """A reader of pickles that knows by name what may be made, and makes something harmless in its place.

    It is Python's own in Python, where a large number in a file makes no large array.
    """

    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        super().__init__(file)
        self.path, self.room = path, 4 * path.stat().st_size  # bytes that tensors may still take, twice that of halves
        # Made anew for each file, so that one that sets attributes of what it finds here leaves no trace.
        record, mapping = type("Held", (Held,), {}), type("EasyDict", (dict,), {})
        self.known: Mapping[tuple[str, str], Any] = {
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): lambda about: record(about),
            ("dnnlib.util", "EasyDict"): mapping,
            ("collections", "OrderedDict"): type("Ordered", (OrderedDict,), {}),
            ("torch._utils", "_rebuild_tensor_v2"): lambda *given: self.tensor(*given),
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
            ("torch.storage", "_load_from_bytes"): lambda data: self.storage(data),
            **{
                place: lambda *_: record()  # arrays and sets, which generators have but do not need
                for home in ("numpy.core.multiarray", "numpy._core.multiarray")
                for place in ((home, "_reconstruct"), (home, "scalar"), ("numpy", "dtype"), ("builtins", "set"))
            },
            ("__builtin__", "set"): lambda *_: record(),
            ("numpy", "ndarray"): record,
            ("_codecs", "encode"): lambda text, *_: str(text).encode("latin1"),
            **{("torch", kind): kind for kind in ("float32", "float16", "float64", "int64")},
        }

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name of the file. Raises UserError for one that is not in the list."""
        if module.startswith("dnnlib.tflib"):
            raise UserError(f"{self.path} is of the older TensorFlow code; that project's legacy.py converts it")
        if (module, name) not in self.known:
            raise UserError(
                f"{self.path} wants to call {module}.{name}, which generators of stylegan2-ada-pytorch do not need; "
                "it is refused"
            )
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """There is nothing outside of the file. Raises UnpicklingError."""
        raise pickle.UnpicklingError("it refers to something outside of the file")

    def storage(self, data: bytes) -> Tensor:
        """Numbers in a row, from a file within the file, which is a plain one and no archive."""
        if not isinstance(data, bytes) or data.startswith(b"PK"):
            raise pickle.UnpicklingError("tensors that are packed in an archive")
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if not isinstance(found, torch.TypedStorage):
            raise pickle.UnpicklingError("a tensor without numbers")
        self.take(found.nbytes())
        return torch.empty(0, dtype=found.dtype).set_(found)

    def tensor(self, row: object, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Numbers:
        """A tensor of numbers in a row, none of them twice."""
        if not isinstance(row, Tensor) or len(size) != len(stride) or min((offset, *size, *stride)) < 0:
            raise pickle.UnpicklingError("a tensor without numbers")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if math.prod(size) > len(row) or last >= len(row):
            raise pickle.UnpicklingError("a tensor larger than its numbers")
        self.take(4 * math.prod(size))
        return Numbers(row.as_strided(size, stride, offset).float().clone())

    def take(self, size: int) -> None:
        """Count bytes. Raises UnpicklingError where a file's tensors are many times as large as the file."""
        self.room -= size
        if self.room < 0:
            raise pickle.UnpicklingError("its tensors claim to be larger than the file")


def tensors(held: Held, prefix: str = "", depth: int = 0) -> State:
    """The tensors of an object and of those within it, by name. Raises ValueError if there is no end to them."""
    if depth > DEEP:
        raise ValueError("its objects hold one another without end")
    found, state = State(), held.about["state"]
    for kind in ("_parameters", "_buffers"):
        found |= {f"{prefix}{k}": v.tensor for k, v in (state.get(kind) or {}).items() if isinstance(v, Numbers)}
    for name, inner in (state.get("_modules") or {}).items():
        if isinstance(inner, Held) and "state" in inner.about:
            found |= tensors(inner, f"{prefix}{name}.", depth + 1)
    return found


def stylegan2(state: State) -> Published:
    """Tensors by their published names as those of the system stylegan2. Raises LookupError, ValueError if they differ.

    Its weights multiply turned-over neighbours where it doubles the side, so that ours are turned over there. Clipping
    of large activations, which half precision needs, is left out.
    """
    size = max(int(m[1]) for k in state if (m := re.match(r"synthesis\.b(\d+)\.torgb\.weight$", k)))
    sides = [4 << k for k in range(int(math.log2(size / 4)) + 1)]
    layers = sum(bool(re.match(r"mapping\.fc\d+\.weight$", k)) for k in state)
    classes = state["mapping.embed.weight"].shape[1] if "mapping.embed.weight" in state else 0
    w = len(state["mapping.w_avg"])
    z = state["mapping.fc0.weight"].shape[1] - (w if classes else 0)
    widths = [len(state[f"synthesis.b{side}.conv1.weight"]) for side in sides]
    ch = widths[-1]
    if sides[-1] != size or widths != [min(ch * size // side, max(widths)) for side in sides]:
        raise ValueError(f"its widths are {widths} at {sides} pixels")
    found = {"w_mean": state["mapping.w_avg"], "G.constant": state["synthesis.b4.const"][None]}
    for k in range(layers):
        found |= _layer(state, f"mapping.fc{k}", f"M.layers.{k}")
    if classes:
        found |= _layer(state, "mapping.embed", "M.embed")
    convs = ["b4.conv1", *(f"b{side}.conv{i}" for side in sides[1:] for i in (0, 1))]
    for k, name in enumerate(convs):
        there, here = f"synthesis.{name}", f"G.convs.{k}"
        weight = state[f"{there}.weight"]
        found[f"{here}.weight"] = weight.flip(2, 3) if name.endswith("conv0") else weight
        found |= {f"{here}.bias": state[f"{there}.bias"], f"{here}.strength": state[f"{there}.noise_strength"]}
        found |= _layer(state, f"{there}.affine", f"{here}.affine")
        found[f"noise{k}"] = state[f"{there}.noise_const"][None, None]
    for k, side in enumerate(sides):
        there, here = f"synthesis.b{side}.torgb", f"G.pictures.{k}"
        found |= {f"{here}.weight": state[f"{there}.weight"][:, :, 0, 0], f"{here}.bias": state[f"{there}.bias"]}
        found |= _layer(state, f"{there}.affine", f"{here}.affine")
    hyper = dict(z=z, w=w, mapping=layers, ch=ch, ch_max=max(widths), size=size, classes=classes)
    return Published(hyper | {"channels": len(state[f"synthesis.b{size}.torgb.weight"])}, found, classes)


def _layer(state: State, there: str, here: str) -> State:
    return {f"{here}.{k}": state[f"{there}.{k}"] for k in ("weight", "bias")}

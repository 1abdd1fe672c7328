"""Write a trained network as ONNX, which other programs run, and compare what they make of it."""

import importlib.util
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError, nearest
from ..formats.superres import read_upscaler
from ..networks.stylegan.latents import StyleSpaces
from ..system import Decodes, Upscales
from .model import load

NEEDED = ("onnx", "onnxscript", "onnxruntime")
PUBLIC = (".pth", ".pt", ".param", ".bin")  # of checkpoints of enlarging networks
SIDE = 24  # of the picture that an enlarging network is traced with, pixels
ALIKE = 1e-3  # how far pictures in [-1, 1] may be from torch's in onnxruntime


class Exported(nn.Module):
    """A network and what one calls of it."""

    def __init__(self, network: nn.Module, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.run = network, run

    def forward(self, given: Tensor) -> Tensor:
        """What `run` gives."""
        return self.run(given)


def export(model: str | Path, out: str | Path | None = None, *, space: str = "z") -> tuple[Path, float]:
    """Write a generator or an enlarging network as ONNX; the file, and its largest difference in onnxruntime.

    A generator takes `code`, (batch, z) normal numbers as the system draws them, or with `space` "w" points of W,
    (batch, w), and gives `image` in [-1, 1]; noise is that of the buffers. An enlarging network takes an `image` of
    any sides. `model` is a run, a model file, or a public checkpoint of an enlarging network. The batch is free.
    Raises UserError for a system that does neither, or if the packages of the extra `onnx` are not there.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(f"ONNX needs {', '.join(missing)}; install them with pip install 'sfumato[onnx]'")
    path = Path(model)
    network, name, examples = _opened(path, nearest(space, ("z", "w"), "space"))
    home = path if path.is_dir() else Path()
    target = Path(out) if out is not None else home / ("G.onnx" if name == "code" else "upscale.onnx")
    if target.suffix.lower() != ".onnx":
        raise UserError(f"--out {target}: give a name that ends in .onnx")
    batch = torch.export.Dim("batch")
    free = {0: batch}
    if name == "image":
        free |= {2: torch.export.Dim("height", min=4), 3: torch.export.Dim("width", min=4)}
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(network, examples[0], name, free, target)
    return target, _difference(network, examples, target)


def _opened(path: Path, space: str) -> tuple[nn.Module, str, list[Tensor]]:
    """What is exported, what its input is called, and two inputs of different shapes."""
    if path.suffix in PUBLIC:
        public = read_upscaler(path)
        return Exported(public, public.upscale), "image", _pictures(public.channels)
    held = load(path, device="cpu")
    system = held.system.requires_grad_(False)
    if isinstance(system, Upscales):
        return Exported(system, system.upscale), "image", _pictures(held.facts.channels)
    if not isinstance(system, Decodes):
        raise UserError(f"{held.name} makes no pictures of codes alone, and enlarges none; nothing of it is exported")
    codes = held.prior(5)
    if space == "w":
        if not isinstance(system, StyleSpaces):
            raise UserError(f"{held.name} has no space w; leave out --space")
        codes = system.mapping(codes)
        return Exported(system, lambda w: system.synthesis(w).clamp(-1, 1)), "code", [codes[:3], codes[3:]]
    return Exported(system, system.decode), "code", [codes[:3], codes[3:]]


def _pictures(channels: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = (2, SIDE, SIDE + 8), (1, SIDE + 17, SIDE + 3)
    return [torch.rand(b, channels, h, w, generator=generator) * 2 - 1 for b, h, w in sides]


def _write(network: nn.Module, example: Tensor, name: str, free: dict[int, Any], target: Path) -> None:
    """The exporter, which talks much and warns of itself, in silence."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"), redirect_stdout(StringIO()), torch.no_grad():
        torch.onnx.export(
            network.eval(), (example,), target, dynamo=True, dynamic_shapes=(free,), input_names=[name],
            output_names=["large" if name == "image" else "image"], external_data=False, verbose=False,
        )  # fmt: skip


def _difference(network: nn.Module, examples: list[Tensor], target: Path) -> float:
    """The largest difference of pictures between torch and onnxruntime. Raises UserError where they are not alike."""
    import onnxruntime

    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    worst = 0.0
    for example in examples:
        (found,) = session.run(None, {given.name: example.numpy()})
        with torch.no_grad():
            expected = network(example).float().numpy()
        if found.shape != expected.shape:
            raise UserError(f"{target} gives pictures {found.shape} in place of {expected.shape}; do not use it")
        worst = max(worst, float(np.abs(found - expected).max()))
    if not worst <= ALIKE:
        raise UserError(f"{target}: onnxruntime's pictures differ by {worst:.2g} from torch's; do not use it")
    return worst

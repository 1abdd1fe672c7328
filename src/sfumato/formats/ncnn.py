"""SRVGGNetCompact in ncnn's files: a text of layers (.param) and their numbers in that order (.bin)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

MAGIC = "7767517"
HALF = 0x01306B47  # before weights of 16 bits; 0 stands before those of 32


def read_compact(param: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors as PyTorch names them, and by how much the result is reduced at the end.

    https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
    Raises UserError for any other network and for files that are missing or damaged.
    """
    binary = param.with_suffix(".bin")
    try:
        text, data = param.read_text(encoding="ascii"), binary.read_bytes()
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"ncnn models are a .param and a .bin of one name: {e}") from None
    try:
        kinds, options = _layers(text)
    except (ValueError, IndexError):
        raise UserError(f"{param} is no .param file of ncnn, or it is damaged") from None
    convolutions = [o for k, o in zip(kinds, options, strict=True) if k == "Convolution"]
    ends = ["PixelShuffle", "Interp", "BinaryOp"]
    shape = ["Input", "Split", *["Convolution", "PReLU"] * (len(convolutions) - 1), "Convolution", *ends]
    reductions = [o for k, o in zip(kinds, options, strict=True) if k == "Interp"][1:]
    plain = all((o.get(1), o.get(2, 1), o.get(3, 1), o.get(4), o.get(5)) == (3, 1, 1, 1, 1) for o in convolutions)
    if kinds not in (shape, [*shape, "Interp"]) or not plain or any(o.get(0) != 3 for o in reductions):
        raise UserError(f"{param}: of ncnn's models only SRVGGNetCompact is read, and this one has other layers")
    try:
        state, reduction = _numbers(data, kinds, options), round(1 / reductions[0][1]) if reductions else 1
    except (ValueError, KeyError, ZeroDivisionError, OverflowError, RuntimeError):
        raise UserError(f"{binary} does not hold the numbers that {param.name} asks for; it is damaged") from None
    return state, reduction


def _layers(text: str) -> tuple[list[str], list[dict[int, float]]]:
    """The kind and the numbered options of each layer."""
    lines = text.split("\n")
    if lines[0].strip() != MAGIC:
        raise ValueError(lines[0])
    words = [line.split() for line in lines[2:] if line.strip()]
    pairs = [[w.split("=") for w in line[4 + int(line[2]) + int(line[3]) :]] for line in words]
    return [line[0] for line in words], [{int(k): float(v) for k, v in layer} for layer in pairs]


def _numbers(data: bytes, kinds: list[str], options: list[dict[int, float]]) -> dict[str, Tensor]:
    """What the binary file holds for each layer. Raises ValueError unless it is used up exactly."""
    state: dict[str, Tensor] = {}
    at, layer, inputs = 0, 0, 0

    def take(n: int, dtype: str = "<f4") -> Tensor:
        nonlocal at
        found = np.frombuffer(data, dtype, n, at)
        at += -(-found.nbytes // 4) * 4  # every array begins at a multiple of four
        return torch.from_numpy(found.astype(np.float32))

    for kind, option in zip(kinds, options, strict=True):
        if kind == "Convolution":
            n, count = int(option[0]), int(option[6])
            (flag,) = np.frombuffer(data, "<u4", 1, at)
            at += 4
            if flag not in (0, HALF):
                raise ValueError(flag)
            inputs = count // (9 * n)
            state[f"body.{layer}.weight"] = take(count, "<f2" if flag else "<f4").reshape(n, inputs, 3, 3)
            state[f"body.{layer}.bias"] = take(n)
            layer += 1
        elif kind == "PReLU":
            state[f"body.{layer}.weight"] = take(int(option[0]))
            layer += 1
    if at != len(data):
        raise ValueError(at)
    return state

"""The tensors of public checkpoints, by name."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from ..networks.pretrained import weights

State = dict[str, Tensor]
READ = "SRResNet of SRGAN, RRDBNet of ESRGAN and Real-ESRGAN, SRVGGNetCompact, EDSR"
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model")


def tensors(path: Path) -> State:
    """The tensors of a checkpoint by name, out of the wrappers that projects put around them. Raises UserError."""
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}")
    if path.suffix == ".safetensors":
        state: object = weights.read(path)
    else:
        try:
            with warnings.catch_warnings(action="ignore"):  # about old pickles, which are refused or read all the same
                state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # what torch raises for a damaged file is anybody's guess
            raise UserError(f"{path} is damaged or holds code; only files of tensors are read") from None
    while isinstance(state, Mapping) and (wrapper := next((k for k in WRAPPERS if k in state), None)):
        state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path} holds no state dict of tensors; {READ} are read")
    if sum(v.numel() * v.element_size() for v in state.values()) > 2 * path.stat().st_size + 1_000_000:
        raise UserError(f"{path}: its tensors claim to be larger than the file; it is damaged or hostile")
    return {str(k).removeprefix("module."): v for k, v in state.items()}


def interpolated(first: State, second: State, share: float, names: str) -> State:
    """Tensor by tensor, (1 - share) · first + share · second. Raises UserError unless names and shapes agree."""
    if {k: v.shape for k, v in first.items()} != {k: v.shape for k, v in second.items()}:
        raise UserError(f"{names} are not the same network: their tensors differ in names or shapes")
    return {k: torch.lerp(v.float(), second[k].float(), share) for k, v in first.items()}

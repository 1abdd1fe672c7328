"""Several processes under torchrun: who this one is, and how gradients become one."""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors


def join(device: torch.device) -> torch.device:
    """Join the processes that torchrun started, if it did; the device that is this one's."""
    if "RANK" in os.environ and not dist.is_initialized():
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def leave() -> None:
    """Leave the processes that `join` joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 if it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Wait until every process is here."""
    if dist.is_initialized():
        dist.barrier()


def average(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over the processes, in one message for each data type."""
    if world() == 1:
        return
    for group in _by_type(tensors):
        flat = _flatten_dense_tensors(group)
        dist.all_reduce(flat)
        for t, mean in zip(group, _unflatten_dense_tensors(flat.div_(world()), group), strict=True):
            t.copy_(mean)


def share(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by that of process 0."""
    if world() > 1:
        for t in tensors:
            dist.broadcast(t.data, 0)


def agree(value: float) -> float:
    """The value of process 0, on all: what depends on a clock must not differ between them."""
    if world() == 1:
        return value
    t = torch.tensor(value, dtype=torch.float64, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.broadcast(t, 0)
    return t.item()


def _by_type(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    groups: dict[torch.dtype, list[Tensor]] = {}
    for t in tensors:
        groups.setdefault(t.dtype, []).append(t)
    return groups.values()

"""What the machine is told before training: device, threads, precision, and to keep the memory it has freed."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PROBE = 0.010  # seconds that a probe may take before its last round begins
GAIN = {"threads": 1.15, "bfloat16": 1.3}  # speed-ups below which the simpler choice stays


@dataclass(frozen=True)
class Choice:
    """Something that was chosen for the user, and the reason in words for the report."""

    value: str | int
    why: str


def choose_device(asked: str | None = None) -> torch.device:
    """The device asked for, or the first there is of CUDA, MPS and CPU.

    Under torchrun, `cuda` is the GPU of this process. Raises UserError for a device that is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    asked = asked or ("cuda" if cuda else "mps" if mps else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cuda", "mps", "cpu"):
        raise UserError(f"device {asked!r} is unknown; use cuda, cuda:1, mps or cpu")
    if device.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if not count:
            raise UserError(f"device {asked!r} is not there: this PyTorch sees no CUDA GPU; use --device cpu")
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % count)
        if device.index >= count:
            raise UserError(f"device {asked!r} is not there: the last GPU is cuda:{count - 1}")
    if device.type == "mps" and not mps:
        raise UserError("device 'mps' is not there: it needs a Mac with Apple silicon; use --device cpu")
    if device.type == "cpu" and device.index:
        raise UserError(f"device {asked!r} is not there: the CPU is one device, cpu")
    return device


def keep_memory() -> str:
    """Let glibc keep freed memory for the next tensor instead of returning it to the system; says what was done.

    By default every large tensor is mapped afresh and each of its pages faults on first touch, which can cost more
    than the operation itself. `SFUMATO_MALLOC=default` leaves the allocator alone; so do systems without glibc.
    """
    if os.environ.get("SFUMATO_MALLOC") == "default":
        return "default: SFUMATO_MALLOC=default"
    if "malloc" in os.environ.get("LD_PRELOAD", ""):
        return "default: LD_PRELOAD brings another allocator"
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "gnu_get_libc_version"):
        return f"default: only glibc can be told to keep memory, not {platform.system()}'s allocator"
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    done = libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, -1) and libc.mallopt(top_pad, 64 << 20)
    return "kept: glibc reuses freed memory, without new page faults" if done else "default: mallopt refused"


def usable_cores() -> int:
    """Physical cores that this process may use: its affinity, siblings counted once, within the cgroup's quota."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, torch.get_num_threads())
    cpus = os.sched_getaffinity(0)
    siblings = [_read(f"/sys/devices/system/cpu/cpu{i}/topology/thread_siblings_list") or str(i) for i in cpus]
    return max(1, min(len(set(siblings)), _quota(_read("/proc/self/cgroup"))))


def choose_threads(asked: int | None = None) -> Choice:
    """Threads for CPU operations: what was asked, else OMP_NUM_THREADS, else the fastest in a probe of a convolution.

    Measured because threads that wait for each other collapse when another process is busy. The probe leaves the
    number of threads as it found it. Raises UserError for less than one thread.
    """
    if asked is not None:
        if asked < 1:
            raise UserError(f"--threads {asked}: at least one thread is needed")
        return Choice(asked, "asked for")
    if os.environ.get("OMP_NUM_THREADS", "").isdecimal() and (given := int(os.environ["OMP_NUM_THREADS"])):
        return Choice(given, f"OMP_NUM_THREADS={given}")
    cores = usable_cores()
    if cores == 1:
        return Choice(1, "one core is usable")
    before = torch.get_num_threads()
    candidates = sorted({1, min(cores, 8), cores})
    try:
        times, spent = _race([partial(_convolve, *_operands(16), threads=n) for n in candidates])
    finally:
        torch.set_num_threads(before)
    best = min(range(len(times)), key=times.__getitem__)
    if times[0] < GAIN["threads"] * times[best]:
        best = 0
    rest = ", ".join(
        f"{n} took {_ratio(t / times[best])}" for n, t in zip(candidates, times, strict=True) if n != candidates[best]
    )
    return Choice(candidates[best], f"{rest} in a {spent * 1e3:.0f} ms probe; {cores} cores are usable")


def choose_precision(device: torch.device, asked: str | None = None) -> Choice:
    """The precision of autocast: `float32`, `bfloat16` or `float16`.

    A CPU is probed: bfloat16 must be 1.3× faster on a convolution. A GPU takes bfloat16 where it is native.
    Raises UserError for an unknown precision and for float16 on a CPU, which has to emulate it.
    """
    if asked is not None and asked not in PRECISIONS:
        raise UserError(f"--precision {asked!r} is unknown; use {', '.join(PRECISIONS)}")
    if asked == "float16" and device.type == "cpu":
        raise UserError("--precision float16 is emulated on a CPU, up to 250 times slower; use bfloat16 or float32")
    if asked is not None:
        return Choice(asked, "asked for")
    if device.type == "mps":
        return Choice("float32", "the safe choice on MPS")
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        native = major >= 8
        why = f"compute capability {major}.{minor} {'has' if native else 'lacks'} native bfloat16"
        return Choice("bfloat16" if native else "float32", why)
    image, weight = _operands(8)
    wide, narrow = (partial(_convolve, image.to(t), weight.to(t)) for t in (torch.float32, torch.bfloat16))
    (full, half), spent = _race([wide, narrow])
    why = f"in a {spent * 1e3:.0f} ms probe"
    if full < GAIN["bfloat16"] * half:
        lacks = "" if _native_bfloat16() else "; this CPU has no bfloat16 instructions"
        return Choice("float32", f"bfloat16 took {_ratio(half / full)} {why}{lacks}")
    if not _native_bfloat16():
        return Choice("float32", "this CPU has no bfloat16 instructions")
    return Choice("bfloat16", f"float32 took {_ratio(full / half)} {why}")


def prepare_machine(
    device: torch.device, precision: str | None = None, threads: int | None = None
) -> dict[str, Choice]:
    """Make all choices and apply those that are settings of the process: memory, threads, the GPU's arithmetic.

    Returns `memory`, `threads` and `precision`, and for a GPU `matmul`. A resumed run passes the recorded precision
    and threads, because another choice rounds differently.
    """
    on_gpu = Choice("default", "the work is on the GPU")
    if device.type == "cpu":
        memory = Choice(*keep_memory().split(": ", 1))
        _convolve(*_operands(8))  # the first convolution of a process loads libraries, which is no part of a probe
        choices = {"memory": memory, "threads": choose_threads(threads)}
    elif threads is not None:
        choices = {"memory": on_gpu, "threads": choose_threads(threads)}
    else:
        choices = {"memory": on_gpu, "threads": Choice(torch.get_num_threads(), on_gpu.why)}
    torch.set_num_threads(int(choices["threads"].value))
    choices["precision"] = choose_precision(device, precision)
    if device.type == "cuda":
        # cuDNN's benchmark mode picks algorithms by timing, anew in each process: a resumed run would differ.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.set_float32_matmul_precision("high")
        choices["matmul"] = Choice("tf32", "float32 products in TensorFloat-32; deterministic cuDNN, for exact resume")
    return choices


def _operands(n: int) -> tuple[Tensor, Tensor]:
    """A convolution of the middle of a DCGAN: images (n, 64, 16, 16) and weights (64, 64, 3, 3), channels last."""
    image, weight = torch.ones(n, 64, 16, 16), torch.ones(64, 64, 3, 3)
    return image.to(memory_format=torch.channels_last), weight.to(memory_format=torch.channels_last)


def _convolve(image: Tensor, weight: Tensor, threads: int | None = None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    with torch.no_grad():
        F.conv2d(image, weight, padding=1)


def _race(runners: Sequence[Callable[[], None]], seconds: float = PROBE) -> tuple[list[float], float]:
    """Median seconds of each call, run by turns until the time is up, and the seconds that it all took.

    The first round warms up and is dropped, unless it alone used up the time: so one collapsed call ends a probe.
    """
    rounds: list[list[float]] = []
    begin = perf_counter()
    while not rounds or perf_counter() - begin < seconds:
        rounds.append([])
        for run in runners:
            start = perf_counter()
            run()
            rounds[-1].append(perf_counter() - start)
    timed = rounds[1:] or rounds
    return [median(times) for times in zip(*timed, strict=True)], perf_counter() - begin


def _ratio(times: float) -> str:
    return f"{times:.1f}× as long"


def _native_bfloat16() -> bool:
    """Whether x86 has the instructions; other architectures are judged by the probe alone."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _quota(cgroups: str, root: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole cores that the control groups of this process leave it, at least one, from the text of /proc/self/cgroup.

    Every group between the process and the root may set a limit; `max` and -1 mean none.
    """
    cores = 1 << 16
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(top):
                break
            limit = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]  # version 1
            limit = limit if controllers else _read(folder / "cpu.max").split()  # version 2
            if len(limit) == 2 and all(word.isdecimal() for word in limit):
                cores = min(cores, int(limit[0]) // int(limit[1]))
    return max(1, cores)


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""

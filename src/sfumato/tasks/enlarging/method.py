"""How pictures are enlarged: by a network of someone's, of ours or of the picture's own, or by a kernel."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.backends.cpu import get_cpu_capability

from ...errors import UserError, nearest
from ...formats.superres import read_upscaler
from ...formats.upscaler import Upscaler
from ...formats.winograd import by_winograd
from ...networks import pretrained
from ...networks.pretrained.weights import digest
from ...networks.reach import reach
from ...resample import Kernel
from ...training.machine import PRECISIONS, choose_device, choose_precision, choose_threads, keep_memory
from ..model import load
from ..progress import Advance

LIKE = ("photo", "sharp", "blend=0.3", "zero-shot", "zero-shot=blind", "zero-shot=FILE.mat", *get_args(Kernel))
BY_WINOGRAD = ("AVX2",)  # processors where it pays; a rule and no probe, so that a result is the same the next time
FAITHFUL = 40.0  # dB of a sample picture in another precision against float32; below it float32 is used


@dataclass(frozen=True)
class Method:
    """How pictures are enlarged: by a network as often as it takes, and by a kernel to the exact size."""

    words: str
    network: Callable[[Tensor], Tensor] | None = None  # (1, channels, h, w) -> (1, channels, scale · h, scale · w)
    scale: int = 1
    channels: int = 3
    reach: int | None = 0  # pixels that the network sees on each side; None: the whole picture
    memory: float = 0.0  # bytes for each pixel that it reads
    multiple: int = 1  # where tiles may begin, pixels
    kernel: Kernel = "bicubic"
    device: str = "cpu"
    whole: Callable[[Tensor, int, Advance], Tensor] | None = None  # instead of a network, what takes no tiles
    identity: str = ""  # differs where results differ


def choose_method(
    model: str | Path | None = None,
    like: str | None = None,
    scale: float | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Method:
    """By the network of a run, a model file or a public checkpoint; else as `like` says; else by what is shipped.

    `like` is "photo", "sharp" or "blend=S" (of the shipped networks, S of the sharp one), "zero-shot" (of pictures made
    smaller by bicubic; "zero-shot=blind" finds how, "zero-shot=FILE.mat" holds the blur kernel) or a kernel.
    Raises UserError if both are given, or what is asked for is not there, can't be read or can't enlarge.
    """
    if model is not None and like is not None:
        raise UserError("give --model or --like, not both")
    where = choose_device(device)
    if model is not None:
        return _by_network(Path(model), where, precision)
    kind, given, share = (like or "photo").partition("=")
    if kind == "blend":
        amount = _share(share)
        return _by_network(_shipped("photo", scale), where, precision, _shipped("sharp", scale), amount)
    if kind == "zero-shot":
        return _by_itself(where, share)
    if given or kind not in LIKE:
        nearest(f"{kind}{given}{share}", LIKE, "way to enlarge")
    if kind in get_args(Kernel):
        return _by_kernel("bilinear" if kind == "bilinear" else "bicubic")
    if like is None and shipped(scale or 2) is None:
        return _by_kernel("bicubic", " (no network is shipped yet; --model takes one)")
    return _by_network(_shipped(kind, scale), where, precision)


def shipped(scale: float, kind: str = "photo") -> Path | None:
    """The weights that come with sfumato for a scale: of ×4 beyond 2, else of ×2; None if there are none."""
    folder, ending = Path(pretrained.__file__).parent, "_sharp" if kind == "sharp" else ""
    paths = [folder / f"upscale_x{n}{ending}.safetensors" for n in ((4, 2) if scale > 2 else (2, 4))]
    return next((path for path in paths if path.exists()), None)


def _shipped(kind: str, scale: float | None) -> Path:
    found = shipped(scale or 2, kind)
    if found is None:
        raise UserError(f"the weights of --like {kind} do not come with this version of sfumato; give --model, or none")
    return found


def _share(text: str) -> float:
    """How much of the sharp network there is. Raises UserError unless it is a number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UserError(f"--like blend={text}: the share of the sharp network is a number from 0 to 1, as in blend=0.3")
    return share


def _by_kernel(kernel: Kernel, note: str = "") -> Method:
    return Method(f"{kernel} interpolation{note}", kernel=kernel, identity=kernel)


def _by_itself(device: torch.device, blur: str) -> Method:
    """By a network that each picture teaches, of a blur that is bicubic's, found first ("blind"), or in a file."""
    file = Path(blur) if blur not in ("", "blind") else None
    if file and not file.is_file():
        raise UserError(f"--like zero-shot={blur}: there is no such file; give a .mat with the blur kernel, or blind")
    kernel: Literal["estimate"] | Path | None = "estimate" if blur == "blind" else file

    def run(image: Tensor, factor: int, advance: Advance) -> Tensor:
        from .zeroshot import zero_shot

        return zero_shot(image.to(device), factor, kernel=kernel, advance=advance).cpu()

    words = "zero-shot: a network that learns from the picture itself" + (f", its blur {blur}" if blur else "")
    return Method(words, whole=run, identity=f"zero-shot {digest(file) if file else blur}")


def _by_network(
    path: Path, device: torch.device, precision: str | None, other: Path | None = None, share: float = 0.0
) -> Method:
    """By a network of sfumato's own or a public one; blended with a second public one if there is another path."""
    network: Any
    if other is None and (path.is_dir() or _ours(path)):
        held = load(path, device=str(device))
        network, name, channels, multiple = held.system, held.name, held.facts.channels, 1
        if not callable(getattr(network, "upscale", None)):
            raise UserError(f"{path}: {name} enlarges no pictures; `sfumato list` shows which systems do")
        seen = reach(network.upscale, channels, device)
        far, memory = seen.pixels, seen.memory
    else:
        network = read_upscaler(path, other, share).to(device)
        name, channels, multiple = network.name, network.channels, network.multiple
        far, memory = network.reach, network.memory
    network.to(memory_format=torch.channels_last)  # of weights, as convolutions of wide maps like them
    run, kind = _precise(network.upscale, channels, device, precision)
    if isinstance(network, Upscaler) and device.type == "cpu" and not kind and get_cpu_capability() in BY_WINOGRAD:
        by_winograd(network.network)
    words = f"{name} ×{network.scale} ({path}" + (f", {share:.0%} of {other.name})" if other else ")")
    files = [path / "model.safetensors" if path.is_dir() else path, *([other] if other else [])]
    files = [file.with_suffix(".bin") if file.suffix == ".param" else file for file in files]
    identity = " ".join([*map(digest, files), *([f"{share:g}"] if other else []), *([kind] if kind else [])])
    return Method(
        words + (f" in {kind}" if kind else ""), run, network.scale, channels, far, memory, multiple,
        device=str(device), identity=identity,
    )  # fmt: skip


def _ours(path: Path) -> bool:
    """Whether a file is a model of sfumato's own."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, "pt") as f:
            return "layout" in (f.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _precise(
    network: Callable[[Tensor], Tensor], channels: int, device: torch.device, asked: str | None
) -> tuple[Callable[[Tensor], Tensor], str]:
    """A network in the precision that is quickest here and faithful to it, and that precision's name if not float32.

    What was asked for is used as it is. The process is told to keep freed memory, and how many threads to use.
    """
    if device.type == "cpu":
        keep_memory()
        torch.set_num_threads(int(choose_threads().value))
    chosen = str(choose_precision(device, asked).value)
    if chosen == "float32":
        return network, ""

    def narrow(image: Tensor) -> Tensor:
        with torch.autocast(device.type, PRECISIONS[chosen]):
            return network(image).float()

    if asked is None and fidelity(network, narrow, channels, device) < FAITHFUL:
        return network, ""
    return narrow, chosen


def fidelity(
    exact: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], channels: int, device: torch.device
) -> float:
    """PSNR of one network's result against another's, dB, on a sample picture: rings of every frequency, and edges."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    rings = torch.cos(50 * (x * x + y * y)) * torch.where(x * y > 0, 1.0, 0.4)
    image = torch.stack([rings.roll(3 * k, 1) for k in range(channels)])[None].to(device)
    with torch.inference_mode():
        error = (exact(image).float() - other(image).float()).square().mean().item()
    return 10 * math.log10(4 / max(error, 1e-12)) if math.isfinite(error) else -math.inf

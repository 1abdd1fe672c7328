"""Public networks that enlarge pictures, told apart by the names and shapes of their tensors."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import UserError
from ..networks.pretrained import weights
from ..networks.reach import reach
from ..networks.superres.blocks import DIV2K, Residual, block, conv, shuffled
from ..networks.superres.compact import Compact, stack
from ..networks.superres.rrdb import rrdb_net
from .fused import fused
from .ncnn import read_compact
from .states import READ, State, interpolated, tensors
from .upscaler import Upscaler

OTHERS = {
    r"residual_group|attn|\.mlp\.": "a transformer (SwinIR, HAT)",
    r"body\.\d+\.body\.\d+\.body\.": "RCAN",
    r"^features\.\d+\.weight$": "VGG or a discriminator",
    r"^(model\.)?\d+\.(weight|bias)$": "a plain stack of layers",
    r"conv_du|\.ca\.": "a network with channel attention",
}


def read_upscaler(path: str | Path, other: str | Path | None = None, share: float = 0.0) -> Upscaler:
    """A public checkpoint (.pth, .pt, .safetensors, or ncnn's .param with the .bin beside it) as a network.

    With `other`, a checkpoint of the same network, its weights count for `share` and the first one's for the rest
    (Wang et al., ESRGAN, 2018, section 3.4). Nothing in them can run. Raises UserError if a file is missing, damaged,
    or of a network that is not read, or if the two are of different ones.
    """
    path = Path(path)
    state, reduction = _state(path)
    if other is not None:
        state = interpolated(state, _state(Path(other))[0], share, f"{path} and {other}")
    layout = next((f for key, f in LAYOUTS.items() if key in state), None)
    if layout is None:
        raise UserError(_unknown(path, state))
    try:
        found = compact(state, path, reduction) if layout is compact else layout(state, path)
    except (IndexError, KeyError, ValueError, RuntimeError) as e:
        why = " ".join(str(e).split())[:120]
        raise UserError(f"{path} looks like {layout.__name__}, but its tensors do not fit together: {why}") from None
    found.eval().requires_grad_(False)
    seen = reach(found.upscale, found.channels)
    found.reach, found.memory = seen.pixels, seen.memory
    fused(found.network)
    return found


def _state(path: Path) -> tuple[State, int]:
    """The tensors of a file, and by how much the network's result is reduced at the end."""
    if path.suffix in (".param", ".bin") and path.with_suffix(".param").exists():
        return read_compact(path.with_suffix(".param"))
    return tensors(path), 1


def _unknown(path: Path, state: State) -> str:
    kin = next((what for pattern, what in OTHERS.items() if any(re.search(pattern, k) for k in state)), None)
    names = ", ".join(list(state)[:3])
    looks = f"it looks like {kin}" if kin else "its network is unknown"
    return f"{path}: {looks} ({len(state)} tensors: {names}, …); read are {READ}"


def renamed(state: State, names: Mapping[str, str | Callable[[re.Match[str]], str]]) -> State:
    """Every name with the first pattern that fits its beginning replaced."""
    found = {}
    for key, value in state.items():
        fits = ((p, r) for p, r in names.items() if re.match(p, key))
        pattern, replacement = next(fits, ("", ""))
        found[re.sub(f"^(?:{pattern})", replacement, key)] = value
    return found


def filled(build: Callable[[], nn.Sequential], state: State, path: Path) -> nn.Sequential:
    """A network with the tensors of a file, in float32, without drawing first weights that nobody needs."""
    with torch.device("meta"):
        network = build()
    counters = {k: torch.tensor(0) for k in network.state_dict() if k.endswith("num_batches_tracked")}
    network = network.to_empty(device="cpu")
    weights.fill(network, counters | state, path)
    return network


def highest(state: State, place: int) -> int:
    """The highest number at a place of the tensors' names. Raises ValueError if most below it are missing."""
    found = max(int(k.split(".")[place]) for k in state)
    if found > 8 + 2 * len(state):
        raise ValueError(f"number {found} in a file of {len(state)} tensors")
    return found


def count(state: State, pattern: str) -> int:
    """How many numbers stand where the pattern has its group."""
    return len({m[1] for k in state if (m := re.match(pattern, k))})


def srgan(state: State, path: Path) -> Upscaler:
    """The generator of leftthomas/SRGAN: SRResNet of Ledig et al., 2017, with sub-pixel steps before their PReLU."""
    ch, channels, side, _ = state["block1.0.weight"].shape
    blocks = count(state, r"block(\d+)\.conv1\.weight")
    steps = count(state, rf"block{blocks + 3}\.(\d+)\.conv\.weight")
    normed = f"block{blocks + 2}.1.running_mean" in state

    def residual() -> Residual:
        return Residual(conv(ch, ch), nn.BatchNorm2d(ch), nn.PReLU(), conv(ch, ch), nn.BatchNorm2d(ch))

    def build() -> nn.Sequential:
        last = nn.BatchNorm2d(ch) if normed else nn.PReLU()
        body = Residual(*[residual() for _ in range(blocks)], conv(ch, ch), last)
        ends = conv(channels, ch, side), conv(ch, channels, side)
        return nn.Sequential(ends[0], nn.PReLU(), body, *shuffled(ch, 2**steps, nn.PReLU), ends[1], nn.Tanh())

    parts = ["conv1", "bn1", "prelu", "conv2", "bn2"]
    state = renamed(
        state,
        {
            r"block1\.": "",
            r"block(\d+)\.(conv1|bn1|prelu|conv2|bn2)": lambda m: f"2.{int(m[1]) - 2}.{parts.index(m[2])}",
            rf"block{blocks + 2}\.(\d)": lambda m: f"2.{blocks + int(m[1])}",
            rf"block{blocks + 3}\.(\d)\.conv": lambda m: f"{3 + 3 * int(m[1])}",
            rf"block{blocks + 3}\.(\d)\.prelu": lambda m: f"{5 + 3 * int(m[1])}",
            rf"block{blocks + 3}\.(\d)": lambda m: f"{3 + 3 * int(m[1])}",
        },
    )
    return Upscaler("SRResNet", filled(build, state, path), 2**steps, channels, (0, 1), (-1, 1))


def rrdb(state: State, path: Path) -> Upscaler:
    """RRDBNet in its three spellings; pictures are first folded to more channels where the first layer has them."""
    dense = r"\.(?:RDB|rdb)(\d)\.conv(\d)(?:\.0)?"
    blocks, steps = count(state, rf".*\.(\d+){dense}\.weight"), count(state, r"(?:upconv|conv_up)(\d)")
    state = renamed(
        state,
        {
            rf"model\.1\.sub\.(\d+){dense}": _dense,
            r"model\.1\.sub\.": "1.",
            r"model\.": "",
            rf"(?:RRDB_trunk|body)\.(\d+){dense}": _dense,
            "conv_first": "0",
            "trunk_conv|conv_body": f"1.{blocks}",
            r"(?:upconv|conv_up)(\d)": lambda m: f"{3 * int(m[1])}",
            "HRconv|conv_hr": f"{2 + 3 * steps}",
            "conv_last": f"{4 + 3 * steps}",
        },
    )
    ch, folded = state["0.weight"].shape[:2]
    growth = len(state["1.0.0.0.layers.0.weight"])
    steps = (highest(state, 0) - 4) // 3
    channels = len(state[f"{4 + 3 * steps}.weight"])
    fold = math.isqrt(folded // channels)

    def build() -> nn.Sequential:
        network = rrdb_net(channels, ch, blocks, growth, 2**steps)
        network[0] = conv(folded, ch)
        return network

    network = nn.Sequential(nn.PixelUnshuffle(fold), filled(build, state, path))
    if fold**2 * channels != folded or 2**steps % fold:
        raise UserError(f"{path}: an RRDBNet of {folded} channels in and {channels} out, which nobody publishes")
    return Upscaler("RRDBNet", network, 2**steps // fold, channels, (0, 1), (0, 1), fold)


def _dense(found: re.Match[str]) -> str:
    return f"1.{found[1]}.{int(found[2]) - 1}.0.layers.{int(found[3]) - 1}"


def compact(state: State, path: Path, reduction: int = 1) -> Upscaler:
    """SRVGGNetCompact with PReLU, which every published one has."""
    ch, channels = state["body.0.weight"].shape[:2]
    last = highest(state, 1)
    scale = math.isqrt(len(state[f"body.{last}.weight"]) // channels)

    body = filled(lambda: stack(channels, ch, last // 2 - 1, scale), renamed(state, {r"body\.": ""}), path)
    if scale % reduction:
        raise UserError(f"{path}: it enlarges {scale} times, then reduces {reduction} times, which is not whole")
    network = Compact(body, scale, reduction)
    return Upscaler("SRVGGNetCompact", network, scale // reduction, channels, (0, 1), (0, 1))


def edsr(state: State, path: Path) -> Upscaler:
    """EDSR of thstkdgus35/EDSR-PyTorch, on [0, 255]; from 256 channels on residuals count a tenth (Lim, 2017)."""
    ch, channels = state["head.0.weight"].shape[:2]
    blocks = count(state, r"body\.(\d+)\.body\.")
    steps = count(state, r"tail\.0\.(\d+)\.weight")
    scale = 3 if len(state["tail.0.0.weight"]) == 9 * ch else 2**steps

    def build() -> nn.Sequential:
        body = Residual(*[block(ch, scale=0.1 if ch >= 256 else 1.0) for _ in range(blocks)], conv(ch, ch))
        means = [nn.Conv2d(channels, channels, 1) for _ in range(2)]
        layers = conv(channels, ch), body, *shuffled(ch, scale), conv(ch, channels)
        return nn.Sequential(means[0], *layers, means[1])

    mean = 255 * torch.tensor(DIV2K)
    means: State = {}
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        means |= {f"{name}.weight": torch.eye(channels)[..., None, None], f"{name}.bias": sign * mean[:channels]}
    last = 3 + 2 * steps
    state = renamed(
        means | state,
        {
            "sub_mean": "0",
            r"head\.0": "1",
            r"body\.(\d+)\.body\.": r"2.\1.",
            r"body\.": "2.",
            r"tail\.0\.(\d+)": lambda m: f"{3 + int(m[1])}",
            r"tail\.1": f"{last}",
            "add_mean": f"{last + 1}",
        },
    )
    return Upscaler("EDSR", filled(build, state, path), scale, channels, (0, 255), (0, 255))


LAYOUTS: dict[str, Callable[[State, Path], Upscaler]] = {  # by a tensor that no other has
    "block1.0.weight": srgan,
    "model.1.sub.0.RDB1.conv1.0.weight": rrdb,
    "RRDB_trunk.0.RDB1.conv1.weight": rrdb,
    "body.0.rdb1.conv1.weight": rrdb,
    "body.0.weight": compact,
    "head.0.weight": edsr,
}

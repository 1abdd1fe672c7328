"""Public networks that translate pictures, told apart by the names and shapes of their tensors.

Read are the generators of pytorch-CycleGAN-and-pix2pix, U-Net and ResNet, with instance or batch norm. Batch norms are
taken of each picture, as that project's own test does, whose batches hold one picture; what is dropped at random in
training is kept.
"""

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..networks.pretrained import weights
from ..networks.translation.generators import ResnetGenerator, UNet
from .states import State, tensors

READ = "the U-Net and ResNet generators of pytorch-CycleGAN-and-pix2pix"
OTHERS = {
    r"^model1_1\.": "pix2pixHD's local enhancer",
    r"\.filt$": "a ResNet generator that blurs before it halves (CUT)",
    r"mlp_gamma": "SPADE",
    r"^model\.0\.weight$": "a discriminator",
}


class Translator(nn.Module):
    """A public network as sfumato uses it: images in [-1, 1], sides of any length."""

    def __init__(self, name: str, network: nn.Module, channels: int, outputs: int) -> None:
        super().__init__()
        self.name, self.network, self.channels, self.outputs = name, network, channels, outputs

    def translate(self, image: Tensor) -> Tensor:
        """What pictures become: (b, channels, h, w) -> (b, outputs, h, w), float32."""
        return self.network(image)


def read_translator(path: str | Path) -> Translator:
    """A public checkpoint (.pth, .pt, .safetensors) as a network. Nothing in it can run.

    Raises UserError if the file is missing, damaged, or of a network that is not read.
    """
    path = Path(path)
    state = tensors(path)
    if not state.keys() & LAYOUTS.keys():
        kin = next((what for pattern, what in OTHERS.items() if any(re.search(pattern, k) for k in state)), None)
        looks = f"it looks like {kin}" if kin else "its network is unknown"
        raise UserError(f"{path}: {looks} ({len(state)} tensors: {', '.join(list(state)[:3])}, …); read are {READ}")
    layout = next(f for key, f in LAYOUTS.items() if key in state)
    try:
        found = layout(state, path)
    except (IndexError, KeyError, ValueError, RuntimeError) as e:
        why = " ".join(str(e).split())[:120]
        raise UserError(f"{path} looks like {layout.__name__}, but its tensors do not fit together: {why}") from None
    return found.eval().requires_grad_(False)


def unet(state: State, path: Path) -> Translator:
    """`UnetGenerator`: each level holds the next one, the outermost first."""
    ch, inputs = state["model.model.0.weight"].shape[:2]
    outputs = state["model.model.3.weight"].shape[1]
    places = ["model"]
    while f"{(inner := _inside(places))}.model.1.weight" in state and len(places) < len(state):
        places.append(inner)
    names = {"model.model.0": "downs.0.0", "model.model.3": f"ups.{len(places) - 1}.1"}
    for k, place in enumerate(places[1:], 1):
        enlarging = 3 if k == len(places) - 1 else 5  # the innermost level holds no other
        level = f"ups.{len(places) - 1 - k}"
        names |= {f"{place}.model.1": f"downs.{k}.1", f"{place}.model.{enlarging}": f"{level}.1"}
        names |= {f"{place}.model.{enlarging + 1}": f"{level}.2"}
        names |= {f"{place}.model.2": f"downs.{k}.2"} if enlarging == 5 else {}
    held = {}
    for key, value in state.items():
        layer, _, what = key.rpartition(".")
        held[f"{names.get(layer, layer)}.{what}"] = value
    network = _filled(lambda: UNet(inputs, outputs, ch, len(places)), held, path)
    return Translator(f"U-Net of {len(places)} levels", network, inputs, outputs)


def _inside(places: list[str]) -> str:
    return places[-1] + (".model.1" if len(places) == 1 else ".model.3")


def resnet(state: State, path: Path) -> Translator:
    """`ResnetGenerator`: one layer after another; blocks that drop values have one layer more."""
    ch, inputs = state["model.1.weight"].shape[:2]
    numbers = {int(m[1]) for k in state if (m := re.match(r"model\.(\d+)\.conv_block\.", k))}
    if not numbers:
        raise ValueError("it has no residual blocks")
    last = max(int(m[1]) for k in state if (m := re.match(r"model\.(\d+)\.weight", k)))
    outputs, halvings = len(state[f"model.{last}.weight"]), (min(numbers) - 4) // 3
    dropping = any(".conv_block.7." in k or (".conv_block.6.weight" in k and v.ndim == 4) for k, v in state.items())

    def place(key: str) -> str:
        if inner := re.match(r"model\.(\d+)\.conv_block\.(\d+)\.(.*)", key):
            layer = int(inner[2]) - (dropping and int(inner[2]) > 4)
            return f"body.{inner[1]}.{layer}.{inner[3]}"
        outer = re.match(r"model\.(\d+)\.(.*)", key)
        if outer is None:
            return key
        return f"head.1.{outer[2]}" if int(outer[1]) == last else f"body.{outer[1]}.{outer[2]}"

    held = {place(k): v for k, v in state.items()}
    affine = "model.2.weight" in state
    network = _filled(
        lambda: ResnetGenerator(inputs, outputs, ch, len(numbers), halvings, affine=affine), held, path
    )  # fmt: skip
    return Translator(f"ResNet generator of {len(numbers)} blocks", network, inputs, outputs)


def _filled(build: Callable[[], nn.Module], state: State, path: Path) -> nn.Module:
    """A network with the tensors of a file, in float32, without drawing first weights that nobody needs.

    Biases before a norm, which takes them away again, are left out, and moments of batches; norms without gain have 1.
    """
    with torch.device("meta"):
        network = build()
    own = network.state_dict()
    held = {
        k: v for k, v in state.items()
        if not k.endswith(("running_mean", "running_var", "num_batches_tracked"))
        and (k in own or not k.endswith(".bias") or f"{k.removesuffix('.bias')}.weight" not in own)
    }  # fmt: skip
    for k, v in own.items():
        if k not in held and v.ndim == 1:
            held[k] = torch.full(v.shape, float(k.endswith("weight")))
    network = network.to_empty(device="cpu")
    weights.fill(network, held, path)
    return network


LAYOUTS: dict[str, Callable[[State, Path], Translator]] = {  # by a tensor that no other has
    "model.model.0.weight": unet,
    "model.1.weight": resnet,
}

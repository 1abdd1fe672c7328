"""A trained system as people use it: draw, classify, encode, decode."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import catalog
from ..aspect import SQUARE, shown, sides
from ..data.batches import Batches
from ..data.decode import Fitting
from ..data.prepare import Pictures
from ..errors import UserError, nearest
from ..system import Batch, Classifies, Decodes, Encodes, System
from ..training import checkpoint

ALONE = ("image", "labelled", "semi")  # views whose systems draw from noise, and a class, and from no picture
CHUNK = 64  # images drawn at a time: the noise of image i belongs to chunk i // CHUNK, whatever else is drawn


@dataclass(frozen=True)
class Facts:
    """What a system was trained on."""

    source: str
    size: int  # shorter side, pixels
    channels: int
    classes: tuple[str, ...]
    view: str
    aspect: str = SQUARE  # shape, width:height

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of its pictures, pixels."""
        return sides(self.size, self.aspect)

    @property
    def shown(self) -> str:
        """Width and height as people write them: "96×64"."""
        return shown(self.size, self.aspect)

    def fitting(self, channels: int = 0) -> Fitting:
        """How a picture file becomes one as the system has them, of its channels or of so many."""
        return Fitting(self.size, channels or self.channels, aspect=self.aspect)


class Model:
    """A trained system and what it was trained on. Images are float32 (n, channels, h, w) in [-1, 1]."""

    def __init__(self, system: System, facts: Facts, *, step: int = 0, path: Path | None = None) -> None:
        self.system, self.facts, self.step, self.path = system, facts, step, path

    def __repr__(self) -> str:
        f = self.facts
        size = f.shown if self.oblong else f.size
        return f"<{self.name} of {f.source}, {size} px, step {self.step}, {self.parameters:,} parameters>"

    @property
    def name(self) -> str:
        """The system's name."""
        return str(self.system.spec["name"])

    @property
    def parameters(self) -> int:
        """How many parameters all of its networks have."""
        return sum(p.numel() for p in self.system.parameters())

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.system.parameters()).device

    @property
    def oblong(self) -> bool:
        """Whether its pictures are no squares."""
        high, wide = self.facts.sides
        return high != wide

    @property
    def asks_label(self) -> bool:
        """Whether a class can be asked for."""
        return self.facts.view == "labelled"

    def sample(self, n: int = 16, *, seed: int = 0, label: int | str | Sequence[int] | None = None) -> Tensor:
        """Draw n images; image i depends on the seed, i and its class alone.

        `label` is a class by number or name, or one number for each image; if none is given the classes take turns.
        """
        return torch.cat([x for x, _ in self.draw(0, n, seed=seed, label=label)])

    def draw(
        self, first: int, count: int, *, seed: int = 0, label: int | str | Sequence[int] | None = None
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Images `first … first + count` of the endless sequence of a seed, with the classes asked, in chunks."""
        if count < 1:
            raise UserError(f"{count} images cannot be drawn; ask for 1 or more")
        at = first
        while at < first + count:
            chunk, offset = divmod(at, CHUNK)
            n = min(CHUNK - offset, first + count - at)
            asked = self._labels(label, at, n, at - first)
            fields = self._fields(seed, chunk, offset, n) if asked is None else {"label": asked}
            seeded = _seeded(seed, chunk)
            given = Batch(n, device=self.device, seed=seeded, first=offset, total=CHUNK, **fields)
            with self._ready(seeded):
                yield self.system.sample(given).float().clamp(-1, 1), asked
            at += n

    def prior(self, n: int, *, seed: int = 0, first: int = 0) -> Tensor:
        """Codes of samples `first … first + n`, as `sample` draws them: (n, z).

        Raises UserError if the system draws from no code.
        """
        system, codes, at = self._able(Decodes, "decode a code"), [], first
        while at < first + n:
            chunk, offset = divmod(at, CHUNK)
            seeded, count = _seeded(seed, chunk), min(CHUNK - offset, first + n - at)
            label = self._labels(None, at, count, 0)
            fields = {} if label is None else {"label": label}
            with self._ready(seeded):
                given = Batch(count, device=self.device, seed=seeded, first=offset, total=CHUNK, **fields)
                codes.append(system.prior(given))
            at += count
        return torch.cat(codes)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (n, z) -> (n, channels, h, w)."""
        return self._apply(self._able(Decodes, "decode a code").decode, code)

    def encode(self, images: Tensor) -> Tensor:
        """Codes of images: (n, channels, h, w) -> (n, z)."""
        return self._apply(self._able(Encodes, "encode an image").encode, images)

    def classify(self, images: Tensor) -> Tensor:
        """Log-probabilities of the classes: (n, channels, h, w) -> (n, classes)."""
        return self._apply(self._able(Classifies, "classify an image").classify, images)

    def save(self, path: str | Path) -> Path:
        """Write the model to one file that `load` reads."""
        path = Path(path)
        write_model(path, self.system, self.facts, self.step, dict(self.system.state_dict()))
        return path

    @cached_property
    def pictures(self) -> Pictures:
        """Those that a system draws from which is given pictures: held out from training, or trained on if none are."""
        from .evaluate import reference_pictures

        return reference_pictures(self)[0]

    def _fields(self, seed: int, chunk: int, first: int, n: int) -> dict[str, Tensor]:
        """What a system is given beside noise: all that its view shows of some pictures but the image, in chunks."""
        if self.facts.view in ALONE:
            return {}
        whole = Batches(self.pictures, view=self.facts.view, batch=CHUNK, seed=seed, device=self.device).at(chunk)
        return {k: v[first : first + n] for k, v in whole.fields.items() if k != "image"}

    def _labels(self, label: int | str | Sequence[int] | None, at: int, n: int, index: int) -> Tensor | None:
        if not self.asks_label:
            if label is not None:
                raise UserError(f"{self.name} was trained without classes, so that none can be asked for")
            return None
        classes = self.facts.classes
        if label is None:
            return (torch.arange(at, at + n) % len(classes)).to(self.device)
        if isinstance(label, str):
            label = (
                int(label)
                if label.isdigit() and label not in classes
                else classes.index(nearest(label, classes, "class"))
            )
        chosen = [label] * n if isinstance(label, int) else list(label)[index : index + n]
        if len(chosen) < n or not all(0 <= c < len(classes) for c in chosen):
            raise UserError(
                f"a label for each image is needed, from 0 to {len(classes) - 1} ({', '.join(classes[:12])})"
            )
        return torch.tensor(chosen, device=self.device)

    def _able(self, ability: type, doing: str) -> Any:
        if isinstance(self.system, ability):
            return self.system
        raise UserError(f"{self.name} cannot {doing}; `sfumato list` shows what each system can do")

    def _apply(self, function: Any, x: Tensor) -> Tensor:
        with self._ready(0):
            return torch.cat([function(part.to(self.device)).float() for part in x.split(CHUNK)])

    @contextmanager
    def _ready(self, seed: int) -> Iterator[None]:
        """Evaluation mode, no gradients, and a random state of its own."""
        training = self.system.training
        self.system.eval()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(seed)
            yield
        self.system.train(training)


def _seeded(seed: int, chunk: int) -> int:
    """The seed of a chunk's noise."""
    return hash((seed, chunk)) & 0x7FFF_FFFF_FFFF_FFFF


def write_model(path: Path, system: System, facts: Facts, step: int, weights: dict[str, Tensor]) -> None:
    """Write a model file: weights, how to build the system, and what it was trained on. Raises UserError."""
    checkpoint.write(path, {"spec": dict(system.spec), "facts": asdict(facts), "step": step, "weights": weights})


def load(path: str | Path, *, device: str | None = None) -> Model:
    """A trained model from a run folder, a model file, or a published generator (`formats.nvidia`, .pkl).

    Nothing in the file can run code. Raises UserError if there is none, it is damaged, or its weights do not fit.
    """
    from ..training.machine import choose_device

    path = Path(path)
    if path.suffix == ".pkl" and path.is_file():
        return _published(path, choose_device(device))
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.exists():
        what = "no model yet: nothing was saved before it stopped" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {what}; a model is a run folder (runs/00000-…) or its model.safetensors")
    held = checkpoint.read(file)
    if not isinstance(held, dict) or not {"spec", "facts", "weights"} <= held.keys():
        raise UserError(f"{file}: a checkpoint of sfumato, but not a model; give the run's folder")
    system = catalog.rebuild(held["spec"])
    try:
        system.load_state_dict(held["weights"])
    except RuntimeError:
        raise UserError(
            f"{file}: its weights are not those of {held['spec']['name']} as it says it was built"
        ) from None
    facts = Facts(**(held["facts"] | {"classes": tuple(held["facts"]["classes"])}))
    return Model(system.to(choose_device(device)).eval(), facts, step=held["step"], path=path)


def _published(path: Path, device: torch.device) -> Model:
    """A StyleGAN2 whose generator is that of a file; its discriminator has learned nothing."""
    from ..formats.nvidia import read_generator

    found = read_generator(path)
    system = catalog.build("stylegan2", **found.hyper)
    own = {k: v.shape for k, v in system.state_dict().items() if k.startswith(("M.", "G.", "w_mean", "noise"))}
    if own != {k: v.shape for k, v in found.state.items()}:
        raise UserError(f"{path}: its tensors are not those of StyleGAN2 at {found.hyper['size']} pixels")
    system.load_state_dict(found.state, strict=False)
    classes = tuple(str(k) for k in range(found.classes))
    view = "labelled" if classes else "image"
    facts = Facts(path.name, found.hyper["size"], found.hyper["channels"], classes, view)
    return Model(system.to(device).eval(), facts, path=path)

"""sfumato: one toolkit for deep image synthesis.

    import sfumato
    model = sfumato.train("dcgan", data="digits")
    images = model.sample(16)

Importing it loads no torch: each verb is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    from .tasks.ablate import ablate
    from .tasks.edit import edit
    from .tasks.evaluate import evaluate
    from .tasks.invert import invert
    from .tasks.latent import arithmetic, interpolate, turn
    from .tasks.model import Model, load
    from .tasks.stylise import stylise
    from .tasks.train import resume, train
    from .tasks.translate import translate
    from .tasks.upscale import upscale

__version__ = "0.1.0"
__all__ = [
    "Model",
    "UserError",
    "ablate",
    "arithmetic",
    "edit",
    "evaluate",
    "interpolate",
    "invert",
    "load",
    "resume",
    "stylise",
    "train",
    "translate",
    "turn",
    "upscale",
]
_HOMES = {
    "Model": "model",
    "ablate": "ablate",
    "arithmetic": "latent",
    "edit": "edit",
    "evaluate": "evaluate",
    "interpolate": "latent",
    "invert": "invert",
    "load": "model",
    "resume": "train",
    "stylise": "stylise",
    "train": "train",
    "translate": "translate",
    "turn": "latent",
    "upscale": "upscale",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".tasks.{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module 'sfumato' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

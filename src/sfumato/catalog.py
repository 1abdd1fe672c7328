"""Names to systems. The file name is the registration: `systems/adversarial/wgan_gp.py` is `wgan-gp`."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from . import systems
from .errors import nearest
from .system import Preset, System


def names() -> dict[str, str]:
    """Every system's name and the module that holds it, without importing the modules."""
    found = pkgutil.walk_packages(systems.__path__, systems.__name__ + ".")
    modules = sorted(m.name for m in found if not m.ispkg)
    return {m.rsplit(".", 1)[1].replace("_", "-"): m for m in modules}


def find(name: str) -> type[System]:
    """The class of a system. Raises UnknownNameError with the nearest names if there is none of this name."""
    modules = names()
    module = importlib.import_module(modules[nearest(name, modules, "system")])
    (cls,) = [
        c for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, System) and c.__module__ == module.__name__
    ]  # fmt: skip
    return cls


def preset(cls: type[System], name: str) -> Preset:
    """A system's preset. Raises UnknownNameError with the nearest names if it has none of this name."""
    return cls.presets[nearest(name, cls.presets, "preset")]


def hyperparameters(cls: type[System]) -> dict[str, inspect.Parameter]:
    """The constructor's arguments by name."""
    return {k: p for k, p in inspect.signature(cls).parameters.items() if k != "self"}


def build(name: str, **hyper: Any) -> System:
    """A system by name. Raises UnknownNameError for an unknown name or hyperparameter, with the nearest ones."""
    cls = find(name)
    known = hyperparameters(cls)
    for k in hyper:
        nearest(k, known, f"hyperparameter of {name}")
    system = cls(**hyper)
    system.spec = {"name": name, "hyper": {k: getattr(v, "spec", v) for k, v in hyper.items()}}
    return system


def rebuild(spec: Mapping[str, Any]) -> System:
    """A system from its `spec`, and with it the systems that it takes as arguments."""
    return build(spec["name"], **{
        k: rebuild(v) if isinstance(v, Mapping) and v.keys() == {"name", "hyper"} else v
        for k, v in spec["hyper"].items()
    })  # fmt: skip

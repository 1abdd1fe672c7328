"""What there is: every system in a table, one system in full."""

import ast
import inspect

from rich.console import Console
from rich.table import Table

from .. import catalog
from ..system import Classifies, Decodes, Encodes, System, Upscales

ABILITIES = {"decode": Decodes, "encode": Encodes, "classify": Classifies, "upscale": Upscales}


def list_systems() -> None:
    """Print every system with its family, what it can do, and its paper."""
    table = Table(box=None)
    for heading in ("system", "family", "can", "paper"):
        table.add_column(heading)
    for name, module in catalog.names().items():
        cls = catalog.find(name)
        can = ", ".join(["sample", *(k for k in ABILITIES if hasattr(cls, k))])
        table.add_row(name, module.split(".")[-2], can, f"{cls.paper.authors} {cls.paper.year}: {cls.paper.title}")
    Console(highlight=False, soft_wrap=True).print(table)


def describe_system(name: str) -> None:
    """Print a system's page: what it is, its presets, its hyperparameters."""
    cls = catalog.find(name)
    console = Console(highlight=False, soft_wrap=True)
    console.print((inspect.getmodule(cls).__doc__ or "").strip(), markup=False)
    presets = Table("preset", "hyperparameters", "recipe", title="\nPresets", title_justify="left", box=None)
    for preset, p in cls.presets.items():
        recipe = {k: getattr(v, "__name__", v) for k, v in p.recipe.items()}
        presets.add_row(preset, _settings(p.hyper) or "the defaults", _settings(recipe) or "the defaults")
    console.print(presets)
    table = Table("option", "default", "", title="\nHyperparameters", title_justify="left", box=None)
    comments = hyperparameter_comments(cls)
    for k, parameter in catalog.hyperparameters(cls).items():
        table.add_row(f"--{k.replace('_', '-')}", str(parameter.default), comments.get(k, ""))
    console.print(table)
    r = cls.recipe
    console.print(
        f"\nRecipe: view {r.view}, batch {r.batch}, {r.steps:,} steps at {r.size} px, schedule {r.schedule.__name__}"
    )
    console.print(f"Train:  sfumato train {name} --data FOLDER", markup=False)


def _settings(values: object) -> str:
    return ", ".join(f"{k}={v}" for k, v in dict(values).items())  # type: ignore[call-overload]


def hyperparameter_comments(cls: type[System]) -> dict[str, str]:
    """The comment behind each argument of the constructor, which tells its unit or meaning."""
    lines = inspect.getsource(inspect.getmodule(cls)).splitlines()  # type: ignore[arg-type]
    tree = ast.parse("\n".join(lines))
    arguments = [
        a
        for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for a in [*node.args.args, *node.args.kwonlyargs]
    ]  # fmt: skip
    return {a.arg: lines[a.lineno - 1].partition("# ")[2] for a in arguments}

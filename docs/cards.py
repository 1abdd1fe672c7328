"""Write a card for every system into docs/systems: `python docs/cards.py`. What it says is read off the system."""

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from sfumato import catalog
from sfumato.system import System

HOME = Path(__file__).parent / "systems"
ABILITIES = ("sample", "encode", "decode", "classify")


def main() -> None:
    """Write the cards and their index."""
    HOME.mkdir(exist_ok=True)
    families = defaultdict(list)
    for name, module in catalog.names().items():
        families[module.split(".")[-2]].append(name)
        (HOME / f"{name}.md").write_text(card(name, catalog.find(name)), encoding="utf-8")
    (HOME / "index.md").write_text(index(families), encoding="utf-8")


def index(families: dict[str, list[str]]) -> str:
    """The catalogue as a page."""
    parts = ["# The catalogue\n"]
    for family, names in families.items():
        rows = [(name, catalog.find(name).paper) for name in names]
        parts += [f"## {family.capitalize()}\n", "| system | paper | |", "|---|---|---|"]
        parts += [f"| [`{n}`]({n}.md) | {p.title} | [{p.authors} {p.year}]({p.url}) |" for n, p in rows]
        parts.append("")
    listed = "\n".join(n for names in families.values() for n in names)
    return "\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{listed}\n```", ""])


def card(name: str, cls: type[System]) -> str:
    """One system: what it is, how to train it, its presets and hyperparameters, and what was measured."""
    doc = (sys.modules[cls.__module__].__doc__ or "").strip()
    r = cls.recipe
    can = [f"`{k}`" for k in ABILITIES if hasattr(cls, k)]
    presets = [
        f"| `{k}` | {settings(p.hyper)} | {settings({a: getattr(b, '__name__', b) for a, b in p.recipe.items()})} |"
        for k, p in cls.presets.items()
    ]
    hyper = [
        f"| `--{k.replace('_', '-')}` | {p.default} | {comment(cls, k)} |"
        for k, p in catalog.hyperparameters(cls).items()
    ]
    measured = HOME.parent / "results" / f"{name}.md"
    return "\n".join(
        [
            f"# {name}\n",
            re.sub(r"(https?://[^\s)]+[^\s).,])", r"<\1>", doc),
            f"\n```console\n$ sfumato train {name} --data digits\n```\n",
            f"Does: {', '.join(can)}. Sees batches of the view `{r.view}`.\n",
            "## Presets\n\n| preset | hyperparameters | recipe |\n|---|---|---|",
            *presets,
            "\n## Hyperparameters\n\n| flag | default | |\n|---|---|---|",
            *hyper,
            f"\nThe recipe of the paper: batch {r.batch}, {r.steps:,} steps at {r.size} px, schedule"
            f" {r.schedule.__name__}{f', clipping at {r.clip}' if r.clip else ''}.\n",
            *([f"What it reached: [results](../results/{name}.md).\n"] if measured.exists() else []),
        ]
    )


def settings(values: Any) -> str:
    """`z=64, ch=32`, or that nothing differs."""
    return ", ".join(f"`{k}={v}`" for k, v in dict(values).items()) or "the defaults"


def comment(cls: type[System], argument: str) -> str:
    """The comment after an argument of the constructor."""
    source = Path(sys.modules[cls.__module__].__file__ or "").read_text(encoding="utf-8")
    found = re.search(rf"^        {argument}: .*?(?:# (.*))?$", source, re.MULTILINE)
    return (found[1] or "").replace("|", "\\|") if found else ""


if __name__ == "__main__":
    main()

"""Write a card for every system into docs/systems: `python docs/cards.py`. What it says is read off the system."""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from sfumato import catalog
from sfumato.system import System
from sfumato.tasks.catalogue import hyperparameter_comments

HOME = Path(__file__).parent / "systems"
ABILITIES = ("sample", "encode", "decode", "classify", "upscale")


def main() -> None:
    """Write the cards and their index."""
    HOME.mkdir(exist_ok=True)
    families = defaultdict(list)
    for name, module in catalog.names().items():
        families[module.split(".")[-2]].append(name)
        (HOME / f"{name}.md").write_text(card(name, catalog.find(name)), encoding="utf-8")
    (HOME / "index.md").write_text(index(families), encoding="utf-8")
    readme = HOME.parents[1] / "README.md"
    begin, end = "<!-- systems: written by docs/cards.py -->\n", "<!-- end -->"
    before, _, rest = readme.read_text(encoding="utf-8").partition(begin)
    readme.write_text(before + begin + overview() + end + rest.partition(end)[2], encoding="utf-8")


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
    comments = hyperparameter_comments(cls)
    hyper = [
        f"| `--{k.replace('_', '-')}` | {p.default} | {comments[k].replace('|', chr(92) + '|')} |"
        for k, p in catalog.hyperparameters(cls).items()
    ]
    data = next((p.recipe.get("data", r.data) for k, p in cls.presets.items() if k.startswith("small")), r.data)
    picture = [f"![Images drawn by the preset small, not chosen]({name}.png)\n"] * (HOME / f"{name}.png").exists()
    return "\n".join(
        [
            f"# {name}\n",
            re.sub(r"(https?://[^\s)]+[^\s).,])", r"<\1>", doc),
            "",
            *picture,
            f"```console\n$ sfumato train {name} --data {data}\n```\n",
            f"Does: {', '.join(can)}. Sees batches of the view `{r.view}`.\n",
            "## Presets\n\n| preset | hyperparameters | recipe |\n|---|---|---|",
            *presets,
            "\n## Hyperparameters\n\n| flag | default | |\n|---|---|---|",
            *hyper,
            f"\nThe recipe of the paper: batch {r.batch}, {r.steps:,} steps at {r.size} px, schedule"
            f" {r.schedule.__name__}{f', clipping at {r.clip}' if r.clip else ''}.\n",
            *measured(name),
        ]
    )


def settings(values: Any) -> str:
    """`z=64, ch=32`, or that nothing differs."""
    return ", ".join(f"`{k}={v}`" for k, v in dict(values).items()) or "the defaults"


SHOWN = {"class accuracy": "class accuracy", "code ↔ class": "code ↔ class", "accuracy on held-out digits": "accuracy"}


PAGES = {  # where what a system shows is recorded, if not in systems.json
    "zssr": "zero-shot", "kernelgan": "zero-shot", "realsr": "restoration", "decrappify": "restoration",
    "dlss": "dlss", "dlss1": "dlss", "srgan": "srgan-table", "esrgan": "esrgan-curve",
    "neural-style": "style", "texture": "style",
    "feature-inversion": "style", "fast-style": "fast-style", "cin": "fast-style", "adain": "fast-style",
    "pix2pix": "translation", "cyclegan": "translation", "pix2pixhd": "translation", "spade": "translation",
    "crn": "translation",
    "unit": "translation-domains", "munit": "translation-domains", "funit": "translation-domains",
    "dtn": "translation-domains", "stacked-gan": "stacked_gan", "biggan": "truncation",
    "stylegan": "stylegan-faces", "stylegan2": "stylegan-faces", "stylegan2-ada": "stylegan-faces",
    "bcr": "gans-faces", "progan": "gans-faces",
    "inversion": "inversion", "in-domain": "inversion", "mgan-prior": "inversion", "dgp": "inversion",
    "image2stylegan-plus": "editing",
}  # fmt: skip


def overview() -> str:
    """The README's table: every system by its family, its paper, and what it reached."""
    results = HOME.parent / "results"
    path = results / "systems.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    lines, last = ["| | system | paper | shown |", "|---|---|---|---|"], ""
    for name, module in catalog.names().items():
        paper, seeds = catalog.find(name).paper, list(figures.get(name, {}).values())
        family, shown = module.split(".")[-2], ["trains, resumes; its figures are not taken yet"]
        if seeds:
            distance = " / ".join(f"{s['frechet']:.3g}" for s in seeds)
            shown = [f"distance {distance}, {' / '.join(str(s['modes']) for s in seeds)} classes"]
            shown += [f"{v} {' / '.join(f'{s[k]:.1%}' for s in seeds)}" for k, v in SHOWN.items() if k in seeds[0]]
        elif (page := PAGES.get(name)) and (results / f"{page}.md").exists():
            shown = [f"[figures](docs/results/{page}.md)"]
        cite = f"[{paper.authors} {paper.year}]({paper.url})"
        head = f"**{family}**" if family != last else ""
        lines.append(f"| {head} | [`{name}`](docs/systems/{name}.md) | {cite} | {'; '.join(shown)} |")
        last = family
    return "\n".join(lines) + "\n"


def measured(name: str) -> list[str]:
    """What the small preset reached, a value for each seed, as `benchmarks/systems.py` recorded it."""
    path = HOME.parent / "results" / "systems.json"
    seeds = json.loads(path.read_text()).get(name, {}) if path.exists() else {}
    if not seeds:
        return []
    rows = [
        f"| {k} | {' | '.join(f'{figures[k]:.4g}' if k in figures else '' for figures in seeds.values())} |"
        for k in dict.fromkeys(k for figures in seeds.values() for k in figures)
    ]
    return [
        "## What the small preset reached\n",
        f"On the built-in digits, {NOTE}\n",
        f"| | {' | '.join(f'seed {s}' for s in seeds)} |",
        f"|---|{'---|' * len(seeds)}",
        *rows,
        "",
    ]


NOTE = "by `python benchmarks/systems.py`; see [all systems](../results/systems.md)."


if __name__ == "__main__":
    main()

"""Run folders: where they are, what they are called, what their config.json says."""

import json
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..training.checkpoint import write_text


def new_run(out: str | Path | None, system: str, data: str) -> Path:
    """A new folder, `out` or the next of runs/00000-system-data. Raises UserError if `out` holds a run already."""
    if out is not None:
        run = Path(out)
        if (run / "config.json").exists():
            raise UserError(f"{run} holds a run already; continue it with `sfumato resume {run}` or give another --out")
    else:
        stem = re.sub(r"(\.tar)?\.\w+$", "", Path(data).name) or "data"
        stem = re.sub(r"[^\w-]+", "-", stem)[:40]
        taken = [int(m[1]) for p in Path("runs").glob("*") if (m := re.match(r"(\d{5})-", p.name))]
        run = Path("runs") / f"{max(taken, default=-1) + 1:05d}-{system}-{stem}"
    try:
        (run / "samples").mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"cannot make the run folder {run}: {e.strerror}; give another --out") from None
    return run


def write_config(run: Path, config: Mapping[str, Any]) -> None:
    """Write config.json."""
    write_text(run / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def read_config(run: str | Path) -> dict[str, Any]:
    """What config.json says. Raises UserError if this is no run."""
    path = Path(run) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{run} is not a run: it has no config.json; runs are folders like runs/00000-dcgan-digits"
        ) from None
    except (OSError, ValueError) as e:
        raise UserError(f"{path} cannot be read: {e}") from None
    if not isinstance(config, dict) or "system" not in config:
        raise UserError(f"{path} is not the config.json of a run")
    return config


def versions() -> dict[str, str]:
    """Of what the result depends on."""
    import numpy
    import PIL
    import torch

    from .. import __version__

    return {
        "sfumato": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
    }


def command() -> str:
    """The command line as it was given."""
    import shlex

    name = Path(sys.argv[0]).name
    if name in ("sfumato", "__main__.py"):
        return shlex.join(["sfumato", *sys.argv[1:]])
    return f"from Python ({name or 'interactive'})"

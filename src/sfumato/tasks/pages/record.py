"""What a run folder tells, whatever of it is there."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...training.runlog import read_log
from ..runs import read_config


@dataclass(frozen=True)
class Record:
    """A run as its folder has it: settings, figures over time, events, sample grids, measures."""

    path: Path
    config: Mapping[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)  # of the log that hold figures, in order
    events: list[dict[str, Any]] = field(default_factory=list)  # of the log that hold text, in order
    samples: list[tuple[int, Path]] = field(default_factory=list)  # step and picture, oldest first
    measures: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, run: Path) -> "Record":
        """Read a run folder. Raises UserError if it is no run or its measures cannot be read."""
        lines = [x for x in read_log(run) if isinstance(x, dict) and isinstance(x.get("step"), int)]
        pictures = [(int(m[1]), p) for p in run.glob("samples/*.png") if (m := re.fullmatch(r"(\d+)", p.stem))]
        return cls(
            run,
            read_config(run),
            [x for x in lines if isinstance(x.get("values"), dict)],
            [x for x in lines if "event" in x],
            sorted(pictures),
            _measures(run / "measures.json"),
        )

    def part(self, name: str) -> Mapping[str, Any]:
        """A section of config.json, empty if it has none of this name."""
        found = self.config.get(name)
        return found if isinstance(found, dict) else {}

    @property
    def system(self) -> str:
        """The system's name."""
        return str(self.part("system").get("name", "?"))

    @property
    def source(self) -> str:
        """The data's name, without the folder that it lies in."""
        source = str(self.part("data").get("source") or self.part("recipe").get("data") or "?")
        return Path(source).name or source

    @property
    def step(self) -> int:
        """The last step that the log has figures of."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    @property
    def images(self) -> int:
        """Images seen by then."""
        return int(self.lines[-1].get("images", 0)) if self.lines else 0

    @property
    def seconds(self) -> float:
        """Time spent in training by then."""
        return float(self.lines[-1].get("seconds", 0.0)) if self.lines else 0.0

    @property
    def rate(self) -> float:
        """Images a second, 0 if unknown."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def progress(self) -> float:
        """The share of the budget that is used up, 1 when the run is finished."""
        done = {"steps": self.step, "images": self.images, "minutes": self.seconds / 60}
        shares = [done[k] / limit for k, limit in self.part("budget").items() if k in done and limit]
        return 1.0 if max(shares, default=0.0) > 0.999 else max(shares, default=0.0)

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """The events that ask for attention."""
        return [e for e in self.events if e["event"] not in ("stop", "resume", "note")]

    @cached_property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Every logged value over the steps. What was not finite is NaN."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for line in self.lines:
            for name, value in line["values"].items():
                number = float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
                curves.setdefault(name, []).append((line["step"], number))
        return curves

    @property
    def broken(self) -> list[str]:
        """The values whose last figure is not finite."""
        return [name for name, curve in self.curves.items() if math.isnan(curve[-1][1])]

    @property
    def learning_rates(self) -> dict[str, list[tuple[int, float]]]:
        """Each player's learning rate over the steps."""
        rates: dict[str, list[tuple[int, float]]] = {}
        for line in self.lines:
            for player, rate in line.get("lr", {}).items():
                rates.setdefault(player, []).append((line["step"], float(rate)))
        return rates


def _measures(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as e:
        raise UserError(f"{path} cannot be read: {e}; write it anew with `sfumato evaluate {path.parent}`") from None
    return [m for m in found if isinstance(m, dict) and isinstance(m.get("values"), dict)]

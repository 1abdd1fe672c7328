"""What a run says while it trains: `log.jsonl`, TensorBoard, a progress bar on a terminal and plain lines elsewhere."""

import contextlib
import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..errors import UserError

QUIET = 10.0  # seconds between plain lines


class RunLog:
    """The log of one run. With `folder` None nothing is written, with `quiet` nothing is said."""

    def __init__(self, folder: Path | None, *, step: int = 0, quiet: bool = False, tensorboard: bool = True) -> None:
        self.path = folder / "log.jsonl" if folder else None
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        if self.path and self.path.exists():
            _cut(self.path, step)
        self.board = _board(folder, step) if folder and tensorboard else None
        self.bar: Progress | None = None
        if self.console.is_terminal and not quiet:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self.bar = Progress(
                *columns, TextColumn("eta"), TimeRemainingColumn(), console=self.console, transient=True
            )
            self.task = self.bar.add_task("", total=1.0)
        self.said = self.mark = time.perf_counter()
        self.images = 0

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()
        if self.board:
            self.board.close()

    def say(self, text: str) -> None:
        """A line for the person who watches."""
        self.console.print(text, markup=False)

    def event(self, step: int, kind: str, text: str) -> None:
        """Something that happened: said and kept."""
        self.say(f"{'! ' if kind == 'warning' else ''}{text}")
        self._append({"step": step, "event": kind, "text": text})

    def numbers(
        self,
        *,
        step: int,
        images: int,
        seconds: float,
        progress: float,
        lr: Mapping[str, float],
        values: Mapping[str, float],
    ) -> None:
        """The figures of one moment."""
        finite = {k: v if math.isfinite(v) else None for k, v in values.items()}
        self._append({"step": step, "images": images, "seconds": round(seconds, 3), "lr": dict(lr), "values": finite})
        if self.board:
            for k, v in values.items():
                self.board.add_scalar(k, v, step)
        self._show(step, images, seconds, progress, values)

    def _show(self, step: int, images: int, seconds: float, progress: float, values: Mapping[str, float]) -> None:
        now = time.perf_counter()
        if not self.bar and now - self.said < QUIET and progress < 1 and self.images:
            return
        rate = (images - self.images) / max(now - self.mark, 1e-9) if self.images else images / max(seconds, 1e-9)
        self.mark, self.images = now, images
        losses = "  ".join(f"{k} {v:.3g}" for k, v in values.items())
        text = f"step {step:,}  {rate:,.0f} img/s  {losses}  {_memory()}"
        if self.bar:
            self.bar.update(self.task, completed=min(progress, 1.0), description=text)
        else:
            left = seconds / progress * (1 - progress) if progress else 0.0
            self.said = now
            self.say(f"{progress:4.0%}  {text}  eta {_clock(left)}")

    def _append(self, line: Mapping[str, Any]) -> None:
        if not self.path:
            return
        try:
            with self.path.open("a", encoding="utf-8") as f:
                f.write(json.dumps(line) + "\n")
        except OSError as e:
            raise UserError(f"could not write {self.path}: {e.strerror}; the last checkpoint is intact") from None


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a torn last one is left out."""
    lines = []
    with contextlib.suppress(FileNotFoundError):
        for text in (run / "log.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(text))
    return lines


def _cut(path: Path, step: int) -> None:
    """Drop what was logged after `step`: a resumed run will say it again."""
    kept = [line for line in read_log(path.parent) if line["step"] <= step]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer if it is installed."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except Exception:  # an optional package that may also be present but broken
        return None
    return SummaryWriter(folder / "tensorboard", purge_step=step or None)


def _memory() -> str:
    """Peak memory of this process or of its accelerator."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    try:
        import resource
    except ImportError:  # Windows
        return ""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.1f} GiB"


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"

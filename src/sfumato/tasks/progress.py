"""How far a task is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Advance = Callable[[float], None]  # is told what share is done


@contextmanager
def bar(console: Console, total: int) -> Iterator[Advance]:
    """A progress bar on a terminal; what moves it to so many files."""
    columns = BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TextColumn("eta"), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=total)
        yield lambda done: shown.update(task, completed=done)

"""Where benchmarks keep what they found."""

from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def record(name: str, title: str, lines: Sequence[str], command: str = "") -> None:
    """Print lines of Markdown and keep them as docs/results/NAME.md, with the command that makes them anew."""
    text = "\n".join(lines)
    print(text)
    again = command or f"python benchmarks/{name}.py"
    (RESULTS / f"{name}.md").write_text(f"# {title}\n\nRegenerate with `{again}`.\n\n{text}\n")

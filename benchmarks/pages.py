"""Where benchmarks keep what they found."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Part = Callable[[argparse.Namespace], list[str]]  # what it finds, as lines of the page
RESULTS = Path(__file__).parents[1] / "docs" / "results"


def record(name: str, title: str, lines: Sequence[str], command: str = "") -> None:
    """Print lines of Markdown and keep them as docs/results/NAME.md, with the command that makes them anew."""
    text = "\n".join(lines)
    print(text)
    again = command or f"python benchmarks/{name.replace('-', '_')}.py"
    (RESULTS / f"{name}.md").write_text(f"# {title}\n\nRegenerate with `{again}`.\n\n{text}\n")


def by_parts(about: str | None, parts: Mapping[str, Part]) -> argparse.ArgumentParser:
    """A command line that takes parts by their names, all if none, --quick and --only-measure."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *parts], default=[])
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it works; printed alone")
    parser.add_argument("--only-measure", action="store_true", help="train nothing")
    return parser


def record_parts(name: str, title: str, parts: Mapping[str, Part], arguments: argparse.Namespace) -> None:
    """Run all parts, of which those not asked for train nothing, and keep or print what they found."""
    lines: list[str] = []
    for part, found in parts.items():
        wanted = argparse.Namespace(**vars(arguments))
        wanted.only_measure |= bool(arguments.parts) and part not in arguments.parts
        lines += found(wanted)
    if arguments.quick:
        print("\n".join(lines))
    else:
        record(name, title, lines)

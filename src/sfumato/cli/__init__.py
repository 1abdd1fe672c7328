"""The command line: every verb of sfumato, thin over `tasks`. Nothing here imports torch before a verb runs."""

import sys

import typer

from ..errors import UserError
from .options import app

from . import training, pictures, latent, editing, edits, painting, about  # isort: skip (the order of --help)

__all__ = ["about", "app", "editing", "edits", "latent", "main", "painting", "pictures", "training"]


def main() -> None:
    """Run the command line: one line and a non-zero exit for what the user can mend."""
    try:
        app()
    except UserError as e:
        typer.echo(f"sfumato: {e}", err=True)
        sys.exit(getattr(e, "code", 1))
    except KeyboardInterrupt:
        typer.echo("sfumato: interrupted", err=True)
        sys.exit(130)
    except MemoryError:
        typer.echo("sfumato: out of memory; try a smaller --batch or --size", err=True)
        sys.exit(1)

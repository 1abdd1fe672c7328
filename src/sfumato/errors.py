"""The errors of what a user can mend: one line each, and never a traceback on the command line."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something about the input is wrong. The message is one line: what, where, and what to do."""


class UnknownNameError(UserError, LookupError):
    """A name that nothing has; the message suggests the nearest ones."""


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """`name` if it is known. Raises UnknownNameError that suggests what was meant."""
    known = list(dict.fromkeys(known))
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(sorted(known))}"
    raise UnknownNameError(f"no {what} is called {name!r}; {hint}")

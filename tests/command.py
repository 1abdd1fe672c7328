"""The command line within this process, which saves importing torch again."""

import sys

import pytest

from sfumato import cli


def execute(capsys, *words):
    """Exit status, and what was said on either stream."""
    before, sys.argv = sys.argv, ["sfumato", *map(str, words)]
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        sys.argv = before
    printed = capsys.readouterr()
    return end.value.code or 0, printed.out, printed.err


def call(capsys, *words, check=0):
    """What it printed, if it ended as expected."""
    status, out, err = execute(capsys, *words)
    assert status == check, out + err
    return out + err

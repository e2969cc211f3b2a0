"""What the shell is told: public API, kept."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The codes of every command. When several apply: NOT_RECORDED, then NOT_EVALUATED, then FAILED."""

    OK = 0
    """Nothing failed; warnings and skipped checks included."""
    FAILED = 1
    """A check failed at or above `--fail-on` and `--min-severity`."""
    USAGE = 2
    """The command line or the configuration is wrong, or nothing was selected."""
    NOT_EVALUATED = 3
    """Something could not be measured: no connection, no permission, a time-out; or dqmon itself broke."""
    NOT_RECORDED = 4
    """Evaluated, but the store did not take it or a channel did not."""
    INTERRUPTED = 130
    """Ctrl-C."""

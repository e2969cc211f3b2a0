"""Which dqmon this is: another version may measure another value of the same rows, so that only its own are reused."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """The installed version; `from its source folder` where dqmon is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("dqmon")
    except PackageNotFoundError:
        return "from its source folder"

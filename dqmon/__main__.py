"""The command `dqmon`, also as `python -m dqmon`."""

from __future__ import annotations

import gc
import sys

# Commands are short and allocate most of their objects while importing, where nothing is garbage: with the default
# threshold of 700 the collector takes a tenth of the time of `dqmon check`.
gc.set_threshold(50_000, 20, 20)

from dqmon.cli.program import run  # noqa: E402 - after the line above on purpose


def main() -> None:
    """Runs the command line and exits with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""Proof by the file system that a file has not changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

SETTLED_S = 2.0
"""A file written so shortly ago may be written again within the same time stamp (some file systems count 2 s), so that it proves
nothing; git calls such files racily clean (https://git-scm.com/docs/racy-git)."""


def files_proof(paths: Iterable[Path]) -> str | None:
    """Name, size and time of the last change of each file that is there; None when one changed just now, or none is there.

    A file that was copied over it with the same size and time is not noticed.
    """
    said = []
    for path in sorted(paths):
        try:
            found = path.stat()
        except OSError:
            continue
        if time.time() - found.st_mtime < SETTLED_S:
            return None
        moment = datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC)
        said.append(f"{path.name} has {found.st_size} bytes, written {moment:%Y-%m-%dT%H:%M:%S}.{found.st_mtime_ns % 1_000_000_000:09d}Z")
    return "; ".join(said) or None

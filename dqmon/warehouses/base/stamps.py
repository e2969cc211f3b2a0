"""Proof by the file system that a file has not changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

SETTLED_S = 2.0
"""A file written so shortly ago may be written again within the same time stamp (some file systems count 2 s), so that it proves
nothing; git calls such files racily clean (https://git-scm.com/docs/racy-git)."""


NAMED = 3
"""Files that a proof names one by one; more are told by their number and a fingerprint of names, sizes and times."""


def files_proof(paths: Iterable[Path]) -> str | None:
    """Name, size and time of the last change of each file that is there; None when one changed just now, or none is there.

    A file that was copied over it with the same size and time is not noticed.
    """
    found: list[tuple[str, int, int]] = []
    for path in sorted(paths):
        try:
            stat = path.stat()
        except OSError:
            continue
        if time.time() - stat.st_mtime < SETTLED_S:
            return None
        found.append((path.name, stat.st_size, stat.st_mtime_ns))
    if len(found) <= NAMED:
        return "; ".join(f"{name} has {size} bytes, written {_moment(at)}" for name, size, at in found) or None
    digest = hashlib.blake2b(repr(found).encode(), digest_size=8).hexdigest()
    newest = _moment(max(at for *_, at in found))
    return f"{len(found)} files have {sum(size for _, size, _ in found)} bytes, the newest written {newest}, fingerprint {digest}"


def _moment(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 1_000_000_000:09d}Z"

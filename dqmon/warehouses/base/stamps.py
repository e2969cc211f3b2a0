"""Proof by the file system that a file has not changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

SETTLED_S = 2.0
"""A file written so shortly ago may be written again within the same time stamp (some file systems count 2 s), so that it proves
nothing; git calls such files racily clean (https://git-scm.com/docs/racy-git)."""


NAMED = 3
"""Files that a proof names one by one; more are told by their number and a fingerprint of names, sizes and times."""


FAR_SETTLED_S = 60.0
"""The same for an object store, whose clock is not this machine's and which counts whole seconds."""

Stamp: TypeAlias = tuple[str, int, int]
"""Path, bytes, and nanoseconds since 1970 of the last change."""


def files_proof(paths: Iterable[Path]) -> str | None:
    """Path, size and time of the last change of each file that is there; None when one changed just now, or none is there.

    A file that was copied over it with the same size and time is not noticed.
    """
    found: list[Stamp] = []
    for path in paths:
        with suppress(OSError):
            stat = path.stat()
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return stamps_proof(found, SETTLED_S)


def stamps_proof(found: Iterable[Stamp], settled_s: float) -> str | None:
    """The same of files that are known already; None when one is not older than `settled_s`."""
    stamps = sorted(found)
    if any(time.time() - at / 1e9 < settled_s for *_, at in stamps):
        return None
    if len(stamps) <= NAMED:
        return "; ".join(f"{name} has {size} bytes, written {_moment(at)}" for name, size, at in stamps) or None
    digest = hashlib.blake2b(repr(stamps).encode(), digest_size=8).hexdigest()
    newest = _moment(max(at for *_, at in stamps))
    return f"{len(stamps)} files have {sum(size for _, size, _ in stamps)} bytes, the newest written {newest}, fingerprint {digest}"


def _moment(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 1_000_000_000:09d}Z"

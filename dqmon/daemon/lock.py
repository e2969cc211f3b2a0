"""One daemon for each SQLite store: a lock that the system frees however the process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dqmon.errors import StoreError, UsageError


@contextmanager
def only_daemon(store: Path) -> Iterator[None]:
    """Holds the lock of the store file. UsageError naming the other daemon's pid when one runs; StoreError for lack of rights."""
    import fcntl

    path = store.with_name(store.name + ".lock")
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise UsageError(
                f"another dqmon daemon (pid {pid}) runs on the store {store}; stop it first, "
                "or use a PostgreSQL store, where a second one stands by"
            ) from e
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="utf-8")
    except OSError as e:
        raise StoreError(f"the daemon's lock {path} cannot be written: {e.strerror}; give this user the right to write there") from e

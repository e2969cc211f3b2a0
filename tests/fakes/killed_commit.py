"""A process that dies before a commit: what it had done in that transaction is as if it never was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dqmon.store.database import Database


class Killed(BaseException):
    """The end of the process."""


@contextmanager
def killed_before_commit(database: Database, number: int) -> Iterator[None]:
    """What is done inside dies before the commit of that number, from 1 on; that there is no such commit is a failure."""
    write, count = database.write, 0

    @contextmanager
    def dying():
        nonlocal count
        with write() as connection:
            yield connection
            count += 1
            if count == number:
                raise Killed

    database.write = dying
    with pytest.raises(Killed):
        yield
    database.write = write

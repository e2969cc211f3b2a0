"""Copies a store in small batches until nothing is left, saying so after each round: a mirror to be killed.

python mirror_child.py <store url> <kind of engine> <its location> <rows a batch>
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from engines import engine

from dqmon.engine import mirror
from dqmon.store.database import Database
from dqmon.store.mirrored import TARGETS


def main(store: str, kind: str, location: str, rows: int) -> None:
    mirror.BATCH = rows
    writer = engine(kind).warehouse("dq", location).writer("quality", "prod")
    copying = mirror.Mirror(Database(store), writer, "prod", tuple(TARGETS))
    while copying.copy(datetime.now(UTC)) is not None:
        print("a round", flush=True)
        if copying.failures:
            sys.exit(1)
    print("the end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

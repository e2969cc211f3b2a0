"""dq_meta: single facts about the store itself."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.errors import StoreError
from dqmon.store.schema import SafeText, metadata
from dqmon.store.writes import insert_new, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

meta = sa.Table(
    "dq_meta",
    metadata,
    sa.Column("key", SafeText, primary_key=True),
    sa.Column("value", SafeText, nullable=False),
)

_DEFAULT_WAREHOUSE = "default_warehouse"
_REVISION = "revision"
_PAGE_KEY = "page_key"
_LOADED = "loaded"

MAX_PROBLEMS = 50
"""Of a refused configuration; whoever mends those runs `dqmon validate` anyway."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a daemon made of the configuration when it read it last.

    at: when what is in force was read; None when nothing was read yet. refused_at: when what was read last was refused; None when it
    was taken. problems: why it was refused, each with file and line.
    """

    at: datetime | None = None
    refused_at: datetime | None = None
    problems: tuple[str, ...] = ()


def get(connection: Connection, key: str) -> str | None:
    """The value; None when it was never set."""
    return connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))


def put(connection: Connection, key: str, value: str) -> None:
    """Sets the value."""
    upsert(connection, meta, [{"key": key, "value": value}])


def next_revision(connection: Connection) -> int:
    """A number that no commit before had, greater than all of them. To be called under `writes.one_writer`."""
    found = int(get(connection, _REVISION) or 0) + 1
    put(connection, _REVISION, str(found))
    return found


def revision(connection: Connection) -> int:
    """The last commit's number; 0 in a new store."""
    return int(get(connection, _REVISION) or 0)


def page_key(connection: Connection) -> str | None:
    """The secret that seals links to pages and logins; None before `make_page_key`."""
    return get(connection, _PAGE_KEY)


def make_page_key(connection: Connection) -> str:
    """The same, made once: all processes on one store have one. Whoever reads the store can open every page."""
    insert_new(connection, meta, [{"key": _PAGE_KEY, "value": secrets.token_hex(32)}])
    found = get(connection, _PAGE_KEY)
    assert found is not None  # noqa: S101 - it has just been made
    return found


def loaded(connection: Connection) -> Loaded:
    """What the last daemon made of the configuration; without any times when none has run."""
    kept = json.loads(get(connection, _LOADED) or "{}")
    times = {name: datetime.fromisoformat(text) if (text := kept.get(name)) else None for name in ("at", "refused_at")}
    return Loaded(**times, problems=tuple(kept.get("problems", ())))


def keep_loaded(connection: Connection, at: datetime, problems: Sequence[str] = ()) -> None:
    """Keeps that a daemon read the configuration at `at`: refused for `problems`, taken when there are none."""
    found = replace(loaded(connection), refused_at=at, problems=tuple(problems[:MAX_PROBLEMS])) if problems else Loaded(at)
    times = {name: value.isoformat() for name in ("at", "refused_at") if (value := getattr(found, name))}
    put(connection, _LOADED, json.dumps({**times, "problems": found.problems}))


def default_warehouse(connection: Connection) -> str | None:
    """The kept name of the first warehouse; None in a new store."""
    return get(connection, _DEFAULT_WAREHOUSE)


def keep_default_warehouse(connection: Connection, name: str, *, may_change: bool = False) -> None:
    """Keeps the name of the first warehouse, which check ids leave out.

    Another name than the kept one is a StoreError, since all ids of its checks would silently change their meaning;
    `may_change` (`dqmon migrate --default-warehouse`) takes it.
    """
    if may_change:
        put(connection, _DEFAULT_WAREHOUSE, name)
        return
    kept = get(connection, _DEFAULT_WAREHOUSE)
    if kept is None:
        insert_new(connection, meta, [{"key": _DEFAULT_WAREHOUSE, "value": name}])
        kept = get(connection, _DEFAULT_WAREHOUSE)
    if kept != name:
        msg = (
            f"the store's default warehouse is {kept!r} and the configuration's first is {name!r}, so check ids would mean other tables; "
            f"put {kept!r} first under warehouses:, or run `dqmon migrate --default-warehouse {name}`"
        )
        raise StoreError(msg)

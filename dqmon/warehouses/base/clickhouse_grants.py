"""The statements that make a ClickHouse role which can read what the checks read, and do nothing else; and what a role may do besides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dqmon.core.table import TableRef
from dqmon.warehouses.base.clickhouse_sql import quoted

_HEAD = """-- Run by a user who may create users. What is there already stays as it is.
-- The role reads; it may not write, create, or reach other servers and files."""

_SYSTEM = ("tables", "columns", "parts", "parts_columns", "settings")
"""What dqmon reads of the catalogue; of each a user sees what it may read anyway."""

NAMED = 4
"""Privileges that are named one by one."""

_GRANT = re.compile(r"GRANT (.+?) ON (.+) TO .*", re.DOTALL)
_COLUMNS = re.compile(r"\([^()]*\)")
_READING = ("SELECT", "SHOW", "dictGet", "displaySecretsInShowAndSelect", "CHECK", "CHECK TABLE", "CHECK GRANT", "USAGE")


def script(user: str, tables: Iterable[TableRef], schema: str) -> str:
    """For reading `tables`, those without a schema in `schema`; a pattern in a name stands for all tables of its database."""
    lines = [
        _HEAD,
        "CREATE ROLE IF NOT EXISTS dqmon;",
        *(f"GRANT SELECT ON {place} TO dqmon;" for place in _places(tables, schema)),
        *(f"GRANT SELECT ON system.{name} TO dqmon;" for name in _SYSTEM),
        f"CREATE USER IF NOT EXISTS {quoted(user)} IDENTIFIED WITH sha256_password BY '<the password>';",
        f"GRANT dqmon TO {quoted(user)};",
        f"ALTER USER {quoted(user)} DEFAULT ROLE dqmon;",
        "-- No `readonly = 1` in its settings: dqmon sets it itself, and has to set limits before.",
    ]
    return "\n".join(lines)


def _places(tables: Iterable[TableRef], schema: str) -> Iterator[str]:
    named = {(table.schema or schema, table.name) for table in tables} or {(schema, "*")}
    if any("*" in place for place, _ in named):
        yield "*.*"
        return
    whole = {place for place, name in named if "*" in name}
    yield from (f"{quoted(place)}.*" for place in sorted(whole))
    yield from (f"{quoted(place)}.{quoted(name)}" for place, name in sorted(named) if place not in whole)


def powers(grants: Iterable[str]) -> tuple[str, ...]:
    """What the lines of SHOW GRANTS let a user do besides reading: the privileges on each place, the first ones by their names."""
    found: dict[str, dict[str, None]] = {}
    for line in grants:
        if granted := _GRANT.fullmatch(line.strip()):
            words = (word.strip() for word in _COLUMNS.sub("", granted[1]).split(","))
            found.setdefault(granted[2], {}).update(dict.fromkeys(word for word in words if not word.startswith(_READING)))
    return tuple(f"{_listed(tuple(words))} on {place}" for place, words in found.items() if words)


def _listed(words: tuple[str, ...]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more} more" if more > 0 else "")

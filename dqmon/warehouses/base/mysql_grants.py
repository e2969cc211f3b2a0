"""The statements that make a MySQL or MariaDB user who can read what the checks read, and do nothing else; and what a user may do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from dqmon.core.table import TableRef

_HEAD = """-- Run by an administrator. What is there already stays as it is.
-- The user reads; it owns nothing and may write nothing. Narrow '%' to the machine that dqmon runs on."""

_READING = frozenset({"SELECT", "USAGE", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR"})
"""Privileges that change nothing (https://dev.mysql.com/doc/refman/8.4/en/privileges-provided.html)."""

_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<where>.+?) TO ", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\([^)]*\)")


def script(url: sa.URL, tables: Iterable[TableRef], schema: str, connections: int) -> str:
    """For reading `tables`, those without a schema in `schema`; a pattern stands for all tables of its schema, or of all schemas."""
    user = f"{_text(url.username or 'dqmon')}@'%'"
    named = sorted({(table.schema or schema, table.name) for table in tables})
    lines = [
        _HEAD,
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '<a password>' WITH MAX_USER_CONNECTIONS {connections + 1};",
        *(f"GRANT SELECT, SHOW VIEW ON {place} TO {user};" for place in dict.fromkeys(_places(named))),
    ]
    return "\n".join(lines)


def _places(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    named = tuple(named)
    if any("*" in place for place, _ in named):
        yield "*.*"
        return
    whole = {place for place, name in named if "*" in name}
    for place, name in named:
        # An underscore or percent sign in a database's name would be a pattern where all its tables are meant.
        yield f"{_pattern(place)}.*" if place in whole else f"{_quoted(place)}.{_quoted(name)}"


def powers(grants: Iterable[str]) -> tuple[str, ...]:
    """What the lines of SHOW GRANTS allow besides reading, such as "INSERT on `shop`.*"; roles in them are named."""
    found: list[str] = []
    for line in grants:
        match = _GRANT.match(line)
        if match is None:
            role = re.match(r"GRANT (.+?) TO ", line)
            found += [f"whatever the role {role[1]} may"] if role else []
            continue
        what = [word.strip() for word in _IN_BRACKETS.sub("", match["what"]).split(",")]
        found += [f"{word} on {match['where']}" for word in what if word.upper() not in _READING]
        found += [f"hand its rights on {match['where']} to others"] if "WITH GRANT OPTION" in line else []
    return tuple(found)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _pattern(name: str) -> str:
    return _quoted(name.replace("_", r"\_").replace("%", r"\%"))

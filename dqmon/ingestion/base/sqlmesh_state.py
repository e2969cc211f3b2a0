"""SQLMesh's own tables: which models an environment has, how far each is loaded, and snapshots that no plan finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from dqmon.ingestion.base.json_fields import mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.ingestion.base.sql_rows import Rows

LEAST_SCHEMA = 99
"""The state's version that has `_intervals.last_altered_ts`; SQLMesh 0.224 of September 2025 wrote it first."""
TEXT_LIMIT = 32 * 1024**2
"""Characters of an environment; one of ten thousand models has eight million."""
NODE_LIMIT = 1024**2
"""Characters of a snapshot, which holds the model's code; the schedule of a longer one is not read."""
STATE_TABLES = ("_environments", "_intervals", "_snapshots", "_versions")
_AT_ONCE = 50

Fingerprint: TypeAlias = tuple[str | None, ...]
_HASHES = ("data_hash", "metadata_hash", "parent_data_hash", "parent_metadata_hash")


@dataclass(frozen=True, slots=True)
class Model:
    """A model as an environment has it. `name` is the full one, in quotes; `fingerprint` tells its snapshot, which has no other id here."""

    name: str
    version: str
    kind: str
    fingerprint: Fingerprint
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a model. Times are milliseconds since 1970; `unpaused_ts` is None until a plan puts it into production."""

    name: str
    identifier: str
    version: str | None
    fingerprint: Fingerprint
    unpaused_ts: int | None
    updated_ts: int | None


Environments: TypeAlias = Mapping[str, tuple[int | None, tuple[Model, ...]]]
"""By name: when its last plan was finished, in milliseconds since 1970 (None while one is under way), and its models."""


class SqlmeshState:
    """Asks the tables of one state schema. Raises what `Rows` does, and ValueError for tables that are not SQLMesh's."""

    def __init__(self, rows: Rows, schema: str) -> None:
        self._rows = rows
        self._schema = schema
        ((version,),) = rows.fetch(sa.select(self._table("_versions", "schema_version").c.schema_version)) or ((None,),)
        if version is None or int(version) < LEAST_SCHEMA:
            raise ValueError(f"the state's schema_version is {version}; {LEAST_SCHEMA} or later is expected, of SQLMesh 0.224")

    def environments(self) -> Environments:
        """All of them."""
        x = self._table("_environments", "name", "finalized_ts", "snapshots").c
        told = sa.case((sa.func.length(x.snapshots) <= TEXT_LIMIT, x.snapshots))
        return {
            name: (finalized, _models(name, found)) for name, finalized, found in self._rows.fetch(sa.select(x.name, x.finalized_ts, told))
        }

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All that SQLMesh keeps: those of environments, and for a week those that are of none."""
        x = self._table("_snapshots", "name", "identifier", "version", "fingerprint", "unpaused_ts", "updated_ts").c
        found = self._rows.fetch(sa.select(x.name, x.identifier, x.version, x.fingerprint, x.unpaused_ts, x.updated_ts))
        return tuple(Snapshot(n, i, v, _fingerprint(_parsed(hashes)), unpaused, updated) for n, i, v, hashes, unpaused, updated in found)

    def nodes(self, snapshots: Iterable[Snapshot]) -> Mapping[tuple[str, str], Mapping[str, Json]]:
        """The `node` of each snapshot, by its name and identifier; without those whose text is too long."""
        x = self._table("_snapshots", "name", "identifier", "snapshot").c
        wanted = list(snapshots)
        found: dict[tuple[str, str], Mapping[str, Json]] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            are_some = sa.and_(x.name.in_({s.name for s in some}), x.identifier.in_({s.identifier for s in some}))
            statement = sa.select(x.name, x.identifier, x.snapshot).where(are_some, sa.func.length(x.snapshot) <= NODE_LIMIT)
            found |= {(name, id_): mapping(mapping(_parsed(told)).get("node")) for name, id_, told in self._rows.fetch(statement)}
        return found

    def loaded(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """By name and version of a model: up to when it is loaded, and when that was last added to. Without development's intervals.

        An interval that was removed later, to be loaded anew, ends where the removed part begins.
        """
        x, removed = self._intervals(), self._intervals("removed")
        cut = (
            sa.select(sa.func.min(removed.c.start_ts))
            .where(removed.c.name == x.c.name, removed.c.version == x.c.version, removed.c.is_removed, ~removed.c.is_dev)
            .where(removed.c.created_ts >= x.c.created_ts, removed.c.start_ts < x.c.end_ts, removed.c.end_ts >= x.c.end_ts)
            .scalar_subquery()
        )
        altered = sa.func.coalesce(x.c.last_altered_ts, x.c.created_ts).label("altered_ts")
        columns = (x.c.name, x.c.version, x.c.start_ts, sa.func.coalesce(cut, x.c.end_ts).label("until_ts"), altered)
        left = sa.select(*columns).where(~x.c.is_dev, ~x.c.is_removed, ~x.c.is_pending_restatement).subquery("present")
        ends = sa.select(left.c.name, left.c.version, sa.func.max(left.c.until_ts), sa.func.max(left.c.altered_ts))
        found = self._rows.fetch(ends.where(left.c.until_ts > left.c.start_ts).group_by(left.c.name, left.c.version))
        return {(name, version): (int(until), int(at)) for name, version, until, at in found}

    def begun(self) -> frozenset[tuple[str, str | None]]:
        """Name and version of the models with any interval at all, of development too."""
        x = self._intervals().c
        return frozenset((name, version) for name, version in self._rows.fetch(sa.select(x.name, x.version).distinct()))

    def _intervals(self, alias: str = "i") -> Any:
        flags = ("is_dev", "is_removed", "is_pending_restatement")
        times = ("start_ts", "end_ts", "created_ts", "last_altered_ts")
        columns = (sa.column(name, sa.Boolean if name in flags else sa.BigInteger) for name in (*flags, *times))
        return sa.table("_intervals", sa.column("name"), sa.column("version"), *columns, schema=self._schema).alias(alias)

    def _table(self, name: str, *columns: str) -> sa.TableClause:
        return sa.table(name, *map(sa.column, columns), schema=self._schema)


def _models(environment: str, told: str | None) -> tuple[Model, ...]:
    listed = _parsed(told)
    if not isinstance(listed, list):
        # Of the value, not of an argument: `reading` makes it the source's error.
        raise ValueError(f"the environment {environment!r} lists no snapshots, or has more than {TEXT_LIMIT:,} characters of them")  # noqa: TRY004
    return tuple(
        Model(
            name=str(one["name"]),
            version=str(one.get("version")),
            kind=str(one.get("kind_name")),
            fingerprint=_fingerprint(one.get("fingerprint")),
            parents=tuple(str(parent["name"]) for parent in one.get("parents") or () if isinstance(parent, dict) and "name" in parent),
        )
        for one in listed
        if isinstance(one, dict) and "name" in one and one.get("node_type", "model") == "model"
    )


def _fingerprint(told: Json) -> Fingerprint:
    return tuple(text(mapping(told).get(key)) for key in _HASHES)


def _parsed(told: str | None) -> Json:
    try:
        return None if told is None else json.loads(told)
    except (ValueError, RecursionError):
        raise ValueError("a column of the state that should hold JSON holds something else") from None

"""The commits of a Delta table, read backwards: how many rows it had after each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from dqmon.core.past_rows import PastRows, counted_back
from dqmon.warehouses.base.object_store import ObjectStore, lake_package

_MOST_COMMITS = 2_500
"""Commits that are read, one request each: three months of hourly ones, in half a minute where a request takes 10 ms. Our choice."""


@dataclass(frozen=True, slots=True)
class _Commit:
    """added: rows by file. removed: files. is_moved: the rows are the same in other files. at: None where the commit does not say."""

    version: int
    at: datetime | None
    added: Mapping[str, int | None]
    removed: Sequence[str]
    is_moved: bool


@dataclass(frozen=True, slots=True)
class DeltaLog:
    """The log of one version of a table, of deltalake; `root` is its folder in the file system, `place` its URL or path."""

    table: Any
    file_system: Any
    root: str
    place: str
    store: ObjectStore

    def past_rows(self, since: datetime) -> PastRows:
        """The rows after each commit from `since` on, and after the one before, by the counts of rows that the log has of each file.

        https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics. It ends where the log was cleaned up, and
        where a file's rows are not counted, as those with a deletion vector.
        """
        rows = _sum(_rows_of(self.table).values())
        commits = list(self._commits(since)) if rows is not None else []
        known = {name: count for commit in commits for name, count in commit.added.items()}
        if any(name not in known for commit in commits if not commit.is_moved for name in commit.removed):
            known = self._files_at(commits[-1].version) | known
        totals: list[tuple[datetime, int]] = []
        for commit in commits:
            if rows is None or commit.at is None:
                break
            totals.append((commit.at, rows))
            if not commit.is_moved:
                added, removed = _sum(commit.added.values()), _sum(known.get(name) for name in commit.removed)
                rows = None if added is None or removed is None else rows - added + removed
        because = "the Delta table's log" if totals else "the Delta table's log does not count the rows of each file"
        return counted_back(totals, because)

    def _commits(self, since: datetime) -> Iterator[_Commit]:
        """From the newest on, to the last one before `since`."""
        newest = self.table.version()
        for version in range(newest, max(-1, newest - _MOST_COMMITS), -1):
            try:
                with self.file_system.open_input_file(f"{self.root.rstrip('/')}/_delta_log/{version:020}.json") as log:
                    commit = _read(version, log.read().splitlines())
            except FileNotFoundError:  # cleaned up, behind a checkpoint
                return
            yield commit
            if commit.at is not None and commit.at <= since:
                return

    def _files_at(self, version: int) -> dict[str, int | None]:
        """The rows of each file of an older version; none when the log has no checkpoint before it any more."""
        delta = lake_package("deltalake")
        try:
            options = self.store.delta if "://" in self.place else None
            return _rows_of(delta.DeltaTable(self.place, version=version, storage_options=options))
        except delta.exceptions.DeltaError:
            return {}


def _read(version: int, lines: Sequence[bytes]) -> _Commit:
    actions = [json.loads(line) for line in lines]
    changes = [action[kind] for action in actions for kind in ("add", "remove") if kind in action]
    told = next((action["commitInfo"].get("timestamp") for action in actions if "commitInfo" in action), None)
    return _Commit(
        version,
        None if told is None else datetime.fromtimestamp(told / 1000, UTC),
        {_name(action["add"]): _count(action["add"]) for action in actions if "add" in action},
        [_name(action["remove"]) for action in actions if "remove" in action],
        is_moved=not any(change.get("dataChange", True) for change in changes),
    )


def _name(action: Mapping[str, Any]) -> str:
    """A file as it is read: with another deletion vector it is another one."""
    vector = action.get("deletionVector")
    return unquote(action["path"]) + (f" {vector['storageType']}{vector['pathOrInlineDv']}{vector.get('offset', '')}" if vector else "")


def _count(add: Mapping[str, Any]) -> int | None:
    """The rows of an added file, less those that its deletion vector leaves out."""
    rows = json.loads(add.get("stats") or "{}").get("numRecords")
    return None if rows is None else rows - (add.get("deletionVector") or {}).get("cardinality", 0)


def _rows_of(table: Any) -> dict[str, int | None]:
    """The rows of each file of a version that has no deletion vectors; None of all files of another one."""
    found = lake_package("pyarrow").table(table.get_add_actions(flatten=True))
    is_plain = "deletionVectors" not in (table.protocol().reader_features or ()) or not any(b.num_rows for b in table.deletion_vectors())
    counts = found["num_records"].to_pylist() if is_plain and "num_records" in found.column_names else [None] * found.num_rows
    return dict(zip(map(unquote, found["path"].to_pylist()), counts, strict=True))


def _sum(counts: Any) -> int | None:
    known = list(counts)
    return None if None in known else sum(known)

"""What an engine is sent, by its real dialect: every metric and every construct, as text that people read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from ruamel.yaml import YAML

from dqmon import errors
from dqmon.core.measurement import MetricRequest, Partition, Scan
from dqmon.core.metric_kinds import OtherTable
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.sql import metrics as m
from dqmon.sql.compile import CompiledScan, compile_scan, fits
from dqmon.sql.formats import FormatName
from dqmon.sql.literal_sql import literal_sql

FOLDER = Path(__file__).parent.parent / "golden"
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
GROUPS = {
    "id": TypeGroup.INTEGER,
    "amount": TypeGroup.DECIMAL,
    "rate": TypeGroup.FLOAT,
    "email": TypeGroup.TEXT,
    "name": TypeGroup.TEXT,
    "is_open": TypeGroup.BOOLEAN,
    "day": TypeGroup.DATE,
    "made": TypeGroup.TIMESTAMP,
    "loaded": TypeGroup.TIMESTAMP_ZONED,
    "tiny": TypeGroup.DECIMAL,
    "Mixed": TypeGroup.TEXT,
}
"""The columns of the table that is measured; `types` of an engine.yaml says how the engine declares each."""


def statistics(column: str) -> list[Any]:
    """Every statistic of a column."""
    words = ("min", "max", "sum", "avg", "stddev", "median", "null_ratio")
    return [m.statistic(column, word) for word in words]


def cases(other: TableRef) -> dict[str, list[Any]]:
    """The metrics of each golden file."""
    return {
        "counts": [
            m.RowCount(),
            m.MissingCount("email", missing_values=("", "n/a"), missing_pattern="^\\s*$"),
            m.NonMissingCount("rate"),
            m.MissingCount("amount", missing_values=(0, Decimal("1.50"))),
        ],
        "ranges": [
            m.InvalidRangeCount("amount", min=Decimal("0.005"), max=Decimal("1E+6")),
            m.InvalidRangeCount("id", min=Decimal(1), max=Decimal(99999999999999999999)),
            m.InvalidRangeCount("rate", min=Decimal("0.0000001"), max=Decimal("Infinity"), nan="value"),
            m.InvalidRangeCount("day", min="2026-01-01", max="2026-12-31"),
            m.InvalidRangeCount("made", max="2026-12-31T12:00:00"),
            m.InvalidRangeCount("loaded", max="2026-12-31T12:00:00+02:00"),
        ],
        "values": [
            m.UnlistedCount("email", values=("a", "it's", "100%", "back\\slash")),
            m.UnlistedCount("email", values=("Ä", "b"), ignore_case=True),
            m.ListedCount("is_open", values=("true",)),
            m.ListedCount("day", values=("2026-01-01",)),
            m.ListedCount("name", values=("x",)),
            m.ListedCount("Mixed", values=("x",)),
        ],
        "patterns": [
            m.InvalidPatternCount("email", rule="regex", pattern="@[a-z]+\\."),
            m.InvalidPatternCount("email", rule="not_regex", pattern="%"),
            m.InvalidPatternCount("email", rule="like", pattern="a%"),
            m.InvalidPatternCount("email", rule="like", pattern="a\\%_"),
            m.InvalidLengthCount("email", min=1, max=10),
        ],
        **{f"format_{name}": [m.InvalidFormatCount("email", format=name)] for name in get_args(FormatName)},
        "instants": [
            m.LatestInstant("made"),
            m.LatestInstant("loaded"),
            m.LatestInstant("day"),
            m.FutureCount("loaded"),
            m.MaxIngestionDelay("loaded", "made"),
        ],
        "statistics_of_floats": statistics("rate"),
        "statistics_of_decimals": statistics("amount"),
        "statistics_of_integers": statistics("id"),
        "distinct": [m.statistic("email", "distinct_count"), m.statistic("email", "distinct_ratio")],
        "keys": [
            m.KeyedRows(("id", "name")),
            m.DistinctKeys(("id", "name")),
            m.SurplusRows(("id", "name")),
            m.DuplicatedKeys(("id", "name")),
        ],
        "reference": [m.MissingReference(("id",), OtherTable(other, ("id",), "region = 'EU'"))],
        "histogram_of_numbers": [m.ColumnHistogram("rate")],
        "histogram_of_texts": [m.ColumnHistogram("email")],
        "histogram_of_booleans": [m.ColumnHistogram("is_open")],
        "condition": [m.BrokenConditionCount("amount > 0 or email like '%x%'")],
        "query": [m.ReturnedRows("select * from {dataset} where amount < 0")],
        "totals": [m.TotalsByKey(10, ("day", "made"), (m.RowCount(),))],
        "row_sums": [m.RowSums(10, ("id",), ("amount", "rate", "email", "is_open", "day", "made", "loaded"), (), m.Buckets(1, 40), 20)],
        "row_sums_of_texts": [m.RowSums(10, ("email",), ("id",), ("id",), m.Buckets(None, 60), 50)],
        "row_hashes": [m.RowHashes(10, ("id",), ("email",), (), m.Buckets(1, 10, (0, 1, 5)))],
        "segments_and_partitions": [m.RowCount()],
        "delay_in_a_zone": [m.MaxIngestionDelay("loaded", "made")],
    }


class Golden:
    """The golden files of one engine: a folder with `engine.yaml` (options, types) and one file for each of CASES."""

    def __init__(self, kind: str) -> None:
        self.folder = FOLDER / kind
        self.kind = kind

    @cached_property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = YAML(typ="safe", pure=True).load((self.folder / "engine.yaml").read_text())
        return found

    @cached_property
    def warehouse(self) -> Any:
        found = Registry("warehouses").get(self.kind)
        return found(self.kind, found.Options.model_validate(self.settings["options"]))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        types = self.settings["types"]
        return tuple(Column(name, types[name], group, True, place) for place, (name, group) in enumerate(GROUPS.items(), 1))

    @property
    def table(self) -> TableRef:
        return TableRef(self.kind, None, self.warehouse.default_schema, "orders")

    def scans(self, name: str) -> Iterator[tuple[Scan, CompiledScan | errors.WarehouseError]]:
        """Each scan of a case, compiled, or why it cannot be; a scan that cannot is split into its metrics."""
        caps = self.warehouse.capabilities
        for scan in plan(self.requests(name), lambda scan: fits(scan, caps)):
            found = self._compiled(scan)
            if isinstance(found, errors.WarehouseError) and len(scan.requests) > 1:
                for request in scan.requests:
                    for alone in plan([request], lambda scan: fits(scan, caps)):
                        yield alone, self._compiled(alone)
            else:
                yield scan, found

    def requests(self, name: str) -> list[MetricRequest]:
        """What a case measures."""
        metrics = cases(TableRef(self.kind, None, self.warehouse.default_schema, "Customers"))[name]
        partitions: tuple[Partition | None, ...] = (None,)
        how: dict[str, Any] = {}
        if name == "segments_and_partitions":
            starts = [datetime(2026, 3, day, tzinfo=UTC) for day in (8, 9, 10)]
            partitions = tuple(Partition("made", start, end) for start, end in pairwise(starts))
            how = {"segment_by": ("name", "day")}
        if name in ("segments_and_partitions", "delay_in_a_zone"):
            how |= {"naive_timezone": "Europe/Oslo"}
        return [MetricRequest(self.table, metric, None, partition, **how) for metric in metrics for partition in partitions]

    def text(self, name: str) -> str:
        """All statements of a case as they are sent, with their values below; what the engine cannot do as its error."""
        return "\n\n".join(self._shown(found) for _, found in self.scans(name)) + "\n"

    def literal(self, name: str) -> list[str]:
        """The statements as `plan` shows them, values written in."""
        dialect = self.warehouse.dialect
        return [literal_sql(found.statement, dialect) for _, found in self.scans(name) if isinstance(found, CompiledScan)]

    def compare(self, name: str) -> None:
        """Fails when the SQL is other than the file's; DQMON_WRITE_GOLDEN writes the file."""
        path, found = self.folder / f"{name}.sql", self.text(name)
        if os.environ.get("DQMON_WRITE_GOLDEN"):
            path.write_text(found, encoding="utf-8")
        assert path.is_file(), f"there is no {path.name} of {self.kind}; write it with DQMON_WRITE_GOLDEN=1 and read it"
        assert found == path.read_text(encoding="utf-8"), f"{name}: other SQL than {path}; if it is meant, write the file anew and read it"

    def _compiled(self, scan: Scan) -> CompiledScan | errors.WarehouseError:
        try:
            found = compile_scan(scan, self.columns, self.columns, self.warehouse.capabilities, AT)
            found.statement.compile(dialect=self.warehouse.dialect)
        except errors.WarehouseError as e:
            return e
        return found

    def _shown(self, found: CompiledScan | errors.WarehouseError) -> str:
        if isinstance(found, errors.WarehouseError):
            return f"-- {type(found).__name__}: {found}"
        try:
            sent = found.statement.compile(dialect=self.warehouse.dialect, compile_kwargs={"render_postcompile": True})
        except errors.WarehouseError as e:
            return f"-- {type(e).__name__}: {e}"
        return "\n".join([str(sent), *(f"-- {name}: {value!r}" for name, value in _bound(sent).items())])


def _bound(sent: Any) -> dict[str, Any]:
    """The values as the driver is given them; decimals as the text that it writes."""
    processors = sent._bind_processors
    found = {name: processors[name](value) if name in processors else value for name, value in sent.construct_params().items()}
    return {name: f"number {value!s}" if isinstance(value, Decimal) else value for name, value in found.items()}


@cache
def golden(kind: str) -> Golden:
    """The golden files of an engine, read once."""
    return Golden(kind)


KINDS = sorted(path.parent.name for path in FOLDER.glob("*/engine.yaml"))
"""The engines that have golden files."""

NAMES = sorted(cases(TableRef("", None, None, "")))

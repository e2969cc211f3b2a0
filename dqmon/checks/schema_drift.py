"""Check type schema_drift: what changed in a table's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dqmon.checks.base.fields import as_tuple
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.judgement import Evidence, Expected, Judgement, Observed
from dqmon.core.metric import Metric
from dqmon.core.table import Column
from dqmon.core.verdict import Dimension, Unit, Verdict
from dqmon.sql.metrics import ColumnList

ChangeKind = Literal["column_added", "column_removed", "type_changed", "nullable_changed", "order_changed"]

Kinds = Annotated[tuple[ChangeKind, ...], BeforeValidator(as_tuple)]
"""Kinds of change."""


class DeclaredColumn(BaseModel):
    """A column as a check file declares it; what is not said is not compared."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    type: str | None = None
    nullable: bool | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the expected and the found columns; `what` names it for people."""

    kind: ChangeKind
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


class SchemaDrift(DatasetCheck):
    """The table's columns are still the ones that were agreed.

    What it measures:
        Changes of the columns against the last accepted schema, or against `columns`: column_added, column_removed,
        type_changed, nullable_changed, order_changed. A renamed column is one removed and one added.

    Why it matters:
        A column that disappears or changes its type breaks the jobs that read it, often only the next night.

    Parameters:
        fail_on: kinds of change that fail; default [column_removed, type_changed].
        warn_on: kinds of change that warn; default [column_added, nullable_changed, order_changed], less those of `fail_on`.
          A kind in neither list is ignored.
        columns: the declared schema, in order: a list of {name, type, nullable}; type (in the warehouse's words) and
          nullable are compared only where they are given. Without it, the last accepted schema counts.

    NULLs and empty tables:
        Rows do not matter. The first run records the columns as the accepted schema and passes.

    SQL it runs:
        None on the table: one look-up in the catalogue, shared by all checks of the table.

    Example:
        ```yaml
        - schema_drift: {fail_on: [column_removed, type_changed], warn_on: [column_added]}
        ```

    Known limits:
        Only what the engine's catalogue says is seen: SQLite does not enforce types, and files are typed by their reader.

    References:
        - The command `dqmon schema accept` makes the present columns the accepted ones.
    """

    type: ClassVar[str] = "schema_drift"
    dimension: ClassVar[Dimension] = Dimension.SCHEMA
    unit: ClassVar[Unit] = Unit.CHANGES
    allows_threshold: ClassVar[bool] = False
    ignores_partition: ClassVar[bool] = True

    fail_on: Kinds = ("column_removed", "type_changed")
    warn_on: Kinds | None = None
    columns: Annotated[tuple[DeclaredColumn, ...], BeforeValidator(as_tuple), Field(min_length=1)] | None = None

    @property
    def id_columns(self) -> tuple[str, ...]:
        """None: the check is about the whole table."""
        return ()

    @property
    def warns_on(self) -> frozenset[str]:
        """The kinds that warn: as given, or all that do not fail but are in the default list."""
        default = ("column_added", "nullable_changed", "order_changed")
        return frozenset(default if self.warn_on is None else self.warn_on) - frozenset(self.fail_on)

    def problems(self, check: Check) -> tuple[str, ...]:
        """A kind in both lists, no kind at all, a column declared twice."""
        del check
        found: list[str] = []
        both = sorted(set(self.fail_on) & set(self.warn_on or ()))
        if both:
            found.append(f"{', '.join(both)} stands in fail_on and in warn_on; write it in one of them")
        if not self.fail_on and not self.warns_on:
            found.append(f"fail_on and warn_on are empty, so that nothing is checked; the kinds are {', '.join(get_args(ChangeKind))}")
        names = [column.name for column in self.columns or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            found.append(f"columns declares {', '.join(twice)} twice")
        return tuple(found)

    def metrics(self, check: Check) -> tuple[Metric, ...]:
        """The list of columns."""
        del check
        return (ColumnList(),)

    def judge(self, check: Check, evidence: Evidence) -> Judgement:
        """The kinds of the changes against fail_on and warn_on."""
        del check
        value = evidence.values[ColumnList()]
        found = value if isinstance(value, tuple) else ()
        if self.columns is not None:
            wanted, name = self.columns, "the declared schema"
        elif evidence.accepted_schema is not None:
            wanted, name = _declared(evidence.accepted_schema), "the accepted schema"
        else:
            text = f"the accepted schema of {count(len(found), 'columns')}"
            return Judgement(
                Verdict.PASS,
                Observed((), Unit.CHANGES),
                Expected(text=text),
                f"{count(len(found), 'columns')} recorded as the accepted schema",
            )
        seen = self.warns_on | frozenset(self.fail_on)
        changes = tuple(change for change in compare(wanted, found) if change.kind in seen)
        kinds = {change.kind for change in changes}
        verdict = Verdict.FAIL if kinds & set(self.fail_on) else Verdict.WARN if kinds else Verdict.PASS
        expected = Expected(text=f"{name} of {count(len(wanted), 'columns')}")
        listed = tuple(str(change) for change in changes)
        reason = f"{count(len(changes), 'changes')} against {name}: {'; '.join(listed)}" if changes else f"the columns are those of {name}"
        return Judgement(verdict, Observed(listed, Unit.CHANGES), expected, reason)


def compare(wanted: tuple[DeclaredColumn, ...], found: tuple[Column, ...]) -> tuple[Change, ...]:
    """All changes from `wanted` to `found`, by kind in the documented order, then by position; names are exact."""
    before, after = {column.name: column for column in wanted}, {column.name: column for column in found}
    common = [column for column in found if column.name in before]
    changes = [Change("column_added", f"{c.name} ({c.type})") for c in found if c.name not in before]
    changes += [Change("column_removed", c.name) for c in wanted if c.name not in after]
    for column in common:
        old = before[column.name].type
        if old is not None and _same_type(old) != _same_type(column.type):
            changes.append(Change("type_changed", f"{column.name} from {old} to {column.type}"))
    for column in common:
        if before[column.name].nullable not in (None, column.nullable):
            changes.append(Change("nullable_changed", f"{column.name} is {'now' if column.nullable else 'no longer'} nullable"))
    order = [column.name for column in wanted if column.name in after]
    if order != [column.name for column in common]:
        changes.append(Change("order_changed", f"{', '.join(order)} is now {', '.join(column.name for column in common)}"))
    return tuple(changes)


def _declared(columns: tuple[Column, ...]) -> tuple[DeclaredColumn, ...]:
    return tuple(DeclaredColumn(name=column.name, type=column.type, nullable=column.nullable) for column in columns)


def _same_type(name: str) -> str:
    """A type name without the differences in case and blanks that mean nothing in SQL."""
    return "".join(name.split()).lower()

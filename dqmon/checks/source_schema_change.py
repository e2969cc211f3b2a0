"""Check type source_schema_change: loads that brought another schema than the one before."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator

from dqmon.checks.base.fields import as_tuple
from dqmon.checks.base.load_runs import ended, ended_at, of_table
from dqmon.checks.base.words import count
from dqmon.core.check import Check
from dqmon.core.check_type import PipelineCheck
from dqmon.core.duration import Duration, format_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dqmon.core.load_record import LoadRecord

ChangeKind = Literal["column_added", "column_removed", "type_changed", "table_added", "table_removed", "version_changed"]
_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
_SHOWN = 20

Kinds = Annotated[tuple[ChangeKind, ...], BeforeValidator(as_tuple)]
"""Kinds of change."""


class SourceSchemaChange(PipelineCheck):
    """What is loaded has kept its schema.

    What it measures:
        The changes between successive successful loads that ended within `window`: the tool's own list of changes, where it
        has one, else that its version of the schema is another one than of the load before.

    Why it matters:
        A column that the source renamed is loaded as a new one while the old one turns NULL; a type that changed makes a second
        column. No load fails, and the tables downstream are wrong from then on.

    Parameters:
        fail_on: kinds of change that fail; default [column_removed, table_removed, type_changed].
        warn_on: kinds of change that warn; default [column_added, table_added, version_changed], less those of `fail_on`. A kind
          in neither list is ignored. version_changed: another schema, of which the tool does not say what changed.
        window: for how long a change stays bad after the load that brought it; default 1d.
        table: look at this table only, by the name that the tool gives it.

    NULLs and empty tables:
        A load whose schema the tool cannot say is left out. Without any other load there is nothing to judge: SKIPPED
        (`on_no_data` changes that). The first load passes.

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - source_schema_change: {fail_on: [column_removed, type_changed], window: 12h}
        ```

    Known limits:
        A change that is taken back within the window is two changes. What the tool did not load is not in its schema:
        schema_drift looks at the table itself.

    References:
        - dlt, schema evolution: https://dlthub.com/docs/general-usage/schema-evolution
        - Fivetran, `alter_table`: https://fivetran.com/docs/logs
    """

    type: ClassVar[str] = "source_schema_change"
    dimension: ClassVar[Dimension] = Dimension.SCHEMA
    unit: ClassVar[Unit] = Unit.CHANGES
    allows_threshold: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"success", "schema"})

    fail_on: Kinds = ("column_removed", "table_removed", "type_changed")
    warn_on: Kinds | None = None
    window: Duration = 86_400
    table: str | None = None

    @property
    def warns_on(self) -> frozenset[str]:
        """The kinds that warn: as given, or all that do not fail."""
        return frozenset(_KINDS if self.warn_on is None else self.warn_on) - frozenset(self.fail_on)

    def problems(self, check: Check) -> tuple[str, ...]:
        """A kind in both lists, or no kind at all."""
        del check
        found = []
        if both := sorted(set(self.fail_on) & set(self.warn_on or ())):
            found.append(f"{', '.join(both)} stands in fail_on and in warn_on; write it in one of them")
        if not self.fail_on and not self.warns_on:
            found.append(f"fail_on and warn_on are empty, so that nothing is checked; the kinds are {', '.join(_KINDS)}")
        return tuple(found)

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """The kinds of the changes within the window against fail_on and warn_on."""
        del check
        loads = self._told(evidence)
        within = format_duration(self.window)
        expected = Expected(text=f"no change of the schema within {within}")
        if not loads:
            of = f" of {self.table}" if self.table else ""
            reason = f"there is no successful load whose schema{of} the tool says"
            return Judgement(Verdict.SKIPPED, Observed(None, Unit.CHANGES), expected, reason, is_no_data=True)
        since = evidence.measured_at - timedelta(seconds=self.window)
        seen = self.warns_on | frozenset(self.fail_on)
        pairs = pairwise([None, *loads])
        changes = [
            change
            for before, after in pairs
            if after is not None and ended_at(after) >= since
            for change in _changes(before, after)
            if change[0] in seen
        ]
        if not changes:
            version = f", version {loads[-1].schema_version}" if loads[-1].schema_version else ""
            return Judgement(Verdict.PASS, Observed((), Unit.CHANGES), expected, f"the schema has not changed within {within}{version}")
        kinds = {kind for kind, _ in changes}
        verdict = Verdict.FAIL if kinds & set(self.fail_on) else Verdict.WARN
        listed = tuple(f"{kind}: {what}" for kind, what in changes)
        more = f"; and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
        reason = f"{count(len(listed), 'changes')} within {within}: {'; '.join(listed[:_SHOWN])}{more}"
        return Judgement(verdict, Observed(listed, Unit.CHANGES), expected, reason)

    def _told(self, evidence: LoadEvidence) -> tuple[LoadRecord, ...]:
        """The successful loads, of any kind, whose schema (of the table) the tool says; oldest first."""
        parts = of_table(evidence, ended(evidence, (LoadStatus.SUCCEEDED,)), self.table)
        return tuple(part for part in parts if part is not None and (part.schema_version is not None or _diff(part)))


def _changes(before: LoadRecord | None, after: LoadRecord) -> Iterator[tuple[str, str]]:
    """(kind, what) of each change: the tool's own list, else that the version is another one than before."""
    diff = _diff(after)
    old, new = before.schema_version if before else None, after.schema_version
    if not diff and old is not None and new is not None and old != new:
        yield "version_changed", f"from {old} to {new} with load {after.load_id}"
    for line in diff:
        kind, _, what = line.partition(":")
        known = kind.strip() in _KINDS
        yield (kind.strip(), what.strip()) if known else ("version_changed", line)


def _diff(record: LoadRecord) -> tuple[str, ...]:
    lines = record.extra.get("schema_changes", "").splitlines()
    return tuple(line.strip() for line in lines if line.strip())

"""What two declarations of the same checks differ in, and how precise alerts were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dqmon.checks.row_count import RowCountCheck
from dqmon.checks.volume_anomaly import VolumeAnomaly
from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.changes import changes
from dqmon.core.check import Check, Hold, PartitionBy, Schedule, SourceLine
from dqmon.core.feedback import Feedback
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Severity
from dqmon.engine.rehearsal.compare import Known
from dqmon.engine.rehearsal.precision import Precision, by_check, by_owner

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = Check("a.rows", RowCountCheck(min=1), TableRef("main", None, None, "a"), None, SourceLine("checks/a.yaml", 3))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (ROWS, []),
        (replace(ROWS, source=SourceLine("checks/b.yaml", 9)), []),
        (replace(ROWS, rule=RowCountCheck(min=5, max=9)), [("min", "1", "5"), ("max", "-", "9")]),
        (replace(ROWS, hold_for=Hold(3), recover_after=Hold(None, 1800)), [("for", "1", "3"), ("recover_after", "1", "30m")]),
        (replace(ROWS, severity=Severity.CRITICAL, tags=("x", "y")), [("severity", "warning", "critical"), ("tags", "-", "x, y")]),
        (replace(ROWS, where="b > 1", fail_if=parse_threshold("> 5%")), [("filter", "-", "b > 1"), ("fail_if", "-", "> 5%")]),
        (replace(ROWS, schedule=Schedule("0 6 * * *", None, "UTC")), [("schedule", "-", "0 6 * * * UTC")]),
        (replace(ROWS, schedule=Schedule(None, 900, "UTC")), [("schedule", "-", "every 15m")]),
        (replace(ROWS, partition=PartitionBy("day", "day", 3, 3600)), [("partition", "-", "3 day of day, lag 1h")]),
        (replace(ROWS, id="b.rows", was="a.rows"), [("id", "a.rows", "b.rows")]),
    ],
)
def test_what_has_changed_of_a_check(after: Check, expected: list[tuple[str, str, str]]) -> None:
    found = changes({ROWS.id: ROWS}, {after.id: after})
    assert [(one.key, one.before, one.after) for change in found for one in change.differences] == expected
    assert [change.sign for change in found] == ["~"] * bool(expected)


def test_another_type_and_what_comes_and_goes() -> None:
    other, new = replace(ROWS, rule=VolumeAnomaly()), replace(ROWS, id="c.rows")
    gone = replace(ROWS, id="d.rows")
    found = changes({ROWS.id: ROWS, gone.id: gone}, {new.id: new, other.id: other})
    assert [(change.sign, change.check.id) for change in found] == [("+", "c.rows"), ("~", "a.rows"), ("-", "d.rows")]
    assert ("type", "row_count", "volume_anomaly") in [(one.key, one.before, one.after) for one in found[1].differences]


def known(number: int, word: Feedback | None, *checks: str, caused: str | None = None) -> Known:
    keys = [AlertKey(name, AlertKind.DATA) for name in checks]
    members = {key: IncidentMember(key, "main:a", Severity.ERROR, NOW, NOW, caused_by=caused if key != keys[0] else None) for key in keys}
    return Known(Incident(str(number), IncidentState.RESOLVED, keys[0], Severity.ERROR, NOW, members), word)


def test_precision_is_of_what_people_were_told_of_and_labelled() -> None:
    found = [
        known(1, Feedback.REAL, "a.rows", "b.rows", caused="a.rows"),
        known(2, Feedback.BAD_THRESHOLD, "a.rows", "b.rows"),
        known(3, Feedback.EXPECTED, "a.rows"),
        known(4, None, "a.rows"),
        known(5, None, "gone.rows"),
    ]
    assert by_check(found) == (Precision("a.rows", 1, 1, 1, 1), Precision("b.rows", 0, 0, 1, 0), Precision("gone.rows", unlabelled=1))
    owners = by_owner(found, {"a.rows": "@x", "b.rows": "@x"})
    assert owners == (Precision("@x", 1, 1, 1, 1), Precision("-", unlabelled=1)), "an incident of two checks of an owner is one"
    first, last = owners
    assert (first.labelled, first.ratio, first.unlabelled_ratio) == (3, pytest.approx(1 / 3), 0.25)
    assert (last.ratio, last.unlabelled_ratio, Precision("none").unlabelled_ratio) == (None, 1.0, 0.0)

"""The state machine and the fold against an independent reference, on random runs (R1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqmon.alerts.fold import fold, fold_errors
from dqmon.alerts.transition import transition
from dqmon.checks.row_count import RowCountCheck
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertPolicy, AlertState
from dqmon.core.check import Check, Hold, SourceLine
from dqmon.core.judgement import Expected
from dqmon.core.measurement import Partition
from dqmon.core.result import CheckResult
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Verdict

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = [Partition("day", START + timedelta(days=n), START + timedelta(days=n + 1)) for n in range(3)]
CHECK = Check(
    "main.t.row_count",
    RowCountCheck(min=1),
    TableRef("main", None, "main", "t"),
    None,
    SourceLine("checks/t.yaml", 1),
    severity=Severity.CRITICAL,
)
HOLDS = [Hold(1), Hold(2), Hold(3), Hold(None, 1800), Hold(None, 7200)]
VERDICTS = [None, *Verdict]


def result(partition, verdict, slot):
    return CheckResult("r", CHECK, partition, (), verdict, CHECK.severity, None, Expected(), "because", (), "run", slot, slot, 0.0)


def decode(raw: bytes):
    """Three bytes a run: (slot, the partitions asked for, verdict by partition, for, recover_after). Clocks may go back."""
    slot = START
    for a, b, c in zip(raw[::3], raw[1::3], raw[2::3], strict=False):
        slot += timedelta(minutes=(-30, 10, 30, 60)[b % 4])
        asked = [day for n, day in enumerate(DAYS) if (b >> 2 + n) & 1]
        found = {day: VERDICTS[(a // 6**n) % 6] for n, day in enumerate(DAYS)}
        yield slot, asked, {day: v for day, v in found.items() if v and day in asked}, HOLDS[c % 5], HOLDS[c // 5 % 5]


class Reference:
    """What the words of ARCHITECTURE.md say, kept as lists of slots and not as a machine of states."""

    def __init__(self):
        self.bad_days, self.bad, self.good, self.first, self.is_open, self.cost = {}, [], [], None, False, None
        self.past, self.flaps = [], False

    def run(self, slot, asked, found, hold, recover):
        if not found or set(found.values()) == {Verdict.ERROR}:
            return None
        errors = [day for day, v in found.items() if v is Verdict.ERROR]
        days = dict(self.bad_days)
        for day in self.bad_days:
            missing = day not in found and (not errors)
            if found.get(day) is Verdict.PASS or day not in asked or missing:
                del days[day]
        judged = {day: v for day, v in found.items() if v not in (Verdict.ERROR, Verdict.SKIPPED)}
        if not judged and len(days) == len(self.bad_days):
            return None
        days |= {day: v for day, v in judged.items() if v is not Verdict.PASS}
        before, self.bad_days = self.bad_days, days
        cost = (Severity.CRITICAL if Verdict.FAIL in days.values() else Severity.WARNING) if days else None
        self.past = [*self.past, max(days.values(), key=lambda v: v is Verdict.FAIL) if days else None]
        is_held = not is_steady(self.past) if self.flaps else is_unsteady(self.past)
        if not days:
            self.good = [*self.good, slot] if self.is_open else []
            if self.is_open and (is_held or not enough(self.good, recover)):
                return self.begin() if is_held else None
            said, self.is_open, self.bad, self.good = ("resolved" if self.is_open else None), False, [], []
            self.past, self.flaps = [] if self.flaps else self.past, False
            return said
        was_calming, self.good = bool(self.good), []
        self.bad = [slot] if was_calming else [*self.bad, slot]
        self.first = slot if len(self.bad) == 1 and not self.is_open else self.first
        cost, self.cost = self.cost, cost
        if self.flaps and is_held:
            is_worse = self.cost.rank > cost.rank
            self.cost = self.cost if is_worse else cost
            return "changed" if is_worse else None
        if self.flaps:
            self.past, self.flaps = self.past[-10:], False
            return "changed"
        if self.is_open:
            said = "changed" if was_calming or cost != self.cost or before != days else None
            return self.begin() if is_held else said
        if enough(self.bad, hold):
            self.is_open, self.flaps = True, is_held
            return "fired"
        return None

    def begin(self):
        """Says that it flaps, the first time."""
        said, self.flaps = (None if self.flaps else "changed"), True
        return said


def is_unsteady(past):
    """Trouble in the last 20 that never was a failure does not count while the newest trouble is one."""
    troubles, before = [], None
    for verdict in past[-20:]:
        if verdict is not None and before is None:
            troubles.append([])
        if verdict is not None:
            troubles[-1].append(verdict)
        before = verdict
    is_failure = bool(troubles) and Verdict.FAIL in troubles[-1]
    counted = sum(1 for trouble in troubles if not is_failure or Verdict.FAIL in trouble)
    begins_bad = len(past) >= 20 and past[-20] is not None and (not is_failure or Verdict.FAIL in troubles[0])
    return 2 * counted - bool(past and past[-1] is not None) - begins_bad > 5


def is_steady(past):
    return len(past) >= 10 and len({verdict is None for verdict in past[-10:]}) == 1


def enough(slots, hold):
    if hold.duration_s is None:
        return len(slots) >= hold.count
    return (slots[-1] - slots[0]).total_seconds() >= hold.duration_s


def check_state(alert, reference):
    match alert.state:
        case AlertState.RECOVERING:
            assert alert.streak == len(reference.good)
        case AlertState.PENDING | AlertState.FIRING:
            assert (alert.streak, alert.since) == (len(reference.bad), reference.first)
            assert all(member.verdict.is_bad for member in alert.members.values()), "a member that passed is still shown"
        case AlertState.RESOLVED:
            assert alert.members == {}


def compare(raw: bytes) -> None:
    alert, reference, told = Alert(AlertKey(CHECK.id, AlertKind.DATA)), Reference(), []
    error_alert, errors = Alert(AlertKey(CHECK.id, AlertKind.ERROR)), Reference()
    for slot, asked, found, hold, recover in decode(raw):
        results = [result(day, verdict, slot) for day, verdict in found.items()]
        before = alert
        alert, events = transition(alert, fold(results, alert.members, asked), AlertPolicy(hold, recover), slot, slot)
        expected = reference.run(slot, asked, found, hold, recover)
        assert [event.kind.value for event in events] == ([expected] if expected else [])
        assert alert.is_open is reference.is_open
        check_state(alert, reference)
        bad_days = {key.partition for key, member in alert.members.items() if member.verdict.is_bad}
        assert bad_days == {day.key for day in reference.bad_days}
        if found and set(found.values()) == {Verdict.ERROR}:
            assert alert is before, "a run that could not measure anything changed the data alert"
        told += [event.kind.value for event in events]
        if results:
            is_error = Verdict.ERROR in found.values()
            errors.run(slot, DAYS[:1], {DAYS[0]: Verdict.FAIL if is_error else Verdict.PASS}, Hold(2), Hold(1))
            error_alert, _ = transition(error_alert, fold_errors(results), AlertPolicy(Hold(2), Hold(1)), slot, slot)
            assert error_alert.is_open is errors.is_open
    ends = [kind for kind in told if kind != "changed"]
    assert ends == ["fired", "resolved"] * (len(ends) // 2) + ["fired"] * (len(ends) % 2), f"two FIRED without a RESOLVED between: {told}"


@given(st.binary(max_size=90))
@settings(max_examples=300, deadline=None, database=None)
def test_300_random_sequences_equal_the_reference(raw):
    compare(raw)


@pytest.mark.long
def test_100_000_random_sequences_equal_the_reference():
    done = 0

    @given(st.binary(max_size=90))
    @settings(max_examples=100_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def run(raw):
        nonlocal done
        compare(raw)
        done += 1

    run()
    print(f"state machine: {done} random sequences, 0 deviations from the reference")
    assert done >= 100_000

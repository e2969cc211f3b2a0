"""What holds in a rule test at a time, against what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.alert import AlertKey, AlertKind, AlertState
from dqmon.core.verdict import Verdict
from dqmon.store import alerts, incidents

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.result import CheckResult
    from dqmon.core.rule_test import Expectation, RuleTest

_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.PASS, Verdict.SKIPPED)
"""Of several partitions and segments the first of these is the run's verdict."""


@dataclass(frozen=True, slots=True)
class Found:
    """The worst verdict of a check's newest run, and why."""

    verdict: Verdict
    reason: str


def worst_of(results: Sequence[CheckResult]) -> Found:
    """What a run said of a check; `results` has one at least."""
    worst = min(results, key=lambda result: _ORDER.index(result.verdict))
    return Found(worst.verdict, worst.reason)


@dataclass(frozen=True, slots=True)
class State:
    """The store, the newest results by check id, and who was told with what since the expectations before."""

    connection: Connection
    newest: Mapping[str, Found]
    told: tuple[tuple[str, str], ...]


def mismatches(test: RuleTest, expected: Expectation, state: State) -> Iterator[str]:
    """One line for each key that does not hold: file, line, test, time, what was expected and what was found."""
    newest = state.newest.get(expected.check.id)
    said = f"; its newest run: {newest.verdict.value}, {newest.reason}" if newest else "; it has not run yet"
    of = f" of {expected.check.id}" if expected.check is not test.checks[0] else ""
    if expected.kind is AlertKind.ERROR:
        of += " (error alert)"
    for key, wanted, found in _compared(expected, state):
        if wanted != found:
            line = expected.lines.get(key, expected.lines["at"])
            why = said if key in ("state", "verdict", "severity") else ""
            yield f"{test.source.path}:{line}: {test.name!r} at {expected.shown_at}: expected {key}{of} {wanted}, found {found}{why}"


def _compared(expected: Expectation, state: State) -> Iterator[tuple[str, str, str]]:
    """Each key with what was expected and what was found, as texts that are equal when it holds."""
    key = AlertKey(expected.check.id, expected.kind)
    alert = alerts.get(state.connection, (key,)).get(key)
    is_over = alert is None or alert.state is AlertState.RESOLVED
    if expected.state is not None:
        there = "resolved" if alert and is_over and alert.resolved_at else "passing" if alert is None or is_over else alert.state.value
        there = "flapping" if alert is not None and alert.is_flapping else there
        yield "state", expected.state, "passing" if there == "resolved" and expected.state == "passing" else there
    if expected.verdict is not None:
        newest = state.newest.get(expected.check.id)
        yield "verdict", expected.verdict.value, newest.verdict.value if newest else "none"
    if expected.severity is not None:
        yield "severity", expected.severity.value, "none" if alert is None or is_over else alert.severity.value
    if expected.deliver is not None:
        yield "deliver", _words(expected.deliver), _words(_told(expected, state.told))
    yield from _of_incident(expected, key, state)


def _of_incident(expected: Expectation, key: AlertKey, state: State) -> Iterator[tuple[str, str, str]]:
    if expected.incident is None:
        return
    opened = incidents.open_incidents(state.connection)
    mine = next((incident for incident in opened if any(member.key == key for member in incident.open_members)), None)
    yield "incident", expected.incident, "open" if mine else "none"
    if expected.root is not None:
        yield "root", expected.root, mine.root.check_id if mine else "none"


def _told(expected: Expectation, told: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The channels that were told, with the kinds of messages where the expectation names them, and of channels that it does not name."""
    found: dict[str, tuple[str, ...]] = {}
    for channel, kind in told:
        is_any = expected.deliver is not None and expected.deliver.get(channel) == ()
        found[channel] = () if is_any else (*found.get(channel, ()), kind)
    return found


def _words(told: Mapping[str, Sequence[str]]) -> str:
    """`oncall (trigger), team (trigger, update)`."""
    words = (f"{channel} ({', '.join(kinds)})" if kinds else channel for channel, kinds in sorted(told.items()))
    return ", ".join(words) or "nobody"

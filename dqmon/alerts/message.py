"""What a message says, in texts for people; each channel gives it its form, escapes it and keeps the vendor's limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from dqmon.alerts.wording import cut, instant, member_text, observed_text
from dqmon.core.alert import AlertKind
from dqmon.core.message import AlertFacts, BlastRadius, DeliveryKind, Message, Reading
from dqmon.core.result import OUTAGE, ResultRecord
from dqmon.core.result_json import result_json
from dqmon.core.verdict import Severity, Unit, Verdict

if TYPE_CHECKING:
    from dqmon.core.alert import Alert, Member, MemberKey
    from dqmon.core.incident import Group, Incident
    from dqmon.core.plain import Json

LISTED_ALERTS = 10
"""Alerts that a message lists; the rest is counted."""
LISTED_MEMBERS = 20
GLANCE = 60
"""Characters of a title that a phone shows while it is locked."""
SERIES_POINTS = 30
"""Past values, of which a line of text shows the last 14 and a chart all."""
SQL_LIMIT = 1_500
"""Characters of the statement that a message shows."""
TEXT_LIMIT = 500
"""Characters of a reason, an owner, a description, a member."""
_STATEMENTS = 3
_ENTRIES = 40
"""Of one object: a result has 27, a segment as many as `segment_by` names columns."""


@dataclass(frozen=True, slots=True)
class Background:
    """What the store knows besides the alert.

    series: past values, oldest first. last_good: the newest result that passed.
    left: how members left since the last message, as the alert's events say it.
    """

    series: tuple[Reading, ...] = ()
    last_good: ResultRecord | None = None
    left: tuple[str, ...] = ()


def facts(alert: Alert, results: Sequence[ResultRecord], background: Background) -> AlertFacts:
    """What is told of one alert. Never a row's values: only counts, limits and names that the configuration chose.

    `results` are those that the alert's members point to; of a resolved alert the newest ones. At least one.
    The worst of them speaks for the alert, the newest partition first.
    """
    main = max(results, key=lambda result: (_weight(result, alert.key.kind), result.partition_start or _NEVER, result.measured_at))
    observed, expected = observed_text(main), main.expected_text
    return AlertFacts(
        check_id=main.check_id,
        kind=alert.key.kind.value,
        state="flapping" if alert.is_flapping else alert.state.value,
        severity=alert.severity,
        subject=main.subject,
        type=main.type,
        headline=_headline(main),
        observed=cut(observed, TEXT_LIMIT),
        expected=cut(expected, TEXT_LIMIT),
        reason=cut(main.reason, TEXT_LIMIT),
        since=alert.since or main.scheduled_at,
        outcomes_in_a_row=alert.streak,
        owner=main.owner and cut(main.owner, TEXT_LIMIT),
        runbook=main.runbook,
        description=main.description and cut(main.description, TEXT_LIMIT),
        declared_at=f"{main.source_path}:{main.source_line}",
        sql=cut(main.reproduce or "", SQL_LIMIT) or None,
        last_good=_last_good(background.last_good),
        series=background.series[-SERIES_POINTS:],
        members=tuple(_member(key, alert.members[key]) for key in sorted(alert.members) if member_text(key))[-LISTED_MEMBERS:],
        members_left=background.left,
        run_id=main.run_id,
        resolved_at=None if alert.is_open else alert.resolved_at,
        first_step="dqmon doctor" if main.type == OUTAGE else f"dqmon explain {main.check_id}",
        caused_by=main.caused_by,
        result=_short(result_json(main)) | {"sql": [cut(sql, SQL_LIMIT) for sql in main.sql[:_STATEMENTS]]},
    )


def reading(result: ResultRecord) -> Reading | None:
    """The result as a point of its series; None when it has no number. A ratio's range is as ratio, too."""
    value, whole = result.observed_value, 1.0
    if result.ratio is not None:
        value, whole = result.ratio, float(result.rows_tested or 1)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    low, high = (None if bound is None else bound / whole for bound in (result.expected_low, result.expected_high))
    return Reading(result.partition_start or result.scheduled_at, float(value), low, high, result.verdict.is_bad)


def _short(value: Json) -> Json:
    """The same JSON with its texts and lists cut: a result may name a thousand columns."""
    match value:
        case str():
            return cut(value, TEXT_LIMIT)
        case list():
            return [_short(item) for item in value[:LISTED_MEMBERS]]
        case dict():
            return {cut(key, TEXT_LIMIT): _short(item) for key, item in list(value.items())[:_ENTRIES]}
        case _:
            return value


_NO_RADIUS = BlastRadius()


def compose(
    kind: DeliveryKind,
    group: Group,
    incident: Incident,
    alerts: Sequence[AlertFacts],
    now: datetime,
    *,
    instance: str,
    changes: tuple[str, ...] = (),
    radius: BlastRadius = _NO_RADIUS,
    left: Sequence[AlertFacts] = (),
) -> Message:
    """One message of a group. `alerts` are those that the group shows, `left` those that left it; the incident's root comes first.

    The others follow by severity, then by how much of them is bad, then since when; LISTED_ALERTS are listed and the rest is counted.
    Without any (their results are gone) the message still names the incident's root.
    """
    root = (incident.root.check_id, incident.root.kind.value)
    ordered = sorted(alerts, key=lambda a: ((a.check_id, a.kind) != root, -a.severity.rank, -len(a.members), a.since, a.check_id, a.kind))
    severity = max((alert.severity for alert in ordered), key=lambda severity: severity.rank, default=incident.severity)
    runbook = next((alert.runbook for alert in ordered[:1]), None)
    return Message(
        kind=kind,
        instance=instance,
        incident_id=incident.id,
        group_id=group.id,
        dedup_key=group.dedup_key,
        severity=severity,
        title=_title(kind, severity, [alert.headline for alert in ordered] or [str(incident.root)]),
        opened_at=group.opened_at,
        at=now,
        alerts=tuple(ordered[:LISTED_ALERTS]),
        changes=changes,
        more=max(0, len(ordered) - LISTED_ALERTS),
        acknowledged_by=incident.acknowledged_by,
        resolved_after_s=_lasted_s(group, ordered, now) if kind is DeliveryKind.RESOLVE else None,
        links={"runbook": runbook} if runbook else {},
        affected=radius.listed,
        affected_more=radius.more,
        left=tuple(left[:LISTED_ALERTS]),
    )


def _lasted_s(group: Group, alerts: Iterable[AlertFacts], now: datetime) -> float:
    """Until the last of the alerts was over: the end may be told later. An alert that was closed by hand is over now."""
    end = max((alert.resolved_at or now for alert in alerts), default=now)
    return max(0.0, (end - group.opened_at).total_seconds())


_NEVER = datetime.min.replace(tzinfo=UTC)


def _weight(result: ResultRecord, kind: AlertKind) -> int:
    """How much a result speaks for an alert of that kind."""
    order = (Verdict.SKIPPED, Verdict.ERROR, Verdict.PASS, Verdict.WARN, Verdict.FAIL)
    return len(order) if kind is AlertKind.ERROR and result.verdict is Verdict.ERROR else order.index(result.verdict)


def _headline(result: ResultRecord) -> str:
    """`main.flights completeness dep_time: 57.5 % missing, at most 20 % expected`.

    Behind long names what was seen comes first, unless it is a list: GLANCE characters then show it all the same.
    """
    columns = ", ".join(result.columns)
    what = " ".join(text for text in (result.subject, result.type, columns, result.name) if text)
    if result.type == OUTAGE:
        said = "cannot be reached: " if result.verdict is Verdict.ERROR else ""
        return cut(f"warehouse {result.warehouse}: {said}{result.reason}", TEXT_LIMIT)
    if result.verdict is Verdict.ERROR:
        return cut(f"{what} cannot be measured: {result.reason}", TEXT_LIMIT)
    seen = observed_text(result, is_short=True)
    if not seen or not result.expected_text:
        return cut(f"{what}: {seen or result.reason}", TEXT_LIMIT)
    expected = result.expected_text.removeprefix(f"{columns} " if result.unit == Unit.SECONDS else "")
    if len(what) + len(seen) + 2 > GLANCE and not isinstance(result.observed_value, list):
        return cut(f"{seen}: {what}, {_expected(seen, expected)}", TEXT_LIMIT)
    return cut(f"{what}: {_against(seen, expected)}", TEXT_LIMIT)


def _title(kind: DeliveryKind, severity: Severity, headlines: Sequence[str]) -> str:
    word = "RESOLVED" if kind is DeliveryKind.RESOLVE else severity.upper()
    more = f" (and {len(headlines) - 1:,} more)" if len(headlines) > 1 else ""
    return f"[{word}] {headlines[0]}{more}"


def _last_good(result: ResultRecord | None) -> str | None:
    """`0.5 % missing (4 of 926 rows), 2013-02-07 13:00 UTC`."""
    if result is None:
        return None
    return ", ".join(text for text in (observed_text(result), instant(result.scheduled_at)) if text)


def _member(key: MemberKey, member: Member) -> str:
    """`2013-02-08: 57.5 % missing, at most 20 % expected`; a check without partitions says only what was seen."""
    said = _against(member.observed, member.expected) if member.observed and member.expected else member.observed or member.reason
    return cut(": ".join(text for text in (member_text(key), said) if text), TEXT_LIMIT)


def _against(seen: str, expected: str) -> str:
    """`57.5 % missing, at most 20 % expected`."""
    return f"{seen}, {_expected(seen, expected)}"


def _expected(seen: str, expected: str) -> str:
    """`at most 20 % expected` beside `57.5 % missing`: what both say ("missing") is said once; `none expected` beside `3 rows`."""
    noun = seen.rpartition(" ")[2]
    rest = expected.removesuffix(f" {noun}").removesuffix(f" {noun.removesuffix('s')}")
    return f"{'none' if rest == 'no' else rest} expected"

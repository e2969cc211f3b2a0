"""What channels would be told of a check: rendered as it would be sent, and on demand sent as a test. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dqmon.alerts.group import dedup_key
from dqmon.alerts.message import compose, facts
from dqmon.alerts.route import attributes_of, routes_for
from dqmon.alerts.transition import close
from dqmon.alerts.wording import observed_text
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertState, Member, MemberKey
from dqmon.core.delivery import Delivery, Receipt
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.message import DeliveryKind, Message
from dqmon.core.protocols import Opener
from dqmon.core.verdict import Severity, Verdict, least, worst
from dqmon.engine.select import no_check
from dqmon.engine.telling.example_failure import example_failure
from dqmon.engine.telling.facts import background, blast_radius
from dqmon.engine.telling.runbooks import guided_facts
from dqmon.engine.telling.withheld import withheld
from dqmon.errors import NotifyError, UsageError
from dqmon.store import alerts, results

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from dqmon.alerts.message import Background
    from dqmon.core.check import Check
    from dqmon.core.message import AlertFacts, BlastRadius
    from dqmon.core.plain import Json
    from dqmon.core.protocols import Channel
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment

_LAST_ATTEMPT = 100
"""A test is sent once: what a channel would try again later it must answer for at once."""
_PREVIEW = "preview"
"""The incident and group of what is only shown: the same payload each time."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """The alert that is told of at `now`, with the results that speak for it.

    why: where they come from, in words. is_example: made up. mark: stands before what every channel shows first.
    """

    instance: str
    now: datetime
    check: Check
    alert: Alert
    records: tuple[ResultRecord, ...]
    background: Background
    radius: BlastRadius
    why: str
    is_example: bool
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One request that a channel would get: the vendor's payload, and the same for people. `route` is None where none chose it."""

    channel: Channel
    route: str | None
    part: str
    payload: Json
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """All that would be sent, and why it would say that. withheld: why it would not be sent now, whatever the routes say."""

    occasion: Occasion
    rendered: tuple[Rendered, ...]
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What a channel answered to a test."""

    channel: Channel
    answer: str
    is_delivered: bool


def preview_alert(environment: Environment, check_id: str, kind: DeliveryKind, to: str | None = None) -> Preview:
    """What the channels that the routes choose, or only `to`, would get of the check's newest result, or of an example.

    to: a channel, or a type of channels. Sends and records nothing. UsageError for an unknown check, and where nobody would be told.
    """
    occasion = _occasion(environment, check_id)
    shown = []
    for channel, route in _chosen(environment, occasion, to):
        message = _message(occasion, channel, kind, _PREVIEW)
        for part in channel.parts(message):
            payload = channel.render(message, part)
            shown.append(Rendered(channel, route, part, payload, channel.text(payload)))
    return Preview(occasion, tuple(shown), withheld(environment, occasion.alert, occasion.records[0], kind))


def send_test(environment: Environment, check_id: str, to: str | None = None) -> Iterator[Tried]:
    """Sends each channel the trigger of `preview_alert`, marked as a test, under a key of its own.

    Where that opens something, its resolve follows at once. A channel that does not take it stops no other. Raises as `preview_alert`.
    """
    occasion = replace(_occasion(environment, check_id), mark="[TEST] ")
    for channel, _ in _chosen(environment, occasion, to):
        if channel.options.dry_run:
            yield Tried(channel, "not sent: dry_run: the channel is set to send nothing", is_delivered=True)
            continue
        yield _tried(environment, occasion, channel)


def _tried(environment: Environment, occasion: Occasion, channel: Channel) -> Tried:
    """Trigger and, where that opens something, resolve; also when it is unknown whether the trigger was taken."""
    id_ = f"test-{environment.new_id()}"
    said, is_delivered, parent = [], True, None
    opens = channel.pages or isinstance(channel, Opener)
    for kind in (DeliveryKind.TRIGGER, DeliveryKind.RESOLVE) if opens else (DeliveryKind.TRIGGER,):
        message = _message(occasion, channel, kind, id_)
        parts = channel.parts(message)
        try:
            for part in parts:
                receipt = channel.send(channel.render(message, part), _delivery(environment, message, channel, part, parent))
                parent = parent or (receipt if receipt.reference else None)
                what = f"{kind.value} ({part})" if len(parts) > 1 else kind.value
                said.append(f"{what} sent: {receipt.detail or 'taken'}")
        except NotifyError as e:
            is_delivered = False
            said.append(f"{kind.value} not delivered: {e}")
    return Tried(channel, "; ".join(said), is_delivered)


def _delivery(environment: Environment, message: Message, channel: Channel, part: str, parent: Receipt | None) -> Delivery:
    return Delivery(
        id=environment.new_id(),
        sequence=0,
        group_id=message.group_id,
        channel=channel.name,
        dedup_key=message.dedup_key,
        kind=message.kind,
        part=part,
        message=message,
        created_at=message.at,
        parent=parent,
        attempt=_LAST_ATTEMPT,
    )


def _occasion(environment: Environment, check_id: str) -> Occasion:
    check, now = environment.checks.get(check_id), environment.clock()
    if check is None:
        raise UsageError(no_check(check_id, environment.checks))
    with environment.database.read() as connection:
        newest = tuple(_as_declared(one, check) for one in results.latest(connection, {check_id}).get(check_id, ()))
        at = f"{newest[0].scheduled_at:%Y-%m-%d %H:%M} UTC" if newest else ""
        bad, why, mark = _bad(check, newest), f"of its newest result, of {at}", ""
        if not bad:
            found = f"the check did not fail at {at}" if newest else "the check has not run yet"
            why, mark = f"an example: {found}", "[EXAMPLE] "
            good = next((one for one in newest if one.verdict is Verdict.PASS), None)
            bad = (example_failure(check, good, f"{found}; this was not measured", now),)
        alert = _alert(connection, check, bad)
        past = background(connection, alert, bad[0])
        radius = blast_radius(environment, connection, check.node, alerts.open_checks(connection))
    return Occasion(environment.instance, now, check, alert, bad, past, radius, why, bool(mark), mark)


def _as_declared(one: ResultRecord, check: Check) -> ResultRecord:
    """The result with what the check files say by now: what a message says of it can be corrected without another run."""
    about = replace(one, owner=check.owner, runbook=check.runbook_url, description=check.description, tags=check.tags)
    return replace(about, source_path=check.source.path, source_line=check.source.line)


def _bad(check: Check, newest: Sequence[ResultRecord]) -> tuple[ResultRecord, ...]:
    """Those that an alert would be of: of the data, else of measuring."""
    failed = tuple(one for one in newest if one.verdict.is_bad)
    return failed or tuple(one for one in newest if one.verdict is Verdict.ERROR and check.on_error == "alert")


def _alert(connection: Connection, check: Check, bad: Sequence[ResultRecord]) -> Alert:
    """A firing alert of those results; since when, as the store has it."""
    is_error = bad[0].verdict is Verdict.ERROR
    key = AlertKey(check.id, AlertKind.ERROR if is_error else AlertKind.DATA)
    kept = alerts.get(connection, [key]).get(key)
    members = {
        MemberKey(one.partition, one.segment): Member(
            one.verdict, one.scheduled_at, one.reason, one.id, observed_text(one, is_short=True), one.expected_text
        )
        for one in bad
    }
    severity = Severity.INFO
    for one in bad:
        severity = worst(severity, _severity(check, one.verdict))
    since, streak = (kept.since, kept.streak) if kept and kept.is_open and kept.since else (bad[0].scheduled_at, 1)
    return Alert(key, AlertState.FIRING, severity, members, streak, since, since)


def _severity(check: Check, verdict: Verdict) -> Severity:
    if verdict is Verdict.ERROR:
        return check.error_severity
    return least(check.severity, check.warn_severity) if verdict is Verdict.WARN else check.severity


def _chosen(environment: Environment, occasion: Occasion, to: str | None) -> tuple[tuple[Channel, str | None], ...]:
    """The channels that the routes choose, each with its route; with `to` that channel, or those of that type, chosen or not."""
    if to is None and not environment.routes:
        raise UsageError("there are no routes: results are recorded and nobody is told; add routes:, or name a channel with --to")
    routed = {channel: route.name for route, channel in routes_for(attributes_of(occasion.alert, occasion.records[0]), environment.routes)}
    if to is not None:
        named = (to,) if to in environment.channels else (name for name, one in environment.channels.items() if one.type == to)
        return tuple((environment.channels[name], routed.get(name)) for name in named)
    return tuple((environment.channels[name], route) for name, route in routed.items())


def _message(occasion: Occasion, channel: Channel, kind: DeliveryKind, id_: str) -> Message:
    """What a group of this alert alone says, the group and its incident being called `id_`."""
    told = _resolved(occasion) if kind is DeliveryKind.RESOLVE else facts(occasion.alert, occasion.records, occasion.background)
    told = guided_facts(replace(told, headline=f"{occasion.mark}{told.headline}"), {occasion.check.id: occasion.check})
    key, severity, since = occasion.alert.key, occasion.alert.severity, occasion.alert.since or occasion.now
    is_seen = kind is DeliveryKind.ACKNOWLEDGE
    state = IncidentState.ACKNOWLEDGED if is_seen else IncidentState.OPEN
    incident = Incident(id_, state, key, severity, since, acknowledged_by="somebody" if is_seen else None)
    instance = occasion.instance
    group = Group(id_, id_, "", channel.name, dedup_key(instance, channel.name, id_, 0), since, (id_,), (str(key),), None)
    changes = ("an example of a change: 1 more partition fails",) if kind is DeliveryKind.UPDATE else ()
    return compose(kind, group, incident, (told,), occasion.now, instance=instance, changes=changes, radius=occasion.radius)


def _resolved(occasion: Occasion) -> AlertFacts:
    """The facts once the check has passed: by the last result that did, if one is kept."""
    unseen = replace(occasion.records[0], verdict=Verdict.PASS, observed_value=None, ratio=None, reason="passes again")
    closed, _ = close(occasion.alert, "passes again", occasion.now)
    good = occasion.background.last_good or unseen
    return facts(closed, (_as_declared(good, occasion.check),), replace(occasion.background, left=("passes again",)))

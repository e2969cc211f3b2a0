"""`why_not`: each reason that a channel was not told, from the rows that the second step and the sender leave behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sample_messages import AT, delivery, group, message

from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.delivery import DeliveryState, Receipt
from dqmon.core.incident import Incident, IncidentMember, IncidentState
from dqmon.core.message import DeliveryKind
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity
from dqmon.engine.incidents.why_not import why_not
from dqmon.errors import UsageError
from dqmon.store import deliveries, groups, incidents
from dqmon.store.database import Database

KEY = AlertKey("analytics.orders.volume_anomaly", AlertKind.DATA)
MEMBER = IncidentMember(KEY, "main:analytics.orders", Severity.CRITICAL, AT, AT)
INCIDENT = Incident("inc1", IncidentState.OPEN, KEY, Severity.CRITICAL, AT, {KEY: MEMBER})
ROUTES = (Route("pages", parse_selector(["severity:critical"]), ("oncall",)), Route("rest", None, ("team",)))
SECOND = timedelta(seconds=1)


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path}/store.db")
    found.prepare()
    yield found
    found.close()


def row(key, state=DeliveryState.NOT_SENT, kind=DeliveryKind.TRIGGER, group_id="g1", **changes):
    told = message(kind, group_id=group_id, at=AT)
    return delivery(key, told=told, **({"channel": "oncall", "part": "event", "state": state} | changes))


def answer(database, *rows, groups_=(), channels=("oncall",), incident=INCIDENT, routes=ROUTES, now=AT + 5 * SECOND, receipts=None):
    """What is said of the channel `oncall`, with `yes` or `no` before it."""
    with database.write() as connection:
        incidents.save(connection, (incident,))
        groups.save(connection, groups_)
        deliveries.add(connection, rows)
        for group_id, receipt in (receipts or {}).items():
            groups.set_receipt(connection, group_id, receipt)
    with database.read() as connection:
        found, answers = why_not(connection, incident.id[:3], channels, routes, now)
    assert found.id == incident.id
    (told,) = (one for one in answers if one.channel == "oncall")
    return f"{'yes' if told.is_told else 'no'}: {told.text}"


WAITING = replace(group("g1", "oncall"), due_at=AT + 10 * SECOND)
SPOKEN = replace(group("g1", "oncall"), last_told_at=AT, told_members=("x",))


@pytest.mark.parametrize(
    ("waiting", "now", "expected"),
    [
        (WAITING, AT, "no: waits for group_wait of route rest until 2026-11-20 06:14:10 UTC"),
        (WAITING, AT + 70 * SECOND, "no: waits for group_wait of route rest until 2026-11-20 06:14:10 UTC"),
        (
            WAITING,
            AT + 71 * SECOND,
            "no: waits for group_wait of route rest until 2026-11-20 06:14:10 UTC; is a daemon running (`dqmon run`)?",
        ),
        (replace(WAITING, incident_ids=("inc0", "inc1")), AT, "until 2026-11-20 06:14:10 UTC; in one message with incident inc0"),
        (
            replace(WAITING, incident_ids=("inc0", "inc1", *"abc")),
            AT,
            "until 2026-11-20 06:14:10 UTC; in one message with incident inc0 and 3 more",
        ),
        (
            replace(WAITING, route="nights", key="[] > nights"),
            AT + 71 * SECOND,
            "no: the escalation nights comes at 2026-11-20 06:14:10 UTC, unless somebody acknowledges; is a daemon running (`dqmon run`)?",
        ),
        (replace(WAITING, due_at=None, muted={str(KEY): "silenced by ana: repair"}), AT, "no: silenced by ana: repair"),
        (replace(WAITING, due_at=None, resolved_at=AT), AT, "no: nothing was said before it was over"),
        (SPOKEN, AT, "yes: told 2026-11-20 06:14 UTC; its messages are older than retention.deliveries"),
    ],
)
def test_by_its_group_alone(database, waiting, now, expected):
    assert expected in answer(database, groups_=(waiting,), now=now)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (row("d", reason="resolved before group_wait was over"), "no: trigger not sent: resolved before group_wait was over"),
        (row("d", reason="silenced by ana until 08:00: repair"), "no: trigger not sent: silenced by ana until 08:00: repair"),
        (row("d", reason=deliveries.DRY_RUN), "no: trigger not sent: dry_run: the channel is set to send nothing"),
        (row("d", DeliveryState.DEAD, attempt=1, reason="HTTP 404: gone"), "no: trigger given up after 1 try: HTTP 404: gone"),
        (row("d", DeliveryState.QUEUED), "no: trigger queued 2026-11-20 06:14 UTC, not tried yet"),
        (
            row("d", DeliveryState.QUEUED, attempt=3, reason="HTTP 503", not_before=AT + 90 * SECOND),
            "no: trigger failed 3 tries, again 2026-11-20 06:15:30 UTC: HTTP 503",
        ),
        (row("d", DeliveryState.SENT, sent_at=AT), "yes: trigger sent 2026-11-20 06:14 UTC (route rest)"),
    ],
)
def test_by_what_became_of_its_message(database, made, expected):
    assert answer(database, made, groups_=(SPOKEN,)) == expected


def test_nobody_sends_what_was_queued_long_ago(database):
    made = row("d", DeliveryState.QUEUED)
    assert answer(database, made, groups_=(SPOKEN,), now=AT + timedelta(hours=1)).endswith(
        "not tried yet; is a daemon running (`dqmon run`)?"
    )


def test_the_newest_reason_is_said_and_others_are_counted(database):
    made = (row(key, reason=f"inhibited: caused by {key}", group_id=f"lost {key}") for key in ("a", "b", "c"))
    expected = "no: trigger not sent: inhibited: caused by c (and 2 more reasons: `dqmon incidents show`)"
    assert answer(database, *made) == expected


def test_a_group_that_waits_is_newer_than_what_was_inhibited(database):
    made = row("a", reason="inhibited: caused by b", group_id="lost")
    assert answer(database, made, groups_=(WAITING,)).startswith("no: waits for group_wait of route rest")


def test_what_was_told_is_said_first_last_and_with_the_answer_and_what_did_not_follow(database):
    sent = [
        row("a", DeliveryState.SENT, sent_at=AT),
        row("b", DeliveryState.SENT, DeliveryKind.UPDATE, sent_at=AT + timedelta(hours=1)),
        row("c", DeliveryState.DEAD, DeliveryKind.REPEAT, attempt=2, reason="HTTP 404"),
    ]
    assert answer(database, *sent, groups_=(SPOKEN,), receipts={"g1": Receipt({"ts": "1.5"}, "ok")}) == (
        "yes: trigger sent 2026-11-20 06:14 UTC, last update 2026-11-20 07:14 UTC (route rest); it answered ok (ts 1.5)"
        "; but then repeat given up after 2 tries: HTTP 404"
    )


def test_a_message_of_another_incident_in_the_same_group_counts(database):
    shared = replace(SPOKEN, incident_ids=("inc0", "inc1"))
    made = replace(row("a", DeliveryState.SENT, sent_at=AT), message=replace(message(), incident_id="inc0"))
    assert answer(database, made, groups_=(shared,)) == (
        "yes: trigger sent 2026-11-20 06:14 UTC (route rest); in one message with incident inc0"
    )


def test_a_channel_that_the_configuration_lost_is_named(database):
    made = row("a", DeliveryState.SENT, sent_at=AT)
    assert answer(database, made, groups_=(SPOKEN,), channels=()).startswith("yes: not configured any more; trigger sent")


@pytest.mark.parametrize(
    ("routes", "incident", "expected"),
    [
        ((), INCIDENT, "no: there are no routes: nobody is told"),
        (ROUTES[1:], INCIDENT, "no: no route names it"),
        (ROUTES, INCIDENT, "no: the results by which it was routed are gone; `dqmon route explain CHECK` says what the routes do now"),
        (
            ROUTES,
            replace(INCIDENT, members={KEY: replace(MEMBER, caused_by="raw.orders.freshness")}),
            "no: inhibited: caused by raw.orders.freshness",
        ),
    ],
)
def test_without_group_and_message_the_routes_say_why(database, routes, incident, expected):
    assert answer(database, routes=routes, incident=incident) == expected


def test_an_incident_that_is_not_there_is_refused(database):
    with database.read() as connection, pytest.raises(UsageError, match="there is no incident 'nobody'"):
        why_not(connection, "nobody", ("oncall",), ROUTES, AT)

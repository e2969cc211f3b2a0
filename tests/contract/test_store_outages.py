"""dq_outages, dq_stand_ins, dq_page_events and dead letters on both stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sample_messages import AT, delivery, facts, group, message

from dqmon.core.delivery import DeliveryState
from dqmon.core.message import DeliveryKind
from dqmon.core.page_event import PageAct, PageEvent
from dqmon.core.verdict import Severity
from dqmon.store import dead_letters, deliveries, groups, outages, page_events
from dqmon.store.database import Database

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgres"])
def connection(request, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    database = Database(url)
    database.prepare()
    with database.write() as found:
        yield found
    database.close()


def test_an_outage_begins_with_the_first_failure_and_ends_with_what_is_taken(connection):
    assert outages.next_at(connection) is None
    for minute in range(3):
        outages.begin(connection, "oncall", AT + minute * MINUTE, f"HTTP 50{minute}")
    (found,) = outages.listed(connection)
    assert (found.since, found.tried_at, found.reason, found.due_at) == (AT, AT + 2 * MINUTE, "HTTP 502", AT + outages.AFTER)
    assert not outages.is_due(connection, AT + MINUTE)
    assert outages.is_due(connection, AT + outages.AFTER)
    outages.wait(connection, found, None)
    assert outages.next_at(connection) is None
    outages.begin(connection, "oncall", AT + 9 * MINUTE, "HTTP 503")
    assert outages.next_at(connection) == AT + 9 * MINUTE, "a new failure is looked at anew"
    outages.end(connection, "oncall")
    assert outages.listed(connection) == ()


def test_what_a_channel_has_not_taken_until_somebody_stands_in(connection):
    def row(key, group_id, kind=DeliveryKind.TRIGGER, severity=Severity.ERROR, **changes):
        made = delivery(
            key, told=message(kind, root=facts(severity=severity), group_id=group_id), **{"channel": "oncall", "reason": key, **changes}
        )
        groups.save(connection, [group(group_id, made.channel)])
        deliveries.add(connection, [made])

    dead = DeliveryState.DEAD
    row("waits", "g1")
    row("refused", "g2", state=dead)
    row("refused too", "g2", state=dead)
    row("update", "g3", DeliveryKind.UPDATE, state=dead)
    row("rise", "g4", DeliveryKind.UPDATE, Severity.CRITICAL, state=dead)
    row("sent", "g5", state=DeliveryState.SENT)
    row("post", "g7", state=DeliveryState.SENT, part="post")
    row("picture", "g7", state=dead, part="chart")
    row("edit", "g8", DeliveryKind.UPDATE, Severity.CRITICAL, state=DeliveryState.SENT, part="edit")
    row("reply", "g8", DeliveryKind.UPDATE, Severity.CRITICAL, state=dead, part="reply")
    row("elsewhere", "g6", state=dead, channel="team")
    assert [(one.group_id, one.reason) for one in outages.untaken(connection, "oncall", also_queued=False)] == [
        ("g2", "refused"),
        ("g4", "rise"),
        ("g8", "reply"),
    ]
    assert [one.group_id for one in outages.untaken(connection, "oncall", also_queued=True)] == ["g1", "g2", "g4", "g8"]
    assert outages.channels(connection) == {"oncall", "team"}
    groups.save(connection, [group("other", "mail")])
    outages.stand_in(connection, ["g2"], "other")
    outages.stand_in(connection, ["g4", "g6", "g8"], "")
    assert [outages.standing_in(connection, name) for name in ("g1", "g2", "g4")] == [None, "other", ""]
    assert not outages.is_due(connection, AT)
    groups.save(connection, [replace(group("other", "mail"), resolved_at=AT)])
    assert [one.group_id for one in outages.untaken(connection, "oncall", also_queued=False)] == ["g2"], "what stood in is over"


def test_an_event_of_a_page_is_news_once_and_in_its_order(connection):
    def event(id_, minute, channel="oncall", key="k"):
        return PageEvent(id_, channel, key, PageAct.ACKNOWLEDGED, "ana", AT + minute * MINUTE)

    long_ago = AT - timedelta(days=1)
    assert page_events.is_news(connection, event("a", 5), long_ago)
    assert not page_events.is_news(connection, event("a", 5), long_ago)
    assert not page_events.is_news(connection, event("b", 4), long_ago), "a later one is known"
    assert page_events.is_news(connection, event("c", 6), long_ago)
    assert page_events.is_news(connection, event("d", 1, key="other"), long_ago)
    assert page_events.is_news(connection, event("a", 5, channel="other"), long_ago)
    assert page_events.is_news(connection, event("a", 5), AT + 7 * MINUTE), "what is old enough is forgotten"


def test_only_what_would_be_resolved_some_day_is_queued_again(connection):
    def row(key, **changes):
        deliveries.add(connection, [delivery(key, channel="oncall", state=DeliveryState.DEAD, **changes)])

    groups.save(connection, [group("g1", "oncall")])
    row("a1")
    row("a2")
    row("b", dedup_key="dqmon:the key before it became critical")
    row("c", group_id="change-1", dedup_key="")
    assert [one.id for one in dead_letters.dead(connection, 3)] == ["c", "b", "a2"]
    assert dead_letters.requeue(connection, "a", AT) == (), "two begin so"
    assert [one.id for one in dead_letters.requeue(connection, "a2", AT + MINUTE)] == ["a2"]
    assert [(one.id, one.state) for one in dead_letters.requeue(connection, "oncall", AT)] == [("a1", DeliveryState.QUEUED)]
    assert [one.id for one in dead_letters.dead(connection, 9)] == ["c", "b"]
    groups.save(connection, [replace(group("g1", "oncall"), resolved_at=AT)])
    row("d")
    assert dead_letters.requeue(connection, "oncall", AT) == ()

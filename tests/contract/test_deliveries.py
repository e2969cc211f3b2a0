"""The outbox and its sender on both stores: order, lease, fence, retries, reasons (R13, R14). Virtual time."""

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import store_rows
from fake_vendors import Fault
from sample_messages import AT, KINDS, delivery, facts, group, message

from dqmon.core.delivery import DeliveryState, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.core.verdict import Severity
from dqmon.engine.telling.deliver import Ending, backoff_s, deliver_once, lease_s
from dqmon.errors import OutcomeUnknown, Permanent, StoreError, Transient
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions
from dqmon.notify.slack import Slack, SlackOptions
from dqmon.store import deliveries, groups, sending

LEASE_S = 60.0
TRIGGER, UPDATE, RESOLVE = DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.RESOLVE
database, postgres_store = store_rows.database, store_rows.postgres_store


def row(key, kind=TRIGGER, group_id="g1", channel="oncall", **changes):
    root = facts(severity=changes.pop("severity", Severity.CRITICAL))
    told = message(kind, root=root, group_id=group_id, dedup_key=f"dqmon:{group_id}", at=AT)
    return delivery(key, told=told, **({"channel": channel, "part": "event"} | changes))


def add(database, *rows):
    with database.write() as connection:
        groups.save(connection, {r.group_id: group(r.group_id, r.channel) for r in rows}.values())
        deliveries.add(connection, rows)


def claim(database, now=AT, token="t1", channels=("oncall",)):
    with database.write() as connection:
        return sending.claim(connection, now, LEASE_S, token, channels)


def mark(database, function, *arguments):
    with database.write() as connection:
        return function(connection, *arguments)


def states(database, group_id="g1"):
    with database.read() as connection:
        return {r.id: (r.state.value, r.reason) for r in deliveries.of_group(connection, group_id)}


def test_what_was_added_is_read_back(database):
    first = row("d1", severity=Severity.ERROR)
    add(database, first)
    with database.read() as connection:
        (found,) = deliveries.of_group(connection, "g1")
        assert deliveries.of_incident(connection, "inc1") == (found,)
        assert deliveries.totals(connection) == {"oncall": {DeliveryState.QUEUED: 1}}
    assert found.message == first.message
    assert (found.id, found.created_at, found.attempt, found.state) == ("d1", AT, 0, DeliveryState.QUEUED)


def test_the_same_delivery_twice_is_refused(database):
    add(database, row("d1"))
    with pytest.raises(StoreError):
        add(database, row("d1"))


def test_only_the_oldest_undone_one_of_a_group_is_claimed(database):
    add(database, row("d1"), row("d2", UPDATE), row("d3", group_id="g2"))
    first, second = claim(database, token="t1"), claim(database, token="t2")
    assert {first.id, second.id} == {"d1", "d3"}
    assert claim(database, token="t3") is None, "the update must wait for the trigger"
    assert mark(database, sending.mark_sent, first, Receipt(), AT)
    assert claim(database, token="t4").id == "d2"


def test_a_resolve_never_overtakes_its_trigger(database):
    """Not while another sender has it, not after that one died, and not for being more severe."""
    add(database, row("d1", severity=Severity.WARNING))
    assert claim(database, token="t1").id == "d1"
    add(database, row("d2", RESOLVE, severity=Severity.CRITICAL))
    assert claim(database, token="t2") is None, "the trigger is under way"
    later = AT + timedelta(seconds=LEASE_S + 1)
    again = claim(database, later, "t3")
    assert (again.id, again.is_uncertain) == ("d1", True)
    assert claim(database, later, "t4") is None, "the trigger is under way again"
    assert mark(database, sending.mark_sent, again, Receipt(), later)
    assert claim(database, later, "t5").id == "d2"


def test_a_waiting_trigger_holds_its_group_back(database):
    add(database, row("d1"), row("d2", UPDATE))
    mark(database, sending.retry, claim(database), AT + timedelta(minutes=5), "HTTP 503")
    assert claim(database, AT + timedelta(minutes=4)) is None
    assert claim(database, AT + timedelta(minutes=5)).id == "d1"


def test_severe_ones_first_and_only_the_given_channels(database):
    add(database, row("d1", group_id="a", severity=Severity.INFO), row("d2", group_id="b", severity=Severity.ERROR))
    add(database, row("d3", group_id="c"), row("d4", group_id="d", channel="team"))
    assert [claim(database, token=f"t{i}").id for i in range(3)] == ["d3", "d2", "d1"]
    assert claim(database) is None
    assert claim(database, channels=("team", "oncall")).id == "d4"


def test_a_lease_that_ran_out_is_taken_over_and_the_late_one_is_fenced_off(database):
    add(database, row("d1"))
    late = claim(database, token="t1")
    assert claim(database, AT + timedelta(seconds=59), token="t2") is None
    taker = claim(database, AT + timedelta(seconds=60), token="t2")
    assert (taker.is_uncertain, taker.attempt) == (True, 2)
    for function, *arguments in (
        (sending.mark_sent, Receipt(), AT),
        (sending.retry, AT, "x"),
        (sending.give_up, "x"),
        (sending.mark_not_sent, "x"),
    ):
        assert mark(database, function, late, *arguments) is False
    assert mark(database, sending.mark_sent, taker, Receipt(), AT) is True
    assert mark(database, sending.mark_sent, taker, Receipt(), AT) is False, "once is enough"


def test_the_first_receipt_is_handed_to_the_later_ones(database):
    add(database, row("d1", part="post"), row("d2", UPDATE, part="edit"), row("d3", UPDATE, part="reply"))
    first = claim(database, token="t1")
    assert first.parent is None
    mark(database, sending.mark_sent, first, Receipt({"channel": "C1", "ts": "1.0"}), AT)
    second = claim(database, token="t2")
    assert second.parent.reference == {"channel": "C1", "ts": "1.0"}
    mark(database, sending.mark_sent, second, Receipt({"channel": "C1", "ts": "2.0"}), AT)
    assert claim(database, token="t3").parent.reference["ts"] == "1.0"


def test_a_resolve_cancels_what_was_never_sent_and_itself(database):
    add(database, row("d1"), row("d2", UPDATE), row("d3", RESOLVE), row("d4", RESOLVE, part="reply"))
    nothing = ("not_sent", "nothing had been sent that it could resolve")
    early = ("not_sent", "resolved before it was sent")
    assert states(database) == {"d1": early, "d2": early, "d3": nothing, "d4": nothing}


@pytest.mark.parametrize("is_told", [True, False])
def test_the_end_of_one_key_cancels_no_page_under_another(database, is_told):
    """A rise to a severity that pages: the page goes out under a new key, then the old one resolves."""
    add(database, row("d1"))
    if is_told:
        mark(database, sending.mark_sent, claim(database), Receipt(), AT)
    add(database, replace(row("d2"), dedup_key="dqmon:g1, 2"), row("d3", RESOLVE))
    assert states(database)["d2"] == ("queued", ""), "the page was cancelled"
    assert states(database)["d3"][0] == ("queued" if is_told else "not_sent")


@pytest.mark.parametrize("how", ["sent", "under way", "uncertain", "dry run"])
def test_a_resolve_follows_what_was_or_may_have_been_sent(database, how):
    add(database, row("d1"))
    first = claim(database)
    if how == "sent":
        mark(database, sending.mark_sent, first, Receipt(), AT)
    elif how == "uncertain":
        later = first.__class__(**{n: getattr(first, n) for n in first.__slots__} | {"is_uncertain": True})
        mark(database, sending.retry, later, AT, "broke off")
    elif how == "dry run":
        mark(database, sending.mark_not_sent, first, deliveries.DRY_RUN)
    add(database, row("d2", UPDATE), row("d3", RESOLVE))
    found = states(database)
    assert found["d2"][0] == "not_sent"
    assert found["d3"] == ("queued", "")
    assert found["d1"][0] == {"sent": "sent", "dry run": "not_sent"}.get(how, "queued")


@pytest.mark.parametrize("ending", ["retry", "dead"])
def test_a_trigger_that_fails_while_its_resolve_waits_is_dropped_with_it(database, ending):
    add(database, row("d1"))
    first = claim(database)
    add(database, row("d2", RESOLVE))
    mark(database, *((sending.retry, first, AT, "503") if ending == "retry" else (sending.give_up, first, "400")))
    assert [state for state, _ in states(database).values()] == ["not_sent" if ending == "retry" else "dead", "not_sent"]


# --- the sender


class Recorder:
    """A channel that answers as told."""

    type, pages = "recorder", True

    def __init__(self, *answers, **options):
        self.name, self.answers, self.sent = "oncall", list(answers), []
        self.options = ChannelOptions.model_validate(options)

    def render(self, told, part):
        return {"title": told.title, "part": part}

    def text(self, payload):
        return payload["title"]

    def send(self, payload, item):
        self.sent.append(item)
        answer = self.answers.pop(0) if self.answers else Receipt()
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def deliver(database, channel, now=AT, **more):
    return deliver_once(database, {"oncall": channel}, lambda: now, "me", jitter=lambda: 0.5, **more)


def only(database):
    with database.read() as connection:
        (found,) = deliveries.of_group(connection, "g1")
    return found


def test_sent_in_order_and_what_was_rendered_is_kept(database):
    add(database, row("d1"), row("d2", UPDATE), row("d3", RESOLVE, group_id="g2"))
    channel = Recorder()
    assert deliver(database, channel) == Counter({Ending.SENT: 2})
    assert [item.id for item in channel.sent] == ["d1", "d2"]
    with database.read() as connection:
        found = deliveries.of_group(connection, "g1")
    assert [(r.state, r.sent_at, r.payload["part"], r.text[:10]) for r in found] == [(DeliveryState.SENT, AT, "event", "[CRITICAL]")] * 2
    assert deliver(database, channel) == Counter()


@pytest.mark.parametrize(
    ("error", "wait_s", "is_uncertain"),
    [
        (Transient("HTTP 503"), 0.5, False),
        (Transient("HTTP 429", 30.0), 30, False),
        (Transient("HTTP 429", 3_600.0), 900, False),
        (Transient("HTTP 429", 0.0), 0, False),
        (OutcomeUnknown("broke off"), 0.5, True),
    ],
)
def test_a_failure_is_put_off(database, error, wait_s, is_uncertain):
    add(database, row("d1"))
    assert deliver(database, Recorder(error)) == Counter({Ending.RETRIED: 1})
    found = only(database)
    assert (found.state, found.reason, found.is_uncertain) == (DeliveryState.QUEUED, str(error), is_uncertain)
    assert found.not_before == AT + timedelta(seconds=wait_s)
    again = Recorder()
    assert deliver(database, again, found.not_before) == Counter({Ending.SENT: 1})
    assert again.sent[0].is_uncertain is is_uncertain


def test_backoff_doubles_up_to_five_minutes_with_full_jitter():
    assert [backoff_s(n, 1.0) for n in (1, 2, 3, 9, 10, 1_000)] == [1, 2, 4, 256, 300, 300]
    assert backoff_s(5, 0.0) == 0


def test_a_lease_outlives_two_requests_of_the_slowest_channel():
    assert lease_s({"a": Recorder()}) == 60
    assert lease_s({"a": Recorder(), "b": Recorder(timeout="60s")}) > 2 * 2 * 60


def test_a_permanent_failure_is_dead_with_its_reason(database):
    add(database, row("d1"))
    assert deliver(database, Recorder(Permanent("HTTP 400: bad key"))) == Counter({Ending.DEAD: 1})
    assert states(database) == {"d1": ("dead", "HTTP 400: bad key")}


def test_after_a_day_it_is_given_up(database):
    add(database, row("d1"))
    deliver(database, Recorder(Transient("HTTP 503")), AT + timedelta(hours=23, minutes=59))
    assert only(database).state is DeliveryState.QUEUED
    deliver(database, Recorder(Transient("HTTP 503")), AT + timedelta(hours=25))
    assert states(database) == {"d1": ("dead", "given up after 24 h: HTTP 503")}


def test_a_channel_that_left_the_configuration_leaves_no_message_without_an_end(database):
    add(database, row("d1", channel="gone"))
    assert deliver(database, Recorder(), AT + timedelta(hours=24)) == Counter()
    assert deliver(database, Recorder(), AT + timedelta(hours=26)) == Counter({Ending.DEAD: 1})
    assert "still configured" in states(database)["d1"][1]


def test_a_dry_run_renders_keeps_and_sends_nothing(database):
    add(database, row("d1"))
    channel = Recorder(dry_run=True)
    assert deliver(database, channel) == Counter({Ending.NOT_SENT: 1})
    assert not channel.sent
    assert only(database).text.startswith("[CRITICAL]")
    assert states(database)["d1"] == ("not_sent", deliveries.DRY_RUN)


def test_a_fault_of_dqmon_itself_is_retried_and_stops_nobody_else(database):
    add(database, row("d1"), row("d2", group_id="g2", channel="team"))
    broken, well = Recorder(KeyError("blocks")), Recorder()
    found = deliver_once(database, {"oncall": broken, "team": well}, lambda: AT, "me", jitter=lambda: 0.5)
    assert found == Counter({Ending.RETRIED: 1, Ending.SENT: 1})
    state, reason = states(database)["d1"]
    assert state == "queued"
    assert re.fullmatch(r"KeyError at test_deliveries\.py:\d+, a fault of dqmon; please report it", reason)


def test_a_failing_channel_costs_one_attempt_in_a_pass(database):
    add(database, *(row(f"d{i}", group_id=f"g{i}") for i in range(5)), row("x", group_id="gx", channel="team", severity=Severity.INFO))
    down, well = Recorder(*[Transient("HTTP 503")] * 9), Recorder()
    deliver_once(database, {"oncall": down, "team": well}, lambda: AT, "me", jitter=lambda: 0.5)
    assert (len(down.sent), len(well.sent)) == (1, 1)


def test_the_limit_is_kept(database):
    add(database, *(row(f"d{i}", group_id=f"g{i}") for i in range(5)))
    assert deliver(database, Recorder(), limit=3).total() == 3


def test_a_sender_that_wakes_after_its_lease_repeats_the_resolve(database):
    """A paused sender posts its trigger after another one has sent trigger and resolve: the incident must not stay open."""
    add(database, row("d1"))

    def asleep():
        later = AT + timedelta(seconds=61)
        assert deliver(database, Recorder(), later) == Counter({Ending.SENT: 1})
        add(database, row("d2", RESOLVE))
        assert deliver(database, Recorder(), later) == Counter({Ending.SENT: 1})
        return Receipt()

    assert deliver(database, Recorder(asleep), limit=1) == Counter({Ending.LOST: 1})
    assert states(database)["d2"] == ("queued", "sent again after a late sender")
    again = Recorder()
    deliver(database, again, AT + timedelta(seconds=62))
    assert [item.kind for item in again.sent] == [RESOLVE]


# --- with the real channels


def real_channels(vendors):
    shared = {"allow_private_addresses": True, "verify": str(vendors.ca_file), "timeout": "2s"}
    slack = shared | {"token": "xoxb-fake", "channel": "C0DATA", "base_url": vendors.slack_url}
    pager = shared | {"routing_key": "k" * 32, "base_url": vendors.pagerduty_url}
    return {
        "team": Slack("team", SlackOptions.model_validate(slack)),
        "oncall": PagerDuty("oncall", PagerDutyOptions.model_validate(pager)),
    }


def tell(database, channels, kind):
    """Puts what tells a message of that kind into the outbox, as the second step does."""
    rows = []
    for name, channel in channels.items():
        told = message(kind, group_id=f"g-{name}", dedup_key=f"dqmon:g-{name}")
        rows += [delivery(f"{name}-{kind}-{part}", told=told, channel=name, part=part, created_at=AT) for part in channel.parts(told)]
    add(database, *rows)


def test_an_incident_from_its_trigger_to_its_end_in_slack_and_pagerduty(database, vendors):
    channels = real_channels(vendors)
    for kind in KINDS:
        tell(database, channels, kind)
        deliver_once(database, channels, lambda: AT, "me")
    assert [incident.state for incident in vendors.pagerduty.incidents] == ["resolved"]
    top, *replies = vendors.slack.messages
    assert (top["edits"], {reply["thread_ts"] for reply in replies}, len(replies)) == (3, {top["ts"]}, 4)
    with database.read() as connection:
        rows = deliveries.of_incident(connection, "inc1")
    assert {r.state for r in rows} == {DeliveryState.SENT}
    assert all(r.text for r in rows)
    assert "k" * 32 not in str([r.payload for r in rows])
    assert "xoxb" not in str([r.payload for r in rows])


SCRIPT = [
    *[Fault(status=429, retry_after="5")] * 20,
    *[Fault(status=503)] * 50,
    Fault(drop=True),
    Fault(drop=True, taken=True),
    Fault(status=429, retry_after="3600"),
    Fault(status=500, taken=True),
]


def test_a_vendor_in_all_kinds_of_trouble_is_told_exactly_once(database, vendors):
    """The scripted server of R14, in virtual time: each attempt is a call, nobody sleeps."""
    channels = real_channels(vendors)
    vendors.script("pagerduty", *SCRIPT, Fault(status=202, body="no JSON", taken=True))
    vendors.script("slack", *SCRIPT)
    tell(database, channels, TRIGGER)
    now, attempts = AT, 0
    while attempts < 300:
        attempts += deliver_once(database, channels, lambda now=now: now, "me", jitter=lambda: 0.5).total()
        with database.read() as connection:
            waiting = [r for r in deliveries.of_incident(connection, "inc1") if r.state is DeliveryState.QUEUED]
        if not waiting:
            break
        now = min(r.not_before for r in waiting)
    assert now - AT < timedelta(hours=24)
    assert len(vendors.pagerduty.incidents) == 1
    assert len(vendors.slack.messages) == 1, "the look-up finds what was taken before the connection broke"
    with database.read() as connection:
        assert {r.state for r in deliveries.of_incident(connection, "inc1")} == {DeliveryState.SENT}

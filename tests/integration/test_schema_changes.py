"""Changes of schemas as PagerDuty's change events: each told once, whatever repeats, fails or is started again; nobody is paged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alert_world import MINUTE, T0, World, check
from fake_vendors import Fault, Vendors
from killed_commit import killed_before_commit

from dqmon.core.delivery import DeliveryState
from dqmon.core.judgement import Observed
from dqmon.core.verdict import Severity, Unit, Verdict
from dqmon.engine.telling.deliver import deliver_once
from dqmon.engine.telling.schema_changes import YOUNG, queue_changes
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions

KEY = "0123456789abcdef0123456789abcdef"
ADDED, REMOVED = "column_added: vip (boolean)", "column_removed: name"


@pytest.fixture(scope="module")
def server():
    with Vendors(routing_keys=[KEY]) as running:
        yield running


class Drifting(World):
    """A table's schema_drift, told to PagerDuty alone. `see` is a slot of it with what has changed against the accepted schema."""

    def __init__(self, path, vendors, **options):
        super().__init__(path, [check("main:a", "schema_drift", Severity.WARNING), check("main:a", "row_count")], {})
        given = {"base_url": vendors.pagerduty_url, "verify": str(vendors.ca_file), "allow_private_addresses": True, "routing_key": KEY}
        self.pager = PagerDuty("oncall", PagerDutyOptions.model_validate({**given, "change_events": True, **options}))
        self.environment = replace(self.environment, channels={"oncall": self.pager}, routes=())
        self.changes = ()
        self.vendors = vendors
        queue_changes(self.environment, T0)

    def _result(self, item, *more):
        observed = Observed(self.changes, Unit.CHANGES) if item.rule.type == "schema_drift" else Observed(3, Unit.ROWS)
        return replace(super()._result(item, *more), observed=observed)

    def see(self, minutes, *changes):
        self.changes = changes
        self.now = T0 + minutes * MINUTE
        verdict = Verdict.FAIL if changes else Verdict.PASS
        self.commit({"a.schema_drift": verdict, "a.row_count": Verdict.FAIL}, self.now)
        queue_changes(self.environment, self.now)

    def send(self):
        deliver_once(self.database, self.environment.channels, lambda: self.now, "me", jitter=lambda: 0.0)
        return [event["payload"] for event in self.vendors.pagerduty.changes]


@pytest.fixture
def world(tmp_path, server):
    server.reset()
    found = Drifting(tmp_path, server)
    yield found
    found.database.close()


def test_each_change_is_told_once_and_nobody_is_paged(world):
    world.see(1)
    world.see(2, ADDED)
    world.see(3, ADDED)
    world.see(4, ADDED, REMOVED)
    world.see(5)
    world.see(6, ADDED)
    told = world.send()
    assert [event["custom_details"]["changes"] for event in told] == [[ADDED], [REMOVED], [ADDED]]
    assert told[0]["summary"] == f"the schema of a changed: {ADDED} [test]"
    assert (told[0]["source"], told[0]["timestamp"]) == ("a", "2026-03-01T08:02:00+00:00")
    assert world.vendors.pagerduty.events == []
    queue_changes(world.environment, world.now)
    assert len(world.send()) == 3


def test_several_changes_at_once_are_one_event(world):
    world.see(1, ADDED, REMOVED)
    (told,) = world.send()
    assert told["summary"] == f"the schema of a changed: {ADDED} (and 1 more) [test]"
    (kept,) = world.deliveries()
    assert kept.text.startswith("CHANGE: the schema of a changed")
    assert REMOVED in kept.text


def test_a_slot_that_is_judged_again_tells_nothing_again(world):
    world.see(1, ADDED)
    world.changes = (ADDED,)
    world.commit({"a.schema_drift": Verdict.FAIL}, world.now + MINUTE, slot=T0 + MINUTE)
    queue_changes(world.environment, world.now)
    assert len(world.send()) == 1


@pytest.mark.parametrize("step", [1, 2])
def test_a_kill_between_neither_loses_nor_doubles(world, step):
    """In the commit of the result, and of what is queued of it."""
    world.see(1)
    with killed_before_commit(world.database, step):
        world.see(2, ADDED)
    world.see(2, ADDED)
    assert len(world.send()) == 1


def test_what_pagerduty_does_not_take_is_sent_again_or_given_up(world):
    world.vendors.script("pagerduty", Fault(status=503), Fault(status=202, body="no JSON", taken=True), Fault(status=400))
    world.see(1, ADDED)
    for _ in range(2):
        world.send()
    assert [one.state for one in world.deliveries()] == [DeliveryState.SENT]
    world.see(2, ADDED, REMOVED)
    world.send()
    assert [one.state for one in world.deliveries()] == [DeliveryState.SENT, DeliveryState.DEAD]
    assert KEY not in str([(one.payload, one.reason, one.text) for one in world.deliveries()])


def test_what_changed_before_anybody_asked_is_no_news(tmp_path, server):
    server.reset()
    world = Drifting(tmp_path, server, change_events=False)
    world.see(1, ADDED)
    assert world.send() == []
    world.pager = PagerDuty("oncall", world.pager.options.model_copy(update={"change_events": True}))
    world.environment = replace(world.environment, channels={"oncall": world.pager})
    queue_changes(world.environment, world.now)
    assert world.send() == []
    world.changes = (ADDED, REMOVED)
    world.commit({"a.schema_drift": Verdict.FAIL}, world.now + MINUTE)
    queue_changes(world.environment, world.now + YOUNG + timedelta(minutes=2))
    assert world.send() == []
    world.database.close()

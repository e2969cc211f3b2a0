"""Channels that refuse or take nothing: who is told instead, that each is told once, and that nothing is lost (R15). Virtual time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_world import MINUTE, SECOND, T0, World, check
from killed_commit import killed_before_commit

from dqmon.core.check import Schedule
from dqmon.core.delivery import DeliveryState, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.registry import Registry
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.timetable import Digest
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.incidents.why_not import why_not
from dqmon.engine.telling import outbox
from dqmon.engine.telling.deliver import deliver_once
from dqmon.engine.telling.notify import notify_once
from dqmon.engine.telling.tell import tell_now
from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient, UsageError
from dqmon.store import deliveries, groups, outages, sending

FAIL, PASS = Verdict.FAIL, Verdict.PASS
TRIGGER, UPDATE, RESOLVE = DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.RESOLVE
CHANNELS = Registry("channels").all()


class Line:
    """A real channel on a line that may be dead: `trouble` raises, and then a request lasts `timeout`, in which others go on."""

    def __init__(self, world, name, fallback=None, kind="webhook"):
        made = CHANNELS[kind](name, CHANNELS[kind].Options.model_validate({"dry_run": True}))
        self.real, self.world, self.name, self.pages = made, world, name, made.pages
        self.options = made.options.model_copy(update={"dry_run": False, "fallback": fallback})
        self.parts, self.render, self.text = made.parts, made.render, made.text
        self.trouble = None
        self.busy = timedelta(0)
        self.got = []

    def clock(self):
        return self.world.now + self.busy

    def send(self, payload, delivery):
        if self.trouble is not None:
            if not isinstance(self.trouble, Permanent):
                self.busy += timedelta(seconds=self.options.timeout)
            raise self.trouble
        self.got.append((self.world.now, delivery))
        return Receipt({"ts": "1"} if delivery.part == "post" else {})

    def kinds(self):
        return [delivery.kind for _, delivery in self.got]


class Paths(World):
    """Tables a, b, ... with a critical check each and x, y, ... with a warning; `lines` are the channels, `routes` to them."""

    def __init__(self, path, lines, routes=None):
        critical = [check(f"main:{name}", "completeness", Severity.CRITICAL) for name in "abc"]
        super().__init__(path, [*critical, *(check(f"main:{name}", "completeness", Severity.WARNING) for name in "xyz")], {})
        self.reset()
        self.lines = {name: Line(self, name, *more) for name, *more in lines}
        routes = routes or (Route("rest", None, (next(iter(self.lines)),), group_wait_s=0),)
        self.environment = replace(self.environment, channels=self.lines, routes=routes)

    def fail(self, *tables, verdict=FAIL):
        self.commit({f"{table}.completeness": verdict for table in tables}, self.now)

    def go(self, span=timedelta(0)):
        """Step 2 and the senders at each time at which they have something to do, to the end of the span."""
        end = self.now + span
        while True:
            due = [notify_once(self.environment, self.now)]
            with self.database.read() as connection:
                waiting = [name for name, states in deliveries.totals(connection).items() if states.get(DeliveryState.QUEUED)]
            for name, line in ((name, self.lines[name]) for name in waiting):
                line.busy = timedelta(0)
                deliver_once(self.database, {name: line}, line.clock, "me", jitter=lambda: 1.0)
                with self.database.read() as connection:
                    due.append(sending.next_at(connection, name))
            with self.database.read() as connection:
                due += [outages.next_at(connection), self.now if outages.is_due(connection, self.now) else None]
            at = min((at for at in due if at is not None), default=None)
            if at is None or at > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, at)

    def states(self):
        return Counter(one.state.value for one in self.deliveries())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the one store of all these tests, which each of them empties: to make one takes longer than most of them."""
    return tmp_path_factory.mktemp("paths")


@pytest.mark.parametrize("kinds", [("pagerduty",), pytest.param(tuple(CHANNELS), marks=pytest.mark.long)], ids=["one", "all"])
def test_half_an_hour_without_a_line_leaves_nobody_untold(folder, capsys, kinds):
    """R15: channels blackholed for 30 minutes; what is critical reaches people in 3, and nothing is lost."""
    pairs = [pair for kind in kinds for pair in ((kind, f"human-{kind}", kind), (f"human-{kind}",))]
    world = Paths(folder, pairs, (Route("rest", None, tuple(kinds), group_wait_s=0),))
    for kind in kinds:
        world.lines[kind].trouble = OutcomeUnknown("no answer after 10 s")
    world.fail("a", "x", "y")
    world.go(20 * MINUTE)
    world.fail("b")
    world.go(10 * MINUTE)
    for kind in kinds:
        world.lines[kind].trouble = None
    world.go(20 * MINUTE)
    assert set(world.states()) == {"sent"}, "everything that waited went out"
    world.fail("a", "b", "x", "y", verdict=PASS)
    world.go(20 * MINUTE)
    for kind in kinds:
        main, human = world.lines[kind], world.lines[f"human-{kind}"]
        told = {one.message.alerts[0].check_id: at for at, one in human.got if one.kind is TRIGGER and one.message.severity == "critical"}
        delays = (told["a.completeness"] - T0, told["b.completeness"] - T0 - 20 * MINUTE)
        sent = Counter(one.message.alerts[0].check_id for _, one in main.got if one.kind is TRIGGER)
        with capsys.disabled():
            print(
                f"\n{kind:>12}: critical told elsewhere after {delays[0].seconds} s and {delays[1].seconds} s, lost {4 - len(sent)}", end=""
            )
        assert max(delays) <= 3 * MINUTE
        assert sent == Counter(f"{table}.completeness" for table in "abxy"), "each once, after the line came back"
        paths = [one.message.title for _, one in human.got if "notification path broken" in one.message.title]
        assert [title.rpartition("; ")[2] for title in paths] == ["2 alerts wait there"], "one message for all that is less severe"
        assert human.kinds().count(RESOLVE) == human.kinds().count(TRIGGER) == 3, "what was opened there is closed there"
    assert not world.groups()


def test_why_it_comes_here_is_said(folder):
    world = Paths(folder, [("oncall", "human", "pagerduty"), ("human",)])
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(3 * MINUTE)
    ((_, said),) = world.lines["human"].got
    assert said.message.changes[0].startswith("oncall has taken nothing for 2m")
    assert said.message.changes[0].endswith(": HTTP 503")
    assert said.message.title.startswith("[CRITICAL] a completeness")


def test_a_refusal_is_told_at_once(folder):
    world = Paths(folder, [("oncall", "human", "pagerduty"), ("human",)])
    world.lines["oncall"].trouble = Permanent("HTTP 403: no such key")
    world.fail("a", "x", "y")
    world.go()
    said = [one.message for _, one in world.lines["human"].got]
    assert [message.changes[0].partition(";")[0] for message in said] == ["oncall refused it: HTTP 403: no such key"] * 2
    assert said[1].title.startswith("[WARNING] notification path broken")
    assert world.now == T0
    world.fail("z")
    world.go()
    assert len(world.lines["human"].got) == 2, "the broken path was told of in this outage"


def test_a_refused_message_of_a_channel_that_takes_others_is_told_too(folder):
    world = Paths(folder, [("oncall", "human"), ("human",)])
    oncall = world.lines["oncall"]
    oncall.trouble = Permanent("HTTP 413")
    world.fail("x")
    notify_once(world.environment, world.now)
    deliver_once(world.database, world.lines, lambda: world.now, "me")
    oncall.trouble = None
    world.fail("y")
    world.go()
    assert [one.message.alerts[0].check_id for _, one in oncall.got] == ["y.completeness"]
    assert [one.message.alerts[0].check_id for _, one in world.lines["human"].got] == ["x.completeness"]


def test_an_outage_of_less_than_two_minutes_tells_nobody_else(folder):
    world = Paths(folder, [("oncall", "human"), ("human",)])
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(50 * SECOND)
    world.lines["oncall"].trouble = None
    world.go(10 * MINUTE)
    assert world.lines["human"].got == []
    assert world.lines["oncall"].kinds() == [TRIGGER]


def test_a_fallback_that_is_out_has_its_own(folder):
    world = Paths(folder, [("oncall", "chat"), ("chat", "mail"), ("mail",)])
    world.lines["oncall"].trouble = world.lines["chat"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(6 * MINUTE)
    assert world.lines["mail"].kinds() == [TRIGGER]
    world.fail("b")
    world.go(MINUTE)
    assert [one.message.alerts[0].check_id for _, one in world.lines["mail"].got] == ["a.completeness", "b.completeness"]


def test_whoever_is_told_anyway_is_not_told_twice(folder):
    routes = (Route("pages", parse_selector(["severity:critical"]), ("oncall", "human"), group_wait_s=0), Route("rest", None, ("oncall",)))
    world = Paths(folder, [("oncall", "human"), ("human",)], routes)
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(10 * MINUTE)
    assert world.lines["human"].kinds() == [TRIGGER]
    assert world.lines["human"].got[0][1].message.changes == ()


LATER = Route("later", None, ("human",), group_wait_s=0, speaks=Digest(Schedule("0 9 * * *", None, "UTC")))
STEP = Route("nights after 1h", None, ("human",), group_wait_s=3600, unless_acknowledged=True)


@pytest.mark.parametrize(("routes", "steps"), [((LATER,), ()), ((), (STEP,))], ids=["a digest", "an escalation"])
def test_a_message_of_the_fallback_that_is_hours_away_tells_nobody(folder, routes, steps):
    pages = Route("pages", None, ("oncall",), group_wait_s=0, goes_on=bool(routes))
    world = Paths(folder, [("oncall", "human"), ("human",)], (pages, *routes))
    world.environment = replace(world.environment, escalation=steps)
    world.lines["oncall"].trouble = Permanent("HTTP 403")
    world.fail("a")
    world.go(MINUTE)
    assert [one.message.changes[0] for _, one in world.lines["human"].got] == ["oncall refused it: HTTP 403"]


def test_what_gets_critical_while_the_line_is_dead_is_told(folder):
    world = Paths(folder, [("oncall", "human"), ("human",)], (Route("rest", None, ("oncall",), group_by=("owner",), group_wait_s=0),))
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(3 * MINUTE)
    world.fail("b")
    world.go(7 * MINUTE)
    assert world.lines["human"].kinds() == [TRIGGER, UPDATE]
    assert {alert.check_id for alert in world.lines["human"].got[-1][1].message.alerts} == {"a.completeness", "b.completeness"}


def test_without_a_fallback_the_log_says_it_once(folder, caplog):
    world = Paths(folder, [("oncall",)])
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(15 * MINUTE)
    world.lines["oncall"].trouble = Permanent("HTTP 404")
    world.go(15 * MINUTE)
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 2
    assert "takes nothing, and it has no fallback" in said[0]
    assert "given up and nobody else is told" in said[1]


def test_after_hours_without_a_daemon_the_channel_is_tried_first(folder):
    world = Paths(folder, [("oncall", "human"), ("human",)])
    world.lines["oncall"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(MINUTE)
    world.lines["oncall"].trouble = None
    world.now += timedelta(hours=3)
    world.go()
    assert (world.lines["oncall"].kinds(), world.lines["human"].kinds()) == ([TRIGGER], [])


def test_a_check_command_tells_the_fallback_what_is_refused(folder):
    world = Paths(folder, [("oncall", "chat"), ("chat", "mail"), ("mail",)])
    world.lines["oncall"].trouble = world.lines["chat"].trouble = Permanent("HTTP 401")
    world.fail("a")
    assert "2 given up" in tell_now(world.environment)
    assert world.lines["mail"].kinds() == [TRIGGER]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_kill_anywhere_tells_once(folder, step):
    """The process dies before the n-th commit: what it had done in that transaction is as if it never was, and is done again."""
    world = Paths(folder, [("oncall", "human"), ("human",)])
    world.lines["oncall"].trouble = Permanent("HTTP 403")
    world.fail("a", "x")
    with killed_before_commit(world.database, step):
        world.go(5 * MINUTE)
    world.now += 5 * MINUTE  # leases run out
    world.go(5 * MINUTE)
    told = Counter(one.id for _, one in world.lines["human"].got)
    with world.database.read() as connection:
        standing = [group for group in groups.open_groups(connection) if group.channel == "human"]
    assert len(standing) == 2, "one for what pages, one for the broken path"
    assert len(told) == 2
    assert {one.state for one in world.deliveries()} == {DeliveryState.DEAD, DeliveryState.SENT}


def test_what_was_given_up_is_tried_again_by_hand_while_its_incident_is_open(folder):
    world = Paths(folder, [("oncall",)])
    oncall = world.lines["oncall"]
    oncall.trouble = Permanent("HTTP 403: no such key")
    world.fail("a", "x")
    world.go()
    with world.database.read() as connection:
        dead = outbox.dead_letters(connection)
        ((standing),) = outbox.standings(connection, world.lines)
    assert (standing.totals, standing.outage.reason) == ({DeliveryState.DEAD: 2}, "HTTP 403: no such key")
    world.now += timedelta(hours=1)
    with pytest.raises(NotifyError, match="1 given up"):
        outbox.retry(world.environment, dead[0].id)
    oncall.trouble = None
    assert {one.message.alerts[0].check_id for one in outbox.retry(world.environment, "oncall")} == {"a.completeness", "x.completeness"}
    assert oncall.kinds()[:2] == [TRIGGER, TRIGGER]
    world.fail("a", "x", verdict=PASS)
    world.go(10 * MINUTE)
    assert not world.groups()
    for name in (dead[0].id, "oncall", "nobody"):
        with pytest.raises(UsageError, match="still open"):
            outbox.retry(world.environment, name)


def test_the_reasons_name_the_outage_and_who_was_told_in_its_place(folder):
    world = Paths(folder, [("oncall", "human"), ("human",), ("alone",)], (Route("rest", None, ("oncall", "alone"), group_wait_s=0),))
    world.lines["oncall"].trouble = world.lines["alone"].trouble = Transient("HTTP 503")
    world.fail("a")
    world.go(3 * MINUTE)
    (incident,) = world.incidents().values()
    with world.database.read() as connection:
        _, answers = why_not(connection, incident.id, tuple(world.lines), world.environment.routes, world.now)
    said = {answer.channel: answer.text for answer in answers}
    assert said["oncall"].endswith("; takes nothing since 2026-03-01 08:00 UTC: HTTP 503; human told in its place")
    assert said["alone"].endswith("; takes nothing since 2026-03-01 08:00 UTC: HTTP 503; nobody else is told: it has no fallback")
    assert "(route fallback of oncall)" in said["human"]

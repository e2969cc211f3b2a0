"""What Alertmanager's acceptance tests ask of it, asked of dqmon: on a virtual clock, tolerance 0, through every step on a store (R6).

The scenarios are those of prometheus/alertmanager, test/with_api_v2/acceptance; times are seconds, and what differs by design is said
at each. An alert that is sent there is a result here; `group_by: []` is `group_by: [kind]`, by which all of these are one group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from alert_world import T0, World, check

from dqmon.core.delivery import Delivery, Receipt
from dqmon.core.route import Route
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Severity, Verdict
from dqmon.daemon.leader import Candidate, Lease
from dqmon.engine.incidents.silences import Span, silence
from dqmon.engine.telling.deliver import deliver_once
from dqmon.engine.telling.notify import notify_once
from dqmon.errors import Transient
from dqmon.store import leases, sending

PASS, FAIL = Verdict.PASS, Verdict.FAIL
NAMES = ("test1", "test2", "test3", "test4", "test5")
JOB, AA, AB = "dlt/shop.last_success", "aa.freshness", "ab.freshness"
Told = list[tuple[float, str, list[str]]]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class Webhook:
    """A channel that keeps what it got; `refuses` says whether a request of that second fails."""

    type, pages = "webhook", False
    options = SimpleNamespace(timeout=0.5, dry_run=False, fallback=None)

    def __init__(self, clock: Callable[[], datetime], refuses: Callable[[float], bool] = lambda _: False) -> None:
        self.got: list[tuple[float, Delivery]] = []
        self.tries: list[float] = []
        self._clock, self._refuses = clock, refuses

    def parts(self, message):
        return ("event",)

    def render(self, message, part):
        return {}

    def text(self, payload):
        return ""

    def send(self, payload, delivery):
        second = (self._clock() - T0).total_seconds()
        self.tries.append(second)
        if self._refuses(second):
            raise Transient("it took longer than 0.5 s")
        self.got.append((second, delivery))
        return Receipt()

    @property
    def told(self) -> Told:
        """Second, kind, the alerts that the message lists."""
        return [(second, d.kind.value, sorted(a.check_id.partition(".")[0] for a in d.message.alerts)) for second, d in self.got]


class Cluster(World):
    """Daemons on one store, of which the holder of the notify lease speaks."""

    def prepare(self, route: Route, channels: Mapping[str, Webhook] | None = None, daemons: int = 1) -> None:
        self.reset()
        self.now = T0
        self.hook = Webhook(lambda: self.now)
        self.channels = dict(channels or {"hook": self.hook})
        self.environment = replace(self.environment, routes=(replace(route, to=tuple(self.channels)),), channels=self.channels)
        self.daemons = [Lease(self.database, leases.NOTIFY, Candidate(f"daemon {number}")) for number in range(daemons)]

    def play(self, script: Mapping[float, Callable[[], object]], until: float) -> Told:
        """Does what stands at each second of the script, and all that becomes due meanwhile; what the webhook got."""
        moments = [*sorted(script), until]
        self.now = min(self.now, at(moments[0]))
        for second in moments:
            while (due := self.tick()) is not None and due <= at(second):
                self.now = max(self.now, due)
            self.now = at(second)
            script.get(second, lambda: None)()
        return self.hook.told

    def tick(self) -> datetime | None:
        """A tick of every daemon; when there is something to do next, None: after the next result."""
        speaking = [lease for lease in self.daemons if lease.hold(self.now)]
        assert len(speaking) <= 1, "two daemons hold the lease"
        if not speaking:
            return self.now + timedelta(seconds=1) if self.daemons else None
        while (due := notify_once(self.environment, self.now)) is not None and due <= self.now:
            continue
        deliver_once(self.database, self.channels, lambda: self.now, "sender", jitter=lambda: 1.0)
        with self.database.read() as connection:
            again = [sending.next_at(connection, name) for name in self.channels]
        return min((when for when in (due, *again) if when is not None and when > self.now), default=None)

    def result(self, verdict: Verdict, *names: str) -> Callable[[], None]:
        """These checks measured now."""
        return lambda: self.commit(dict.fromkeys((name if "." in name else f"{name}.row_count" for name in names), verdict), self.now)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    tables = [check(f"main:{name}", "row_count", Severity.WARNING, None) for name in NAMES]
    others = [check("dlt/shop", "last_success", schedule=None), check("main:aa", "freshness", schedule=None)]
    others.append(check("main:ab", "freshness", schedule=None))
    cluster = Cluster(tmp_path_factory.mktemp("store"), [*tables, *others], {"main:aa": {"dlt/shop"}})
    yield cluster
    cluster.database.close()


@pytest.fixture
def am(one_store: Cluster) -> Cluster:
    return one_store


def route(wait: float = 1, interval: float = 1, repeat: float = 3_600, *, all_in_one: bool = False) -> Route:
    by = ("kind",) if all_in_one else ("incident",)
    return Route("default", None, (), False, by, group_wait_s=wait, group_interval_s=interval, repeat_interval_s=repeat)


def merge(am: Cluster) -> None:
    """Results of one check are one alert, which began with the first; after its end was told, the next is another.

    The first good result ends it, where Alertmanager takes the latest end that it is told of.
    """
    am.prepare(route(repeat=1))
    bad, good = am.result(FAIL, "test1"), am.result(PASS, "test1")
    told = am.play({1: bad, 1.2: bad, 2.1: bad, 3.6: bad, 4.6: good, 4.8: good, 5.3: bad}, 6.5)
    kinds = [(2, "trigger"), (3, "repeat"), (4, "repeat"), (5, "resolve"), (6.3, "trigger")]
    assert told == [(second, kind, ["test1"]) for second, kind in kinds]
    assert [d.message.alerts[0].since for _, d in am.hook.got] == [at(1)] * 4 + [at(5.3)]
    assert am.hook.got[3][1].message.alerts[0].resolved_at == at(4.6)


def repeat(am: Cluster) -> None:
    """What goes on is repeated until it ends."""
    am.prepare(route(repeat=1))
    told = am.play({1: am.result(FAIL, "test1"), 3.5: am.result(PASS, "test1")}, 10)
    assert told == [(2, "trigger", ["test1"]), (3, "repeat", ["test1"]), (4, "resolve", ["test1"])]


def retry(am: Cluster) -> None:
    """Of two channels one fails until 4.5: it is tried again until it takes the message, and the other is told once."""
    failing = Webhook(lambda: am.now, lambda second: second < 4.5)
    fine = Webhook(lambda: am.now)
    am.prepare(route(repeat=4), {"fine": fine, "failing": failing})
    am.play({1: am.result(FAIL, "test1")}, 6.5)
    assert fine.told == [(2, "trigger", ["test1"]), (6, "repeat", ["test1"])]
    assert failing.told == [(5, "trigger", ["test1"]), (6, "repeat", ["test1"])]
    assert failing.tries == [2, 3, 5, 6], "full jitter at its longest: 1 s, then 2 s"


def batching(am: Cluster) -> None:
    """What fires within group_wait, and then within group_interval, is one message; then silence until repeat_interval."""
    am.prepare(route(repeat=4.9, all_in_one=True))
    first, second = ["test1", "test5"], [*NAMES]
    script = {1.1: am.result(FAIL, "test1"), 1.7: am.result(FAIL, "test5"), 3.3: am.result(FAIL, "test2", "test3", "test4")}
    assert am.play(script, 9.5) == [(2.1, "trigger", first), (4.1, "update", second), (9, "repeat", second)]


def resolved(am: Cluster) -> None:
    """Three alerts are told together, and so is their end, with the next step of group_interval. (Ten times there, for its races.)"""
    am.prepare(route(interval=5, all_in_one=True))
    three = NAMES[:3]
    told = am.play({1: am.result(FAIL, *three), 11: am.result(PASS, *three)}, 20)
    assert told == [(2, "trigger", [*three]), (12, "resolve", [*three])]


def cold_start(am: Cluster) -> None:
    """What failed while no daemon ran is told as soon as one does, after group_wait; what comes then, with group_interval."""
    am.prepare(route(interval=6, all_in_one=True), daemons=0)
    am.play({-100: am.result(FAIL, "test1")}, 0)
    assert am.hook.got == []
    am.daemons = [Lease(am.database, leases.NOTIFY, Candidate("late"))]
    assert am.play({2: am.result(FAIL, "test2")}, 10) == [(1, "trigger", ["test1"]), (7, "update", ["test1", "test2"])]
    assert am.hook.got[0][1].message.alerts[0].since == at(-100)


def reload(am: Cluster) -> None:
    """A reload tells nothing twice, and moves no time: Alertmanager counts group_interval anew from it."""
    am.prepare(route(interval=6, repeat=600, all_in_one=True))

    def again() -> None:
        (known,) = am.environment.routes
        am.environment = replace(am.environment, routes=(replace(known),), channels=dict(am.channels))

    told = am.play({1: am.result(FAIL, "test1"), 3: again, 4: am.result(FAIL, "test2")}, 20)
    assert told == [(2, "trigger", ["test1"]), (8, "update", ["test1", "test2"])]


def webhook_timeout(am: Cluster) -> None:
    """A request that takes too long is given up and made again, long before group_interval."""
    slow = Webhook(lambda: am.now, lambda second: second < 3)
    am.prepare(route(interval=60, repeat=60), {"slow": slow})
    am.play({1: am.result(FAIL, "test1")}, 30)
    assert slow.told == [(3, "trigger", ["test1"])]
    assert slow.tries == [2, 3]


def inhibiting(am: Cluster) -> None:
    """A table that is late because its load is, is not told; what is bad still when that is over is.

    Alertmanager tells it with the next flush; here a load that works again is given 15 minutes to flow down, and a result after them
    must say that the table is late still.
    """
    am.prepare(route(all_in_one=True))
    late = am.result(FAIL, AA)
    script = {1: am.result(FAIL, "test1", JOB, AA, AB), 3.6: am.result(PASS, JOB), 900: late, 904: late}
    told = am.play(script, 1_000)
    assert told == [
        (2, "trigger", ["ab", "dlt/shop", "test1"]),
        (4, "update", ["ab", "test1"]),
        (904, "update", ["aa", "ab", "test1"]),
    ]
    assert am.unsaid()[AA].startswith(f"inhibited: caused by {JOB}")


def always_inhibiting(am: Cluster) -> None:
    """When cause and symptom end together, the end of the cause is told; of the symptom, which nobody knew, there is none to tell."""
    am.prepare(route(all_in_one=True))
    told = am.play({1: am.result(FAIL, AA, JOB), 2.6: am.result(PASS, JOB, AA)}, 2_000)
    assert told == [(2, "trigger", ["dlt/shop"]), (3, "resolve", ["dlt/shop"])]
    (incident,) = am.incidents(is_open=False).values()
    assert {str(member.key) for member in incident.members.values() if member.left_at == at(2.6)} == {JOB, AA}


def silencing(am: Cluster) -> None:
    """A silenced alert is not repeated until the silence ends; the other goes on."""
    am.prepare(route(repeat=1))
    match = parse_selector(["test1"])

    def quiet() -> None:
        silence(am.environment, match, Span(at(2.5), at(4.5)), "backfill", "ann")

    told = am.play({1: am.result(FAIL, "test1", "test2"), 2.3: quiet}, 5.2)
    assert [second for second, _, names in told if names == ["test1"]] == [2, 4.5]
    assert [second for second, _, names in told if names == ["test2"]] == [2, 3, 4, 5]


def cluster_deduplication(am: Cluster) -> None:
    """Of three daemons one tells; when it dies before it could, another does as soon as the lease is over, once."""
    am.prepare(route(), daemons=3)
    assert am.play({1: am.result(FAIL, "test1")}, 10) == [(2, "trigger", ["test1"])]
    am.prepare(route(), daemons=3)

    def die() -> None:
        am.daemons.pop(0)

    told = am.play({1: am.result(FAIL, "test1"), 1.5: die}, 60)
    assert [names for _, _, names in told] == [["test1"]]
    assert 2 < told[0][0] <= leases.TTL_S + 1.5


def cluster_vs_instance(am: Cluster) -> None:
    """Three daemons tell what one does, at the same times."""
    told = []
    for daemons in (1, 3):
        am.prepare(route(), daemons=daemons)
        seconds = (1, 2, 4, 6, 8)
        told.append(am.play({s: am.result(FAIL, name) for s, name in zip(seconds, NAMES, strict=True)}, 13))
    assert told[0] == told[1] == [(s + 1, "trigger", [name]) for s, name in zip((1, 2, 4, 6, 8), NAMES, strict=True)]


SCENARIOS = (
    *(merge, repeat, retry, batching, resolved, cold_start, reload, webhook_timeout, inhibiting, always_inhibiting),
    *(silencing, cluster_deduplication, cluster_vs_instance),
)


def test_the_13_scenarios_of_alertmanager(am: Cluster) -> None:
    failed = []
    for scenario in SCENARIOS:
        try:
            scenario(am)
        except AssertionError as e:
            failed.append(f"{scenario.__name__}: {e}")
        state = "FAILED" if failed and failed[-1].startswith(f"{scenario.__name__}:") else "green"
        print(f"{scenario.__name__:22} {state}   {' '.join((scenario.__doc__ or '').split('.')[0].split())}")
    assert len(SCENARIOS) == 13
    assert not failed, "\n".join(failed)

"""What the tick starts besides checks: notifying, delivering, polling, retention, looking for new tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from dqmon.daemon.leader import Candidate, Lease
from dqmon.store import leases

if TYPE_CHECKING:
    from dqmon.daemon.work import Setup
    from dqmon.daemon.workers import Executor
    from dqmon.store.database import Database

LOOK_EVERY = timedelta(seconds=1)
"""Notifying and delivering look at the store this often without being woken: other processes write there, too."""
PURGE_FIRST = timedelta(minutes=10)
"""After a start; a daemon that is restarted daily must purge as well."""
PURGE_EVERY = timedelta(days=1)

COST_EVERY = timedelta(hours=1)
"""How often engines are asked what statements have cost: their history comes hours late."""
PROBE_EVERY = timedelta(seconds=5)
"""How often it is looked whether a warehouse that could not be reached is to be tried again."""

RELEARN_EVERY = timedelta(minutes=1)
"""How often it is looked whether tools have said something new of the lineage: as often as they are polled."""
REMOVED_EVERY = timedelta(seconds=10)
"""How often it is looked for alerts of checks that are not there any more."""

_NOTIFY, _PURGE, _REFRESH, _PROBE, _COST, _MIRROR, _EMIT = "notify", "purge", "refresh", "probe", "cost", "mirror", "emit"
_REMOVED, _RELEARN = "removed", "relearn"


class Agenda:
    """Pools of one thread each, by what they do; none is given a second task while one waits.

    `tick` is called by one thread; `wake` by any. Notifying and delivering need the notify lease, the rest the leadership.
    """

    def __init__(
        self,
        database: Database,
        executor: Executor,
        clock: Callable[[], datetime],
        candidate: Candidate,
        swap: Callable[[Setup[Any]], None],
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._swap = swap
        self._lease = Lease(database, leases.NOTIFY, candidate)
        self._setup: Setup[Any] | None = None
        self._due: dict[str, datetime] = {}
        self._looked: dict[str, datetime] = {}
        self._is_woken = True

    def take_over(self, setup: Setup[Any]) -> None:
        """Goes on with another configuration; times that stand already are kept."""
        self._setup = setup
        upkeep = {_PURGE, _REFRESH, _PROBE, _COST, _MIRROR, _EMIT, _REMOVED, _RELEARN}
        known = upkeep | {_NOTIFY, *map(_channel, setup.channels), *map(_source, setup.polls)}
        self._due = {name: at for name, at in dict(self._due).items() if name in known}

    def forget_times(self) -> None:
        """After the clock was set back: everything is looked at anew."""
        self._due.clear()
        self._looked.clear()

    def wake(self) -> None:
        """New results are in the store: notify at the next tick."""
        self._is_woken = True

    def next_at(self) -> datetime | None:
        """The earliest time that a message is known to be due; None when none is. Upkeep is done at whatever tick comes next."""
        setup = self._setup
        telling = {_NOTIFY, *map(_channel, setup.channels)} if setup else set()
        return min((at for name, at in self._due.items() if name in telling), default=None)

    def tick(self, now: datetime, *, is_leading: bool) -> None:
        """Starts what is due. Raises StoreError."""
        setup = self._setup
        if setup is None:
            return
        if is_leading:
            self._upkeep(setup, now)
        if self._lease.hold(now):
            self._tell(setup, now)

    def release(self) -> None:
        """Frees the notify lease. Raises StoreError."""
        self._lease.release(self._clock())

    def _tell(self, setup: Setup[Any], now: datetime) -> None:
        def notify() -> None:
            self._set(_NOTIFY, setup.work.notify(self._clock()))
            for channel in setup.channels:
                self._start(_channel(channel), partial(self._deliver, setup, channel))

        if self._is_woken or self._is_due(_NOTIFY, now):
            self._is_woken = False
            self._start(_NOTIFY, notify)
        for channel in setup.channels:
            if self._is_due(_channel(channel), now):
                self._start(_channel(channel), partial(self._deliver, setup, channel))

    def _deliver(self, setup: Setup[Any], channel: str) -> None:
        self._set(_channel(channel), setup.work.deliver(channel, self._clock()))

    def _poll(self, setup: Setup[Any], source: str) -> None:
        setup.work.poll(source, self._clock())

    def _pass_on(self, name: str, task: Callable[[datetime], datetime | None]) -> None:
        again_at = task(self._clock())
        if again_at is not None:
            self._set(name, again_at)

    def _upkeep(self, setup: Setup[Any], now: datetime) -> None:
        work = setup.work

        def renew(look: Callable[[], Setup[Any] | None]) -> None:
            found = look()
            if found is not None and self._setup is setup:
                self._swap(found)

        for source, every_s in setup.polls.items():
            self._every(_source(source), now, timedelta(0), timedelta(seconds=every_s), partial(self._poll, setup, source))
        self._every(_PURGE, now, PURGE_FIRST, PURGE_EVERY, lambda: work.purge(self._clock()))
        self._every(_COST, now, COST_EVERY, COST_EVERY, lambda: work.attribute(self._clock()))
        self._every(_REMOVED, now, timedelta(0), REMOVED_EVERY, lambda: work.end_removed(self._clock()))
        self._every(_PROBE, now, timedelta(0), PROBE_EVERY, lambda: work.probe(self._clock()))
        if setup.mirror_every is not None:
            self._every(_MIRROR, now, timedelta(0), setup.mirror_every, partial(self._pass_on, _MIRROR, work.mirror))
        if setup.emit_every is not None:
            self._every(_EMIT, now, timedelta(0), setup.emit_every, partial(self._pass_on, _EMIT, work.emit))
        self._every(_REFRESH, now, setup.refresh_every, setup.refresh_every, partial(renew, work.refresh))
        self._every(_RELEARN, now, RELEARN_EVERY, RELEARN_EVERY, partial(renew, work.relearn))

    def _every(self, name: str, now: datetime, first: timedelta, period: timedelta, task: Callable[[], object]) -> None:
        due = self._due.setdefault(name, now + first)
        if now >= due:
            self._due[name] = now + period
            self._start(name, task)

    def _is_due(self, name: str, now: datetime) -> bool:
        due, looked = self._due.get(name), self._looked.get(name)
        is_due = (due is not None and due <= now) or looked is None or now - looked >= LOOK_EVERY
        if is_due:
            self._looked[name] = now
            self._due.pop(name, None)
        return is_due

    def _set(self, name: str, at: datetime | None) -> None:
        if at is None:
            self._due.pop(name, None)
        else:
            self._due[name] = at

    def _start(self, name: str, task: Callable[[], object]) -> None:
        if self._executor.waiting(name) == 0:
            self._executor.submit(name, task)


def _channel(name: str) -> str:
    return f"channel {name}"


def _source(name: str) -> str:
    return f"source {name}"

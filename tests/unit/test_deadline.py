"""Limits of statements: one thread for all, every stop in time, none after the end."""

from __future__ import annotations

import threading

import pytest

from dqmon.errors import WarehouseError
from dqmon.warehouses.base.deadline import Deadline, Watch

WAIT_S = 20.0
"""How long a test waits for what happens at once."""


def keepers() -> int:
    return sum(thread.name == "dqmon-deadlines" for thread in threading.enumerate())


def test_a_stop_that_is_reached_runs_and_is_told() -> None:
    stopped = threading.Event()
    deadline = Deadline((0.01, stopped.set))
    with Watch().over(deadline):
        assert stopped.wait(WAIT_S), "the statement was not stopped"
    assert deadline.is_past


def test_stops_run_in_their_order_and_not_at_once() -> None:
    told: list[str] = []
    second = threading.Event()
    first_stop = threading.Event()

    def cancel() -> None:
        told.append("cancel")
        first_stop.set()

    def shut() -> None:
        told.append("shut")
        second.set()

    with Watch().over(Deadline((0.01, cancel), (0.05, shut))):
        assert first_stop.wait(WAIT_S)
        assert second.wait(WAIT_S)
    assert told == ["cancel", "shut"]


def test_a_statement_that_ends_in_time_is_never_stopped() -> None:
    watch, told, later = Watch(), [], threading.Event()
    quick = Deadline((0.05, lambda: told.append("quick")))
    with watch.over(quick):
        pass
    with watch.over(Deadline((0.2, later.set))):
        assert later.wait(WAIT_S)
    assert not told
    assert not quick.is_past


def test_a_shorter_limit_wakes_the_thread_that_sleeps_for_a_longer_one() -> None:
    watch, stopped = Watch(), threading.Event()
    with watch.over(Deadline((600.0, lambda: None))), watch.over(Deadline((0.01, stopped.set))):
        assert stopped.wait(WAIT_S), "the shorter limit was not kept"


def test_a_stop_that_takes_its_time_holds_nobody_up() -> None:
    watch, stopped, release = Watch(), threading.Event(), threading.Event()
    with watch.over(Deadline((0.01, lambda: release.wait(WAIT_S)))), watch.over(Deadline((0.02, stopped.set))):
        assert stopped.wait(WAIT_S), "another statement's stop was waited for"
        release.set()


def test_an_exception_of_the_statement_ends_its_deadline() -> None:
    watch, told, later = Watch(), [], threading.Event()
    with pytest.raises(RuntimeError), watch.over(Deadline((0.05, lambda: told.append("stopped")))):
        raise RuntimeError
    with watch.over(Deadline((0.2, later.set))):
        assert later.wait(WAIT_S)
    assert not told


def test_many_statements_are_kept_by_one_thread() -> None:
    before = keepers()
    watch = Watch()
    for _ in range(200):
        with watch.over(Deadline((600.0, lambda: None))):
            assert keepers() <= before + 1


def test_what_is_called_off_is_stopped_at_once_again_and_again_until_it_ends() -> None:
    watch, calls = Watch(), []
    third = threading.Event()

    def cancel() -> None:
        calls.append("cancel")
        if len(calls) == 3:
            third.set()
        raise OSError("nobody listens yet")

    deadline = Deadline((600.0, cancel), (601.0, lambda: calls.append("shut")))
    with watch.over(deadline):
        watch.stop()
        assert third.wait(WAIT_S), "it was not tried again"
    assert deadline.is_called_off
    assert set(calls) == {"cancel"}, "the harder stop is for what has passed its limit"
    with pytest.raises(WarehouseError, match="dqmon is stopping"), watch.over(Deadline()):
        pytest.fail("a statement was let in")

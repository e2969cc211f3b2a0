"""When a warehouse may be tried (R12): the circuit alone, then the way to it that all threads share."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from dqmon.core.breaker import LAST_WAIT, Circuit, failed, may_try
from dqmon.core.capabilities import Capabilities
from dqmon.engine.measuring.breaker import Breakers, Gate
from dqmon.errors import ConnectFailed, PermissionDenied, Unreachable, WarehouseBusy, WarehouseError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def waits(tries: int) -> list[float]:
    """Seconds from each failure to the next try, when each try is made as soon as it may be."""
    circuit, now, found = Circuit(), NOON, []
    for _ in range(tries):
        circuit = failed(circuit, now, "refused")
        found.append((circuit.next_try_at - now).total_seconds() if circuit.is_open else 0.0)
        now = circuit.next_try_at if circuit.is_open else now
    return found


def test_it_opens_after_three_failures_and_waits_ever_longer():
    assert waits(9) == [0, 0, 15, 30, 60, 120, 120, 120, 120]
    assert waits(5_000)[-1] == 120


def test_it_keeps_since_when_and_what_was_said_last():
    circuit = failed(failed(Circuit(), NOON, "first"), after(1), "second")
    assert (circuit.since, circuit.reason, circuit.is_open) == (NOON, "second", False)


@pytest.mark.parametrize(("seconds", "expected"), [(0, False), (14.999, False), (15, True), (10_000, True)])
def test_while_open_nothing_is_tried_before_its_time(seconds, expected):
    circuit = Circuit(3, NOON, "refused", after(15))
    assert may_try(circuit, after(seconds)) is expected
    assert (failed(circuit, after(seconds), "late") is circuit) is not expected, "a try begun earlier makes the wait no longer"


def test_a_clock_that_was_set_back_does_not_keep_a_warehouse_out():
    assert may_try(Circuit(9, NOON, "refused", NOON + LAST_WAIT), NOON - timedelta(hours=1))


class Door:
    """A warehouse that answers, or raises what it is told to."""

    name = "main"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.tries = 0

    @contextmanager
    def open(self):
        self.tries += 1
        if self.error:
            raise self.error
        yield SimpleNamespace()


class Hands:
    """A gate on one door with a clock that is set by hand."""

    def __init__(self) -> None:
        self.door, self.gate, self.now = Door(), Gate(), NOON

    def go(self, *, then: Exception | None = None, answers: bool = False) -> None:
        with self.gate.open(self.door, lambda: self.now):
            if answers:
                self.gate.answered(self.door, lambda: self.now)
            if then:
                raise then

    def fail(self, times: int) -> None:
        self.door.error = ConnectFailed("refused")
        for _ in range(times):
            with pytest.raises(Unreachable):
                self.go()

    def said(self) -> list[str | None]:
        return [contact.failure for contact in self.gate.contacts]


def test_an_open_circuit_tries_nothing_and_says_since_when():
    hands = Hands()
    hands.fail(10)
    assert hands.door.tries == 3
    words = r"warehouse main has been unreachable since 2026-03-10 12:00:00 UTC; next try 12:00:15 UTC; the last one said: refused"
    with pytest.raises(Unreachable, match=words):
        hands.go()
    hands.now, hands.door.error = after(15), None
    hands.go()
    hands.go()
    assert hands.said() == ["refused"] * 3 + [None], "only what is new is told on: three failures, one answer"


def test_one_probe_at_a_time():
    hands = Hands()
    hands.fail(3)
    hands.now, hands.door.error = after(15), None
    with hands.gate.open(hands.door, lambda: hands.now):
        with pytest.raises(Unreachable, match="next try 12:00:15"):
            hands.go()
        hands.gate.answered(hands.door, lambda: hands.now)
        hands.go()
    assert hands.door.tries == 5


def test_a_probe_that_ends_undecided_leaves_the_next_one_in():
    hands = Hands()
    hands.fail(3)
    hands.now, hands.door.error = after(15), WarehouseBusy("locked")
    for _ in range(2):
        with pytest.raises(WarehouseBusy):
            hands.go()
    assert hands.door.tries == 5
    assert hands.said() == ["refused"] * 3


def test_a_driver_that_connects_with_the_first_statement_counts_too():
    hands = Hands()
    for _ in range(3):
        with pytest.raises(Unreachable, match="no route"):
            hands.go(then=ConnectFailed("no route"))
    with pytest.raises(Unreachable, match="next try"):
        hands.go()
    assert hands.door.tries == 3


def test_a_connection_that_breaks_after_an_answer_is_its_own_trouble():
    hands = Hands()
    for _ in range(5):
        with pytest.raises(ConnectFailed, match="server process died") as error:
            hands.go(then=ConnectFailed("server process died"), answers=True)
        assert not isinstance(error.value, Unreachable)
    assert hands.door.tries == 5
    assert hands.said() == [None]


@pytest.mark.parametrize("error", [PermissionDenied("no"), WarehouseError("odd"), ValueError("a defect")])
def test_other_errors_pass_and_count_as_nothing(error):
    hands = Hands()
    for _ in range(5):
        with pytest.raises(type(error)):
            hands.go(then=error)
    assert hands.said() == []


def test_each_warehouse_has_its_own_circuit():
    breakers = Breakers()
    for _ in range(3):
        assert breakers.failed(breakers.begin("a", NOON), NOON, "refused")
    with pytest.raises(Unreachable):
        breakers.begin("a", NOON)
    assert breakers.begin("b", NOON).answers == 0

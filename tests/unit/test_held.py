"""A file is given back after two seconds, whatever a run still has to read (ARCHITECTURE.md, rule 5)."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from dqmon.engine.measuring.held import HELD_S, Held
from dqmon.errors import WarehouseBusy


class Session:
    def __init__(self, number: int) -> None:
        self.number, self.spent, self.announced = number, f"by {number}", []

    def announce(self, tables):
        self.announced = list(tables)

    def fetch(self, statement):
        return self.number, statement, tuple(self.announced)


class File:
    """A warehouse that counts its sessions, of which one is open at a time."""

    def __init__(self) -> None:
        self.opened, self.is_open, self.error = 0, False, None

    @contextmanager
    def open(self):
        if self.error:
            raise self.error
        assert not self.is_open, "the last one was not given back"
        self.opened, self.is_open = self.opened + 1, True
        try:
            yield Session(self.opened)
        finally:
            self.is_open = False


def test_it_is_opened_anew_after_two_seconds_and_knows_what_was_announced():
    file, now = File(), [0.0]
    with Held(file, lambda: now[0]) as held:
        held.announce(["a", "b"])
        assert held.fetch("x") == (1, "x", ("a", "b"))
        now[0] = HELD_S
        assert held.fetch("y")[0] == 1
        now[0] += 0.001
        assert held.spent == "by 1", "what the last statement took is asked of the session that ran it"
        assert held.fetch("z") == (2, "z", ("a", "b"))
        now[0] += HELD_S
        assert held.fetch("z")[0] == 2, "the two seconds begin anew"
    assert (file.opened, file.is_open) == (2, False)


def test_what_opening_raises_is_raised_by_the_call():
    file, now = File(), [0.0]
    with Held(file, lambda: now[0]) as held:
        file.error, now[0] = WarehouseBusy("somebody writes"), 10.0
        for _ in range(2):
            with pytest.raises(WarehouseBusy, match="somebody writes"):
                held.fetch("x")
        file.error = None
        assert held.fetch("x")[0] == 2
    assert not file.is_open

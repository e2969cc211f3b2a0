"""Which process hears the buttons: the one that leads, and nobody afterwards."""

from __future__ import annotations

from dqmon.app.listening import Listeners


class Ear:
    """A channel that listens, if it is `set_up`."""

    def __init__(self, *, set_up=True):
        self.set_up, self.started, self.stopped = set_up, 0, 0

    def listen(self, act):
        self.started += 1
        assert act("x") == "done x"
        return self._stop if self.set_up else None

    def _stop(self):
        self.stopped += 1


class Deaf:
    """A channel without buttons."""


def test_only_while_it_leads_a_process_listens_and_each_channel_once():
    ear, quiet = Ear(), Ear(set_up=False)
    listeners = Listeners((ear, Deaf(), quiet), lambda press: f"done {press}")
    counts = []
    for step in (False, True, True, False, False, True):
        listeners.tune(step)
        counts.append((ear.started, ear.stopped))
    listeners.stop()
    listeners.stop()
    assert counts == [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (2, 1)]
    assert (ear.started, ear.stopped, quiet.stopped) == (2, 2, 0)

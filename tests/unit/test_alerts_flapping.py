"""When an alert flaps, when it has come to rest, and how a group says it (R2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dqmon.alerts.flapping import at_rest, changes, is_steady, is_unsteady, remember
from dqmon.alerts.names import differences, flapping_text, held_text, names_of
from dqmon.alerts.transition import close, transition
from dqmon.core.alert import Alert, AlertKey, AlertKind, AlertPolicy, AlertState, EventKind, Member, MemberKey, Outcome
from dqmon.core.check import Hold
from dqmon.core.verdict import Severity, Verdict

T = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEY = AlertKey("main.t.row_count", AlertKind.DATA)
BAD = Outcome(Verdict.FAIL, Severity.ERROR, {MemberKey(): Member(Verdict.FAIL, T, "too few")})
GOOD = Outcome(Verdict.PASS, Severity.ERROR)
VERDICTS = {"x": Verdict.FAIL, "w": Verdict.WARN, ".": Verdict.PASS}


def remembered(text: str) -> str:
    recent = ""
    for letter in text:
        recent = remember(recent, VERDICTS[letter])
    return recent


@pytest.mark.parametrize(
    ("text", "recent", "count", "unsteady"),
    [
        ("", "", 0, False),
        ("." * 30, "", 0, False),
        ("x", "x", 1, False),
        ("x.x.x", "x.x.x", 5, False),
        ("x.x.x.", "x.x.x.", 6, True),
        ("x" * 30, "x" * 20, 0, False),
        ("x.x.x." + "." * 15, "x.x." + "." * 15, 4, False),
        ("x.x.x." + "x" * 14, "x.x.x." + "x" * 14, 6, True),
        ("x.x.x." + "x" * 15, "x.x." + "x" * 15, 5, False),
        ("w.w.w.", "w.w.w.", 6, True),
        ("w.w.w.x.", "w.w.w.x.", 2, False),
        ("w.w.ww.wx.", "w.w.ww.wx.", 2, False),
        ("x.x.x.w.", "x.x.x.w.", 8, True),
        ("wxwxwxwx", "wxwxwxwx", 1, False),
        ("w" * 25, "w" * 20, 0, False),
        ("w" * 19 + "x", "w" * 19 + "x", 0, False),
    ],
)
def test_changes_are_counted_in_the_last_20_outcomes(text: str, recent: str, count: int, unsteady: bool) -> None:
    found = remembered(text)
    assert (found, changes(found), is_unsteady(found)) == (recent, count, unsteady)


@pytest.mark.parametrize(
    ("text", "steady", "rest"),
    [
        ("x.x" + "." * 9, False, ""),
        ("x.x" + "." * 10, True, ""),
        ("x." + "x" * 9, False, "x.x"),
        ("x." + "x" * 10, True, "x" * 10),
        ("x." + "xw" * 5, True, "xw" * 5),
    ],
)
def test_ten_equal_outcomes_are_rest(text: str, steady: bool, rest: str) -> None:
    found = remembered(text)
    assert is_steady(found) is steady
    if steady:
        assert at_rest(found) == rest
        assert not is_unsteady(at_rest(found)), "what was before makes it flap again at once"


def play(letters: str, policy: AlertPolicy | None = None) -> tuple[Alert, list[tuple[int, str]]]:
    """The alert after outcomes, and (which outcome, what was said)."""
    alert, said = Alert(KEY), []
    for number, letter in enumerate(letters, start=1):
        alert, events = transition(alert, BAD if letter == "x" else GOOD, policy or AlertPolicy(), T + number * timedelta(minutes=1))
        said += [(number, event.kind.value) for event in events]
    return alert, said


@pytest.mark.parametrize(
    ("letters", "policy", "state", "said"),
    [
        ("x.x.x.", None, "flapping", [(1, "fired"), (2, "resolved"), (3, "fired"), (4, "resolved"), (5, "fired"), (6, "changed")]),
        ("x.x.x.x.x.x.x.x.", None, "flapping", 6),
        ("x.x.x." + "." * 9, None, "resolved", [*[(n, "fired" if n % 2 else "resolved") for n in range(1, 6)], (6, "changed"), (15, "resolved")]),
        ("x.x.x." + "x" * 10, None, "firing", 7),
        ("x.x.x." + "x" * 12, None, "firing", 7),
        ("x.x.x." * 3, AlertPolicy(Hold(2)), "resolved", 0),
        ("xx.xx.xx.", AlertPolicy(Hold(2)), "flapping", 6),
        ("x.x.x." + "." * 12, AlertPolicy(Hold(1), Hold(15)), "flapping", 4),
        ("x.x.x." + "." * 14, AlertPolicy(Hold(1), Hold(15)), "resolved", 5),
    ],
)  # fmt: skip
def test_what_is_said_of_results_in_turns(letters: str, policy: AlertPolicy | None, state: str, said: int | list[tuple[int, str]]) -> None:
    alert, found = play(letters, policy)
    assert (found if isinstance(said, list) else len(found)) == said
    assert ("flapping" if alert.is_flapping else alert.state.value) == state
    assert alert.is_open or not alert.is_flapping, "an alert that flaps is open"


def test_an_alert_that_flaps_ends_when_its_check_is_removed() -> None:
    ended, events = close(play("x.x.x.")[0], "removed", T)
    assert (ended.state, ended.flapping_since, [event.kind for event in events]) == (AlertState.RESOLVED, None, [EventKind.RESOLVED])


def test_a_group_names_an_alert_that_flaps_once_and_says_when_it_begins_and_ends() -> None:
    firing, flapping = names_of([play("x")[0]]), names_of([play("x.x.x.")[0]])
    assert (firing, flapping) == (("main.t.row_count",), ("main.t.row_count [flapping]",))
    assert differences(firing, flapping) == ("flapping, held until 10 equal outcomes in a row: main.t.row_count",)
    assert differences(flapping, firing) == ("steady again: main.t.row_count",)
    assert differences((), flapping) == (
        "flapping, held until 10 equal outcomes in a row: main.t.row_count",
        "1 more check fails: main.t.row_count",
    )
    assert differences(flapping, ()) == ("recovered: main.t.row_count",)
    assert flapping_text(flapping) == (held_text(flapping),)
    assert held_text((*flapping, "main.u.row_count")) == "", "one of them does not flap: the group is repeated"

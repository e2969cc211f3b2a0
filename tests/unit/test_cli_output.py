"""How things look: alignment, cleaning, colour."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_clean_text_cannot_move_the_cursor_or_break_the_line(text: str) -> None:
    found = output.clean(text)
    assert found.isprintable()
    assert len(found.splitlines()) <= 1


def test_plain_lines_are_aligned_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    reason = "word " * 60
    found = list(output.table([("FAIL", "a", reason), ("PASS", "long.name", "")], ("V", "CHECK", "WHY")))
    assert found == ["  V     CHECK      WHY", f"  FAIL  a          {reason.rstrip()}", "  PASS  long.name"]
    assert list(output.table([])) == []


def test_a_terminal_gets_wrapped_columns_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    found = list(output.table([("FAIL", "main.flights.completeness.dep_time", "word " * 30)]))
    assert len(found) > 1
    assert max(map(len, found)) <= 62
    assert "\x1b" not in "".join(found)


@pytest.mark.parametrize(
    ("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(variables: dict[str, str], is_coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.is_coloured(Terminal()) is is_coloured
    assert not output.is_coloured(io.StringIO())


def test_progress_is_silent_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream := io.StringIO())
    with output.Progress() as progress:
        assert progress is None
    assert stream.getvalue() == ""


def test_progress_wipes_itself_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    with output.Progress() as progress:
        assert progress is not None
        progress(1, 3, "main.flights\n")
    assert "1/3  main.flights\\n" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_an_output_file_is_written_whole(tmp_path) -> None:
    output.Target(str(tmp_path / "x.json")).write("{}")
    assert (tmp_path / "x.json").read_text() == "{}\n"

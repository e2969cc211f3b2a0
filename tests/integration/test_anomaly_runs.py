"""Anomaly checks through the store: alert, feedback, what `explain` says, which groups account for it, late loads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dqmon.app import open_app
from dqmon.cli.program import run as dqmon
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAY = timedelta(days=1)
USUAL = [100, 104, 97, 101, 99, 103, 98, 102, 96, 105, 100, 99, 101, 97, 103]


class Clock:
    at = START

    def __call__(self) -> datetime:
        return self.at


class World:
    """A DuckDB table that gets a day's rows, and one check of them a day later."""

    def __init__(self, root: Path, options: str) -> None:
        self.root, self.clock = root, Clock()
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        (root / "config/dqmon.yaml").write_text(
            'version: 1\nstore: {url: "sqlite:///.dqmon/test.db"}\nwarehouses:\n  main: {type: duckdb, path: data.duckdb}\n'
        )
        (root / "checks/all.yaml").write_text(
            "version: 1\ndatasets:\n  - dataset: main.orders\n    partition: {column: made, grain: day}\n"
            f"    checks:\n      - volume_anomaly: {{{options}}}\n"
        )
        self._run("create table orders (made timestamp, country varchar)")

    def day(self, **countries: int):
        """Rows of yesterday by country, and today's check."""
        made = f"{self.clock.at - DAY:%Y-%m-%d} 12:00:00"
        for country, rows in countries.items():
            self._run(f"insert into orders select timestamp '{made}', '{country}' from range({rows})")
        with open_app(str(self.root / "config/dqmon.yaml"), clock=self.clock) as app:
            report = app.check(parse_selector(()), None, True)
        self.clock.at += DAY
        return report

    def usual(self) -> None:
        for rows in USUAL:
            self.day(DE=rows, FR=50)

    def type(self, *words: str) -> int:
        """The exit code of a command."""
        return dqmon([*words, "--config", str(self.root / "config/dqmon.yaml")])

    def _run(self, statement: str) -> None:
        with duckdb.connect(str(self.root / "data.duckdb")) as connection:
            connection.execute(statement)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "explain_by: [country]")


def verdict(report) -> Verdict:
    (found,) = report.records
    return found.verdict


def test_an_alert_names_the_groups_and_explain_says_why(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.usual()
    report = world.day(DE=10, FR=50)
    (found,) = report.records
    assert found.verdict is Verdict.FAIL
    assert "country accounts for: DE 100 % (" in found.reason, found.reason
    assert report.statements == 2, "rows, and one grouping for both partitions"
    assert world.type("explain", found.check_id) == 0
    told = capsys.readouterr().out
    for words in ("false alerts a year need", "passes from", "once in", "expected 1", "DE 100 %"):
        assert words in told, f"{words!r} is missing in\n{told}"


@pytest.mark.parametrize(("word", "later"), [("real", Verdict.FAIL), ("expected", Verdict.PASS)])
def test_feedback_reaches_the_baseline(world: World, word: str, later: Verdict, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight days at a fifth: they are the level by then, and never one when the incident was real."""
    world.usual()
    before = [verdict(world.day(DE=rows, FR=2)) for rows in (28, 29, 30, 28, 29, 30, 28, 29)]
    assert before[0] is Verdict.FAIL
    with open_app(str(world.root / "config/dqmon.yaml"), clock=world.clock) as app, app.database.read() as connection:
        from dqmon.store import incidents

        (incident,) = incidents.listed(connection, None, 9)
    assert world.type("incidents", "feedback", incident.id[:8], word) == 0
    assert capsys.readouterr().out == f"{word}: {incident.id}\n"
    assert world.type("incidents", "show", incident.id) == 0
    assert f"{word}, by " in capsys.readouterr().out
    report = world.day(DE=29, FR=2)
    assert verdict(report) is later, report.records[0].reason


@pytest.mark.parametrize(
    ("word", "says"), [("expectd", "did you mean 'expected'?"), ("real", "there is no incident 'abc'; `dqmon incidents list --state all`")]
)
def test_a_word_or_an_incident_that_does_not_exist_is_refused(
    world: World, word: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.day(DE=3)
    assert world.type("incidents", "feedback", "abc", word) == 2
    assert says in capsys.readouterr().err

"""`dqmon test`: rules on a virtual clock, over a project of a pipeline of three tables, two channels and two routes."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from dqmon.app.rule_tests import run_rule_tests
from dqmon.cli.program import run
from dqmon.config.json_schema import schemas
from dqmon.errors import ConfigError

CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: duckdb, path: nowhere.duckdb}
  shop: {type: sqlite, path: nowhere.db}
channels:
  oncall: {type: pagerduty, dry_run: true}
  team: {type: slack, channel: "#data", dry_run: true}
routes:
  - {name: pages, match: "severity:critical", to: [oncall, team], group_wait: 10s}
  - {name: rest, default: true, to: [team], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
"""
CHECKS = """\
version: 1
defaults: {owner: "@data", runbook: "https://wiki.example.com/{check}", schedule: "0 * * * *"}
datasets:
  - dataset: raw
    checks:
      - row_count: {min: 10, severity: critical}
  - dataset: orders
    upstream: [raw]
    checks:
      - completeness: {column: id, warn_if: "> 5%", fail_if: "> 20%", severity: critical, recover_after: 2}
      - freshness: {column: loaded_at, fail_after: 3h, for: 2}
      - volume_anomaly: {min_history: 14, severity: error}
      - schema_drift
      - condition: {name: paid, expression: "paid_at >= sold_at"}
      - reconciliation: {to: {warehouse: shop, dataset: main.orders}, metrics: [row_count]}
  - dataset: daily
    partition: {column: day, grain: day, lookback: 3}
    checks:
      - row_count: {min: 100}
      - completeness: {column: id, fail_if: "> 10%"}
  - dataset: bad_*
    checks: [schema_drift, row_count: {min: 3}]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("config/dqmon.yaml", CONFIG), ("checks/all.yaml", CHECKS)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "checks" / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failures(project: Path, *tests: str) -> list[str]:
    """The lines of what does not hold, without the file's name."""
    text = "version: 1\ntests:\n" + "".join(f"  - {{name: t{number}, {test}}}\n" for number, test in enumerate(tests))
    (project / "checks" / "tests" / "a.yaml").write_text(text)
    return [line.removeprefix("checks/tests/") for one in run_rule_tests() for line in one.failures]


@pytest.mark.parametrize(
    "test",
    [
        # Warn, then fail: the team is told, then the page goes out and the team's message is changed.
        ("check: main.orders.completeness.id, values: 0% 7% 57%x1, expect: ["
        "{at: 1m, verdict: pass, state: passing, incident: none, deliver: []},"
        "{at: 1h 29s, verdict: warn, state: firing, deliver: []}, {at: 1h 30s, severity: warning, deliver: {team: trigger}},"
        "{at: 2h 1m, verdict: fail, severity: critical, incident: open, deliver: {oncall: trigger, team: update}}]"),
        # recover_after: 2; whoever was told hears of the end, and nobody is told of what recovered within group_wait.
        ("check: main.orders.completeness.id, values: 57% 0% 0%, expect: [{at: 0m, state: firing}, {at: 1h 1m, state: recovering,"
        "deliver: {oncall: trigger, team: trigger}}, {at: 2h 10m, state: resolved, incident: none, deliver: {oncall: resolve, team: resolve}}]"),
        "check: main.orders.completeness.id, interval: 2s, values: 57% 0% 0%, expect: [{at: 1h, state: passing, deliver: []}]",
        # for: 2, durations, and steps.
        ("check: main.orders.freshness.loaded_at, values: 2h 4h 5h 1h, expect: [{at: 0s, state: passing}, {at: 1h, state: pending},"
        "{at: 2h, state: firing, verdict: fail}, {at: 3h, state: resolved}]"),
        # No data is a failure of freshness, and skipped elsewhere.
        "check: main.orders.freshness.loaded_at, values: _, expect: [{at: 0s, verdict: fail, state: pending}]",
        "check: main.orders.completeness.id, values: 57% _, expect: [{at: 1h, verdict: skipped, state: firing}]",
        # An error touches no data alert, and has one of its own after two.
        ("check: main.orders.completeness.id, values: 57% error error 0%, expect: [{at: 1h, verdict: error, state: firing},"
        "{at: 1h, kind: error, state: pending}, {at: 2h, kind: error, state: firing, severity: warning},"
        "{at: 3h, kind: error, state: resolved}]"),
        # What is learned is what came before.
        ("check: main.orders.volume_anomaly, interval: 1d, values: 1000x40 100, expect: [{at: 1d, verdict: skipped}, {at: 40d, verdict: pass},"
        "{at: 41d, verdict: fail, severity: error}]"),
        # One alert for several partitions; a day that was bad leaves when it is out of the lookback.
        ("check: main.daily.row_count, interval: 1d, values: 200 50 200x3, expect: [{at: 0d, state: passing}, {at: 1d 1m, state: firing},"
        "{at: 3d 1m, state: firing, verdict: fail}, {at: 4d 1m, state: resolved}]"),
        "check: main.daily.completeness.id, interval: 1d, values: 1% 50%, expect: [{at: 1d 1m, state: firing}]",
        # Time goes on after the last value.
        "check: main.raw.row_count, values: 3, expect: [{at: 1m, deliver: [oncall, team]}, {at: 4h 5m, deliver: {oncall: repeat, team: repeat}}]",
        # What is good and bad in turns flaps: its first end is told still, then that it flaps, then nothing until it is steady.
        ("check: main.raw.row_count, interval: 1m, values: 3 20 3 20 3 20 3 20x10, expect: [{at: 5m, state: flapping, incident: open},"
        "{at: 6m, deliver: {oncall: update, team: update}}, {at: 15m, state: flapping, deliver: []},"
        "{at: 30m, state: resolved, incident: none, deliver: {oncall: resolve, team: resolve}}]"),
        # A check of a pattern.
        "check: main.bad_one.row_count, values: 1, expect: [{at: 1m, state: firing, verdict: fail}]",
    ],
)  # fmt: skip
def test_it_holds(project: Path, test: str) -> None:
    assert failures(project, test) == []


def test_what_a_cause_upstream_explains_is_in_its_incident_and_pages_once(project: Path) -> None:
    test = (
        "check: main.orders.freshness.loaded_at, values: 4h 5h 6h, beside: [{check: main.raw.row_count, values: 3x2}], expect: ["
        "{at: 1h 5m, state: firing, incident: open, root: main.raw.row_count, deliver: {oncall: trigger, team: trigger}},"
        "{at: 1h 5m, check: main.raw.row_count, severity: critical, root: main.raw.row_count}]"
    )
    assert failures(project, test) == []


def test_maintenance_of_the_configuration_holds_here_too(project: Path) -> None:
    quiet = 'maintenance: [{name: reload, match: "warehouse:main", cron: "0 2 * * *", for: 2h}]\n'
    (project / "config" / "dqmon.yaml").write_text(CONFIG + quiet)
    test = (
        "check: main.raw.row_count, start: 2024-01-01T02:00Z, values: 3, expect: ["
        "{at: 1h 59m, state: firing, deliver: []}, {at: 2h 1m, deliver: {oncall: trigger, team: trigger}}]"
    )
    assert failures(project, test) == []


def test_rows_are_read_by_the_checks_own_sql(project: Path) -> None:
    test = (
        "check: main.orders.condition.paid, expect: [{at: 0m, verdict: pass}, {at: 1h, verdict: fail, state: firing}, {at: 2h, state: resolved}],"
        "rows: [{dataset: main.orders, rows: [{sold_at: 2024-01-01 00:00, paid_at: 2024-01-01 00:10}]},"
        "{dataset: orders, at: 30m, rows: [{sold_at: 2024-01-01 00:00, paid_at: 2023-12-31 23:59}, {sold_at: 2024-01-01 00:00, paid_at: null}]},"
        "{dataset: orders, at: 90m, columns: {sold_at: timestamp, paid_at: timestamp}, rows: [{paid_at: 2023-12-31 23:59}]}]"
    )
    assert failures(project, test) == []


def test_two_warehouses_and_the_age_of_rows_by_the_virtual_clock(project: Path) -> None:
    rows = "rows: [{dataset: orders, rows: [{id: 1, loaded_at: 2024-01-01T00:00Z}]}, {dataset: main.orders, warehouse: shop, rows: [{id: 1}, {id: 2}]}]"
    by_hand = "check: main.orders.reconciliation, " + rows + ", expect: [{at: 0m, verdict: fail}]"
    age = "check: main.orders.freshness.loaded_at, " + rows + ", expect: [{at: 3h, verdict: pass}, {at: 4h, verdict: fail}]"
    assert failures(project, by_hand, age) == []


def test_a_table_that_is_not_there_is_an_error_of_measuring(project: Path) -> None:
    test = "check: main.orders.condition.paid, rows: [{dataset: other, rows: [{id: 1}]}], expect: [{at: 0m, verdict: error}]"
    assert failures(project, test) == []


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{at: 1m, state: passing}", "expected state passing, found firing; its newest run: fail, 570 of 1,000 rows (57 %) have no id"),
        ("{at: 1m, verdict: warn}", "expected verdict warn, found fail; its newest run: fail"),
        ("{at: 1m, severity: warning}", "expected severity warning, found critical"),
        ("{at: 1m, kind: error, severity: warning}", "expected severity (error alert) warning, found none"),
        ("{at: 1m, deliver: []}", "expected deliver nobody, found oncall (trigger), team (trigger)"),
        ("{at: 1m, deliver: [team]}", "expected deliver team, found oncall (trigger), team"),
        ("{at: 1m, deliver: {oncall: trigger, team: update}}", "expected deliver oncall (trigger), team (update), found oncall (trigger), team (trigger)"),
        ("{at: 1m, incident: none}", "expected incident none, found open"),
        ("{at: 1m, check: main.raw.row_count, state: firing}", "expected state of main.raw.row_count firing, found passing"),
        ("{at: 1m, root: main.raw.row_count}", "expected root main.raw.row_count, found main.orders.completeness.id"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_one_line_with_its_place(project: Path, expect: str, said: str) -> None:
    beside = "beside: [{check: main.raw.row_count, values: 50}]"
    (line,) = failures(project, f"check: main.orders.completeness.id, values: 57%, {beside}, expect: [{expect}]")
    assert line.startswith("a.yaml:3: 't0' at 1m: ")
    assert said in line


def test_a_check_without_a_run_says_so(project: Path) -> None:
    (line,) = failures(
        project, "check: main.orders.completeness.id, start: 2024-01-01T00:01Z, values: 57%, expect: [{at: 1m, verdict: fail}]"
    )
    assert line.endswith("expected verdict fail, found none; it has not run yet")


def test_tests_share_nothing(project: Path) -> None:
    bad = "check: main.orders.completeness.id, values: 57%, expect: [{at: 1m, state: firing}]"
    good = "check: main.orders.completeness.id, values: 0%, expect: [{at: 1m, state: passing, deliver: [], incident: none}]"
    assert failures(project, bad, good, bad) == []


BAD = """\
tests:
  - {name: a, check: main.orders.completness.id, values: 1%, expect: [{at: 1m, state: firing}]}
  - {name: b, check: main.raw.row_count, values: 3, expect: [{at: 1m, state: fireing}]}
  - {name: c, check: main.raw.row_count, values: 3, expect: [{at: 1m, deliver: [tem]}]}
  - {name: d, check: main.raw.row_count, values: 3, rows: [{dataset: raw, rows: [{a: 1}]}], expect: [{at: 1m, state: firing}]}
  - {name: e, check: main.raw.row_count, expect: []}
  - {name: f, check: main.raw.row_count, values: 3, expect: [{at: soon, state: firing}]}
  - {name: g, check: main.raw.row_count, values: 3, expect: [{at: 1m}], colour: red}
  - {name: h, check: main.bad_one.row_count, values: 7% _, expect: [{at: 2023-01-01T00:00Z, root: x}]}
  - {name: i, check: main.raw.row_count, interval: 1s, rows: [{dataset: raw, rows: [{a: 1}]}], expect: [{at: 1d, state: firing}]}
  - {name: j, check: main.raw.row_count, interval: 0s, values: 1, expect: [{at: 1d, state: firing}]}
  - plain
  - {name: k, check: main.raw.row_count, values: 3, start: 2024, expect: [{at: 30, state: firing}]}
"""
PROBLEMS = """\
checks/tests/a.yaml:1: 'version' is missing; add version: 1
checks/tests/a.yaml:2: there is no check 'main.orders.completness.id'; did you mean 'main.orders.completeness.id'?
checks/tests/a.yaml:3: state is 'fireing', which is not one of its values; did you mean 'firing'?
checks/tests/a.yaml:4: there is no channel 'tem'; did you mean 'team'?
checks/tests/a.yaml:5: values: and rows: are both given; keep one of them
checks/tests/a.yaml:6: the test expects nothing; write expect: [{at: 1m, state: firing}]
checks/tests/a.yaml:6: the test does not say what main.raw.row_count finds; write values: 0 7 _ error, or rows:
checks/tests/a.yaml:7: at: 'soon' is no time; write how long after the start (1d 30m), or an instant (2013-02-08T13:00Z)
checks/tests/a.yaml:8: unknown key 'colour'; there are beside, check, expect, interval, name, rows, start, values
checks/tests/a.yaml:9: 7% is no plain number, and row_count observes one; write 12
checks/tests/a.yaml:9: row_count counts rows, and no data is 0 rows; write 0 instead of _
checks/tests/a.yaml:9: 'x' is no check of this test; there is 'main.bad_one.row_count' only
checks/tests/a.yaml:9: the expectation is before the start; write a later at:, or an earlier start:
checks/tests/a.yaml:10: the checks run more than 1,000 times before the last expectation; write a longer interval:
checks/tests/a.yaml:11: the test does not say how often the check runs; write interval: 1h
checks/tests/a.yaml:12: 'plain' is no test; write - name: …, check:, values: and expect:
checks/tests/a.yaml:13: start: 2024 is no instant with a zone; write 2013-02-08T13:00Z
checks/tests/a.yaml:13: at: 30 is no time; write how long after the start (1d 30m), or an instant (2013-02-08T13:00Z)
"""


def test_a_bad_file_is_refused_with_all_that_is_wrong(project: Path) -> None:
    (project / "checks" / "tests" / "a.yaml").write_text(BAD)
    with pytest.raises(ConfigError) as caught:
        run_rule_tests()
    assert f"{caught.value}\n" == PROBLEMS


@pytest.mark.parametrize(
    ("test", "is_good"),
    [
        ({"name": "a", "check": "b", "values": "1x3", "expect": [{"at": "1d 1m", "deliver": ["team"]}]}, True),
        (
            {
                "name": "a",
                "check": "b",
                "values": 1,
                "expect": [{"at": "1m", "deliver": {"team": ["update", "resolve"], "oncall": "trigger"}}],
            },
            True,
        ),
        ({"name": "a", "check": "b", "rows": [{"dataset": "c", "rows": [{"d": None}]}], "expect": [{"at": "1m", "state": "firing"}]}, True),
        ({"name": "a", "check": "b", "values": 1, "expect": [{"at": "1m", "state": "fireing"}]}, False),
        ({"name": "a", "check": "b", "values": 1, "expect": [{"at": "1m", "deliver": {"team": "triger"}}]}, False),
        ({"name": "a", "check": "b", "values": 1, "expect": []}, False),
        ({"name": "a", "check": "b", "values": 1}, False),
        ({"name": "a", "check": "b", "colour": 1, "expect": [{"at": "1m", "state": "firing"}]}, False),
    ],
)
def test_the_schema_for_editors_takes_what_the_reader_takes(test: dict[str, object], is_good: bool) -> None:
    schema = schemas()["tests.schema.json"]
    assert Draft7Validator(schema).is_valid({"version": 1, "tests": [test]}) == is_good


def test_rows_that_do_not_fit_their_type_are_refused_with_their_line(project: Path) -> None:
    rows = "rows: [{dataset: orders, columns: {id: bigint}, rows: [{id: many}]}]"
    with pytest.raises(ConfigError, match=r"a\.yaml:3: main\.orders: the rows cannot be loaded: .*many"):
        failures(project, f"check: main.orders.condition.paid, {rows}, expect: [{{at: 0m, verdict: pass}}]")


@pytest.mark.parametrize("words", [["test"], ["test", "nowhere.yaml"], ["test", "checks/tests"]])
def test_no_tests_are_no_success(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "docs/rule-tests.md" in capsys.readouterr().err

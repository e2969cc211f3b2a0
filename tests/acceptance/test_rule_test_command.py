"""`dqmon test` as a user runs it: exit codes, what it prints, and that it touches nothing of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from place import Place

ROOT = Path(__file__).parents[2]
CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses: {main: {type: duckdb, path: data/not_there.duckdb}}
channels: {team: {type: slack, channel: "#data", dry_run: true}}
routes: [{name: rest, default: true, to: [team], group_wait: 30s}]
"""
CHECKS = """\
version: 1
datasets:
  - {dataset: orders, owner: "@orders", checks: [completeness: {column: id, fail_if: "> 20%"}]}
"""
TESTS = """\
version: 1
tests:
  - name: a loss of ids is told
    check: main.orders.completeness.id
    interval: 1h
    values: 1% 30% 1%
    expect:
      - {at: 0m, state: passing}
      - {at: 1h 1m, state: firing, deliver: [team]}
      - {at: 2h 10m, state: resolved}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write("config/dqmon.yaml", CONFIG)
    made.write("checks/orders.yaml", CHECKS)
    (tmp_path / "checks" / "tests").mkdir()
    made.write("checks/tests/orders.yaml", TESTS)
    return made


def test_all_pass_and_nothing_of_the_project_is_touched(place: Place) -> None:
    place.dqmon("validate").expect(0, "valid: 1 check declared, 1 rule test, ")
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*")}
    place.dqmon("test").expect(0, "pass  a loss of ids is told", "1 test, all passed")
    assert {path: path.stat().st_mtime_ns for path in place.root.rglob("*")} == before, "found files that the tests wrote"


def test_a_rule_that_was_loosened_fails_with_the_line_of_the_expectation(place: Place) -> None:
    place.write("checks/orders.yaml", CHECKS.replace("> 20%", "> 40%"))
    done = place.dqmon("test", "checks/tests/orders.yaml")
    wanted = (
        (
            "checks/tests/orders.yaml:9: 'a loss of ids is told' at 1h 1m: expected state firing, found passing; "
            "its newest run: pass, 300 of 1,000 rows (30 %) have no id; fails above 40 %"
        ),
        "checks/tests/orders.yaml:9: 'a loss of ids is told' at 1h 1m: expected deliver team, found nobody",
    )
    done.expect(1, *wanted, "fail  a loss of ids is told", "1 test, 1 failed")


def test_a_bad_file_is_refused(place: Place) -> None:
    place.write("checks/tests/orders.yaml", TESTS.replace("firing", "fireing").replace("orders.completeness", "order.completeness"))
    for command in ("test", "validate"):
        place.dqmon(command).expect(2, "checks/tests/orders.yaml:9: state is 'fireing'", "did you mean 'firing'?")


def test_the_example_of_this_project_holds() -> None:
    class Here(Place):
        def __init__(self) -> None:
            self.root = ROOT

    Here().dqmon("test").expect(0, "a storm cancels more flights every day", "all passed")

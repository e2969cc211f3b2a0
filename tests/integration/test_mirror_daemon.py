"""The mirror in the daemon, on a virtual clock: its setting, its turn beside the checks, its failures, the run's labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dqmon.app import App, open_app
from dqmon.app.daemon import scheduler as virtual
from dqmon.config.project import load_project
from dqmon.core.selector import Selector
from dqmon.errors import ConfigError
from dqmon.warehouses.base.duckdb_session import DuckdbSession

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS = """\
version: 1
instance: prod
store: {{url: "sqlite:///dqmon.db"}}
warehouses:
  main: {{type: duckdb, path: data/shop.duckdb}}
  quality: {{type: duckdb, path: data/quality.duckdb}}
  lite: {{type: sqlite, path: data/lite.db}}
  snow: {{type: snowflake, account: A, user: U, token: "${{env:SNOW_TOKEN}}", database: SHOP}}
{mirror}
"""
MIRROR = "mirror: {warehouse: quality, schema: DQMON, every: 10m}"
CHECKS = """\
version: 1
defaults: {schedule: {every: 5m}, owner: "@data"}
datasets: [{dataset: orders, checks: [row_count: {min: 2}, completeness: {column: id}]}]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("config", "checks", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(SETTINGS.format(mirror=MIRROR))
    (tmp_path / "checks/orders.yaml").write_text(CHECKS)
    with duckdb.connect(str(tmp_path / "data/shop.duckdb")) as connection:
        connection.execute("create table orders as select 1 as id union all select null")
    return tmp_path


class Day:
    """A daemon whose clock is set by hand."""

    def __init__(self, app: App, root: Path) -> None:
        self.app, self.root, self.now = app, root, NOON

    def run(self, minutes: int) -> None:
        scheduler, end = self.scheduler, self.now + timedelta(minutes=minutes)
        while self.now < end:
            self.now += timedelta(seconds=15)
            scheduler.tick(self.now)

    def mirrored(self) -> int:
        with duckdb.connect(str(self.root / "data/quality.duckdb"), read_only=True) as connection:
            return int(connection.execute('select count(*) from "DQMON".dq_results').fetchall()[0][0])

    def stored(self) -> int:
        with self.app.database.read() as connection:
            return int(connection.exec_driver_sql("select count(*) from dq_results").scalar_one())


@pytest.fixture
def day(root: Path) -> Iterator[Day]:
    with open_app(str(root / "config/dqmon.yaml"), clock=lambda: found.now) as app:
        found = Day(app, root)
        found.scheduler = virtual(app)
        yield found
        found.scheduler.drain(1)


def test_results_are_copied_beside_the_checks(day: Day) -> None:
    day.run(31)
    assert day.stored() == 12, "two checks every five minutes"
    assert 8 <= day.mirrored() <= 12, "copied every ten minutes"
    day.run(10)
    assert day.mirrored() >= 12


def test_a_mirror_that_fails_is_in_nobodys_way(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    path = day.root / "data/quality.duckdb"
    path.write_text("no database")
    with caplog.at_level("WARNING"):
        day.run(31)
    assert day.stored() == 12, "checks go on"
    assert caplog.messages.count("mirror failed, it is tried again") == 5, "after 1, 2, 4, 8, 16 minutes"
    with day.app.database.read() as connection:
        assert not connection.exec_driver_sql("select count(*) from dq_alerts where state = 'firing' and check_id like '%mirror%'").scalar()
    path.unlink()
    day.run(31)
    assert day.mirrored() > 12, "nothing was lost meanwhile"


def test_no_check_uses_the_role_that_writes(day: Day, root: Path) -> None:
    assert list(day.app.environment.warehouses) == ["main", "lite"], "snow is not used and lacks its secret"
    (found,) = [finding for finding in day.app.doctor() if finding.subject == "warehouse quality"]
    assert (found.rating, found.text) == ("ok", "duckdb, for the mirror")
    (root / "config/dqmon.yaml").write_text(SETTINGS.format(mirror="mirror: {warehouse: main, schema: DQMON}"))
    with pytest.raises(ConfigError, match=r"config/dqmon\.yaml:9: mirror: checks use the warehouse main, too; declare it a second time"):
        load_project(root / "config/dqmon.yaml", {})


@pytest.mark.parametrize(("mirror", "words"), [
    ("mirror: {warehouse: qality, schema: DQMON}", "config/dqmon.yaml:9: mirror: unknown warehouse 'qality'; did you mean 'quality'?"),
    ("mirror: {warehouse: lite, schema: DQMON}", "config/dqmon.yaml:9: mirror: sqlite is not written to; name a warehouse of one of these"),
    ("mirror: {warehouse: quality}", "config/dqmon.yaml:9: 'schema' is missing"),
    ("mirror: {warehouse: quality, schema: DQMON, tables: [dq_alerts]}", "config/dqmon.yaml:9: tables is 'dq_alerts', which is not one of its values; did you mean 'dq_results'?"),
    ("mirror: {warehouse: quality, schema: DQMON, tables: []}", "name at least one table"),
    ("mirror: {warehouse: quality, schema: DQMON, every: 0s}", "config/dqmon.yaml:9: every is '0s'; it should be greater than 0"),
    ("mirror: {warehouse: snow, schema: DQMON}", "environment variable SNOW_TOKEN"),
    ("  again: {type: duckdb, path: data/quality.duckdb}\nmirror: {warehouse: quality, schema: DQMON}", "the same file as again"),
])  # fmt: skip
def test_settings_that_cannot_be(root: Path, mirror: str, words: str) -> None:
    (root / "config/dqmon.yaml").write_text(SETTINGS.format(mirror=mirror))
    with pytest.raises(ConfigError) as refused:
        load_project(root / "config/dqmon.yaml", {})
    assert words in "\n".join(map(str, refused.value.problems))


def test_an_unused_warehouse_may_lack_its_secret(root: Path) -> None:
    assert load_project(root / "config/dqmon.yaml", {}).settings.mirror is not None


def test_statements_say_whose_run_they_are_of(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, str]] = []
    fetch = DuckdbSession.fetch
    monkeypatch.setattr(DuckdbSession, "fetch", lambda session, *given: (seen.append(session.labels), fetch(session, *given))[1])
    report = day.app.check(Selector(), None, alerts=False)
    assert seen
    assert seen == [{"instance": "prod", "run": report.run_id}] * len(seen)

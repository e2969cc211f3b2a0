"""`dqmon doctor` as a user runs it: what is missing is named, with the statement that gives it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import warm_program
from engines import engine

from dqmon.core.table import TableRef
from dqmon.engine import doctor
from dqmon.engine.doctor import AT_ONCE, Rating

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TABLES = ("orders", "items", "users")
CHECKS = """
version: 1
datasets:
  - dataset: orders
    checks:
      - completeness: {column: id}
      - relationship: {column: id, to: {dataset: items, column: id}}
  - dataset: users
    checks: [row_count: {min: 0}]
"""


class Project:
    """A project on disk, whose warehouse is read by a role of its own."""

    def __init__(self, root: Path, warehouse: str) -> None:
        self.root = root
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        self.config("{main: " + warehouse + "}")
        (root / "checks/all.yaml").write_text(CHECKS)

    def config(self, warehouses: str, more: str = "") -> None:
        text = f'version: 1\nstore: {{url: "sqlite:///dq.db"}}\nwarehouses: {warehouses}\n{more}'
        (self.root / "config/dqmon.yaml").write_text(text)

    def doctor(self, *words: str) -> tuple[int, str]:
        done = warm_program.run(("doctor", *words), self.root, os.environ)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def place(servers, tmp_path):
    """The URL of an empty PostgreSQL database with the tables and a role `dq reader`, who may read `orders` and `users`."""
    postgres = engine("postgres")
    location = postgres.place(servers("postgres"), tmp_path)
    with postgres.writer(location) as execute:
        execute('drop role if exists "dq reader"')
        for table in TABLES:
            execute(f"create table {table} (id int, secret text)")
        for statement in ('create role "dq reader" login', 'grant usage on schema public to "dq reader"'):
            execute(statement)
        execute('grant select on orders, users to "dq reader"')
    yield location
    with postgres.writer(location) as execute:
        execute('drop owned by "dq reader"')
        execute('drop role "dq reader"')


def as_reader(location: str) -> str:
    return sa.make_url(location).set(username="dq reader").render_as_string(hide_password=False)


def run(location: str, statement: str) -> None:
    with engine("postgres").writer(location) as execute:
        execute(statement)


def test_a_missing_right_is_named_by_its_grant(place, tmp_path):
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, f"{{type: postgres, url: '{as_reader(place)}'}}")
    code, said = project.doctor()
    assert code == 3
    assert "problem  warehouse main  public.items: permission denied for table items" in said
    todo = said.partition("What to do:\n")[2].splitlines()
    assert todo[0] == '  warehouse main: GRANT SELECT ON "public"."items" TO "dq reader";', "the one right that is missing, and no other"
    assert "ok       warehouse main  2 tables that the checks name can be read" in said
    assert said.rstrip().endswith("1 problem, 0 warnings")
    run(place, 'GRANT SELECT ON "public"."items" TO "dq reader";')
    code, said = project.doctor()
    assert (code, said.rstrip().endswith("0 problems, 0 warnings")) == (0, True), said
    assert "its clock is 0.0 s" in said
    assert "the role can only read" in said


def test_a_right_on_some_columns_only_is_not_enough(place, tmp_path):
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, f"{{type: postgres, url: '{as_reader(place)}'}}")
    run(place, 'grant select (secret) on items to "dq reader"')
    code, said = project.doctor()
    assert code == 3
    assert 'GRANT SELECT ON "public"."items"' in said


def test_a_missing_table_a_missing_column_and_a_strong_role(place, tmp_path):
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, f"{{type: postgres, url: '{place}'}}")
    run(place, "drop table items")
    run(place, "alter table orders rename column id to number")
    code, said = project.doctor("--format", "json")
    found = json.loads(said)
    by_text = {finding["text"]: finding for finding in found["findings"]}
    problems = sorted(text for text, finding in by_text.items() if finding["rating"] == "problem")
    assert (code, found["exit_code"], len(problems)) == (3, 3, 2)
    assert problems[0].startswith("public.items: there is no table 'public.items'")
    assert problems[1].startswith("public.orders: there is no column 'id'")
    assert by_text["the role may do everything: it is a superuser"]["rating"] == "warning"


def test_a_dead_server_a_dead_store_and_a_wrong_file(tmp_path):
    project = Project(tmp_path, "{type: postgres, url: 'postgresql://dq:canary-secret@127.0.0.1:9/shop', connect_timeout: 1s}")
    code, said = project.doctor()
    assert code == 3
    assert "problem  warehouse main  main: no connection to 127.0.0.1:9/shop" in said
    assert "canary-secret" not in said
    (tmp_path / "dq.db").write_bytes(b"no database" * 100)
    code, said = project.doctor()
    assert code == 3
    assert "problem  store" in said
    (tmp_path / "checks/all.yaml").write_text("version: 1\ndatasets: [{dataset: orders, checks: [row_cont: {}]}]\n")
    code, said = project.doctor()
    assert code == 2
    assert "did you mean" in said


def test_channels_and_sources(tmp_path):
    import duckdb

    project = Project(tmp_path, "")
    duckdb.connect(str(tmp_path / "w.db")).execute("create table orders (id int); create table items (id int); create table users (id int)")
    more = """
ingestion: {raw: {type: dlt, warehouse: main, dataset: raw}}
channels:
  page: {type: pagerduty, routing_key: "0123456789abcdef0123456789abcdef"}
  quiet: {type: slack, channel: "#a", dry_run: true}
  lost: {type: slack, token: "xoxb-1", channel: "#b"}
routes: [{name: all, default: true, to: [page, quiet]}]
"""
    project.config(f"{{main: {{type: duckdb, path: {tmp_path}/w.db}}}}", more)
    code, said = project.doctor()
    lines = [
        line.split(maxsplit=3) for line in said.partition("What to do")[0].splitlines() if line.startswith("  ") and " channel " in line
    ]
    assert {words[2]: words[0] for words in lines} == {"page": "ok", "quiet": "warning", "lost": "warning"}
    assert "problem  source raw" in said, "a source whose tables are not there"
    assert code == 3


class Session:
    """A server whose clock is off."""

    def __init__(self, skew_s: float) -> None:
        self.skew_s = skew_s

    def clock(self):
        return NOON + timedelta(seconds=self.skew_s)


@pytest.mark.parametrize(("skew_s", "rating", "words"), [
    (0.0, Rating.OK, "its clock is 0.0 s ahead"), (5.0, Rating.OK, "5.0 s ahead"), (5.1, Rating.WARNING, "5.1 s ahead"),
    (-5.0, Rating.OK, "5.0 s behind"), (-7_200.0, Rating.WARNING, "7200.0 s behind"),
])  # fmt: skip
def test_clocks_may_differ_by_five_seconds(skew_s, rating, words):
    warehouse = engine("postgres").warehouse("w", "postgresql://x@127.0.0.1/x")
    (found,) = doctor._clock("warehouse w", warehouse, Session(skew_s), lambda: NOON)
    assert found.rating is rating
    assert words in found.text


def test_many_tables_are_tried_by_few_statements(place):
    """The bound that the documentation gives: one for 50 tables, about ten more for each that is refused."""
    postgres = engine("postgres")
    with postgres.writer(place) as execute:
        for number in range(4 * AT_ONCE):
            execute(f"create table t{number} (id int)")
            if number not in {7, 99}:
                execute(f'grant select on t{number} to "dq reader"')
    warehouse = postgres.warehouse("w", as_reader(place))
    tables = {TableRef("w", None, "public", f"t{number}"): {"id": None} for number in range(4 * AT_ONCE)}
    sent = []
    sa.event.listen(warehouse.engine, "before_cursor_execute", lambda *words: sent.append(words[2]))
    found = list(doctor.warehouse(warehouse, tables, lambda: datetime.now(UTC)))
    warehouse.close()
    problems = [finding for finding in found if finding.rating is Rating.PROBLEM]
    assert [finding.text.partition(":")[0] for finding in problems] == ["public.t7", "public.t99"]
    probes = [sql for sql in sent if "1 = 0" in sql]
    print(f"\n{len(tables)} tables, 2 refused: {len(probes)} statements")
    assert len(probes) <= len(tables) / AT_ONCE + 2 * 12


def test_a_strong_role_is_named_in_the_log_once_a_day(place, tmp_path):
    root = tmp_path / "p"
    root.mkdir()
    project = Project(root, f"{{type: postgres, url: '{place}'}}")
    first, second = (warm_program.run(("check",), root, os.environ) for _ in range(2))
    assert "the role may do more than read" in first.stderr, first.stderr
    assert "do everything: it is a superuser" in first.stderr
    assert "dqmon grants main" in first.stderr
    assert "the role may" not in second.stderr
    project.config(f"{{main: {{type: postgres, url: '{as_reader(place)}'}}}}", "instance: other")
    (root / "dq.db").unlink()
    weak = warm_program.run(("check",), root, os.environ)
    assert "the role may" not in weak.stderr


def test_what_a_postgres_role_may_do_is_told(place):
    strong = engine("postgres").warehouse("w", as_reader(place))
    with strong.open() as session:
        assert session.powers() == ()
    for statement in (
        'grant insert on orders to "dq reader"',
        'grant pg_write_all_data to "dq reader"',
        'grant create on schema public to "dq reader"',
        'alter role "dq reader" createdb createrole',
        'alter table users owner to "dq reader"',
    ):
        run(place, statement)
    with strong.open() as session:
        assert session.powers() == (
            "make roles",
            "make databases",
            "act as pg_write_all_data",
            "make tables in schema public",
            "change and drop, as its owner, public.users",
            "write into public.items, public.orders",
        )
    strong.close()
    run(place, 'revoke pg_write_all_data from "dq reader"; alter role "dq reader" nocreatedb nocreaterole')

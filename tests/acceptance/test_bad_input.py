"""What a user, a loader or the surroundings can get wrong: one clear message, the right exit code, never a silent pass."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from fake_vendors import Vendors
from patience import wait_for
from place import Done, Place, ended, held

ENGINES = ("duck", "lite", "pg")
CONFIG = """\
version: 1
instance: test
warehouses:
  main: {type: sqlite, path: data/shop.db}
"""
ONE_CHECK = """\
version: 1
datasets:
  - dataset: orders
    checks:
      - row_count: {min: 1}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "project")


@pytest.fixture(scope="module")
def module_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database for all tests of this file."""
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("create database bad_input")
    yield sa.make_url(postgres_url).set(database="bad_input").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql("drop database bad_input with (force)")


# ---- Files -----------------------------------------------------------------------------------------------------------

BOMB = "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcde", "bcdef", strict=True)
)
BAD_FILES = {
    "empty": ("", 'empty.yaml: the file is empty; start it with "version: 1"'),
    "bomb": (BOMB, "bomb.yaml:6: the aliases stand for more than 10,000 values; write the values out"),
    "duplicate": (ONE_CHECK.replace("    checks:", "    owner: a\n    owner: b\n    checks:"), "duplicate.yaml:5: 'owner' is given twice"),
    "key": (ONE_CHECK.replace("min: 1", "mim: 1"), "key.yaml:5: unknown key 'mim'; did you mean 'min'?"),
    "type": (ONE_CHECK.replace("row_count", "row_cont"), "type.yaml:5: unknown check type 'row_cont'; did you mean 'row_count'?"),
    "unit": (
        ONE_CHECK.replace("row_count: {min: 1}", "freshness: {column: made, fail_after: 3 hours}"),
        "unit.yaml:5: fail_after: '3 hours' is not a duration; write a number and s, m, h, d or w, such as 90m or 2h",
    ),
    "percent": (ONE_CHECK.replace("min: 1", 'name: percent, fail_if: "> 5%"'), "percent.yaml:5: fail_if:"),
    "nul": (ONE_CHECK.replace("orders", '"or\\0ders"'), "nul.yaml:3: 'or\\x00ders' holds NUL or half a character; leave that out"),
    "surrogate": (ONE_CHECK.replace("row_count: {min: 1}", 'completeness: {column: "\\ud800"}'), "surrogate.yaml:5: '\\ud800' holds NUL"),
    "raw_nul": (ONE_CHECK.replace("orders", "or\0ders"), "raw_nul.yaml:3: not YAML"),
    "two_statements": (ONE_CHECK.replace("min: 1", 'min: 1, filter: "1 = 1; drop table orders"'), "two_statements.yaml:5: filter: the SQL"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """`dqmon check` on a project where every file has a mistake of its own."""
    place = Place(tmp_path_factory.mktemp("files") / "project")
    place.write("config/dqmon.yaml", CONFIG)
    for name, (text, _) in BAD_FILES.items():
        place.write(f"checks/{name}.yaml", text)
    return place.dqmon("check").expect(2)


@pytest.mark.parametrize("name", BAD_FILES)
def test_every_bad_file_is_named_with_what_to_do_and_none_hides_another(refused: Done, name: str) -> None:
    assert refused.out == ""
    assert f"checks/{BAD_FILES[name][1]}" in refused.err
    about = [line for line in refused.err.splitlines() if f"checks/{name}.yaml" in line.removeprefix("dqmon: ").partition(": ")[0]]
    assert len(about) == 1, f"found {len(about)} messages about one mistake, expected one: {about}"


def test_a_missing_and_an_empty_configuration(place: Place) -> None:
    place.dqmon("check").expect(2, "config/dqmon.yaml", "--config")
    place.dqmon("check", "--config", "nope.yaml").expect(2, "nope.yaml: there is no such file")
    place.write("config/dqmon.yaml", "")
    place.dqmon("check").expect(2, 'config/dqmon.yaml: the file is empty; start it with "version: 1"')


# ---- Data, on all three engines --------------------------------------------------------------------------------------

HOSTILE_TABLE, HOSTILE_COLUMN = 'ro"ws;-- ünï😀', "co\"l';--é"
HOSTILE_ID = '"ro""ws;-- ünï😀".completeness."co""l\';--é"'


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables() -> list[str]:
    two_hours_ago = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")
    return [
        "create table plain (id int, word varchar(9))",
        "insert into plain values (1, 'a'), (2, 'b')",
        f"create table {quoted(HOSTILE_TABLE)} ({quoted(HOSTILE_COLUMN)} int)",
        f"insert into {quoted(HOSTILE_TABLE)} values (1), (null)",
        "create table empties (id int, f double precision, made timestamp)",
        "create table nulls (id int, f double precision, made timestamp)",
        "insert into nulls values (null, null, null), (null, null, null)",
        "create table floats (f double precision)",
        "insert into floats values (1)",
        "create table clocks (made timestamp)",
        f"insert into clocks values ('{two_hours_ago}')",
    ]


NAN = ["insert into floats values ('nan'), ('infinity')"]
LITE = ["insert into floats values (9e999), (9e999 - 9e999)"]  # SQLite keeps NaN as NULL
NO_RIGHT = [
    "create table denied (id int)",
    "create schema hidden",
    "create table hidden.t (id int)",
    "do $$ begin create role dq_reader login; exception when duplicate_object then null; end $$",
    "grant select on all tables in schema public to dq_reader",
    "revoke all on denied from dq_reader",
]
SLOW = {
    "duck": "create view slow as select i as id, sha256(sha256(repeat(cast(i as varchar), 100))) as heavy from range(30000000) t(i)",
    "lite": "create view slow as select id, (with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000000000) "
    "select count(*) from n) as heavy from plain",
    "pg": "create view slow as select id, nap() as heavy from plain",
}
NAP = "create function nap() returns int stable language plpgsql as 'begin perform pg_sleep(60); return 1; end'"


def datasets(engine: str) -> list[dict[str, Any]]:
    """The check file of one engine, as JSON, which is YAML."""
    each = [
        {"row_count": {"min": 1}}, {"completeness": {"column": "id"}}, {"uniqueness": {"column": "id"}},
        {"range": {"column": "f", "min": 0}}, {"freshness": {"column": "made", "fail_after": "3h"}}, "volume_anomaly", "schema_drift",
        {"relationship": {"column": "id", "to": {"dataset": "plain", "column": "id"}}},
    ]  # fmt: skip
    columns = ("wrod", 'word"; drop table plain; --')
    found: list[dict[str, Any]] = [
        {"dataset": "gone", "checks": [{"row_count": {"min": 1}}]},
        {"dataset": "plain", "checks": [{"row_count": {"min": 1}}, *({"completeness": {"column": name}} for name in columns)]},
        {"dataset": quoted('x"; drop table plain; --'), "checks": [{"row_count": {"min": 1}}]},
        {"dataset": quoted(HOSTILE_TABLE), "checks": [{"completeness": {"column": HOSTILE_COLUMN}}]},
        *({"dataset": name, "checks": each} for name in ("empties", "nulls")),
        {"dataset": "floats", "checks": [
            {"completeness": {"column": "f"}}, {"range": {"column": "f", "max": 10}}, {"row_count": {"min": 2, "segment_by": ["f"]}},
        ]},
        {"dataset": "clocks", "checks": [{"freshness": {"column": "made", "fail_after": "3h"}},
            {"freshness": {"name": "tokyo", "column": "made", "fail_after": "3h", "naive_timezone": "Asia/Tokyo"}},
        ]},
        {"dataset": "slow", "warehouse": f"slow_{engine}", "tags": ["slow"], "checks": [
            {"completeness": {"column": "heavy"}}, {"completeness": {"column": "id"}},
        ]},
    ]  # fmt: skip
    if engine == "pg":
        found += [{"dataset": name, "checks": [{"row_count": {"min": 1}}]} for name in ("denied", "hidden.t")]
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, module_database: str) -> Place:
    """A project with the same tables on three engines; PostgreSQL is read by a role that may not read everything."""
    place = Place(tmp_path_factory.mktemp("lab") / "project")
    with duckdb.connect(str(place.root / "data/duck.db")) as duck:
        for statement in (*tables(), *NAN, SLOW["duck"]):
            duck.execute(statement)
    place.sqlite(*tables(), *LITE, SLOW["lite"], path="data/lite.db")
    engine = sa.create_engine(module_database, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in (*tables(), *NAN, NAP, SLOW["pg"], *NO_RIGHT):
            connection.exec_driver_sql(statement)
    url = sa.make_url(module_database).set(username="dq_reader", drivername="postgresql").render_as_string(hide_password=False)
    where = {"duck": "type: duckdb, path: data/duck.db", "lite": "type: sqlite, path: data/lite.db", "pg": f'type: postgres, url: "{url}"'}
    listed = "".join(f"  {name}: {{{options}}}\n  slow_{name}: {{{options}, statement_timeout: 1s}}\n" for name, options in where.items())
    place.write("config/dqmon.yaml", f"version: 1\ninstance: test\nwarehouses:\n{listed}")
    for name in ENGINES:
        file = {"version": 1, "defaults": {"warehouse": name}, "datasets": datasets(name)}
        place.write(f"checks/{name}.yaml", json.dumps(file, indent=1, ensure_ascii=False))
    return place


@pytest.fixture(scope="module")
def judged(lab: Place) -> dict[str, list[dict[str, Any]]]:
    """The results of one run by check id: one for each segment."""
    done = lab.dqmon("check", "--no-alerts", "--format", "json", "--exclude", "tag:slow").expect(3)
    found: dict[str, list[dict[str, Any]]] = {}
    for item in json.loads(done.out, parse_constant=lambda word: pytest.fail(f"found {word}, which is no JSON"))["results"]:
        found.setdefault(item["check_id"], []).append(item)
    return found


EXPECTED: dict[str, tuple[str, str]] = {
    "gone.row_count": ("error", "there is no table"),
    "plain.row_count": ("pass", "2 rows"),
    "plain.completeness.wrod": ("error", "there is no column 'wrod'; near names: word"),
    'plain.completeness."word""; drop table plain; --"': ("error", "there is no column 'word\"; drop table plain; --'"),
    '"x""; drop table plain; --".row_count': ("error", "there is no table"),
    HOSTILE_ID: ("fail", "1 of 2 rows"),
    "empties.row_count": ("fail", "there are 0 rows"),
    "empties.completeness.id": ("skipped", "there are no rows"),
    "empties.uniqueness.id": ("skipped", "no row has a full key"),
    "empties.range.f": ("skipped", "no row has a value of f"),
    "empties.freshness.made": ("fail", "the table has no rows"),
    "empties.volume_anomaly": ("skipped", "learning"),
    "empties.schema_drift": ("pass", "3 columns recorded"),
    "empties.relationship.id": ("skipped", "no row has a full key"),
    "nulls.row_count": ("pass", "2 rows"),
    "nulls.completeness.id": ("fail", "2 of 2 rows (100 %) have no id"),
    "nulls.uniqueness.id": ("skipped", "no row has a full key"),
    "nulls.range.f": ("skipped", "no row has a value of f"),
    "nulls.freshness.made": ("fail", "none of 2 rows has a usable made"),
    "nulls.volume_anomaly": ("skipped", "learning"),
    "nulls.schema_drift": ("pass", "3 columns recorded"),
    "nulls.relationship.id": ("skipped", "no row has a full key"),
    "floats.completeness.f": ("fail", "1 of 3 rows (33.3 %) has no f"),
    "floats.range.f": ("fail", "1 of 2 rows (50 %) has f above 10"),
    "clocks.freshness.made": ("pass", "2h"),
    "clocks.freshness.made.tokyo": ("fail", "11h"),
}


def check_id(engine: str, short: str) -> str:
    return {"duck": "main.", "lite": "lite:main.", "pg": "pg:public."}[engine] + short


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_gives_every_bad_table_its_verdict_and_reason(judged: dict[str, list[dict[str, Any]]], engine: str) -> None:
    wrong = []
    for short, (verdict, words) in EXPECTED.items():
        (found,) = judged[check_id(engine, short)]
        if found["verdict"] != verdict or words not in found["reason"]:
            wrong.append(f"{short}: found {found['verdict']} ({found['reason']}), expected {verdict} ({words})")
        assert found["source"]["path"] == f"checks/{engine}.yaml"
        assert isinstance(found["source"]["line"], int)
    assert not wrong, "\n".join(wrong)
    assert {item["segment"]["f"] for item in judged[check_id(engine, "floats.row_count")]} == {
        "duck": {"1.0", "nan", "inf"}, "lite": {"1.0", None, "Inf"}, "pg": {"1", "NaN", "Infinity"},
    }[engine]  # fmt: skip


@pytest.mark.parametrize(("table", "words"), [("public.denied", "for table denied"), ("hidden.t", "for schema hidden")])
def test_what_the_role_may_not_read_is_an_error_that_says_what_to_grant(
    judged: dict[str, list[dict[str, Any]]], table: str, words: str
) -> None:
    (found,) = judged[f"pg:{table}.row_count"]
    assert found["verdict"] == "error"
    assert found["reason"] == f"permission denied {words}; grant the warehouse's user SELECT on the table and USAGE on its schema"


def test_nothing_was_dropped(judged: dict[str, list[dict[str, Any]]], lab: Place) -> None:
    assert judged
    with closing(sqlite3.connect(lab.root / "data/lite.db")) as connection:
        assert connection.execute("select count(*) from plain").fetchone() == (2,)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_query_of_60_s_with_a_limit_of_1_s_is_gone_within_3_s_and_the_rest_is_judged(
    lab: Place, engine: str, module_database: str
) -> None:
    done = lab.dqmon("check", "--no-alerts", "--format", "json", f"warehouse:slow_{engine}").expect(3)
    found = {key.rpartition(".")[2]: item for key, item in done.results().items()}
    assert found["id"]["verdict"] == "pass", found["id"]["reason"]
    assert found["heavy"]["verdict"] == "error"
    assert "the statement passed its limit of 1 s and was cancelled" in found["heavy"]["reason"]
    report = json.loads(done.out)
    took = datetime.fromisoformat(report["finished_at"]) - datetime.fromisoformat(report["started_at"])
    # The fused statement runs into its limit, then the bad one of its halves alone does.
    assert took < timedelta(seconds=4), f"both statements took {took}"
    if engine == "pg":
        with sa.create_engine(module_database, poolclass=sa.NullPool).connect() as connection:
            busy = "select count(*) from pg_stat_activity where usename = 'dq_reader' and state = 'active'"
            assert connection.exec_driver_sql(busy).scalar_one() == 0, "the statement still runs on the server"


# ---- Surroundings ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(place: Place) -> Place:
    """A project with one table of one row and one check, which passes."""
    place.write("config/dqmon.yaml", CONFIG)
    place.write("checks/orders.yaml", ONE_CHECK)
    place.sqlite("create table orders (id integer)", "insert into orders values (1)")
    return place


def two_warehouses(place: Place, options: str, checks: str = "[{row_count: {min: 1}}]") -> None:
    """Adds a warehouse `other` with a check of its table t."""
    place.write("config/dqmon.yaml", f"{CONFIG}  other: {{{options}}}\n")
    place.write("checks/other.yaml", f'version: 1\ndatasets:\n  - dataset: "t"\n    warehouse: other\n    checks: {checks}\n')


def test_a_warehouse_that_is_down_at_the_start_is_an_error_and_the_others_are_judged(shop: Place) -> None:
    two_warehouses(shop, "type: postgres, url: 'postgresql://dq:canary-secret@127.0.0.1:9/shop', connect_timeout: 2s")
    done = shop.dqmon("check", "--format", "json").expect(3)
    found = done.results()
    assert found["main.orders.row_count"]["verdict"] == "pass"
    bad = found["other:public.t.row_count"]
    assert bad["verdict"] == "error"
    assert "other: no connection to 127.0.0.1:9/shop" in bad["reason"]
    assert (bad["source"]["path"], bad["source"]["line"]) == ("checks/other.yaml", 5)
    assert "canary-secret" not in done.words


def test_a_pattern_on_a_warehouse_that_is_down_is_no_silent_pass(shop: Place) -> None:
    two_warehouses(shop, "type: duckdb, path: data/nothing.duckdb")
    shop.write("checks/other.yaml", (shop.root / "checks/other.yaml").read_text().replace('"t"', '"main.*"'))
    done = shop.dqmon("check").expect(3, "patterns are not applied: other: there is no file", "load data into it first", "1 pass")
    assert "other:" not in done.out


def test_a_warehouse_that_goes_down_mid_run_is_an_error_of_what_was_not_measured(shop: Place, module_database: str) -> None:
    engine = sa.create_engine(module_database, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    role = "dq_dies"
    with engine.connect() as admin:
        for statement in ("create schema dies", NAP.replace("nap", "dies.nap"), f"create role {role} login"):
            admin.exec_driver_sql(statement)
        for statement in ("a_first as select 1 as x", "b_slow as select dies.nap() as x", "c_last as select 1 as x"):
            admin.exec_driver_sql(f"create view dies.{statement}")
        admin.exec_driver_sql(f"grant usage on schema dies to {role}")
        admin.exec_driver_sql(f"grant select on all tables in schema dies to {role}")
        url = sa.make_url(module_database).set(username=role, drivername="postgresql").render_as_string(hide_password=False)
        two_warehouses(shop, f"type: postgres, url: '{url}', max_connections: 1, schema: dies")
        listed = "".join(
            f"  - {{dataset: {name}, checks: [{{completeness: {{column: x}}}}]}}\n" for name in ("a_first", "b_slow", "c_last")
        )
        shop.write("checks/other.yaml", f"version: 1\ndefaults: {{warehouse: other}}\ndatasets:\n{listed}")
        process = shop.start("check", "--format", "json")
        pids = f"select pid from pg_stat_activity where usename = '{role}' and state = 'active' and query like '%%b_slow%%'"
        wait_for(lambda: admin.exec_driver_sql(pids).all(), "the slow query to run")
        admin.exec_driver_sql(f"alter role {role} nologin")
        admin.exec_driver_sql(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'")
    found = ended(process).expect(3).results()
    verdicts = {key: item["verdict"] for key, item in found.items()}
    assert verdicts == {
        "main.orders.row_count": "pass",
        "other:dies.a_first.completeness.x": "pass",
        "other:dies.b_slow.completeness.x": "error",
        "other:dies.c_last.completeness.x": "error",
    }
    assert "the connection broke" in found["other:dies.b_slow.completeness.x"]["reason"]
    assert "no connection to" in found["other:dies.c_last.completeness.x"]["reason"]


def test_a_locked_duckdb_file_is_an_error_that_names_who_holds_it(shop: Place) -> None:
    path = shop.root / "data/other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select 1 as x")
    two_warehouses(shop, "type: duckdb, path: data/other.duckdb, connect_timeout: 1s")
    with held(f"import duckdb\nc = duckdb.connect({str(path)!r})") as other:
        found = shop.dqmon("check", "--format", "json").expect(3).results()
    assert found["main.orders.row_count"]["verdict"] == "pass"
    bad = found["other:main.t.row_count"]
    assert bad["verdict"] == "error"
    assert "is held by somebody who writes" in bad["reason"]
    assert f"PID {other.pid}" in bad["reason"]
    shop.dqmon("check").expect(0)


def test_a_store_that_is_read_only_is_exit_code_4_and_the_verdicts_are_shown(shop: Place) -> None:
    shop.dqmon("check").expect(0)
    url = f"sqlite:///file:{shop.root}/.dqmon/dqmon.db?mode=ro&uri=true"
    shop.write("config/dqmon.yaml", f'{CONFIG}store: {{url: "{url}"}}\n')
    shop.dqmon("check").expect(4, "1 pass", "the store did not take the results", "it is read-only; give this user the right to write")


FULL = """\
from sqlite3 import dbapi2

def full(*arguments, connect=dbapi2.connect, **options):
    connection = connect(*arguments, **options)
    if "dqmon.db" in str(arguments[0]):
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages}")
    return connection

dbapi2.connect = full
"""


def test_a_store_that_is_full_is_exit_code_4_and_the_verdicts_are_shown(shop: Place) -> None:
    shop.dqmon("check").expect(0)
    shop.write("sitecustomize.py", FULL)  # the file may not grow any more: SQLite's own way to a full disk
    shop.write("checks/more.yaml", f"version: 1\ndatasets:\n  - dataset: orders\n    checks:\n{many_checks(400)}")
    done = ended(shop.start("check", paths=[str(shop.root)]))
    done.expect(4, "401 pass", "the store did not take the results", "the disk is full, or the file has reached its size limit")
    (shop.root / "checks/more.yaml").unlink()
    shop.dqmon("explain", "main.orders.row_count").expect(0, "PASS")


def many_checks(count: int) -> str:
    return "".join(f"      - row_count: {{name: n{number}, min: 1}}\n" for number in range(count))


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_store_that_cannot_be_reached_is_said_without_its_password(shop: Place, command: str) -> None:
    shop.write("config/dqmon.yaml", f"{CONFIG}store: {{url: 'postgresql+psycopg://dq:canary-secret@127.0.0.1:9/store'}}\n")
    done = shop.dqmon(command).expect(
        4, "dqmon: store postgresql+psycopg://dq:***@127.0.0.1:9/store: it cannot be reached; check host, port"
    )
    assert "canary-secret" not in done.words


def test_a_store_of_a_role_that_may_not_write_is_exit_code_4(shop: Place, postgres_database: str) -> None:
    shop.write("config/dqmon.yaml", f'{CONFIG}store: {{url: "{postgres_database}"}}\n')
    shop.dqmon("check").expect(0)
    with sa.create_engine(postgres_database, poolclass=sa.NullPool).connect() as connection:
        connection.exec_driver_sql("create role dq_looks login; grant select on all tables in schema public to dq_looks")
        connection.commit()
        looks = sa.make_url(postgres_database).set(username="dq_looks").render_as_string(hide_password=False)
        shop.write("config/dqmon.yaml", f'{CONFIG}store: {{url: "{looks}"}}\n')
        shop.dqmon("check").expect(4, "1 pass", "the store did not take the results", "the role may not do this; grant it the rights")
        connection.exec_driver_sql("drop owned by dq_looks; drop role dq_looks")
        connection.commit()


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors(routing_keys=["k" * 32]) as found:
        yield found


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("{type: slack, token: xoxb-fake, channel: '#gone'}", "Slack: channel_not_found"),
        ("{type: slack, token: xoxb-wrong, channel: '#ops'}", "Slack: invalid_auth"),
        ("{type: pagerduty, routing_key: %s}" % ("w" * 32), "HTTP 400: Event object is invalid; 'routing_key' is invalid"),
    ],
)
def test_a_message_that_no_vendor_takes_is_dead_with_its_reason_and_exit_code_4(
    shop: Place, vendors: Vendors, channel: str, reason: str
) -> None:
    base = vendors.pagerduty_url if "pagerduty" in channel else vendors.slack_url
    more = f"base_url: '{base}', verify: {vendors.ca_file}, allow_private_addresses: true}}"
    routes = "routes:\n  - {name: rest, default: true, to: [team], group_wait: 0s}\n"
    shop.write("config/dqmon.yaml", f"{CONFIG}channels:\n  team: {channel[:-1]}, {more}\n{routes}")
    shop.sqlite("delete from orders")
    shop.dqmon("check").expect(
        4, "FAIL", reason, "messages not delivered: 0 will be tried again, 1 given up; `dqmon incidents show` says why"
    )
    (row,) = [line.split() for line in shop.dqmon("incidents", "list").expect(0).out.splitlines() if "row_count" in line]
    shop.dqmon("incidents", "show", row[0]).expect(0, f"given up: {reason}")
    shop.dqmon("explain", "main.orders.row_count").expect(0, f"given up: {reason}")

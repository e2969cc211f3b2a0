"""Checks that read two warehouses: DuckDB here, SQLite or PostgreSQL there, through a whole project on disk."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.app import open_app
from dqmon.core.measurement import MetricRequest
from dqmon.core.metric import Key, Totals
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.result import ResultRecord
from dqmon.core.selector import parse_selector
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.errors import ConfigError
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
COLUMNS = "id integer, day date, country varchar(2), amount decimal(12, 2)"
ORDERS = [
    "1, '2026-03-01', 'NO', 0.10",
    "2, '2026-03-01', 'NO', 0.20",
    "3, '2026-03-01', 'DE', 1000000.01",
    "4, '2026-02-28', null, -5.00",
    "5, null, 'DE', null",
]
SAME = [*ORDERS[::-1]]
BY_DAY = 'reconciliation: {to: TO, metrics: [row_count, "sum(amount)"], compare_by: [day, country]}'


class World:
    """A project with `main` (DuckDB) and `other`; `here` and `there` write into them, `check` runs the checks declared."""

    def __init__(self, root: Path, postgres: str | None) -> None:
        self.root = root
        self.postgres = postgres
        for folder in ("config", "checks"):
            (root / folder).mkdir()
        plain = postgres and sa.make_url(postgres).set(drivername="postgresql").render_as_string(hide_password=False)
        self.schema = "public" if postgres else "main"
        other = f'{{type: postgres, url: "{plain}"}}' if postgres else f"{{type: sqlite, path: {root}/other.db}}"
        config = f"version: 1\nwarehouses:\n  main: {{type: duckdb, path: {root}/main.duckdb}}\n  other: {other}\n"
        (root / "config/dqmon.yaml").write_text(config)
        self.here("select 1")
        self.there("select 1")

    def here(self, *statements: str) -> None:
        with duckdb.connect(str(self.root / "main.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def there(self, *statements: str) -> None:
        if self.postgres:
            engine = sa.create_engine(self.postgres, poolclass=sa.NullPool)
            with engine.begin() as connection:
                for statement in statements:
                    connection.execute(sa.text(statement))
            engine.dispose()
            return
        connection = sqlite3.connect(self.root / "other.db", isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def orders(self, here: list[str], there: list[str]) -> None:
        for write, rows in ((self.here, here), (self.there, there)):
            write(
                "drop table if exists orders", f"create table orders ({COLUMNS})", *(f"insert into orders values ({row})" for row in rows)
            )

    def check(self, *items: str, keys: str = "", more: str = "") -> dict[str, ResultRecord]:
        to = f"{{warehouse: other, dataset: {self.schema}.orders}}"
        listed = "\n".join(f"      - {item.replace('TO', to)}" for item in items)
        text = f"version: 1\ndatasets:\n  - dataset: main.orders\n{keys}    checks:\n{listed}\n{more}"
        (self.root / "checks/orders.yaml").write_text(text)
        with open_app(str(self.root / "config/dqmon.yaml"), clock=lambda: NOW) as app:
            self.report = app.check(parse_selector(()), None, True)
            return {record.check_id: record for record in self.report.records}

    def one(self, item: str, keys: str = "") -> ResultRecord:
        (found,) = self.check(item, keys=keys).values()
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, request.getfixturevalue("postgres_database") if request.param == "postgres" else None)


# --- reconciliation ---------------------------------------------------------------------------------------------------


def test_the_same_rows_in_another_order_are_no_difference(world: World) -> None:
    world.orders(ORDERS, SAME)
    found = world.one(BY_DAY)
    assert (found.verdict, Decimal(found.observed_value)) == (Verdict.PASS, 0), found.reason
    assert found.reason.startswith(f"row_count and sum(amount) agree with other:{world.schema}.orders in 4 groups of day, country"), (
        found.reason
    )
    assert world.report.statements == 2


def test_one_row_changed_by_a_cent_names_its_group(world: World) -> None:
    world.orders(ORDERS, [row.replace("1000000.01", "1000000.02") for row in SAME])
    found = world.one(BY_DAY)
    assert (found.verdict, Decimal(found.observed_value), found.unit) == (Verdict.FAIL, Decimal("0.01"), "value"), found.reason
    assert "1 of 4 groups differs" in found.reason
    assert "day 2026-03-01, country DE: sum(amount) is 1,000,000.01 here and 1,000,000.02 there" in found.reason
    assert found.reproduce is not None
    assert found.reproduce.count("GROUP BY") == 2
    assert "-- in warehouse other\n" in found.reproduce


@pytest.mark.parametrize(("gone", "group"), [(3, "day 2026-02-28, country NULL"), (4, "day NULL, country DE")])
def test_a_group_that_is_missing_there_is_named(world: World, gone: int, group: str) -> None:
    world.orders(ORDERS, [row for row in ORDERS if row != ORDERS[gone]])
    found = world.one(BY_DAY)
    assert found.verdict is Verdict.FAIL
    assert f"1 of 4 groups differs from other:{world.schema}.orders: {group}: " in found.reason
    assert "row_count is 1 here and 0 there (100 %)" in found.reason


def test_a_group_that_is_missing_here_is_beyond_any_percentage(world: World) -> None:
    world.orders(ORDERS[:4], ORDERS)
    found = world.one(BY_DAY.replace("]}", ']}, fail_if: "> 1000%"}').replace("}, fail", ", fail"))
    assert (found.verdict, found.ratio) == (Verdict.FAIL, None), found.reason
    assert "row_count is 0 here and 1 there; fails above 1,000 %" in found.reason


@pytest.mark.parametrize(("here", "there", "value"), [([], [], 0), (ORDERS, [], 5), ([], ORDERS, 5)])
def test_empty_sides(world: World, here: list[str], there: list[str], value: int) -> None:
    world.orders(here, there)
    found = world.one("reconciliation: {to: TO}")
    assert (found.verdict, found.observed_value) == (Verdict.FAIL if value else Verdict.PASS, value), found.reason


def test_only_a_few_of_many_groups_are_named(world: World) -> None:
    rows = [f"{i}, '2026-03-01', 'NO', {i}" for i in range(1, 31)]
    world.orders(rows, rows[:10])
    found = world.one("reconciliation: {to: TO, compare_by: [id]}")
    assert "20 of 30 groups differ" in found.reason
    assert found.reason.count("row_count is") == 5
    assert "; and 15 more; fails above 0" in found.reason


def test_plan_shows_the_statements_of_both_warehouses(world: World) -> None:
    world.orders(ORDERS, ORDERS)
    record = world.one(BY_DAY)
    with open_app(str(world.root / "config/dqmon.yaml"), clock=lambda: NOW) as app:
        planned = app.plan(parse_selector(()))
    assert {statement.table for statement in planned} == {"main:main.orders", f"other:{world.schema}.orders"}
    assert {statement.sql for statement in planned} == set(record.sql)
    assert {statement.checks for statement in planned} == {("main.orders.reconciliation",)}


def test_more_groups_than_max_keys_are_an_error(world: World) -> None:
    world.orders(ORDERS, ORDERS)
    assert world.one("reconciliation: {to: TO, compare_by: [id], max_keys: 5}").verdict is Verdict.PASS
    found = world.one("reconciliation: {to: TO, compare_by: [id], max_keys: 4}")
    assert (found.verdict, found.reason) == (Verdict.ERROR, "[id] has more than 4 different values, the most that max_keys lets through")


def test_without_groups_the_aggregates_ride_on_the_fused_statements_and_do_not_clash(world: World) -> None:
    world.orders(ORDERS, ORDERS[:2])
    rows = f"  - {{dataset: {world.schema}.orders, warehouse: other, checks: [{{row_count: {{max: 2}}}}]}}\n"
    items = ("row_count: {min: 5}", 'reconciliation: {to: TO, metrics: [row_count, "sum(amount)"]}')
    found = world.check(*items, more=rows)
    assert found["main.orders.row_count"].observed_value == 5
    assert found[f"other:{world.schema}.orders.row_count"].observed_value == 2
    differing = found["main.orders.reconciliation"]
    assert "row_count is 5 here and 2 in" in differing.reason
    assert "sum(amount) is 999,995.31 here and 0.3 in" in differing.reason
    assert world.report.statements == 2


def test_groups_are_measured_anew_when_nothing_changed_and_the_verdict_stays(world: World) -> None:
    world.orders(ORDERS, ORDERS[:4])
    before = world.one(BY_DAY)
    after = world.one(BY_DAY)
    assert (after.verdict, after.reason, after.reused) == (before.verdict, before.reason, None)
    assert world.report.statements == 2


def test_filters_of_both_sides_and_partitions_of_both_sides(world: World) -> None:
    world.orders(ORDERS, [*ORDERS, "6, '2026-03-01', 'XX', 7"])
    item = "reconciliation: {to: TO, metrics: [row_count], compare_by: [country], filter: \"country <> 'DE'\"}"
    found = world.one(item.replace("TO", f"{{warehouse: other, dataset: {world.schema}.orders, filter: \"country = 'NO'\"}}"))
    assert found.verdict is Verdict.PASS, found.reason
    keys = "    partition: {column: day, grain: day, lookback: 2}\n"
    results = world.check("reconciliation: {to: TO, compare_by: [country]}", keys=keys)
    assert [record.partition_start.day for record in world.report.records] == [28, 1], results
    first, second = world.report.records
    assert (first.verdict, second.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "country XX: row_count is 0 here and 1 there" in second.reason
    assert "1 more row" in second.reason, "the row without a day is spoken of"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [("alter table orders rename column amount to sum", "orders: there is no column 'amount'"), ("drop table orders", "there is no table")],
)
def test_what_is_missing_on_the_other_side_is_an_error(world: World, statement: str, reason: str) -> None:
    world.orders(ORDERS, ORDERS)
    world.there(statement)
    found = world.one(BY_DAY)
    assert found.verdict is Verdict.ERROR
    assert reason in found.reason


# --- reconciliation of rows -------------------------------------------------------------------------------------------

BY_ROW = "reconciliation: {to: TO, rows: {key: [id]}}"


def test_the_same_rows_agree_row_by_row(world: World) -> None:
    world.orders(ORDERS, SAME)
    found = world.one(BY_ROW)
    assert (found.verdict, found.observed_value, found.unit, found.rows_tested) == (Verdict.PASS, 0, "rows", 5), found.reason
    assert found.reason == f"all 5 rows agree with other:{world.schema}.orders in 4 columns; fails above 0 rows"
    assert world.report.statements == 4


@pytest.mark.parametrize("key", ["id", "day, id"])
def test_differing_rows_are_counted_apart_and_no_value_of_them_is_told(world: World, key: str) -> None:
    there = [*SAME[:-1], "6, '2026-03-01', null, 6.66"]
    world.orders(ORDERS, [row.replace("1000000.01", "1000000.02") for row in there])
    found = world.one(BY_ROW.replace("[id]", f"[{key}]"))
    assert (found.verdict, found.observed_value, found.ratio) == (Verdict.FAIL, 3, 0.6), found.reason
    differ = f"3 of 5 rows (60 %) differ from other:{world.schema}.orders"
    assert found.reason == f"{differ}: 1 changed, 1 only here, 1 only there; fails above 0 rows"
    assert found.reproduce is not None
    assert (found.reproduce.count("-- in warehouse other\n"), found.reproduce.count('"id"') >= 2) == (2, True), found.reproduce


def test_the_steps_of_a_search_are_counted_and_shown_but_not_kept(world: World) -> None:
    rows = [f"{i}, '2026-03-01', 'NO', {i}" for i in range(600)]
    world.orders(["), (".join(rows)], ["), (".join(rows[:-1])])
    found = world.one(BY_ROW)
    assert found.observed_value == 1, found.reason
    assert (world.report.statements, sum("GROUP BY" in sql for sql in found.sql)) == (6, 2)
    with sqlite3.connect(world.root / ".dqmon/dqmon.db") as store:
        kept = {name for (name,) in store.execute("select distinct metric from dq_measurements")}
        schemas = store.execute("select count(*) from dq_schemas").fetchone()
    store.close()
    assert (kept, schemas) == ({"row_count", "key_bound", "compared_columns"}, (0,))


def test_filters_and_partitions_hold_for_rows_of_both_sides(world: World) -> None:
    world.orders(ORDERS, [*ORDERS, "6, '2026-03-01', 'XX', 7"])
    to = f"{{warehouse: other, dataset: {world.schema}.orders, filter: \"country <> 'XX'\"}}"
    found = world.one(BY_ROW.replace("TO", to).replace("}}", "}, filter: country is not null}"))
    assert (found.verdict, found.rows_tested) == (Verdict.PASS, 4), found.reason
    world.check(BY_ROW, keys="    partition: {column: day, grain: day, lookback: 2}\n")
    first, second = world.report.records
    assert (first.verdict, second.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "1 of 3 rows (33.3 %) differs" in second.reason
    assert "1 only there" in second.reason
    assert "1 more row" in second.reason, "the row without a day is spoken of"


def test_a_search_that_is_given_up_fails_what_is_surely_broken_and_else_is_an_error(world: World) -> None:
    rows = [f"{i}, '2026-03-01', 'NO', {i}" for i in range(600)]
    world.orders(["), (".join(rows)], ["), (".join(rows).replace("'NO'", "'SE'")])
    item = BY_ROW.replace("[id]", "[id], max_differences: 3")
    found = world.one(item)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("at least "), found.reason
    assert "the search was given up there, since max_differences is 3; fails above 0 rows" in found.reason
    for limits in ("fail_if: '> 90%'", "warn_if: '> 0', fail_if: '> 590'", "fail_if: '< 600'"):
        found = world.one(item.replace("}}", f"}}, {limits}}}"))
        assert (found.verdict, found.reason.endswith("raise max_differences")) == (Verdict.ERROR, True), (limits, found.reason)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("alter table orders rename column id to number", "orders: there is no column 'id'"),
        ("alter table orders rename column amount to sum", "all 5 rows agree"),
        ("drop table orders", "there is no table"),
        ("create table old as select * from orders; drop table orders; create table orders (id text, day date)", "id is a number here"),
    ],
)
def test_what_is_missing_or_unlike_on_the_other_side_of_rows(world: World, statement: str, reason: str) -> None:
    world.orders(ORDERS, ORDERS)
    world.there(*statement.split("; "))
    found = world.one(BY_ROW)
    assert found.verdict is (Verdict.PASS if "agree" in reason else Verdict.ERROR)
    assert reason in found.reason
    assert found.verdict is Verdict.ERROR or "not compared, since one side lacks it: amount, sum" in found.reason


def test_rows_that_may_not_be_read_are_an_error_that_says_what_to_grant(tmp_path: Path, postgres_database: str) -> None:
    world = World(tmp_path, postgres_database)
    world.orders(ORDERS, ORDERS)
    name = f"reader_{sa.make_url(postgres_database).database}"
    world.there(f"create role {name} login", "revoke select on orders from public")
    config = (tmp_path / "config/dqmon.yaml").read_text()
    url = sa.make_url(postgres_database).set(drivername="postgresql")
    reader = url.set(username=name).render_as_string(hide_password=False)
    (tmp_path / "config/dqmon.yaml").write_text(config.replace(url.render_as_string(hide_password=False), reader))
    found = world.one(BY_ROW)
    world.there(f"drop role {name}")
    assert found.verdict is Verdict.ERROR
    assert "permission denied for table orders; grant the warehouse's user SELECT" in found.reason, found.reason


def test_a_statement_that_takes_too_long_there_says_where(tmp_path: Path, postgres_database: str) -> None:
    world = World(tmp_path, postgres_database)
    world.orders(ORDERS, ORDERS)
    world.there("alter table orders rename to kept", "create view orders as select * from kept where pg_sleep(1) is not null")
    config = (tmp_path / "config/dqmon.yaml").read_text()
    (tmp_path / "config/dqmon.yaml").write_text(config.replace("{type: postgres,", "{type: postgres, statement_timeout: 1s,"))
    found = world.one(BY_ROW)
    assert found.verdict is Verdict.ERROR
    assert found.reason == "other:public.orders: the statement passed its limit of 1 s and was cancelled on the server"


def test_plan_shows_how_a_search_for_rows_begins(world: World) -> None:
    world.orders(ORDERS, ORDERS)
    record = world.one(BY_ROW)
    world.orders(ORDERS, SAME)  # new tables, so that nothing is known of them
    with open_app(str(world.root / "config/dqmon.yaml"), clock=lambda: NOW) as app:
        planned = [statement for statement in app.plan(parse_selector(())) if statement.sql]
    assert {statement.table for statement in planned} == {"main:main.orders", f"other:{world.schema}.orders"}
    assert {statement.sql for statement in planned} < set(record.sql)
    assert all("min(" in statement.sql for statement in planned)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (BY_ROW.replace("}}", "}, metrics: [row_count], compare_by: [day]}"), "rows and metrics and compare_by are both given"),
        (BY_ROW.replace("[id]", "[id], columns: [day, id]"), "rows names id twice"),
        (BY_ROW.replace("[id]", "[]"), "key"),
        (BY_ROW.replace("[id]", "[id], max_differences: 0"), "max_differences"),
        (BY_ROW.replace("}}", "}, segment_by: [country]}"), "segment_by is not taken"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused_before_anything_runs(tmp_path: Path, item: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        World(tmp_path, None).one(item)
    assert problem in str(refused.value)


# --- relationship -----------------------------------------------------------------------------------------------------

KNOWN = "relationship: {column: country, to: {warehouse: other, dataset: SCHEMA.countries, column: code}}"


@pytest.mark.parametrize(
    ("codes", "verdict", "value", "ratio"),
    [(["NO", "DE", "DE", None], "pass", 0, 0.0), (["NO"], "fail", 2, 0.5), (["no", "DE "], "fail", 4, 1.0), ([], "fail", 4, 1.0)],
)
def test_keys_of_another_warehouse(world: World, codes: list[str | None], verdict: str, value: int, ratio: float) -> None:
    world.orders(ORDERS, [])
    literals = ("null" if code is None else f"'{code}'" for code in codes)
    world.there("create table countries (code varchar(3))", *(f"insert into countries values ({code})" for code in literals))
    found = world.one(KNOWN.replace("SCHEMA", world.schema))
    assert (str(found.verdict), found.observed_value, found.ratio, found.rows_tested) == (verdict, value, ratio, 4), found.reason
    assert f"have a country that is not in other:{world.schema}.countries (code)" in found.reason
    assert world.report.statements == 2


def test_keys_of_several_columns_and_types(world: World) -> None:
    world.orders(ORDERS, [])
    world.there("create table days (day date, id numeric(9, 1))", "insert into days values ('2026-03-01', 1.0), ('2026-02-28', 4)")
    item = "relationship: {columns: [id, day], to: {warehouse: other, dataset: SCHEMA.days, columns: [id, day]}}"
    found = world.one(item.replace("SCHEMA", world.schema))
    assert (found.verdict, found.observed_value, found.rows_tested) == (Verdict.FAIL, 2, 4), found.reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("max_keys: 2", "[code] has more than 2 different values"),
        ("column: kode", "countries: there is no column 'kode'; near names: code"),
        ("filter: nosuch = 1", "nosuch"),
    ],
)
def test_what_cannot_be_compared_is_an_error(world: World, more: str, reason: str) -> None:
    world.orders(ORDERS, [])
    world.there("create table countries (code varchar(2))", "insert into countries values ('NO'), ('DE'), ('SE')")
    item = KNOWN.replace("SCHEMA", world.schema)
    item = (
        item.replace("}}", f"}}, {more}}}")
        if "max" in more
        else item.replace("column: code", more if "column" in more else f"column: code, {more}")
    )
    found = world.one(item)
    assert found.verdict is Verdict.ERROR, found.reason
    assert reason in found.reason


def test_filters_of_both_sides_of_a_relationship(world: World) -> None:
    world.orders(ORDERS, [])
    world.there("create table countries (code varchar(2), is_open integer)", "insert into countries values ('NO', 1), ('DE', 0)")
    item = (
        KNOWN.replace("SCHEMA", world.schema)
        .replace("column: code", "column: code, filter: is_open = 1")
        .replace("}}", "}, filter: id < 3}")
    )
    found = world.one(item)
    assert (found.verdict, found.rows_tested) == (Verdict.PASS, 2), found.reason


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (BY_DAY.replace("TO", "{warehouse: othr, dataset: main.orders}"), "unknown warehouse 'othr'; did you mean 'other'?"),
        (BY_DAY.replace("TO", "{warehouse: other, dataset: orders}"), "write its schema, too: schema.orders"),
        (KNOWN.replace("other", "othr").replace("SCHEMA", "main"), "unknown warehouse 'othr'; did you mean 'other'?"),
    ],
)
def test_a_warehouse_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path, item: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        World(tmp_path, None).one(item)
    assert problem in str(refused.value)


def test_secrets_of_the_other_warehouse_are_needed(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    config = (tmp_path / "config/dqmon.yaml").read_text()
    (tmp_path / "config/dqmon.yaml").write_text(config.replace(f"{tmp_path}/other.db", '"${env:DQMON_TEST_NOT_SET}"'))
    with pytest.raises(ConfigError) as refused:
        world.one("reconciliation: {to: TO}")
    assert "DQMON_TEST_NOT_SET" in str(refused.value)


# --- keys, against a reference ----------------------------------------------------------------------------------------

cells = st.tuples(
    st.one_of(st.none(), st.integers(-3, 3)),
    st.one_of(st.none(), st.sampled_from(["", "a", "A", "a ", "é", "NULL", "0", "%"])),
    st.one_of(st.none(), st.integers(-10_000, 10_000)),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(cells, max_size=12))
def test_totals_by_key_are_those_of_a_loop_over_the_rows(rows: list[tuple[int | None, str | None, int | None]]) -> None:
    expected: dict[Key, list[Decimal]] = {}
    for number, text, cents in rows:
        total = expected.setdefault((None if number is None else str(number), text), [Decimal(0), Decimal(0)])
        total[0] += 1
        total[1] += Decimal(cents or 0) / 100
    for engine, placeholder in (("duckdb", "cast(? as decimal(12, 2)) / 100"), ("sqlite", "? / 100.0")):
        assert _totals(engine, placeholder, rows) == expected, engine


def _totals(engine: str, placeholder: str, rows: list[tuple[int | None, str | None, int | None]]) -> dict[Key, list[Decimal]]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = f"{folder}/t.db"
        connection = duckdb.connect(path) if engine == "duckdb" else sqlite3.connect(path, isolation_level=None)
        connection.execute("create table t (n integer, s varchar, amount decimal(12, 2))")
        for row in rows:
            connection.execute(f"insert into t values (?, ?, {placeholder})", row)
        connection.close()
        kind = Registry("warehouses").get(engine)
        warehouse = kind("w", kind.Options(path=path))
        metric = m.TotalsByKey(100, ("n", "s"), (m.RowCount(), m.Sum("amount")))
        (scan,) = plan([MetricRequest(TableRef("w", None, "main", "t"), metric)], lambda _: True)
        with warehouse.open() as session:
            compiled = compile_scan(scan, session.columns(scan.table), (), warehouse.capabilities, NOW)
            value = compiled.decode(session.fetch(compiled.statement, 10))[None, (), metric]
        warehouse.close()
    assert isinstance(value, Totals)
    return {key: [Decimal(str(number or 0)) for number in numbers] for key, numbers in value.by_key.items()}

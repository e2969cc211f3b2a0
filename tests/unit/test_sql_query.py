"""The gate for queries that users write, the table in their place, and what a condition must not hold."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from dqmon.core.table import TableRef
from dqmon.errors import UnsafeSql
from dqmon.sql.literal_sql import literal_sql
from dqmon.sql.raw import LENGTH_LIMIT, condition, query, quoted_names, refused_by_all
from dqmon.sql.tables import NamedTable

GRAMMARS = ("duckdb", "postgres", "sqlite")
TABLE = NamedTable(TableRef("main", None, "s", 'odd "%s" name'))

GOOD = [
    "select * from {dataset}", "select 1", "select a, count(*) from {dataset} group by a having count(*) > 1", "(select * from {dataset})",
    "with x as (select a from {dataset}) select * from x", "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select * from n",
    "select * from {dataset} d join other.table_b b on b.id = d.id where d.x like '%;--%'", "select a from {dataset} union select b from {dataset}",
    "select a from {dataset} except select b from t", "select row_number() over (partition by a order by b) from {dataset}", "select {dataset}.a from {dataset}",
    "select * from {dataset} where a not in (select b from {dataset})", "select 'drop table x; delete' from {dataset}", "select * from {dataset} limit 10 offset 2",
    "select sum(case when a then 1 else 0 end) from {dataset}", "select * from {dataset} where created_at >= '2026-01-01 10:30:00' and b = 5 % 3",
    "select * from generate_series(1, 3) g where g not in (select x from {dataset})", "\n select *\n from {dataset}\n",
]  # fmt: skip

HOSTILE = [
    # Writing.
    "delete from {dataset}", "insert into {dataset} values (1)", "update {dataset} set a = 1", "truncate {dataset}", "drop table {dataset}",
    "merge into {dataset} using t on true when matched then delete", "create table x as select * from {dataset}", "alter table {dataset} add column b int",
    "select * into x from {dataset}", "create temp view v as select 1", "replace into {dataset} values (1)", "grant all on {dataset} to public",
    # Writing inside of a query.
    "with d as (delete from {dataset} returning *) select * from d", "with d as (update {dataset} set a = 1 returning *) select * from d",
    "with d as (insert into {dataset} values (1) returning *) select * from d", "select * from (delete from {dataset} returning *) x",
    "select * from {dataset} where exists (delete from {dataset} returning 1)", "with d as (merge into {dataset} using t on true when matched then delete) select 1",
    # Several statements, and ways out of the brackets.
    "select 1; select 2", "select 1; drop table {dataset}", "select 1;", "select 1) x; drop table t; select * from (select 1", "select 1 -- x", "select 1 /* x */",
    "select * from {dataset}) as dq_query, (select pg_sleep(9)", "select 1\n) union (select 2", "select 1 /*", "select 'a",
    # Other statements.
    "explain select 1", "explain analyze select 1", "copy {dataset} to '/tmp/x'", "copy (select 1) to program 'sh'", "call f()", "do $$ begin end $$", "set x = 1",
    "pragma table_info('x')", "attach 'x' as y", "vacuum", "begin", "lock table {dataset}", "show tables", "use x", "listen x", "install httpfs", "load httpfs",
    "export database 'x'", "checkpoint", "execute p", "prepare p as select 1", "values (1)", "summarize {dataset}", "describe {dataset}", "a = 1", "1", "", "   ",
    # Locks.
    "select * from {dataset} for update", "select * from {dataset} for share", "with x as (select * from {dataset} for update) select * from x",
    # Functions that act or look elsewhere.
    "select pg_sleep(5)", "select pg_catalog.pg_sleep(5) from {dataset}", 'select "pg_sleep"(5)', "select pg_read_file('/etc/passwd')", "select lo_import('/x')",
    "select nextval('s')", "select setval('s', 1)", "select set_config('a', 'b', false)", "select pg_terminate_backend(1)", "select pg_advisory_lock(1)",
    "select * from dblink('a', 'delete from t') as t(a int)", "select query_to_xml('delete from t', true, true, '')", "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'", 'select * from "x.csv"', "select * from parquet_scan('x')", "select * from glob('*')", "select getenv('HOME')",
    "select load_extension('x')", "select writefile('x', 'y')", "select readfile('x')", "select * from query('delete from t')", "select * from pg_ls_dir('.')",
    "select * from {dataset} where a = (select pg_sleep(1))", "select * from {dataset} order by pg_sleep(1)", "select * from sqlite_dbpage('main')",
    # The table's place.
    "select '{dataset}'", 'select "{dataset}" from t', "select * from x{dataset}", "select * from {dataset}x", "select * from {dataset}(1)", "select {dataset}('x')",
    "select $${dataset}$$", "select dqmon_dataset from t", "select '{dataset}', dqmon_dataset from t", "select '{dataset}', DQMON_DATASET from t",
    # Parameters, other bytes, length.
    "select * from {dataset} where a = :b", "select ?", "select '%(x)s'", "select 1\0", "select " + "(" * 5_000, "select '" + "a" * LENGTH_LIMIT + "'",
]  # fmt: skip


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("text", GOOD)
def test_queries_pass_unchanged_but_for_the_table(text: str, grammar: str) -> None:
    statement = sa.select(sa.func.count()).select_from(query(text, TABLE, grammar))
    wanted = text.replace("{dataset}", '"s"."odd ""%s"" name"')
    assert literal_sql(statement, postgresql.dialect()) == f"SELECT count(*) AS count_1 \nFROM (\n{wanted}\n) AS dq_query"


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("text", HOSTILE)
def test_everything_else_is_refused_in_words(text: str, grammar: str) -> None:
    with pytest.raises(UnsafeSql) as error:
        query(text, TABLE, grammar)
    assert str(error.value).startswith("the SQL ")
    assert len(str(error.value)) < 800, "a message is for people"
    assert "dqmon_dataset" not in str(error.value), "the name inside is not the user's"


def test_what_is_refused_everywhere_is_known_before_the_engine_is() -> None:
    def gate(text: str, grammar: str) -> object:
        return query(text, TABLE, grammar)

    assert [text for text in HOSTILE if refused_by_all(gate, text) is None] == []
    assert [text for text in GOOD if refused_by_all(gate, text) is not None] == []
    assert refused_by_all(condition, "a::int > 1 and b ~ 'x'") is None
    assert "no condition" in (refused_by_all(condition, "select 1") or "")


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize(
    "text",
    ["sum(a) > 1", "a > avg(b)", "count(*) over () > 1", "a > 1 and max(b) = 2", "total(a) > 1", "json_group_array(a) = ''", "every(a)"],
)
def test_a_condition_is_about_one_row(text: str, grammar: str) -> None:
    with pytest.raises(UnsafeSql, match="more than one row"):
        condition(text, grammar)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"Order" <= "select" and "Order" > 1', ("Order", "select")),
        ("amount > 0 and status = 'paid'", ()),
        ('a > 1 and "b" in (select "c" from "d" where "e" = 1)', ("b",)),
        ('t."a" = 1 or lower("x""y") ~ \'z\'', ('x"y',)),
        ("(", ()),
        ('"a" = 1; drop table t', ()),
    ],
)
def test_quoted_names_of_a_condition(text: str, names: tuple[str, ...]) -> None:
    assert quoted_names(text) == names


PIECES = [
    "a", "1", "(", ")", "'", '"', ";", "--", "/*", "select", "from", "{dataset}", "union", "with x as", "$", "%", ":", "\\", ",", "\n",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_passes_or_is_unsafe(text: str) -> None:
    try:
        found = query(text, TABLE, "postgres")
    except UnsafeSql:
        return
    assert text.replace("{dataset}", '"s"."odd ""%s"" name"') in literal_sql(
        sa.select(sa.func.count()).select_from(found), postgresql.dialect()
    )

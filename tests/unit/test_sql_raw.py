"""The gate for SQL that users write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.errors import UnsafeSql
from dqmon.sql.raw import LENGTH_LIMIT, condition

GRAMMARS = ("duckdb", "postgres", "sqlite")

GOOD = [
    "is_test = false", "not is_test", "is_test", "a = 1", "a <> 'DELETE; drop'", "a in ('a', 'b') and not x", "a like '%;--%'", "a like '%:x'",
    "a between 1 and 2", "coalesce(a, 0) > 3", "a is not null", '"weird;name" = 1', "lower(a) = 'x' or b", "x = 'it''s'", "a % 2 = 0",
    "id in (select id from s.vip)", "exists (select 1 from t where t.id = x)", "case when a then b else c end", "a not in (1, 2)",
    "(a, b) in (select x, y from t)", "a is distinct from b", "created_at >= '2026-01-01'", "cast(a as integer) > 3", "(a = 1)", "((a))",
    "status = 'paid'\n and amount > 0", "abs(a) < 2", "a > (select avg(a) from t)", "a = -1", "name = 'pg_sleep(1)'",
]  # fmt: skip

BAD = [
    ("", "empty"), ("  ", "empty"), ("1", "no condition"), ("'x'", "no condition"), ("null", "no condition"), ("a, b", "understood|no condition|semicolon"),
    ("*", "no condition|understood"), ("select 1", "no condition"), ("(select 1)", "no condition"), ("a = b as c", "understood|no condition"),
    ("1=1; drop table x", "semicolon"), ("a;", "semicolon"), ("1=1 -- x", "comment"), ("1=1 /* x */", "comment"), ("x = 1) or (1=1", "understood"),
    ("a = :b", "parameter|understood"), ("a = ?", "parameter"), ("a like '%(x)s'", r"%\(…\)s"), ("a\0", "control"), ("(" * 5_000, "understood|longer"),
    ("a" * (LENGTH_LIMIT + 1), "longer"),
    *((text, "may do more than read|understood|no condition") for text in (
        "exists (delete from t returning 1)", "(with d as (delete from t returning 1) select 1) = 1", "exists (select 1 into t2 from t)",
        "exists (select 1 from t for update)", "exists (insert into t values (1))", "set x = 1", "copy t to 'x'", "call f()", "pragma x", "attach 'x' as y",
        "insert into t values (1)", "update t set a = 1", "delete from t", "truncate t", "drop table t", "do $$ begin end $$", "lock table t",
        "explain select 1", "begin", "vacuum t", "pg_sleep(5) is null", "pg_catalog.pg_read_file('x') = ''", "\"pg_read_file\"('x') = ''",
        'pg_catalog."set_config"(\'a\', \'b\', false) = \'\'', "nextval('s') > 0", "setval('s', 1) > 0", "lo_import('/x') > 0", "dblink('a', 'b') is null",
        "PG_SLEEP(1) is null", "query_to_xml('delete', true, true, '') is null", "pg_terminate_backend(1)", "pg_advisory_lock(1) is null",
        "load_extension('x') is null", "readfile('x') is null", "writefile('x', 'y') > 0", "getenv('HOME') = ''", "a in (select x from read_csv('/etc/passwd'))",
        "exists (select 1 from '/etc/passwd')", 'exists (select 1 from "/etc/passwd.csv")', "exists (select 1 from glob('*'))",
        "exists (select 1 from t where pg_sleep(1) is null)", "exists (values (pg_sleep(1)))", "a in (select x from pg_ls_dir('.') x)",
        "a = (select count(*) from sniff_csv('x'))", "exists (select 1 from parquet_scan('x'))",
    )),
]  # fmt: skip


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("text", GOOD)
def test_conditions_pass_unchanged(text, grammar):
    assert str(condition(text, grammar)) in {f"({text}\n)", f"(({text}\n)\n)"}


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize(("text", "words"), BAD)
def test_anything_else_is_refused_in_words(text, words, grammar):
    with pytest.raises(UnsafeSql, match=words) as error:
        condition(text, grammar)
    assert len(str(error.value)) < 800, "a message is for people"


PIECES = ["a", "1", "(", ")", "'", '"', ";", "--", "/*", "*/", "select", "or", "=", "$", "%", ":", "\\", ",", ".", "\n"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_passes_or_is_unsafe(text):
    try:
        found = str(condition(text, "postgres"))
    except UnsafeSql:
        return
    assert found in {f"({text}\n)", f"(({text}\n)\n)"}

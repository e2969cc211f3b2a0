"""The gate for SQL that users write, against all that is tried on the engines, in each grammar (R31)."""

from __future__ import annotations

import pytest
from attacks import ATTEMPTS

from dqmon.core.table import TableRef
from dqmon.errors import UnsafeSql
from dqmon.sql import raw
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable

TABLE = NamedTable(TableRef("w", None, "public", "t"))

HARMLESS = {
    "select evil()",  # nobody can know what a function of the user's own does: that it writes nothing is the read-only transaction's matter
    "x in (vacuum)",  # a column
    "x in (reindex)",
    # Read as an interval; Oracle has no COPY.
    "x in (copy canary to '/tmp/dqmon_evil')",
    "x in (copy canary to '/tmp/dqmon_evil.csv')",
}


@pytest.mark.parametrize("grammar", raw._GRAMMARS)
def test_no_attempt_is_let_through(grammar):
    let = set()
    for attempt in ATTEMPTS:
        for text, gate in (
            (attempt, lambda text: query(text, TABLE, grammar)),
            (f"x in ({attempt})", lambda text: condition(text, grammar)),
        ):
            try:
                gate(text)
            except UnsafeSql:
                continue
            let.add(text)
    assert {text for text in let if "evil()" not in text} <= HARMLESS


@pytest.mark.parametrize("grammar", raw._GRAMMARS)
@pytest.mark.parametrize("text", [
    "select * from pg_ls_dir('/etc')", "select * from dblink_exec('x', 'drop table t')", "select * from url('http://127.0.0.1')",
    "select * from {dataset}, file('/etc/passwd')", "select 1 from {dataset} where a in (select * from s3('x'))",
    "select utl_inaddr.get_host_name from {dataset}", "select utl_http.request('http://127.0.0.1') from {dataset}",
    "select sys.utl_http.request('http://127.0.0.1') from {dataset}", "select reflect('java.lang.System', 'exit', 1) from {dataset}",
])  # fmt: skip
def test_functions_that_reach_out_are_refused(text, grammar):
    with pytest.raises(UnsafeSql):
        query(text, TABLE, grammar)


@pytest.mark.parametrize("text", [
    "select * from {dataset} t where t.a in (select b from o)", "select a.x from t as a (x, y)", "select * from (values (1, 2)) as v (a, b)",
    "with c (a) as (select 1) select a from c", "select x from generate_series(1, 2) as g (x)", "select t.file from {dataset} as t",
])  # fmt: skip
def test_what_only_reads_passes(text):
    query(text, TABLE, "postgres")


def test_unnested_arrays_pass_where_they_are_usual():
    query("select item from {dataset}, unnest(items) as item", TABLE, "bigquery")


def test_a_condition_that_is_a_name_stays_a_condition():
    """Spark takes `FROM t WHERE (a)` for `t` under another name, and would count all rows."""
    assert str(condition("is_paid", "spark")) == "((is_paid\n)\n)"
    assert str(condition("not is_paid", "spark")) == "(not is_paid\n)"

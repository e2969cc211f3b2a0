"""The checks as somebody who knows SQL writes them by hand: one fused aggregate, a GROUP BY for each key, one anti-join.

This is the 1.00 of all ratios. `orders` may be a table, or a Parquet file that stands as a view.

    python handwritten.py duckdb|parquet|postgres TARGET [PART]
    python handwritten.py duckdb TARGET one
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import suite
from contender import Found

Run = Callable[[str], Sequence[tuple[Any, ...]]]
FRESH = timedelta(days=3)
ALONE = ("uniqueness", "relationship", "schema_drift")
"""Check types with a statement of their own."""


def literal(value: object) -> str:
    """A value of the check file in SQL."""
    return f"'{value}'" if isinstance(value, str) else str(value)


def expressions(check: suite.Check, is_postgres: bool) -> tuple[str, ...]:
    """What the fused statement selects for a check."""
    options, column = check.options, check.options.get("column")
    match check.type:
        case "completeness":
            return (f"count({column})",)
        case "range":
            return (f"min({column})", f"max({column})")
        case "accepted_values":
            accepted = ", ".join(map(literal, options["values"]))
            return (f"count(*) filter (where {column} not in ({accepted}))",)
        case "pattern" if is_postgres:
            return (f"count(*) filter (where {column} !~ '{options['regex']}')",)
        case "pattern":
            return (f"count(*) filter (where not regexp_matches({column}, '{options['regex']}'))",)
        case "freshness":
            return (f"max({column})",)
        case "statistic":
            return (f"{ {'avg': 'avg', 'stddev': 'stddev_samp'}[options['metric']] }({column})",)
        case "row_count":
            return ("count(*)",)
    return ()


def is_bad(check: suite.Check, values: Sequence[Any], rows: int) -> bool:
    """The verdict of a check of the fused statement."""
    options = check.options
    match check.type:
        case "completeness":
            return bool(values[0] != rows)
        case "range":
            low, high = options["min"], options["max"]
            if isinstance(low, str):
                return not (date.fromisoformat(low) <= values[0] and values[1] <= date.fromisoformat(high))
            return not (float(low) <= float(values[0]) and float(values[1]) <= float(high))
        case "freshness":
            return bool(datetime.now() - values[0] > FRESH)
        case "statistic":
            low, high = (float(word) for word in options["fail_if"].removeprefix("not between ").split(" and "))
            return not low <= values[0] <= high
        case "row_count":
            return not options["min"] <= rows <= options["max"]
    return bool(values[0])


def fused(found: Found, run: Run, table: str, checks: Sequence[suite.Check], is_postgres: bool) -> None:
    """One statement for all checks that aggregate."""
    asked = [(check, expression) for check in checks for expression in expressions(check, is_postgres)]
    answers = run(f"select count(*), {', '.join(expression for _, expression in asked)} from {table}")[0]
    for check in dict.fromkeys(check.name for check, _ in asked):
        values = [value for (of, _), value in zip(asked, answers[1:], strict=True) if of.name == check]
        of = next(of for of, _ in asked if of.name == check)
        if is_bad(of, values, answers[0]):
            found.failed.add(check)


def by_itself(check: suite.Check, run: Run, table: str) -> bool:
    """The verdict of a check with a statement of its own."""
    if check.type == "uniqueness":
        keys = ", ".join(check.columns)
        full = " and ".join(f"{column} is not null" for column in check.columns)
        return bool(run(f"select 1 from {table} where {full} group by {keys} having count(*) > 1 limit 1"))
    if check.type == "relationship":
        return bool(
            run(
                "select count(*) from orders o where store_id is not null "
                "and not exists (select 1 from stores s where s.store_id = o.store_id)"
            )[0][0]
        )
    columns = run(f"select column_name from information_schema.columns where table_name = '{table}' order by ordinal_position")
    return [name for (name,) in columns] != [column["name"] for column in check.options["columns"]]


def runner(engine: str, target: str, found: Found) -> Run:
    """What runs a statement and counts it."""
    if engine == "postgres":
        import psycopg

        connection: Any = psycopg.connect(target, autocommit=True)
    else:
        import duckdb

        connection = duckdb.connect(target, read_only=True) if engine == "duckdb" else duckdb.connect()
        for table in ("orders", "stores") if engine == "parquet" else ():
            connection.execute(f"create view {table} as select * from '{target}/{table}*.parquet'")

    def run(statement: str) -> Sequence[tuple[Any, ...]]:
        found.count(statement)
        return list(connection.execute(statement).fetchall())

    return run


def main(engine: str, target: str, part: str = "suite") -> None:
    """Runs a part of the suite; `one` is a single check."""
    found = Found()
    if part == "one":
        with found.working():
            found.failed.update(["row_count"] if not runner(engine, target, found)("select count(*) from orders")[0][0] else [])
        found.checks = 1
    else:
        tables = suite.tables(part)
        found.checks = sum(map(len, tables.values()))
        __import__("psycopg" if engine == "postgres" else "duckdb")
        with found.working():
            run = runner(engine, target, found)
            for table, checks in tables.items():
                fused(found, run, table, checks, engine == "postgres")
                found.failed.update(c.name for c in checks if c.type in ALONE and by_itself(c, run, table))
    found.tell()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""BigQuery by Google's real client against recorded answers: what is sent, what is made of what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from bigquery_replay import Answer, Replay, replaying
from google.api_core.exceptions import BadRequest, Unauthorized
from google.auth.exceptions import DefaultCredentialsError, TransportError
from patience import seconds

from dqmon.core.measurement import MetricRequest
from dqmon.core.plan import plan
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef, TypeGroup
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryFailed, QueryTimeout, TableMissing, UnsafeSql
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan
from dqmon.sql.raw import condition, query
from dqmon.sql.tables import NamedTable
from dqmon.warehouses.base.bigquery_errors import translated

KIND = Registry("warehouses").get("bigquery")
ORDERS = TableRef("w", None, "shop", "orders")
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
COLUMNS = Answer(
    "INFORMATION_SCHEMA.COLUMNS",
    {"table_name": "STRING", "column_name": "STRING", "data_type": "STRING", "is_nullable": "STRING", "collation_name": "STRING"},
    [
        ("orders", "id", "INT64", "NO", "NULL"),
        ("orders", "amount", "NUMERIC", "YES", "NULL"),
        ("orders", "tiny", "BIGNUMERIC(40, 20)", "YES", None),
        ("orders", "name", "STRING(20)", "YES", "und:ci"),
        ("orders", "made", "DATETIME", "YES", "NULL"),
        ("orders", "loaded", "TIMESTAMP", "YES", "NULL"),
        ("orders", "tags", "ARRAY<STRING>", "YES", "NULL"),
    ],
)
ONE = Answer("select 1", {"x": "INTEGER"}, [(1,)])


@contextmanager
def opened(*answers: Answer, **options: Any) -> Iterator[tuple[Any, Replay]]:
    """A session on recorded answers."""
    with replaying(*answers) as (address, replay):
        given = {"project": "acme-shop", "schema": "shop", "api_endpoint": address} | options
        warehouse = KIND("w", KIND.Options.model_validate(given))
        with warehouse.open() as session:
            yield session, replay
        warehouse.close()


def test_columns_are_asked_once_and_told_apart() -> None:
    counts = Answer("__TABLES__", {"table_id": "STRING", "row_count": "INTEGER"}, [("orders", 17)])
    with opened(COLUMNS, counts) as (session, replay):
        session.announce([ORDERS, TableRef("w", None, "shop", "customers")])
        found = session.columns(ORDERS)
        assert [(c.name, c.type, c.group, c.nullable) for c in found] == [
            ("id", "INT64", TypeGroup.INTEGER, False),
            ("amount", "NUMERIC(38, 9)", TypeGroup.DECIMAL, True),
            ("tiny", "BIGNUMERIC(40, 20)", TypeGroup.DECIMAL, True),
            ("name", "STRING(20) collate und:ci", TypeGroup.TEXT, True),
            ("made", "DATETIME", TypeGroup.TIMESTAMP, True),
            ("loaded", "TIMESTAMP", TypeGroup.TIMESTAMP_ZONED, True),
            ("tags", "ARRAY<STRING>", TypeGroup.OTHER, True),
        ]
        facts = session.facts(ORDERS)
        assert (facts.rows, facts.about_rows, list(facts.columns)) == (None, 17, ["id"])
        assert session.unchanged_proof(ORDERS) is None
        (columns, rows) = replay.queries
        assert "`acme-shop`.`shop`.INFORMATION_SCHEMA.COLUMNS" in columns["query"]
        assert [value["parameterValue"]["value"] for value in columns["queryParameters"]] == ["orders", "customers"]
        assert "`acme-shop`.`shop`.`__TABLES__`" in rows["query"]


def test_what_is_sent_along_with_a_statement() -> None:
    with opened(ONE, maximum_bytes_billed=20_000_000) as (session, replay):
        session.labels = {"instance": "Prod EU", "run": "01ABC"}
        statement = sa.select(sa.text("/* select 1 */ 1")).select_from(NamedTable(ORDERS))
        assert session.fetch(statement, 5) == [(1,)]
        (sent,) = replay.queries
        assert sent["labels"] == {"app": "dqmon", "instance": "prod_eu", "run": "01abc", "warehouse": "w", "dataset": "shop_orders"}
        assert sent["maximumBytesBilled"] == "20000000"
        assert {"key": "time_zone", "value": "UTC"} in sent["connectionProperties"]
        assert sent["useLegacySql"] is False
        (job,) = replay.jobs.values()
        assert job["configuration"]["jobTimeoutMs"] == "5000"
        assert (session.spent.bytes_read, session.spent.bytes_billed) == (1_000_000, 10_485_760)
        assert session.spent.statement_id == job["jobReference"]["jobId"]


def test_a_metric_is_measured_with_values_of_their_own_types() -> None:
    counted = Answer("count(", {"m0": "INTEGER"}, [(3,)])
    metrics = [
        m.InvalidRangeCount("amount", min=Decimal("0.5"), max=Decimal(10)),
        m.InvalidRangeCount("tiny", max=Decimal("1E-20")),
        m.InvalidRangeCount("made", max="2026-01-01T00:00:00"),
        m.InvalidRangeCount("loaded", max="2026-01-01T00:00:00Z"),
        m.ListedCount("name", values=("it's", "100%")),
    ]
    with opened(COLUMNS, counted) as (session, replay):
        for metric in metrics:
            (scan,) = plan([MetricRequest(ORDERS, metric, naive_timezone="Europe/Oslo")], lambda _: True)
            compiled = compile_scan(scan, session.columns(ORDERS), (), KIND.capabilities, AT)
            assert compiled.decode(session.fetch(compiled.statement, 5)) == {(None, (), metric): 3}
        sent = [
            [(p["parameterType"]["type"], p["parameterValue"]["value"]) for p in query["queryParameters"]] for query in replay.queries[1:]
        ]
    assert sent == [
        [("NUMERIC", "0.5"), ("INT64", "10")],
        [("BIGNUMERIC", "1E-20")],
        [("DATETIME", "2026-01-01T00:00:00.000000")],
        [("TIMESTAMP", "2026-01-01 00:00:00+00:00")],
        [("STRING", "it's"), ("STRING", "100%")],
    ]


def test_moments_and_decimals_come_back_exactly() -> None:
    types = {"z": "TIMESTAMP", "d": "DATETIME", "n": "NUMERIC", "f": "FLOAT", "day": "DATE", "s": "STRING"}
    answer = Answer("from_here", types, [("1767225600123456", "2026-01-01T00:00:00.5", "1.50", "0.1", "2026-01-01", "ä"), (None,) * 6])
    with opened(answer) as (session, _):
        (row, empty) = session.fetch(sa.select(sa.text("* /* from_here */")), 5)
    moment = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert tuple(row) == (moment, datetime(2026, 1, 1, 0, 0, 0, 500000), Decimal("1.50"), 0.1, moment.date(), "ä")
    assert tuple(empty) == (None,) * 6


def test_an_estimate_is_a_dry_run() -> None:
    with opened(Answer("select 1", processed=0), Answer("select 2", processed=20 * 2**20 + 1)) as (session, replay):
        nothing = session.estimate(sa.select(sa.text("/* select 1 */ 1")))
        large = session.estimate(sa.select(sa.text("/* select 2 */ 1")))
        assert (nothing.bytes_read, nothing.bytes_billed) == (0, 0)
        assert (large.bytes_read, large.bytes_billed, large.statement_id) == (20 * 2**20 + 1, 21 * 2**20, None)
        assert all(job["configuration"]["dryRun"] for job in replay.jobs.values())


def test_a_slow_statement_is_cancelled_by_its_number() -> None:
    with opened(Answer("select 1", is_slow=True)) as (session, replay):

        def run_into_limit() -> None:
            with pytest.raises(QueryTimeout, match="limit of 1 s"):
                session.fetch(sa.select(sa.text("/* select 1 */ 1")), 1)

        assert seconds(run_into_limit) < 8
        assert replay.cancelled == list(replay.jobs)


@pytest.mark.parametrize(("error", "kind", "words"), [
    ((404, "notFound", "Not found: Table acme-shop:shop.gone was not found in location US"), TableMissing, "shop.gone was not found"),
    ((403, "accessDenied", "Access Denied: Table acme-shop:shop.t: User does not have permission"), PermissionDenied, "see `dqmon grants`"),
    ((400, "invalidQuery", "Unrecognized name: amuont at [1:8]"), ColumnMissing, "amuont"),
    ((400, "invalidQuery", "Syntax error: Unexpected end of script at [1:8]"), QueryFailed, "Syntax error"),
    ((400, "invalidQuery", "Cannot query over table 'shop.t' without a filter over column(s) 'day' that can be used for partition elimination"),
     QueryFailed, "give the check a `partition:` or a filter"),
    ((400, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 10485760. 20971520 or higher required."), QueryFailed,
     "raise maximum_bytes_billed"),
    ((403, "quotaExceeded", "Quota exceeded: Your project exceeded quota"), ConnectFailed, "a quota of the project is used up"),
    ((403, "rateLimitExceeded", "Exceeded rate limits: too many concurrent queries"), ConnectFailed, "lower max_connections"),
    ((503, "backendError", "Error encountered during execution"), ConnectFailed, "Error encountered"),
])  # fmt: skip
def test_errors_are_in_dqmons_words(error: tuple[int, str, str], kind: type[Exception], words: str) -> None:
    with opened(Answer("", error=error)) as (session, replay):
        with pytest.raises(kind) as found:
            session.fetch(sa.select(sa.text("1")), 5)
        assert words in str(found.value)
        assert type(found.value) is kind
        assert not [part for part in ("http://", "\n", "Job ID", "POST") if part in str(found.value)], str(found.value)
        assert replay.inserts == 1, "nothing is sent twice"


def test_what_google_raises_itself() -> None:
    for error, kind in (
        (Unauthorized("Invalid Credentials"), ConnectFailed),
        (DefaultCredentialsError("Your default credentials were not found"), ConnectFailed),
        (TransportError("Failed to resolve 'oauth2.googleapis.com'"), ConnectFailed),
        (FutureTimeout(), QueryTimeout),
        (BadRequest("Job timed out after 5s", errors=({"reason": "jobTimeout"},)), QueryTimeout),
        (BadRequest("Division by zero", errors=({"reason": "invalidQuery"},)), QueryFailed),
    ):
        assert type(translated(error, 5)) is kind, error


def test_only_a_select_is_sent() -> None:
    with opened() as (session, replay):
        with pytest.raises(UnsafeSql):
            session.fetch(sa.text("drop table shop.orders"), 5)
        assert replay.jobs == {}


@pytest.mark.parametrize("text", [
    "select * from external_query('x', 'y')", "select * from ml.predict(model m, table t)", "select @@project_id", "select @x from {dataset}",
    "declare x int64; select 1", "export data options() as select 1", "create temp function f() as (1); select f()", "begin select 1; end",
    "call shop.p()", "merge into t using s on false when not matched then insert row", "truncate table t", "execute immediate 'select 1'",
])  # fmt: skip
def test_only_reading_is_let_through(text: str) -> None:
    with pytest.raises(UnsafeSql):
        query(text, NamedTable(ORDERS), "bigquery")


@pytest.mark.parametrize(
    "text", ["safe_cast(name as int64) is null", "made >= datetime_sub(current_datetime(), interval 1 day)", "array_length(tags) > 0"]
)
def test_conditions_of_bigquery_are_understood(text: str) -> None:
    assert text in str(condition(text, "bigquery"))


def test_tables_of_a_dataset_and_of_all() -> None:
    answer = Answer(
        "INFORMATION_SCHEMA.TABLES",
        {"table_schema": "STRING", "table_name": "STRING", "table_type": "STRING"},
        [("shop", "orders", "BASE TABLE"), ("shop", "paid", "VIEW"), ("shop", "daily", "MATERIALIZED VIEW")],
    )
    missing = Answer("INFORMATION_SCHEMA.COLUMNS", error=(404, "notFound", "Not found: Dataset acme-shop:nowhere"))
    with opened(answer, missing, location="EU") as (session, replay):
        assert [(ref.name, view) for ref, view in session.tables("shop")] == [("daily", True), ("orders", False), ("paid", True)]
        session.tables(None)
        assert "`acme-shop`.`region-eu`.INFORMATION_SCHEMA.TABLES" in replay.queries[1]["query"]
        with pytest.raises(TableMissing, match="there are orders"):
            session.columns(TableRef("w", None, "shop", "order"))


def test_what_the_account_may_do_besides() -> None:
    with opened() as (session, replay):
        session.announce([ORDERS])
        assert session.powers() == ()
        replay.writable = ["bigquery.tables.updateData"]
        assert session.powers() == ("bigquery.tables.updateData on acme-shop.shop.orders",)
        (advice,) = session.advice()
        assert "maximum_bytes_billed" in advice
    with opened(maximum_bytes_billed=20_000_000) as (session, _):
        assert session.advice() == ()


def test_a_service_that_is_gone_is_told() -> None:
    with replaying() as (address, _):
        pass
    warehouse = KIND("w", KIND.Options.model_validate({"project": "p", "schema": "s", "api_endpoint": address}))
    with warehouse.open() as session, pytest.raises(ConnectFailed):
        session.fetch(sa.select(sa.text("1")), 5)
    warehouse.close()


def test_a_missing_key_is_told() -> None:
    warehouse = KIND("w", KIND.Options.model_validate({"project": "p", "schema": "s", "credentials_file": "/nowhere/key.json"}))
    with pytest.raises(ConnectFailed, match=r"/nowhere/key\.json is no key of a service account"), warehouse.open():
        pass


@pytest.mark.parametrize("options", [
    {}, {"project": "p"}, {"project": "p", "schema": ""}, {"project": "p", "schema": "s", "maximum_bytes_billed": 1},
    {"project": "p", "schema": "s", "api_endpoint": "http://example.com"}, {"project": "p", "schema": "s", "price_per_tib": -1},
])  # fmt: skip
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        KIND.Options.model_validate(options)


def test_the_account_reads_what_is_checked() -> None:
    warehouse = KIND("w", KIND.Options.model_validate({"project": "acme", "schema": "shop"}))
    script = warehouse.grants([ORDERS, TableRef("w", None, "raw", "*"), TableRef("w", "other", "d", "t")])
    member = '"serviceAccount:dqmon@acme.iam.gserviceaccount.com"'
    for line in (
        "--member=serviceAccount:dqmon@acme.iam.gserviceaccount.com --role=roles/bigquery.jobUser",
        f"GRANT `roles/bigquery.dataViewer` ON TABLE `acme`.`shop`.`orders` TO {member};",
        f"GRANT `roles/bigquery.metadataViewer` ON SCHEMA `acme`.`shop` TO {member};",
        f"GRANT `roles/bigquery.dataViewer` ON SCHEMA `acme`.`raw` TO {member};",
        f"GRANT `roles/bigquery.dataViewer` ON TABLE `other`.`d`.`t` TO {member};",
    ):
        assert line in script
    assert "dataEditor" not in script
    everything = warehouse.grants([TableRef("w", None, "*", "*")])
    assert "gcloud projects add-iam-policy-binding acme" in everything
    assert "roles/bigquery.dataViewer" in everything


def test_names_cannot_leave_their_quotes() -> None:
    warehouse = KIND("w", KIND.Options.model_validate({"project": "p", "schema": "s", "api_endpoint": "http://127.0.0.1:1"}))
    hostile = TableRef("w", "p`; drop", "a.b", "`t`\\ %s @x")
    text = str(sa.select(NamedTable(hostile)).compile(dialect=warehouse.dialect))
    assert text.endswith("FROM `p\\`; drop`.`a.b`.`\\`t\\`\\\\ %%s @x`")

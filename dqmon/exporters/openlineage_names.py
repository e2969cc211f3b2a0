"""What OpenLineage calls a warehouse and its tables (https://openlineage.io/docs/spec/naming), so that events of several tools meet."""

from __future__ import annotations

from dataclasses import dataclass

from dqmon.core.table import split_dataset

_WITH_PORT = ("mssql", "oracle", "trino", "clickhouse", "spark")
_BY_URL = {"postgres": ("postgres", 5432), "mysql": ("mysql", 3306)}
_REDSHIFT_HOST = ".redshift.amazonaws.com"


@dataclass(frozen=True, slots=True)
class DataSource:
    """A warehouse as OpenLineage names it. `database` stands before the names of tables that leave it out."""

    namespace: str
    database: str | None = None

    def name(self, dataset: str) -> str:
        """The dotted name of a dataset of that warehouse, its parts without quotes."""
        parts = split_dataset(dataset)
        is_short = self.database is not None and len(parts) < 3  # noqa: PLR2004 - catalog, schema, table
        return ".".join([*([self.database] if is_short and self.database else []), *parts])


def data_source(kind: str, options: object, catalog: str | None = None, namespace: str | None = None) -> DataSource:
    """The name of a warehouse of that type by its options, never with a user or a secret; `namespace` takes the derived one's place.

    `catalog` is the warehouse's own. Types that the specification does not name are called as OpenLineage's integration for dbt
    calls them; a type of another package by its name alone.
    """
    found = _derived(kind, options, catalog)
    return DataSource(namespace, found.database) if namespace else found


def _derived(kind: str, options: object, catalog: str | None) -> DataSource:
    host, port = (getattr(options, name, None) for name in ("host", "port"))
    if kind in _BY_URL:
        return _by_url(kind, options)
    if kind in _WITH_PORT:
        database = catalog or getattr(options, "database", None) or getattr(options, "service", None)
        return DataSource(f"{kind}://{host}" + (f":{port}" if port else ""), database if kind != "clickhouse" else None)
    match kind:
        case "redshift":
            return DataSource(f"redshift://{_cluster(str(host))}:{port}", getattr(options, "database", None))
        case "snowflake":
            return DataSource(f"snowflake://{getattr(options, 'account', '')}", catalog)
        case "databricks":
            return DataSource(f"databricks://{host}", catalog)
        case "bigquery":
            return DataSource("bigquery", catalog)
        case "duckdb" | "sqlite":
            return DataSource(f"{kind}://{getattr(options, 'path', None) or ''}")
        case _:
            return DataSource(kind, catalog)


def _by_url(kind: str, options: object) -> DataSource:
    """Host and port out of the URL; the database too where tables have schemas besides."""
    from sqlalchemy import make_url

    scheme, usual_port = _BY_URL[kind]
    url = make_url(options.url.get_secret_value())  # type: ignore[attr-defined]  # those types have one
    host = url.host or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return DataSource(f"{scheme}://{shown}:{url.port or usual_port}", url.database if kind == "postgres" else None)


def _cluster(host: str) -> str:
    """`cluster.region` of an Amazon host name, `cluster.id.region.redshift.amazonaws.com`; any other host as it is."""
    parts = host.removesuffix(_REDSHIFT_HOST).split(".")
    return f"{parts[0]}.{parts[-1]}" if host.endswith(_REDSHIFT_HOST) and len(parts) > 1 else host

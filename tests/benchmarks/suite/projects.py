"""dqmon projects for the suite: a folder with config/dqmon.yaml and a copy of orders.yaml; the store is new each time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import suite


def duckdb(folder: Path, database: Path) -> Path:
    """A project on a DuckDB file."""
    return project(folder, {"type": "duckdb", "path": str(database), "statement_timeout": "10m"})


def parquet(folder: Path, files: Path) -> Path:
    """A project on a folder of Parquet files."""
    tables = {table: f"{files}/{table}*.parquet" for table in ("orders", "stores")}
    return project(folder, {"type": "duckdb", "files": tables, "statement_timeout": "10m"})


def postgres(folder: Path, url: str) -> Path:
    """A project on a PostgreSQL database."""
    return project(folder, {"type": "postgres", "url": url, "statement_timeout": "10m"})


def tiny(project: Path) -> Path:
    """The same project with the checks of the tiny tables."""
    tables = suite.tables("tiny")
    datasets = [{"dataset": table, "checks": [{check.type: check.options} for check in checks]} for table, checks in tables.items()]
    (project / "checks/orders.yaml").write_text(json.dumps({"version": 1, "datasets": datasets}))
    return project


def project(folder: Path, warehouse: dict[str, Any]) -> Path:
    """A project folder with one warehouse and nothing in its store."""
    forget(folder)
    for name in ("config", "checks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = {"version": 1, "warehouses": {"main": warehouse}}  # JSON is YAML, too.
    (folder / "config/dqmon.yaml").write_text(json.dumps(config))
    shutil.copy(suite.FILE, folder / "checks")
    return folder


def forget(folder: Path) -> None:
    """Makes the store new."""
    shutil.rmtree(folder / ".dqmon", ignore_errors=True)

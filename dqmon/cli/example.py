"""What a user of the worked example may have missed."""

from __future__ import annotations

from pathlib import Path


def hint() -> str | None:
    """What to type when the working folder is the worked example's and its data are not loaded yet; else None."""
    if Path("config/demo/load.py").exists() and not Path("data/warehouse.duckdb").exists():
        return "the worked example has no data yet: data/warehouse.duckdb is missing; type: dqmon demo"
    return None

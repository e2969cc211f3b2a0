"""Soda Core 3 on the suite; runs in an environment of its own.

python peer_soda3.py duckdb|postgres TARGET CHECKS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from contender import Found, counted
from soda.execution.check_outcome import CheckOutcome
from soda.scan import Scan


def data_source(engine: str, target: str) -> dict[str, Any]:
    """The configuration; failing rows are not fetched, which no other contestant does."""
    if engine == "duckdb":
        where: dict[str, Any] = {"type": "duckdb", "path": target, "read_only": True}
    else:
        url = urlsplit(target)
        host = url.hostname or parse_qs(url.query)["host"][0]
        where = {"type": "postgres", "host": host, "port": url.port or 5432, "username": url.username, "password": url.password or ""}
        where |= {"database": url.path.strip("/"), "schema": "public"}
    return {"data_source bench": {**where, "sampler": {"disable_samples": True}}}


def sodacl(check: dict[str, Any]) -> dict[str, Any]:
    """One check of the suite in SodaCL."""
    name, options = {"name": check["name"]}, check["options"]
    column = options.get("column")
    match check["type"]:
        case "completeness":
            return {f"missing_count({column}) = 0": name}
        case "uniqueness":
            return {f"duplicate_count({', '.join(check['columns'])}) = 0": name}
        case "range" if isinstance(options["min"], str):
            metric = f"off_{column}"
            bad = f"count(case when {column} < date '{options['min']}' or {column} > date '{options['max']}' then 1 end)"
            return {f"{metric} = 0": {**name, f"{metric} expression": bad}}
        case "range":
            return {f"invalid_count({column}) = 0": {**name, "valid min": options["min"], "valid max": options["max"]}}
        case "accepted_values":
            return {f"invalid_count({column}) = 0": {**name, "valid values": options["values"]}}
        case "pattern":
            return {f"invalid_count({column}) = 0": {**name, "valid regex": options["regex"]}}
        case "row_count":
            return {f"row_count between {options['min']} and {options['max']}": name}
        case "freshness":
            return {f"freshness({column}) < {options['fail_after']}": name}
        case "statistic":
            function = {"avg": "avg", "stddev": "stddev_samp"}[options["metric"]]
            return {f"{function}({column}) {options['fail_if'].removeprefix('not ')}": name}
        case "relationship":
            return {f"values in ({column}) must exist in {options['to']['dataset']} ({options['to']['column']})": name}
    columns = [each["name"] for each in options["columns"]]
    fail = {"when required column missing": columns, "when wrong column index": {each: at for at, each in enumerate(columns)}}
    return {"schema": {**name, "fail": fail}}


def main(engine: str, target: str, file: str) -> None:
    """Runs the checks of the file, which has them by table."""
    tables = json.loads(Path(file).read_text())
    scan, found = Scan(), Found()
    scan.disable_telemetry()
    scan.set_data_source_name("bench")
    scan.add_configuration_yaml_str(json.dumps(data_source(engine, target)))
    scan.add_sodacl_yaml_str(json.dumps({f"checks for {table}": [sodacl(check) for check in checks] for table, checks in tables.items()}))
    counted(found, engine)
    with found.working():
        scan.execute()
    found.checks = sum(check.outcome is not None for check in scan._checks)
    found.failed = {check.name for check in scan._checks if check.outcome is not CheckOutcome.PASS}
    if scan.has_error_logs():
        found.more["errors"] = str(scan.get_error_logs_text())[:500]
    found.tell()


if __name__ == "__main__":
    main(*sys.argv[1:])

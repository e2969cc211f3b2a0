"""Soda 4 on the suite; runs in an environment of its own.

python peer_soda4.py duckdb|postgres TARGET CHECKS.json
python peer_soda4.py duckdb|postgres TARGET CHECKS.json FOLDER CHECK    only writes the files of one check for its command
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from contender import Found, counted
from soda_core.common.yaml import ContractYamlSource, DataSourceYamlSource
from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession


def data_source(engine: str, target: str) -> dict[str, Any]:
    """Where the data is."""
    if engine == "duckdb":
        return {"type": "duckdb", "name": "bench", "connection": {"database": target, "read_only": True}}
    url = urlsplit(target)
    host = url.hostname or parse_qs(url.query)["host"][0]
    where = {"host": host, "port": url.port or 5432, "user": url.username, "password": url.password or "", "database": url.path.strip("/")}
    return {"type": "postgres", "name": "bench", "connection": where}


def column_check(check: dict[str, Any], dataset: str) -> dict[str, Any]:
    """A check of the suite that a contract says of a column."""
    options, name = check["options"], {"name": check["name"], "qualifier": check["type"]}
    match check["type"]:
        case "completeness":
            return {"missing": name}
        case "uniqueness":
            return {"duplicate": name}
        case "range":
            return {"invalid": {**name, "valid_min": options["min"], "valid_max": options["max"]}}
        case "accepted_values":
            return {"invalid": {**name, "valid_values": options["values"]}}
        case "pattern":
            return {"invalid": {**name, "valid_format": {"regex": options["regex"], "name": "form"}}}
        case "relationship":
            reference = {"dataset": f"{dataset.rpartition('/')[0]}/{options['to']['dataset']}", "column": options["to"]["column"]}
            return {"invalid": {**name, "valid_reference_data": reference}}
    low, high = options["fail_if"].removeprefix("not between ").split(" and ")
    between = {"threshold": {"must_be_between": {"greater_than_or_equal": float(low), "less_than_or_equal": float(high)}}}
    if options["metric"] == "avg":
        return {"aggregate": {**name, "function": "avg", **between}}
    return {"metric": {**name, "expression": f"stddev_samp({options['column']})", **between}}


def table_check(check: dict[str, Any]) -> dict[str, Any]:
    """A check of the suite that a contract says of the table."""
    options, name = check["options"], {"name": check["name"], "qualifier": check["name"].replace(".", "_")}
    match check["type"]:
        case "schema_drift":
            return {"schema": name}
        case "row_count":
            between = {"greater_than_or_equal": options["min"], "less_than_or_equal": options["max"]}
            return {"row_count": {**name, "threshold": {"must_be_between": between}}}
        case "freshness":
            days = int(options["fail_after"].removesuffix("d"))
            return {"freshness": {**name, "column": options["column"], "threshold": {"unit": "day", "must_be_less_than": days}}}
        case "range":
            column = options["column"]
            bad = f"{column} < date '{options['min']}' or {column} > date '{options['max']}'"
            return {"failed_rows": {**name, "expression": bad}}
    return {"duplicate": {**name, "columns": check["columns"]}}


def place(engine: str, target: str) -> str:
    """What stands before a table's name."""
    return "bench/main" if engine == "duckdb" else f"bench/{urlsplit(target).path.strip('/')}/public"


def contract(dataset: str, checks: list[dict[str, Any]], only: str) -> dict[str, Any]:
    """The checks of a table as a contract, or one check of them."""
    declared = [each["name"] for check in checks if check["type"] == "schema_drift" for each in check["options"]["columns"]]
    declared = declared or sorted({column for check in checks for column in check["columns"]})
    columns: dict[str, list[dict[str, Any]]] = {name: [] for name in declared}
    whole: list[dict[str, Any]] = []
    for check in (check for check in checks if only in ("", check["name"])):
        is_date_range = check["type"] == "range" and isinstance(check["options"]["min"], str)
        if check["type"] == "freshness" or is_date_range or len(check["columns"]) != 1:
            whole.append(table_check(check))
        else:
            columns[check["columns"][0]].append(column_check(check, dataset))
    found = [{"name": name, **({"checks": inner} if inner else {})} for name, inner in columns.items()]
    return {"dataset": dataset, "columns": found, "checks": whole}


def main(engine: str, target: str, file: str, folder: str = "", only: str = "") -> None:
    """Runs the checks of the file, which has them by table."""
    tables = json.loads(Path(file).read_text())
    source = json.dumps(data_source(engine, target))
    agreed = [json.dumps(contract(f"{place(engine, target)}/{table}", checks, only)) for table, checks in tables.items()]
    if folder:
        (Path(folder) / "source.yml").write_text(source)
        (Path(folder) / "contract.yml").write_text(agreed[0])
        return
    found = Found()
    counted(found, engine)
    with found.working():
        session = ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_str(text) for text in agreed],
            data_source_yaml_sources=[DataSourceYamlSource.from_str(source)],
        )
    outcomes = [item for result in session.contract_verification_results for item in result.check_results]
    found.checks = sum(item.outcome in (CheckOutcome.PASSED, CheckOutcome.FAILED) for item in outcomes)
    found.failed = {str(item.check.name) for item in outcomes if item.outcome is not CheckOutcome.PASSED}
    if session.has_errors:
        found.more["errors"] = str(session.get_errors_str())[:500]
    found.tell()


if __name__ == "__main__":
    main(*sys.argv[1:])

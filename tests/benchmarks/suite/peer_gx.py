"""Great Expectations 1 on the suite; runs in an environment of its own.

python peer_gx.py duckdb|postgres TARGET CHECKS.json
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import great_expectations as gx
from contender import Found, counted
from great_expectations import expectations as gxe

ORPHANS = "select * from {batch} where store_id is not null and store_id not in (select store_id from stores)"


def expectation(check: dict[str, Any]) -> Any:
    """One check of the suite."""
    options, meta = check["options"], {"name": check["name"]}
    column = options.get("column")
    match check["type"]:
        case "completeness":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "uniqueness" if column:
            return gxe.ExpectColumnValuesToBeUnique(column=column, meta=meta)
        case "uniqueness":
            return gxe.ExpectCompoundColumnsToBeUnique(column_list=check["columns"], meta=meta)
        case "range":
            low, high = options["min"], options["max"]
            if isinstance(low, str):
                low, high = date.fromisoformat(low), date.fromisoformat(high)
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high, meta=meta)
        case "accepted_values":
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=options["values"], meta=meta)
        case "pattern":
            return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=options["regex"], meta=meta)
        case "row_count":
            return gxe.ExpectTableRowCountToBeBetween(min_value=options["min"], max_value=options["max"], meta=meta)
        case "freshness":
            oldest = datetime.now() - timedelta(days=int(options["fail_after"].removesuffix("d")))
            return gxe.ExpectColumnMaxToBeBetween(column=column, min_value=oldest, meta=meta)
        case "statistic":
            low, high = (float(word) for word in options["fail_if"].removeprefix("not between ").split(" and "))
            kind = {"avg": gxe.ExpectColumnMeanToBeBetween, "stddev": gxe.ExpectColumnStdevToBeBetween}[options["metric"]]
            return kind(column=column, min_value=low, max_value=high, meta=meta)
        case "relationship":
            return gxe.UnexpectedRowsExpectation(unexpected_rows_query=ORPHANS, meta=meta)
    return gxe.ExpectTableColumnsToMatchOrderedList(column_list=[each["name"] for each in options["columns"]], meta=meta)


def messages(info: dict[str, Any]) -> list[str]:
    """The words of what was raised, on one line each; the dictionary of one exception, or of many by metric."""
    if "raised_exception" not in info:
        return [words for inner in info.values() for words in messages(inner)][:1]
    return [" ".join(str(info["exception_message"]).split())[:300]] if info["raised_exception"] else []


def main(engine: str, target: str, file: str) -> None:
    """Runs the checks of the file, which has them by table."""
    tables = json.loads(Path(file).read_text())
    context, found = gx.get_context(mode="ephemeral"), Found()
    if engine == "duckdb":
        source = context.data_sources.add_sql("bench", connection_string=f"duckdb:///{target}", create_temp_table=False)
    else:
        url = target.replace("postgresql://", "postgresql+psycopg2://", 1)
        source = context.data_sources.add_sql("bench", connection_string=url, create_temp_table=False)
    pairs = []
    for table, checks in tables.items():
        batch = source.add_table_asset(table, table_name=table).add_batch_definition_whole_table("all").get_batch()
        pairs.append((batch, gx.ExpectationSuite(name=table, expectations=[expectation(check) for check in checks])))
    counted(found, engine, by_sqlalchemy=True)
    with found.working():
        results = [item for batch, suite in pairs for item in batch.validate(suite, result_format="BOOLEAN_ONLY").results]
    found.checks = sum(item.success is not None for item in results)
    found.failed = {item.expectation_config.meta["name"] for item in results if not item.success}
    raised = [words for item in results for words in messages(item.exception_info)]
    if raised:
        found.more["errors"] = f"{len(raised)} expectations could not be evaluated: {raised[0]}"
    found.tell()


if __name__ == "__main__":
    main(*sys.argv[1:])

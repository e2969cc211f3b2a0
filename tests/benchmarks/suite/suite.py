"""The checks of orders.yaml as plain data, which of them are planted to fail, and the parts of the suite that are timed alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("orders.yaml")

PARTS = {
    "suite": frozenset[str](),
    "no_keys": frozenset({"schema_drift", "row_count", "freshness", "statistic", "completeness", "range", "accepted_values", "pattern"}),
    "footers": frozenset({"row_count", "freshness", "completeness", "range"}),
}
"""The check types of each part, none for all: 50 checks, the 44 that need no keys, and the 33 that Parquet footers can answer."""

TINY = frozenset(
    {
        "row_count.some",
        "completeness.order_id",
        "completeness.customer_id",
        "completeness.email",
        "uniqueness.order_id",
        "range.total_amount",
        "range.quantity",
        "accepted_values.status",
        "pattern.email",
        "pattern.country",
    }
)
"""The ten checks of each of the tiny tables."""
TABLES = 200
"""How many tiny tables there are: orders_0 to orders_199."""

DUPLICATES = frozenset({"uniqueness.order_ref", "uniqueness.customer_id.created_at"})
PLANTED = DUPLICATES | {
    "completeness.weight_g",
    "completeness.email",
    "completeness.ship_date",
    "range.quantity",
    "range.total_amount",
    "accepted_values.status",
    "accepted_values.quantity",
    "pattern.email",
    "relationship.store_id",
}
"""The checks that fail on planted orders: 11 of 50."""


@dataclass(frozen=True)
class Check:
    """One check with its options as the file has them."""

    type: str
    options: dict[str, Any]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        found = self.options.get("columns", [self.options.get("column")])
        return tuple(column for column in found if isinstance(column, str))

    @property
    def name(self) -> str:
        """Its dqmon id without the dataset."""
        return ".".join([self.type, *self.columns, *filter(None, [self.options.get("name")])])


def checks(part: str = "suite") -> tuple[Check, ...]:
    """The checks of a part, in the order of the file."""
    from ruamel.yaml import YAML

    items = YAML(typ="safe").load(FILE)["datasets"][0]["checks"]
    found = tuple(Check(kind, options) for item in items for kind, options in item.items())
    return tuple(check for check in found if not PARTS[part] or check.type in PARTS[part])


def tables(part: str) -> dict[str, tuple[Check, ...]]:
    """The checks of a part by table; `tiny` is the part of many small tables."""
    if part != "tiny":
        return {"orders": checks(part)}
    ten = tuple(check for check in checks() if check.name in TINY)
    return {f"orders_{number}": ten for number in range(TABLES)}


def planted(kind: str, part: str = "suite") -> frozenset[str]:
    """The names of the checks of `part` that fail on orders of `kind`."""
    bad = {"planted": PLANTED, "unique": PLANTED - DUPLICATES, "clean": frozenset[str]()}[kind]
    return frozenset(name for name in bad if not PARTS[part] or name.partition(".")[0] in PARTS[part])


def terms(part: str) -> list[str]:
    """The selector of a part for dqmon."""
    return [f"type:{','.join(sorted(PARTS[part]))}"] if PARTS[part] else []

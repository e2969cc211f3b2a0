"""`budgets:` and prices of warehouses: what is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqmon.config.project import load_project
from dqmon.core.cost import Budget
from dqmon.errors import ConfigError

CHECKS = "version: 1\ndatasets:\n  - dataset: orders\n    checks: [{row_count: {min: 1}}]\n"


def budgets(root: Path, text: str, price: str = ", credits_per_hour: 2") -> object:
    for folder in ("config", "checks"):
        (root / folder).mkdir()
    (root / "checks/orders.yaml").write_text(CHECKS)
    path = root / "config/dqmon.yaml"
    path.write_text(f"version: 1\nwarehouses:\n  main: {{type: sqlite, path: shop.db{price}}}\nbudgets:\n{text}\n")
    return load_project(path, {}).settings.budgets


@pytest.mark.parametrize(
    ("text", "price", "expected"),
    [
        ("  main: {credits_per_day: 2}", ", credits_per_hour: 2", Budget(credits_per_day=2)),
        ("  main: {credits_per_day: 2.5}", ", price_per_tib: 6.25", Budget(credits_per_day=2.5)),
        ("  main: {bytes_per_day: 1e12, seconds_per_day: 600}", "", Budget(None, 1e12, 600)),
    ],
)
def test_a_budget_is_read(tmp_path: Path, text: str, price: str, expected: Budget) -> None:
    assert budgets(tmp_path, text, price) == {"main": expected}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  mian: {credits_per_day: 2}", "config/dqmon.yaml:5: budgets: unknown warehouse 'mian'; did you mean 'main'?"),
        ("  main: {}", "config/dqmon.yaml:5: budgets.main limits nothing; write credits_per_day, bytes_per_day or seconds_per_day"),
        ("  main: {credits_per_day: 0}", "config/dqmon.yaml:5: credits_per_day is 0; it should be greater than 0"),
        ("  main: {seconds_per_day: .nan}", "config/dqmon.yaml:5: seconds_per_day is nan; it should be a finite number"),
        ("  main: {credit_per_day: 1}", "config/dqmon.yaml:5: unknown key 'credit_per_day'; did you mean 'credits_per_day'?"),
        ("  main: 3", "config/dqmon.yaml:5: main is 3; a mapping of keys to values is expected"),
        ("  - main", "config/dqmon.yaml:4: budgets is ['main']; a mapping of keys to values is expected"),
    ],
)
def test_a_wrong_budget_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        budgets(tmp_path, text)
    assert str(found.value) == said


def test_credits_are_counted_only_where_there_is_a_price(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as found:
        budgets(tmp_path, "  main:\n    credits_per_day: 2", price="")
    assert str(found.value) == "config/dqmon.yaml:6: budgets.main: the warehouse has no price; set its credits_per_hour or price_per_tib"

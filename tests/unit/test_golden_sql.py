"""What is sent to the engines that no test can run: golden SQL by their real dialects, read by people.

An engine is a folder tests/golden/<type>/ with engine.yaml: the warehouse's options, and how it declares the columns of
tests/fakes/golden_sql.py. `DQMON_WRITE_GOLDEN=1 pytest tests/unit/test_golden_sql.py` writes the files anew; then read what changed.
"""

from __future__ import annotations

import pytest
import sqlglot
from golden_sql import FOLDER, KINDS, NAMES, golden


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_golden(kind: str, name: str) -> None:
    golden(kind).compare(name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_engines_grammar_has_it(kind: str, name: str) -> None:
    """By a parser of that grammar that is not SQLAlchemy: one SELECT each."""
    found = golden(kind)
    for text in found.literal(name):
        (parsed,) = sqlglot.parse(text, read=found.warehouse.capabilities.grammar)
        assert isinstance(parsed, sqlglot.exp.Select), (
            f"{kind}, {name}: this is no SELECT of {found.warehouse.capabilities.grammar}: {text}"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_no_golden_is_left_over(kind: str) -> None:
    assert {path.stem for path in (FOLDER / kind).glob("*.sql")} == set(NAMES)

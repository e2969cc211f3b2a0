"""Checks as a pandera schema, for programs that validate with pandera: https://pandera.readthedocs.io."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dqmon.core.verdict import Verdict

if TYPE_CHECKING:
    from dqmon.core.check import Check

Library: TypeAlias = Literal["pandas", "polars"]


class Marks(NamedTuple):
    """What one check says of a frame: its verdict, and where its bad rows stand when that is FAIL."""

    verdict: Verdict
    bad: Sequence[int]


Mark: TypeAlias = Callable[[Any, "Check"], Marks]
"""Judges a frame by one check. Raises a DqmonError when it cannot be measured, which pandera reports as a failure."""


def schema(name: str, checks: Mapping[str, Check], mark: Mark, library: Library, metadata: Mapping[str, object]) -> Any:
    """A `DataFrameSchema` with one pandera check for each of `checks` (by what is said of a bad row), named by its id.

    A frame fails it just where a check's verdict is FAIL, and the bad rows are the failure cases; a verdict of WARN is
    pandera's SchemaWarning.
    """
    pandera = import_module(f"pandera.{library}")
    passes = {"pandas": _passes_pandas, "polars": _passes_polars}[library]
    found = []
    for reason, check in checks.items():
        made = partial(pandera.Check, name=check.id, error=reason, description=check.description, ignore_na=False)
        found.append(made(partial(passes, mark, check, Verdict.FAIL)))
        if check.warn_if is not None:
            found.append(made(partial(passes, mark, check, Verdict.WARN), raise_warning=True))
    return pandera.DataFrameSchema(checks=found, name=name, metadata=dict(metadata))


def _passes_pandas(mark: Mark, check: Check, bad: Verdict, frame: Any) -> Any:
    """For each row whether it is good; one True or False where the verdict is another, or no row can be blamed."""
    import pandas as pd

    found = mark(frame, check)
    if found.verdict is not bad or not found.bad:
        return found.verdict is not bad
    passes = pd.Series(data=True, index=frame.index)
    passes.iloc[list(found.bad)] = False
    return passes


def _passes_polars(mark: Mark, check: Check, bad: Verdict, data: Any) -> Any:
    """As for pandas, with what pandera hands over and takes there."""
    import polars as pl

    frame = data.lazyframe.collect()
    found = mark(frame, check)
    if found.verdict is not bad or not found.bad:
        return found.verdict is not bad
    return pl.LazyFrame({"passes": ~pl.select(pl.int_range(frame.height)).to_series().is_in(list(found.bad))})

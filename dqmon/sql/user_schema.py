"""A user's own pandera schema: found in the project's folder of Python code, and what it says of a frame.

Code of the user runs here and nowhere else. Whatever it raises is a QueryFailed without values of rows in it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from dqmon.core.metric import Key, Totals
from dqmon.errors import QueryFailed

_TURN = Lock()
"""Only one thread runs code of the user's, which need not be made for several."""
_LABEL = 60
"""Characters of a rule's name that are kept: lists of accepted values stand in it."""


@dataclass(frozen=True, slots=True)
class UserSchema:
    """A pandera `DataFrameSchema`, and whose frames it takes. `written` is `module:name`, for messages."""

    written: str
    schema: Any
    library: Literal["pandas", "polars"]


def load(folder: str, written: str) -> UserSchema:
    """The schema `written` as `module:name`; the module has to be a file below `folder`, and is imported once a process.

    `folder` comes last on Python's path, so that nothing in it stands in for an installed package. Raises QueryFailed.
    """
    name, _, attribute = written.partition(":")
    found = _module(Path(folder).resolve(), name, written)
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as e:
        raise QueryFailed(f"{written}: {name} has no {attribute}: {e}") from e
    if isinstance(found, type) and hasattr(found, "to_schema"):
        try:
            with _running():
                found = found.to_schema()
        except (Exception, SystemExit) as e:  # the user's own code may raise anything
            raise QueryFailed(f"{written} cannot be read as a schema: {_words(e)}") from e
    return UserSchema(written, found, _library(written, found))


def _module(base: Path, name: str, written: str) -> Any:
    place = base.joinpath(*name.split("."))
    if not any(path.is_file() for path in (place.with_suffix(".py"), place / "__init__.py")):
        raise QueryFailed(f"{written}: there is no module {name} in python_path; write {place.with_suffix('.py')}")
    if str(base) not in sys.path:
        sys.path.append(str(base))
    try:
        with _running():
            module = import_module(name)
    except (Exception, SystemExit) as e:  # the user's own code may raise anything
        hint = next(
            (f"; install dqmon[{library}]" for library in ("pandas", "polars") if isinstance(e, ImportError) and library in str(e)), ""
        )
        raise QueryFailed(f"{written}: {name} cannot be imported: {_words(e)}{hint}") from e
    origin = Path(module.__file__ or "").resolve()
    if not origin.is_relative_to(base):
        raise QueryFailed(f"{written}: the name {name} belongs to {origin}; give the module in {base} another name")
    return module


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def _running() -> Iterator[None]:
    """While code of the user's runs: what it prints goes to stderr, since stdout holds dqmon's answer alone."""
    with _TURN, redirect_stdout(sys.stderr):
        yield


def _library(written: str, schema: Any) -> Literal["pandas", "polars"]:
    kind = type(schema)
    if kind.__name__ == "DataFrameSchema" and kind.__module__.startswith("pandera.api.pandas."):
        return "pandas"
    if kind.__name__ == "DataFrameSchema" and kind.__module__.startswith("pandera.api.polars."):
        return "polars"
    found = f"{kind.__module__}.{kind.__name__}"
    raise QueryFailed(f"{written} is a {found}; a DataFrameSchema or DataFrameModel of pandas or polars is needed")


def broken(found: UserSchema, frame: Any) -> Totals:
    """The key `()` has the rows of the frame and the bad ones; (column, rule) each rule that is broken, and by how many rows.

    A rule that no row can be blamed for, such as one on a type or a mean, has None there, and makes all rows bad. Raises
    QueryFailed for columns that are not there, and for what the schema's own code raises.
    """
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    _refuse_dropping(found)
    try:
        # Whatever the environment says: a schema that is switched off would pass everything.
        with _running(), config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            found.schema.validate(frame, lazy=True)
    except SchemaErrors as e:
        _refuse_unjudged(found, e.schema_errors)
        return _counted(e.failure_cases, found.library, len(frame))
    except (Exception, SystemExit) as e:  # the user's own code may raise anything
        raise QueryFailed(f"{found.written} raised {type(e).__name__} on the sample; try the schema on a few rows") from e
    return Totals({(): (len(frame), 0)})


def _refuse_dropping(found: UserSchema) -> None:
    if any(getattr(part, "drop_invalid_rows", False) for part in (found.schema, *found.schema.columns.values())):
        raise QueryFailed(f"{found.written} has drop_invalid_rows=True, which would hide the bad rows; leave it out")


def _refuse_unjudged(found: UserSchema, errors: list[Any]) -> None:
    """Raises when something could not be looked at: then the rest would be a verdict on half of the schema."""
    reasons = defaultdict(list)
    for error in errors:
        reasons[getattr(error.reason_code, "name", "")].append(error)
    if missing := [str(error.failure_cases) for error in reasons["COLUMN_NOT_IN_DATAFRAME"]]:
        raise QueryFailed(f"{found.written} needs columns that the table has not: {', '.join(missing)}")
    for error in reasons["CHECK_ERROR"]:
        # The words of the exception may hold values of rows; its name is what stands before the bracket.
        what = str(error.failure_cases).partition("(")[0]
        raise QueryFailed(f"{found.written}: the check {_label(error.check)} raised {what if what.isidentifier() else 'an exception'}")


def _counted(cases: Any, library: str, rows: int) -> Totals:
    """What pandera lists, one line for each bad value, as rows."""
    listed: list[Mapping[str, Any]] = cases.to_dict("records") if library == "pandas" else cases.to_dicts()
    by_rule: dict[Key, set[object]] = defaultdict(set)
    for case in listed:
        column = str(case["column"]) if case["schema_context"] == "Column" else None
        by_rule[column, _label(case["check"])].add(_index(case["index"]))
    # None stands for a rule on the whole.
    bad = rows if any(None in places for places in by_rule.values()) else len({place for places in by_rule.values() for place in places})
    return Totals({(): (rows, bad), **{rule: (None if None in places else len(places),) for rule, places in by_rule.items()}})


def _index(value: Any) -> object:
    return None if value is None or value != value else value  # noqa: PLR0124 - pandas writes NaN for nothing


def _label(check: object) -> str:
    text = " ".join(str(getattr(check, "name", None) or check).split())
    return text if len(text) <= _LABEL else text[:_LABEL] + "…"

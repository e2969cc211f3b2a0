"""Pydantic models fed from YAML; their errors become problems with lines and suggestions."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dqmon.config.report import Report, suggest
from dqmon.config.yaml_lines import YamlMap, line_of
from dqmon.core.duration import PATTERN, write_duration

Model = TypeVar("Model", bound=BaseModel)
SHORT_SECRET = 4
"""Characters: a shorter text stands in every other sentence by chance."""
_Loc = tuple[int | str, ...]


def read_model(
    model: type[Model],
    data: Mapping[str, Any],
    report: Report,
    *,
    more_keys: Iterable[str] = (),
    hidden: Iterable[str] = (),
    unknown: Iterable[str] = (),
) -> Model | None:
    """The model of `data`, or None with the reasons in `report`, each at its line of `data`.

    Validated as JSON, so that lists become tuples and words become enums although models are strict.
    more_keys: further words to suggest for an unknown top-level key. hidden: texts that no message may show.
    unknown: keys whose values are not known here, so that neither their absence nor the whole is held against `data`.
    """
    ignored = frozenset(unknown)
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as e:
        seen: set[tuple[_Loc, bool]] = set()
        for error in e.errors(include_url=False):
            loc = _in_data(data, error["loc"], is_missing=error["type"] == "missing")
            if (ignored and (not error["loc"] or error["loc"][0] in ignored)) or _follows(error):
                continue
            mark = (loc, error["type"] == "extra_forbidden")
            if mark not in seen:
                seen.add(mark)
                message, hint = _words(model, error, loc, tuple(more_keys))
                message = redact(message, hidden)
                report.error(line_of(data, loc), message, hint and redact(hint, hidden))
    return None


def redact(text: str, hidden: Iterable[str]) -> str:
    """`text` with each of `hidden` masked; also in the escaped form that `repr` gives.

    Of a short one only the whole value between quotes: masked inside of other words, it could be read from what is missing.
    """
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        escaped = repr(secret)
        if len(secret) < SHORT_SECRET:
            text = text.replace(escaped, f"{escaped[0]}***{escaped[0]}")
        else:
            text = text.replace(secret, "***").replace(escaped[1:-1], "***")
    return text


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that YAML may give for `model`."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models that an annotation mentions, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(found for part in typing.get_args(annotation) for found in models_in(part))


def _in_data(data: Any, loc: _Loc, *, is_missing: bool) -> _Loc:
    """`loc` without what pydantic puts between (names of union members), so that it leads through the data."""
    steps: list[int | str] = []
    for step in loc:
        is_there = step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int) and step < len(data)
        if is_there:
            data = data[step]
            steps.append(step)
    return (*steps, loc[-1]) if is_missing and loc else tuple(steps)


def _words(model: type[BaseModel], error: Any, loc: _Loc, more_keys: tuple[str, ...]) -> tuple[str, str | None]:
    """Message and hint for one pydantic error."""
    key = next((step for step in reversed(loc) if isinstance(step, str)), "")
    shown = _shown(error["input"])
    match error["type"]:
        case "extra_forbidden":
            known = _keys_at(model, error["loc"][:-1])
            every = (*known, *more_keys) if len(loc) == 1 else known
            return f"unknown key {key!r}", suggest(key, every) or suggest(key, known)
        case "missing":
            return f"{key!r} is missing", f"add {key}:"
        case "value_error":
            found = str(error["ctx"]["error"])
            is_named = not key or re.match(rf"{re.escape(key)}\b", found)
            return (found if is_named else f"{key}: {found}"), None
        case "literal_error" | "enum":
            words = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            return f"{key} is {shown}, which is not one of its values", suggest(error["input"], words)
        case _:
            return f"{key or 'this'} is {shown}; {_expected(error)}", None


_KINDS = {
    "string": "text is expected",
    "int": "a whole number is expected",
    "float": "a number is expected",
    "decimal": "a number is expected",
    "bool": "true or false is expected",
    "list": "a list is expected",
    "tuple": "a list is expected",
    "set": "a list is expected",
    "frozen": "a list is expected",
    "dict": "a mapping of keys to values is expected",
    "model": "a mapping of keys to values is expected",
    "time": 'a time such as "07:00" is expected',
    "date": "a date such as 2013-02-08 is expected",
}


def _follows(error: Any) -> bool:
    """True for a list that is too short only without its items that are wrong, which have messages of their own."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _expected(error: Any) -> str:
    kind, _, rest = str(error["type"]).partition("_")
    if kind in _KINDS and ("type" in rest or "parsing" in rest):
        return _KINDS[kind]
    if rest == "too_short" or kind == "too":
        least, what = error["ctx"]["min_length" if "short" in rest else "max_length"], "character" if kind == "string" else "item"
        side = "least" if "short" in rest else "most"
        return f"at {side} {least} {what}{'' if least == 1 else 's'} {'is' if least == 1 else 'are'} expected"
    words, limit = str(error["msg"]).replace("Input should", "it should"), next(iter(error.get("ctx", {}).values()), None)
    if isinstance(limit, int) and limit and re.fullmatch(PATTERN, str(error["input"])):
        return words.replace(str(limit), write_duration(limit))
    return words


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - one line on a terminal


def _keys_at(model: type[BaseModel], loc: _Loc) -> tuple[str, ...]:
    """The keys known where `loc` leads; those of all models of a union."""
    models: tuple[type[BaseModel], ...] = (model,)
    for step in loc:
        nested = tuple(
            found
            for at in models
            for name, field in at.model_fields.items()
            if step in (name, field.alias)
            for found in models_in(field.annotation)
        )
        models = nested or models
    return tuple(dict.fromkeys(key for found in models for key in keys_of(found)))


def without(data: YamlMap, keys: Iterable[str]) -> YamlMap:
    """`data` without some keys, lines kept."""
    dropped = frozenset(keys)
    return only(data, (key for key in data if key not in dropped))


def only(data: YamlMap, keys: Iterable[str]) -> YamlMap:
    """`data` with those of `keys` that it has, lines kept."""
    rest = YamlMap(data.line)
    for key in keys:
        if key in data:
            rest[key], rest.lines[key] = data[key], data.lines[key]
    return rest

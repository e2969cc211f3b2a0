"""Extensions are found by name, one import at a time, and what is wrong with one is said clearly."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from dqmon.core import registry
from dqmon.core.registry import ROOMS, Registry
from dqmon.errors import ExtensionError


class Fine:
    type = "fine"


def _points(monkeypatch: pytest.MonkeyPatch, *pairs: tuple[str, str]) -> None:
    found = EntryPoints(EntryPoint(name, value, "dqmon.checks") for name, value in pairs)
    monkeypatch.setattr(registry, "_all_points", lambda: found)


@pytest.mark.parametrize("kind", sorted(ROOMS))
def test_every_own_extension_is_a_class_named_as_its_file(kind: str) -> None:
    found = Registry(kind).all()
    assert found, f"no extension in {kind}"
    assert all(cls.type == name for name, cls in found.items())


def test_listing_names_imports_no_extension() -> None:
    before = {name for name in sys.modules if name.startswith("dqmon.")}
    assert "completeness" in Registry("checks").names()
    assert {name for name in sys.modules if name.startswith("dqmon.")} == before


def test_an_entry_point_is_an_extension_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _points(monkeypatch, ("fine", f"{__name__}:Fine"))
    assert Registry("checks").get("fine") is Fine


@pytest.mark.parametrize(
    ("points", "asked", "words"),
    [
        ([], "row_cont", ["'row_cont'", "row_count"]),
        ([("completeness", "x:Y")], "completeness", ["x:Y", "'completeness'", "dqmon itself", "uninstall"]),
        ([("fine", "a:A"), ("fine", "b:B")], "fine", ["b:B", "a:A too"]),
        ([("gone", "no_such_module_here:X")], "gone", ["'gone'", "cannot be imported", "ModuleNotFoundError"]),
        ([("odd", f"{__name__}:Fine")], "odd", ["no class whose `type` is 'odd'"]),
    ],
)
def test_what_is_wrong_with_an_extension_is_said(
    monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, str]], asked: str, words: list[str]
) -> None:
    _points(monkeypatch, *points)
    with pytest.raises(ExtensionError) as caught:
        Registry("checks").get(asked)
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_same_entry_point_twice_is_one_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package installed editable and as a wheel shows its entry points twice."""
    _points(monkeypatch, ("fine", f"{__name__}:Fine"), ("fine", f"{__name__}:Fine"))
    assert Registry("checks").get("fine") is Fine

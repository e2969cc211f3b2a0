"""The engines of the contract suites, each empty, read by dqmon and written by its own driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engines import all_engines, engine
from fake_vendors import Vendors

from dqmon.core.table import TableRef

PLAIN = tuple(found.kind for found in all_engines() if found.is_plain)
"""The engines that take the SQL of the suites that write their own tables."""


@dataclass
class Lab:
    """A warehouse and the way to write into it: `run(*statements)`, or `with writer() as execute`, as the owner."""

    engine: str
    warehouse: Any
    location: str

    def writer(self) -> AbstractContextManager[Callable[[str], object]]:
        return engine(self.engine).writer(self.location)

    def run(self, *statements: str) -> None:
        with self.writer() as execute:
            for statement in statements:
                execute(statement)

    def ref(self, name: str) -> TableRef:
        return TableRef("lab", None, self.warehouse.default_schema, name)

    def another(self, **options: Any) -> Any:
        """A second warehouse on the same data."""
        return engine(self.engine).warehouse("lab", self.location, **options)


@pytest.fixture(params=PLAIN)
def lab(request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path: Path) -> Iterator[Lab]:
    """Each engine in turn."""
    found = engine(request.param)
    location = found.place(servers(found.kind), tmp_path)
    with closing(found.warehouse("lab", location)) as warehouse:
        yield Lab(found.kind, warehouse, location)


@pytest.fixture(scope="module")
def vendor_server() -> Iterator[Vendors]:
    """The fake vendors, for all tests of a file."""
    with Vendors() as running:
        yield running


@pytest.fixture
def vendors(vendor_server: Vendors) -> Vendors:
    """The fake vendors, as if nobody had asked them anything."""
    vendor_server.reset()
    return vendor_server

"""Rule tests as declared: `checks/tests/*.yaml` against the project's checks, channels and tables; refused whole with all that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal, TypeAlias

from dqmon.checks.base.as_measured import problem_of
from dqmon.config.check_file import check_version, listed, unknown_keys
from dqmon.config.check_files import yaml_files
from dqmon.config.fields import read_model
from dqmon.config.project import Project
from dqmon.config.report import Report, shown_path, suggest
from dqmon.config.rule_rows import columns_of
from dqmon.config.rule_test_keys import KEY, BesideKeys, ExpectKeys, RowsKeys, RuleTestKeys
from dqmon.config.yaml_lines import YamlMap, line_of, read_yaml
from dqmon.core.check import Check, Schedule, SourceLine
from dqmon.core.message import DeliveryKind
from dqmon.core.rule_test import Expectation, RuleTest, Series, TableRows
from dqmon.core.table import TableRef
from dqmon.errors import ConfigError

_Loc: TypeAlias = tuple[int | str, ...]

FOLDER = "tests"
"""Below the folder of check files."""
MAX_RUNS = 1_000
"""Of one test with rows, up to its last expectation."""


def read_rule_tests(project: Project, paths: Iterable[str] = ()) -> tuple[RuleTest, ...]:
    """The tests of those files and folders, else of all of `checks/tests/`, in the order of the files.

    Raises ConfigError with every problem of every file, also when there is no test at all.
    """
    report = Report("")
    tests: list[RuleTest] = []
    for path in _files(project, paths, report):
        own = report.of(shown_path(path, project.root))
        if (data := read_yaml(path, own)) is not None:
            read = _declared(data, own)
            reader = _Reader(project, own, data, _known(project, _named(read.values())))
            tests.extend(found for at, keys in read.items() if (found := reader.test(at, keys)))
    if report.errors:
        raise ConfigError(tuple(sorted(dict.fromkeys(report.errors), key=lambda problem: (problem.path, problem.line or 0))))
    return tuple(tests)


def has_rule_tests(project: Project) -> bool:
    """True when there is a file in `checks/tests/`."""
    folder = project.settings.checks_path / FOLDER
    return folder.is_dir() and bool(yaml_files(folder, Report("")))


def _files(project: Project, paths: Iterable[str], report: Report) -> Iterator[Path]:
    folder = project.settings.checks_path / FOLDER
    for path in (Path.cwd() / path for path in paths) if paths else (folder,):
        own = report.of(shown_path(path, project.root))
        found = yaml_files(path, report) if path.is_dir() else [path]
        if not path.exists():
            own.error(None, "there is no such file or folder", "write rule tests there, see docs/rule-tests.md")
        elif not found:
            own.error(None, "there are no rule tests (*.yaml, *.yml)", "write one, see docs/rule-tests.md")
        yield from found if path.exists() else ()


def _declared(data: YamlMap, report: Report) -> dict[int, RuleTestKeys]:
    """The tests of a file's content that can be read, by their place in the list."""
    unknown_keys(data, ("version", KEY), report)
    check_version(data, report)
    if not data.get(KEY):
        report.error(data.lines.get(KEY), "the file has no tests", "add tests:")
    found = {}
    for at, (item, line) in enumerate(listed(data, KEY, report, "- name: …")):
        if not isinstance(item, YamlMap):
            report.error(line, f"{item!r} is no test", "write - name: …, check:, values: and expect:")
        elif keys := read_model(RuleTestKeys, item, report):
            found[at] = keys
    return found


def _named(tests: Iterable[RuleTestKeys]) -> frozenset[str]:
    return frozenset(name for test in tests for name in (test.check, *(one.check for one in test.beside)))


def _known(project: Project, names: Iterable[str]) -> dict[str, Check]:
    """The project's checks by id; with those of patterns whose tables the names are of."""
    known = {check.id: check for check in project.checks}
    tables = [table for name in names if name not in known and (table := _table_in(name, project))] if project.patterns else []
    if tables:
        known |= {check.id: check for check in project.resolve((table, False) for table in tables).checks}
    return known


def _table_in(name: str, project: Project) -> TableRef | None:
    """The table that a check id begins with; None when it names none."""
    warehouse, _, rest = name.partition(":")
    if warehouse not in project.facts.warehouses:
        warehouse, rest = project.facts.first, name
    types = {item.rule.type for placed in project.patterns for item in placed.entry.items}
    found = re.match(rf"(.+?)\.({'|'.join(map(re.escape, sorted(types)))})(\.|$)", rest)
    try:
        return project.facts.table(warehouse, found[1]) if found and types else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the tests of one file."""

    project: Project
    report: Report
    data: YamlMap
    checks: Mapping[str, Check]

    def test(self, at: int, keys: RuleTestKeys) -> RuleTest | None:
        """The test at that place of the file; None with the reasons in the report."""
        before = len(self.report.errors)
        loc: _Loc = (KEY, at)
        check = self._check(keys.check, (*loc, "check"))
        others = [self._check(one.check, (*loc, "beside", number, "check")) for number, one in enumerate(keys.beside)]
        if check is None or None in others:
            return None
        every = (check, *(other for other in others if other is not None))
        if len({one.id for one in every}) < len(every):
            self._error((*loc, "beside"), "a check stands there twice", "name each check once")
        if not keys.expect:
            self._error((*loc, "expect"), "the test expects nothing", "write expect: [{at: 1m, state: firing}]")
        schedule = Schedule(None, keys.interval, "UTC") if keys.interval else check.schedule
        if schedule is None or keys.interval == 0:
            self._error((*loc, "interval"), "the test does not say how often the check runs", "write interval: 1h")
            return None
        series = tuple(self._series(loc, keys, every))
        tables = tuple(found for number, one in enumerate(keys.rows) if (found := self._rows((*loc, "rows", number), one, keys.start)))
        expect = [self._expectation((*loc, "expect", number), one, keys, every) for number, one in enumerate(keys.expect)]
        if len(self.report.errors) > before:
            return None
        source = SourceLine(self.report.path, line_of(self.data, (*loc, "name")))
        expect.sort(key=lambda one: one.at)
        test = RuleTest(keys.name, source, keys.start, schedule, every, series, tables, tuple(expect))
        return test if self._is_short(loc, test) else None

    def _is_short(self, loc: _Loc, test: RuleTest) -> bool:
        """False, with the reason in the report, for a test with rows that would take for ever."""
        runs = takewhile(lambda slot: slot <= test.end, islice(test.slots(), MAX_RUNS + 1)) if test.tables else ()
        if sum(1 for _ in runs) <= MAX_RUNS:
            return True
        self._error(
            (*loc, "expect"), f"the checks run more than {MAX_RUNS:,} times before the last expectation", "write a longer interval:"
        )
        return False

    def _check(self, name: str, loc: _Loc) -> Check | None:
        if name not in self.checks:
            self._error(loc, f"there is no check {name!r}", suggest(name, self.checks) or "`dqmon plan` names them")
        return self.checks.get(name)

    def _series(self, loc: _Loc, keys: RuleTestKeys, checks: tuple[Check, ...]) -> Iterator[Series]:
        """What each check finds, unless rows say it."""
        given: list[tuple[_Loc, RuleTestKeys | BesideKeys]] = [(loc, keys)]
        given += [((*loc, "beside", number), one) for number, one in enumerate(keys.beside)]
        for (place, one), check in zip(given, checks, strict=True):
            if keys.rows:
                if one.values is not None:
                    self._error((*place, "values"), "values: and rows: are both given", "keep one of them")
                if check.table is None:
                    self._error((*place, "check"), f"{check.id} reads no table", "only checks of tables can be tested")
            elif one.values is None:
                self._error(place, f"the test does not say what {check.id} finds", "write values: 0 7 _ error, or rows:")
            else:
                problems = (problem_of(check, value) for value in dict.fromkeys(one.values))
                for problem in (found for found in problems if found):
                    self._error((*place, "values"), problem)
                yield Series(check, one.values)

    def _rows(self, loc: _Loc, keys: RowsKeys, start: datetime) -> TableRows | None:
        facts = self.project.facts
        warehouse = keys.warehouse or facts.first
        if warehouse not in facts.warehouses:
            self._error((*loc, "warehouse"), f"unknown warehouse {warehouse!r}", suggest(warehouse, facts.warehouses))
            return None
        try:
            table, columns = facts.table(warehouse, keys.dataset), columns_of(keys.rows, keys.columns)
        except ValueError as e:
            self._error((*loc, "rows"), f"{keys.dataset}: {e}")
            return None
        rows = tuple(tuple(row.get(name) for name, _ in columns) for row in keys.rows)
        return TableRows(table, _at(keys.at, start), columns, rows, SourceLine(self.report.path, line_of(self.data, (*loc, "dataset"))))

    def _expectation(self, loc: _Loc, keys: ExpectKeys, test: RuleTestKeys, checks: tuple[Check, ...]) -> Expectation:
        found = {check.id: check for check in checks}
        name = keys.check or test.check
        if name not in found:
            self._error((*loc, "check"), f"{name!r} is no check of this test", suggest(name, found) or "name it under beside:")
        if keys.root is not None and keys.root not in found:
            self._error((*loc, "root"), f"{keys.root!r} is no check of this test", suggest(keys.root, found) or "name it under beside:")
        if keys.root is not None and keys.incident == "none":
            self._error((*loc, "root"), "incident: none has no root", "write incident: open, or remove root:")
        at = _at(keys.at, test.start)
        if at < test.start:
            self._error((*loc, "at"), "the expectation is before the start", "write a later at:, or an earlier start:")
        line = line_of(self.data, loc)
        lines = {key: line_of(self.data, (*loc, key)) for key in ("at", *keys.model_fields_set)} | {"": line}
        shown = str(self.data[KEY][loc[1]]["expect"][loc[3]]["at"])
        deliver = self._deliver((*loc, "deliver"), keys)
        check = found.get(name, checks[0])
        incident: Literal["open", "none"] | None = "open" if keys.root else keys.incident
        if keys.model_fields_set <= {"at", "check", "kind"}:
            self._error(loc, "nothing is expected there", "write state:, verdict:, severity:, deliver:, incident: or root:")
        return Expectation(at, shown, check, keys.kind, keys.state, keys.verdict, keys.severity, deliver, incident, keys.root, lines)

    def _deliver(self, loc: _Loc, keys: ExpectKeys) -> dict[str, tuple[str, ...]] | None:
        if keys.deliver is None:
            return None
        known = self.project.settings.channels
        for name in keys.deliver:
            if name not in known:
                self._error(loc, f"there is no channel {name!r}", suggest(name, known) or "declare it under channels: in dqmon.yaml")
        if isinstance(keys.deliver, tuple):
            return dict.fromkeys(keys.deliver, ())
        return {name: (kinds,) if isinstance(kinds, DeliveryKind) else kinds for name, kinds in keys.deliver.items()}

    def _error(self, loc: _Loc, message: str, hint: str | None = None) -> None:
        self.report.error(line_of(self.data, loc), message, hint)


def _at(moment: timedelta | datetime, start: datetime) -> datetime:
    return moment if isinstance(moment, datetime) else start + moment

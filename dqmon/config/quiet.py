"""What the configuration keeps quiet: silences and maintenance windows with their selectors read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dqmon.config.routes import read_selector
from dqmon.config.yaml_lines import line_of
from dqmon.core.check import Schedule
from dqmon.core.silence import Maintenance, Quiet, Silence

if TYPE_CHECKING:
    from dqmon.config.settings_file import SettingsFile
    from dqmon.core.selector import Selector


def read_quiet(file: SettingsFile, words: Mapping[str, tuple[str, ...]]) -> tuple[Quiet, ...]:
    """The silences and windows in declared order; what is wrong with their selectors is in the file's report."""
    found: list[Quiet] = []
    for at, silence in enumerate(file.keys.silences):
        if (match := _match(file, ("silences", at), silence.match, words)) is not None:
            place = f"{file.report.path}:{line_of(file.data, ('silences', at))}"
            found.append(Silence(place, match, silence.start, silence.until, silence.reason, silence.by))
    for at, window in enumerate(file.keys.maintenance):
        if (match := _match(file, ("maintenance", at), window.match, words)) is not None:
            found.append(Maintenance(window.name, match, Schedule(window.cron, None, window.timezone), window.lasts))
    return tuple(found)


def _match(file: SettingsFile, loc: tuple[str, int], text: str, words: Mapping[str, tuple[str, ...]]) -> Selector | None:
    try:
        return read_selector((text,), words)
    except ValueError as e:
        section, at = loc
        file.report.error(line_of(file.data, (*loc, "match")), f"{section}[{at}]: {e}")
    return None

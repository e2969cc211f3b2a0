"""`dqmon demo`: the worked example's weeks, on a virtual clock."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zoneinfo import ZoneInfo

from dqmon.cli import options, output
from dqmon.core.verdict import Severity, Verdict
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app import App
    from dqmon.core.delivery import Delivery
    from dqmon.core.result import ResultRecord
    from dqmon.daemon.virtual import VirtualClock

NEW_YORK = ZoneInfo("America/New_York")
FIRST_SLOTS = date(2013, 1, 2)
FIRST_LOAD = date(2013, 2, 1)
LAST_LOAD = date(2013, 2, 15)
LOADER = Path("config/demo/load.py")
AS_OF = "2013-02-10T12:00Z"
_BAD = (Verdict.WARN, Verdict.FAIL, Verdict.ERROR)


def command(config: options.ConfigFile = None) -> None:
    """Runs the worked example on a virtual clock.

    Loads New York's flights of January and February 2013 day by day and runs the checks of those weeks as they fall due.
    Makes the example's warehouse and store anew. Needs no network and sends nothing: its channels are dry runs.
    """
    from dqmon.app import open_app
    from dqmon.daemon.virtual import VirtualClock

    clock = VirtualClock(_new_york(FIRST_SLOTS, time()))
    with open_app(config) as found:
        root, store = found.project.root, found.project.settings.store_url
    _start_anew(root, store)
    with open_app(config, clock=clock) as app, _loader(root) as step:
        output.write("New York's flights of 2013, watched by dqmon on a virtual clock; nothing is sent")
        _load(step)
        story = _Story(app, clock)
        output.write(f"{len(app.environment.checks)} checks; January's slots run now:")
        story.run_until(_new_york(FIRST_LOAD, time(5, 59)))
        story.end()
        output.write("")
        output.write("January's slots have run, its history is learned. From here on there is a load a day:")
        for day in _days():
            story.run_until(_new_york(day, time(6)))
            if day > FIRST_LOAD:
                _load(step)
        story.run_until(_new_york(LAST_LOAD, time(9)))
        story.end()
    _ending()


def _days() -> Iterator[date]:
    day = FIRST_LOAD
    while day <= LAST_LOAD:
        yield day
        day += timedelta(days=1)


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _start_anew(root: Path, store_url: str) -> None:
    """Removes what an earlier demo left: its warehouse, its store, dlt's working folder. Nothing else is touched."""
    store = root / ".dqmon/demo.db"
    if not (root / LOADER).is_file() or store_url != f"sqlite:///{store}":
        raise UsageError(
            f"this is not the worked example: {LOADER} or the store .dqmon/demo.db is missing; go to the folder of dqmon itself"
        )
    import shutil

    for path in (store, *(store.with_name(store.name + end) for end in ("-wal", "-shm")), root / "data/warehouse.duckdb"):
        path.unlink(missing_ok=True)
    shutil.rmtree(root / "data/dlt", ignore_errors=True)


@contextmanager
def _loader(root: Path) -> Iterator[subprocess.Popen[str]]:
    """The loading tool in a process of its own, which loads a step for each line that it is sent."""
    command_line = [sys.executable, str(root / LOADER), "--step"]
    with subprocess.Popen(command_line, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            yield process
        finally:
            process.terminate()


def _load(loader: subprocess.Popen[str]) -> None:
    said = _ask(loader.stdin, loader.stdout)
    if not said.startswith("loaded"):
        raise UsageError(f"the demo's loader failed{': ' + said if said else ''}; install its packages with `make install` and try again")
    if "2013-01" in said:
        output.write(said)


def _ask(stdin: IO[str] | None, stdout: IO[str] | None) -> str:
    if stdin is None or stdout is None:
        return ""
    try:
        stdin.write("\n")
        stdin.flush()
    except BrokenPipeError:
        return ""
    return stdout.readline().strip()


class _Story:
    """Runs the slots that are due and prints what the store then has that is new: verdicts, incidents, messages."""

    def __init__(self, app: App, clock: VirtualClock) -> None:
        self._app = app
        self._clock = clock
        from dqmon.app.daemon import scheduler

        self._scheduler = scheduler(app)
        self._told = 0
        self._judged_until = app.now()
        self._bad: frozenset[tuple[str, str]] = frozenset()
        self._quiet: list[datetime] = []

    def run_until(self, until: datetime) -> None:
        """Goes on to that instant."""
        from dqmon.daemon.virtual import run_until

        run_until(self._scheduler, self._clock, until, self._tell)

    def end(self) -> None:
        """Says which of the last days brought nothing new."""
        if self._quiet:
            first, last = self._quiet[0], self._quiet[-1]
            days = f"{first:%a %d %b}" if first == last else f"{first:%d %b} to {last:%d %b}"
            output.write(f"{days}  nothing new")
        self._quiet = []

    def _tell(self) -> None:
        """What has come since the last tick: the verdicts of the newest slots, then the messages."""
        from dqmon.store import deliveries, results

        with self._app.database.read() as connection:
            records = results.since(connection, self._judged_until)
            messages = deliveries.after(connection, self._told)
        if records:
            self._judge(records)
        for message in messages:
            self._told = message.sequence
            if message.part != "reply" and message.kind != "repeat":
                self.end()
                for line in _message(message):
                    output.write(line)

    def _judge(self, records: tuple[ResultRecord, ...]) -> None:
        """One line for the slots of a day and one for each result that has turned bad; days like the one before are gathered."""
        from dqmon.cli.report import word

        self._judged_until = max(record.scheduled_at for record in records)
        day = self._judged_until.astimezone(NEW_YORK)
        bad = {(r.check_id, r.verdict.value): r for r in records if r.verdict in _BAD}
        news = [record for key, record in bad.items() if key not in self._bad]
        gone = self._bad - bad.keys()
        self._bad = frozenset(bad)
        if not news and not gone:
            self._quiet.append(day)
            return
        self.end()
        counted = Counter(word(record).lower() for record in records)
        output.write(f"{day:%a %d %b}  " + ", ".join(f"{count} {name}" for name, count in sorted(counted.items(), key=lambda c: -c[1])))
        for record in news:
            label = output.paint(record.verdict, word(record), sys.stdout)
            output.write(f"  {label}  {output.clean(record.check_id)}: {output.clean(record.reason)}")


def _message(message: Delivery) -> Iterator[str]:
    yield f"  → {message.channel}, {message.kind.value}: {output.clean(message.message.title)}"
    if message.message.severity is Severity.CRITICAL:
        yield from (f"      | {output.clean(line)}" for line in message.text.splitlines())


def _ending() -> None:
    """What a user would type now, and what comes of it."""
    output.write("")
    output.write(f"$ dqmon check --at {AS_OF}")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "dqmon", "check", "--at", AS_OF], check=False)  # noqa: S603 - our own program
    output.write("")
    output.write("Type next:")
    for typed, why in (
        ("source .venv/bin/activate", "so that `dqmon` is found"),
        ("dqmon incidents list --state all", "what was wrong, and when"),
        ("dqmon incidents show INCIDENT", "its alerts and every message"),
        (f"dqmon explain main.flights.completeness.dep_time --at {AS_OF}", "why this verdict"),
        ("dqmon lineage main.flights", "what it is made from, and who reads it"),
        ("dqmon plan", "the statements behind it"),
        ("dqmon validate", "after writing your own checks in checks/"),
    ):
        output.write(f"  {typed:<70}  {why}")

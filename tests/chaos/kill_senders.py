"""Two real senders, killed by SIGKILL again and again while they deliver (R13). A program, so that forking is safe.

`python kill_senders.py STORE_URL CYCLES SEED` prints one line of JSON with what it found, judged only from the fake
PagerDuty's incidents and the store. Each cycle: new triggers and resolves go into the outbox, two senders are forked from
this warm process, both are killed 4 to 40 ms after they are connected. Virtual time moves on by more than a lease in each
cycle. Every few cycles, and at the end, two senders that nobody kills empty the outbox.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

FAKES = Path(__file__).parent.parent / "fakes"
sys.path.insert(0, str(FAKES))

from sample_messages import AT, delivery, message  # noqa: E402 - the path is set above

from dqmon.core.delivery import DeliveryKind, DeliveryState  # noqa: E402 - as above
from dqmon.core.verdict import Severity  # noqa: E402 - as above
from dqmon.engine.deliver import deliver_once  # noqa: E402 - as above
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions  # noqa: E402 - as above
from dqmon.store import deliveries  # noqa: E402 - as above
from dqmon.store.database import Database  # noqa: E402 - as above

CYCLE = timedelta(seconds=61)  # a lease of 60 s has run out in the next cycle
KILL_MS = (4, 40)
ROUTING_KEY = "k" * 32


class Bench:
    def __init__(self, store_url, seed, urls):
        self.random, self.urls = random.Random(seed), urls
        self.database = Database(store_url)
        self.database.prepare()
        self.opened: list[str] = []
        self.resolved: set[str] = set()
        self.added = 0
        options = {
            "routing_key": ROUTING_KEY,
            "base_url": urls["pagerduty_url"],
            "verify": urls["ca_file"],
            "allow_private_addresses": True,
        }
        self.channel = PagerDuty("oncall", PagerDutyOptions.model_validate(options))
        # A message of its own, sent here, warms clients, TLS and statements, so that the children do not pay for that.
        with self.database.write() as connection:
            deliveries.add(connection, [self.add("warm", DeliveryKind.TRIGGER, AT)])
        deliver_once(self.database, {"oncall": self.channel}, lambda: AT, "warm")
        self.opened.append("warm")

    def slow_down(self, requests):
        """PagerDuty takes 0 to 30 ms for each request, so that most kills meet one under way."""
        faults = [{"delay_s": self.random.uniform(0, 0.03)} for _ in range(requests)]
        body = json.dumps({"vendor": "pagerduty", "faults": faults}).encode()
        urllib.request.urlopen(self.urls["slack_url"] + "/_faults", body).close()

    def add(self, group_id, kind, at):
        told = message(kind, group_id=group_id, dedup_key=f"dqmon:{group_id}", incident_id=group_id, severity=Severity.CRITICAL)
        self.added += 1
        return delivery(f"d{self.added}", told=told, channel="oncall", part="event", created_at=at)

    def feed(self, cycle, at):
        """A new group; the end of those whose sending was cut off (the dangerous ones) and of two others that were told."""
        new = [f"g{cycle}"]
        table = deliveries.deliveries.c
        with self.database.write() as connection:
            group_ids = sa.select(table.group_id).distinct().order_by(table.group_id)
            cut_off = connection.scalars(group_ids.where(table.state == DeliveryState.QUEUED, table.lease_token.is_not(None))).all()
            told = connection.scalars(group_ids.where(table.state == DeliveryState.SENT)).all()
            ended = [group_id for group_id in cut_off if group_id not in self.resolved]
            ripe = sorted(set(told) - self.resolved - set(ended))
            ended += self.random.sample(ripe, min(2, len(ripe)))
            events = []
            for group_id in ended:  # before the new ones: right behind their triggers, so that a sender without order would pass them
                kinds = [DeliveryKind.UPDATE, DeliveryKind.RESOLVE] if self.random.random() < 0.3 else [DeliveryKind.RESOLVE]
                events += [self.add(group_id, kind, at) for kind in kinds]
            events += [self.add(group_id, DeliveryKind.TRIGGER, at) for group_id in new]
            deliveries.add(connection, events)
        self.opened += new
        self.resolved.update(ended)

    def start_two(self, at, *, is_endless=True):
        """The process ids of two senders, each connected to the store and sending."""
        self.database.close()  # a connection must not be shared with a child
        return [self.start(at, is_endless), self.start(at, is_endless)]

    def start(self, at, is_endless):
        parent = os.getpid()
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with self.database.read() as connection:
                    connection.execute(sa.text("select 1"))
                os.write(tell, b"!")
                while deliver_once(self.database, {"oncall": self.channel}, lambda: at, f"p{os.getpid()}") or is_endless:
                    if os.getppid() != parent:  # this program itself was killed
                        break
            finally:
                os._exit(0)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return child

    def cycle(self, number):
        at = AT + number * CYCLE
        self.feed(number, at)
        children = self.start_two(at)
        time.sleep(self.random.uniform(*KILL_MS) / 1000)
        for child in children:
            os.kill(child, signal.SIGKILL)
        killed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL for child in children)
        if number % 5 == 4:  # so that a trigger that was cut off and its resolve meet in two senders that live
            self.feed(f"{number}b", at + CYCLE)
            self.deliver_all(at + CYCLE)
        return killed

    def finish(self, cycles):
        """Delivers the rest, ends what is open and delivers that."""
        at = AT + (cycles + 1) * CYCLE
        self.deliver_all(at)
        with self.database.write() as connection:
            left = [group_id for group_id in self.opened if group_id not in self.resolved]
            deliveries.add(connection, [self.add(group_id, DeliveryKind.RESOLVE, at) for group_id in left])
        self.deliver_all(at)

    def deliver_all(self, at):
        """Two senders that nobody kills empty the outbox."""
        for child in self.start_two(at, is_endless=False):
            os.waitpid(child, 0)

    def judge(self):
        with urllib.request.urlopen(self.urls["slack_url"] + "/_state") as answer:
            vendor = json.load(answer)["pagerduty"]
        incidents = Counter(incident["dedup_key"] for incident in vendor["incidents"])
        with self.database.read() as connection:
            rows = [row for group_id in self.opened for row in deliveries.of_group(connection, group_id)]
        by_state = Counter(row.state for row in rows)
        lost = [
            row.id
            for row in rows
            if (row.state is not DeliveryState.SENT and not (row.state is DeliveryState.NOT_SENT and row.reason))
            or (row.state is DeliveryState.SENT and not incidents[row.dedup_key])
        ]
        return {
            "deliveries": len(rows),
            "sent": by_state[DeliveryState.SENT],
            "not_sent": by_state[DeliveryState.NOT_SENT],
            "incidents": len(incidents),
            "cut_off": sum(row.is_uncertain for row in rows),
            "posts": len(vendor["events"]),
            "lost": len(lost),
            "duplicate_incidents": sum(count - 1 for count in incidents.values()),
            "left_open": sum(incident["state"] != "resolved" for incident in vendor["incidents"]),
        }


def main():
    store_url, cycles, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    program = subprocess.Popen(
        [sys.executable, str(FAKES / "fake_vendors.py"), "--with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        bench = Bench(store_url, seed, json.loads(program.stdout.readline()))
        bench.slow_down(8 * cycles)
        started = time.monotonic()
        kills = sum(bench.cycle(number) for number in range(cycles))
        bench.finish(cycles)
        found = {"cycles": cycles, "kills": kills} | bench.judge()
        print(json.dumps(found | {"seconds": round(time.monotonic() - started, 1)}))
    finally:
        program.kill()
        program.wait()


if __name__ == "__main__":
    main()

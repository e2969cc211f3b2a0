"""Two real senders, killed by SIGKILL again and again while they deliver (R13). A program, so that forking is safe.

`python kill_senders.py STORE_URL CYCLES SEED` prints one line of JSON with what it found, judged only from the fake
PagerDuty's incidents and the store. Each cycle: new triggers and resolves go into the outbox, two senders are forked from
this warm process, both are killed 4 to 40 ms after they are connected. Virtual time moves on by more than a lease in each
cycle. At the end a sender that nobody kills empties the outbox.
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
        self.store_url, self.random, self.urls = store_url, random.Random(seed), urls
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
        # One event of its own warms clients and TLS, so that the children do not pay for it.
        told = self.add("warm", DeliveryKind.RESOLVE, AT)
        self.channel.send(self.channel.render(told.message, "event"), told)

    def add(self, group_id, kind, at):
        told = message(kind, group_id=group_id, dedup_key=f"dqmon:{group_id}", incident_id=group_id, severity=Severity.CRITICAL)
        self.added += 1
        return delivery(f"d{self.added}", told=told, channel="oncall", part="event", created_at=at)

    def feed(self, cycle, at):
        """Two new groups, and the end or an update of some that were told, or are just being told."""
        new = [f"g{cycle}a", f"g{cycle}b"]
        table = deliveries.deliveries.c
        with self.database.write() as connection:
            told = sa.or_(table.state == DeliveryState.SENT, table.lease_token.is_not(None))
            known = connection.scalars(sa.select(table.group_id).where(told).distinct()).all()
            ripe = [group_id for group_id in self.opened if group_id not in self.resolved and group_id in set(known)]
            ended = self.random.sample(ripe, min(2, len(ripe)))
            events = [self.add(group_id, DeliveryKind.TRIGGER, at) for group_id in new]
            for group_id in ended:
                kinds = [DeliveryKind.UPDATE, DeliveryKind.RESOLVE] if self.random.random() < 0.3 else [DeliveryKind.RESOLVE]
                events += [self.add(group_id, kind, at) for kind in kinds]
            deliveries.add(connection, events)
        self.opened += new
        self.resolved.update(ended)

    def fork(self, at):
        """A sender's process id, once it is connected to the store."""
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                database = Database(self.store_url)
                with database.read() as connection:
                    connection.execute(sa.text("select 1"))
                os.write(tell, b"!")
                while True:
                    deliver_once(database, {"oncall": self.channel}, lambda: at, f"p{os.getpid()}")
            finally:
                os._exit(1)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return child

    def cycle(self, number):
        at = AT + number * CYCLE
        self.feed(number, at)
        self.database.close()
        children = [self.fork(at), self.fork(at)]
        time.sleep(self.random.uniform(*KILL_MS) / 1000)
        for child in children:
            os.kill(child, signal.SIGKILL)
        return sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL for child in children)

    def drain(self, cycles):
        """Delivers the rest, ends what is open and delivers that; the attempts that were needed."""
        at = AT + (cycles + 1) * CYCLE
        attempts = self.deliver_all(at)
        with self.database.write() as connection:
            left = [group_id for group_id in self.opened if group_id not in self.resolved]
            deliveries.add(connection, [self.add(group_id, DeliveryKind.RESOLVE, at) for group_id in left])
        return attempts + self.deliver_all(at)

    def deliver_all(self, at):
        attempts = 0
        while done := deliver_once(self.database, {"oncall": self.channel}, lambda: at, "last", limit=1_000).total():
            attempts += done
        return attempts

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
            "posts": len(vendor["events"]) - 1,
            "lost": len(lost),
            "duplicate_incidents": sum(count - 1 for count in incidents.values()),
            "left_open": sum(incident["state"] != "resolved" for incident in vendor["incidents"]),
        }


def main():
    store_url, cycles, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    program = subprocess.Popen([sys.executable, str(FAKES / "fake_vendors.py")], stdout=subprocess.PIPE, text=True)
    try:
        bench = Bench(store_url, seed, json.loads(program.stdout.readline()))
        started = time.monotonic()
        kills = sum(bench.cycle(number) for number in range(cycles))
        found = {"cycles": cycles, "kills": kills, "drained": bench.drain(cycles)} | bench.judge()
        print(json.dumps(found | {"seconds": round(time.monotonic() - started, 1)}))
    finally:
        program.kill()
        program.wait()


if __name__ == "__main__":
    main()

"""Two real senders, killed by SIGKILL again and again while they deliver (R13). A program, so that forking is safe.

`python kill_senders.py STORE_URL VENDOR CYCLES SEED` prints one line of JSON with what it found, judged only from what the
fake vendor holds and from the store. In each cycle new triggers, and updates and resolves of the groups of the last cycles, go
into the outbox together; two senders are forked from this warm process, let go at the same moment and both killed up to 36 ms
after one of them began to send, in each fifth cycle after they were let go; and their leases run out on a virtual clock. After
each round of cycles two senders that nobody kills empty the outbox, end what is still open, and the round is judged.

Severities are random, so that a resolve may outrank its trigger, and often stands next to it in the queue: only the order
within a group keeps it behind. What was never tried is cancelled by its resolve, so the triggers that a resolve could
overtake are those whose sending was cut off. `--unordered` takes that order out of the claim, in this process and its
children alone, and ends with the first round that goes wrong: a bench that finds nothing then is worth nothing.
"""

import argparse
import inspect
import json
import multiprocessing
import os
import random
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import sqlalchemy as sa

FAKES = Path(__file__).parent.parent / "fakes"
sys.path.insert(0, str(FAKES))

import kill_verdicts  # noqa: E402 - the path is set above
from patience import PATIENCE_S  # noqa: E402 - as above
from sample_messages import AT, delivery, group, message  # noqa: E402 - as above

from dqmon.core.delivery import DeliveryKind  # noqa: E402 - as above
from dqmon.core.verdict import Severity  # noqa: E402 - as above
from dqmon.engine.telling.deliver import deliver_once, lease_s  # noqa: E402 - as above
from dqmon.notify.pagerduty import PagerDuty, PagerDutyOptions  # noqa: E402 - as above
from dqmon.notify.slack import Slack, SlackOptions  # noqa: E402 - as above
from dqmon.store import deliveries, groups, sending  # noqa: E402 - as above
from dqmon.store.database import Database  # noqa: E402 - as above

FORK = multiprocessing.get_context("fork")
ROUND = 5
NEW_GROUPS = 2
KILL_MS = (0, 36)
AT_ONCE_RATIO = 0.2
"""So many cycles kill without waiting for a first delivery, which is late on a busy machine."""
ANSWER_MS = (0, 30)
TRIGGER, UPDATE, RESOLVE = DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.RESOLVE


def forget_order():
    """Replaces the claim of this process by one without the rule that a group's oldest delivery goes first."""
    source = inspect.getsource(sending._claimable)
    assert source.count("~is_behind") == 1, "the claim has changed: take its order out here in another way"
    code = compile("from __future__ import annotations\n" + source.replace("~is_behind", "sa.true()"), "unordered claim", "exec")
    exec(code, vars(sending))


def channel_of(vendor, urls):
    shared = {"allow_private_addresses": True, "verify": urls["ca_file"]}
    if vendor == "pagerduty":
        return PagerDuty("team", PagerDutyOptions.model_validate(shared | {"routing_key": "k" * 32, "base_url": urls["pagerduty_url"]}))
    return Slack("team", SlackOptions.model_validate(shared | {"token": "xoxb-fake", "channel": "C0DATA", "base_url": urls["slack_url"]}))


class Bench:
    def __init__(self, store_url, vendor, seed, urls):
        self.random, self.vendor = random.Random(seed), vendor
        self.vendor_url = urls[f"{vendor}_url"]
        self.tls = ssl.create_default_context(cafile=urls["ca_file"])
        self.database = Database(store_url)
        self.database.prepare()
        self.channels = {"team": channel_of(vendor, urls)}
        self.lease = timedelta(seconds=lease_s(self.channels) + 1)
        self.now = AT
        self.group_ids: list[str] = []
        self.open: set[str] = set()
        self.added = 0
        # Sent here, a message warms clients, TLS and statements, so that the children do not pay for that.
        self.add([("warm", TRIGGER)])
        deliver_once(self.database, self.channels, lambda: AT, "warm")

    def ask(self, path, body=None):
        with urlopen(self.vendor_url + path, body, context=self.tls) as answer:
            return answer.read()

    def add(self, told):
        rows = []
        for group_id, kind in told:
            severity = self.random.choice(list(Severity))
            text = message(kind, group_id=group_id, dedup_key=f"dqmon:{group_id}", incident_id=group_id, severity=severity)
            for part in self.channels["team"].parts(text):
                self.added += 1
                rows.append(delivery(f"d{self.added}", told=text, part=part, created_at=self.now))
        with self.database.write() as connection:
            groups.save(connection, [group(group_id, "team") for group_id, kind in told if kind is TRIGGER])
            deliveries.add(connection, rows)

    def feed(self):
        """A third of the open groups ends and a quarter is updated, while the last senders' leftovers still wait; new ones open."""
        told = []
        for group_id in sorted(self.open):
            draw = self.random.random()
            told += [(group_id, RESOLVE)] if draw < 0.35 else [(group_id, UPDATE)] if draw < 0.6 else []
        new = [f"g{len(self.group_ids) + n}" for n in range(NEW_GROUPS)]
        self.add([*told, *((group_id, TRIGGER) for group_id in new)])
        self.group_ids += new
        self.open = (self.open | set(new)) - {group_id for group_id, kind in told if kind is RESOLVE}

    def send(self, gate, begun, is_endless):
        parent, channel = os.getppid(), self.channels["team"]
        send = channel.send

        def telling(*arguments):
            os.write(begun, b".")
            return send(*arguments)

        channel.send = telling
        with self.database.read() as connection:
            connection.execute(sa.text("select 1"))
        gate.wait(PATIENCE_S)
        while deliver_once(self.database, self.channels, lambda: self.now, f"p{os.getpid()}") or is_endless:
            if os.getppid() != parent:  # this program itself was killed
                return

    def start_two(self, *, is_endless):
        """Two senders, each connected to the store, let go at the same moment; and a pipe with a byte for each message that they begin."""
        self.database.close()  # a connection must not be shared with a child
        self.now += self.lease
        gate = FORK.Barrier(3)
        begun, to_begun = os.pipe()
        senders = [FORK.Process(target=self.send, args=(gate, to_begun, is_endless), daemon=True) for _ in range(2)]
        for sender in senders:
            sender.start()
        os.close(to_begun)
        gate.wait(PATIENCE_S)
        return senders, begun

    def end(self, senders, begun, exit_code):
        """Waits for the senders, and for the requests that they left behind: a lease is longer than any of them."""
        for sender in senders:
            sender.join()
        os.close(begun)
        self.ask("/_idle")
        return sum(sender.exitcode == exit_code for sender in senders)

    def cycle(self):
        self.feed()
        senders, begun = self.start_two(is_endless=True)
        if self.random.random() >= AT_ONCE_RATIO:
            os.read(begun, 1)
        time.sleep(self.random.uniform(*KILL_MS) / 1000)
        for sender in senders:
            sender.kill()
        return self.end(senders, begun, -signal.SIGKILL)

    def deliver_all(self):
        assert self.end(*self.start_two(is_endless=False), 0) == 2, "a sender that nobody killed has failed"

    def round(self, cycles):
        """So many cycles and what came of them."""
        self.ask("/_reset", b"")
        faults = [{"delay_s": self.random.uniform(*ANSWER_MS) / 1000} for _ in range(30 * cycles)]
        self.ask("/_faults", json.dumps({"vendor": self.vendor, "faults": faults}).encode())
        first = len(self.group_ids)
        kills = sum(self.cycle() for _ in range(cycles))
        self.deliver_all()
        self.add([(group_id, RESOLVE) for group_id in sorted(self.open)])
        self.open.clear()
        self.deliver_all()
        with self.database.read() as connection:
            rows = [row for group_id in self.group_ids[first:] for row in deliveries.of_group(connection, group_id)]
        judge = {"pagerduty": kill_verdicts.pagerduty, "slack": kill_verdicts.slack}[self.vendor]
        return Counter({"cycles": cycles, "kills": kills}) + judge(rows, json.loads(self.ask("/_state"))[self.vendor])


def run(bench, cycles, *, until_wrong):
    started, found = time.monotonic(), Counter()
    while found["cycles"] < cycles and not (until_wrong and any(found[key] for key in kill_verdicts.WRONG)):
        found += bench.round(min(ROUND, cycles - found["cycles"]))
    return {key: found[key] for key in kill_verdicts.KEYS} | {"seconds": round(time.monotonic() - started, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store_url")
    parser.add_argument("vendor", choices=["pagerduty", "slack"])
    parser.add_argument("cycles", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--unordered", action="store_true")
    parser.add_argument("--slack-scopes", default="chat:write,channels:history")
    arguments = parser.parse_args()
    if arguments.unordered:
        forget_order()
    fake = [sys.executable, str(FAKES / "fake_vendors.py"), "--with-parent", "--slack-scopes", arguments.slack_scopes]
    with subprocess.Popen(fake, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as vendors:
        try:
            bench = Bench(arguments.store_url, arguments.vendor, arguments.seed, json.loads(vendors.stdout.readline()))
            print(json.dumps(run(bench, arguments.cycles, until_wrong=arguments.unordered)))
        finally:
            vendors.kill()


if __name__ == "__main__":
    main()

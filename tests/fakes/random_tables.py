"""How many random tables a test tries: a third of them in `make test`, all of them in `make long`."""

from __future__ import annotations

import math
import os
from typing import Any

from hypothesis import HealthCheck, settings

ALL = "DQMON_ALL_EXAMPLES"
"""Set by `make long`, which runs the tests marked `random` once more."""


def tried(most: int, **how: Any) -> settings:
    """At most so many examples; a database each time, so no deadline, and one place for all examples of a test."""
    count = most if os.environ.get(ALL) else math.ceil(most / 3)
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], **how)

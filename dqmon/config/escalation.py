"""`escalation:` of `config/dqmon.yaml` as it is written: who is told after a time in which nobody has acknowledged an incident."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dqmon.core.duration import Duration


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class StepKeys(_Keys):
    """Who is told when nobody has acknowledged the incident for a time."""

    after: Annotated[Duration, Field(gt=0)] = Field(description="Since the incident's first message, such as 15m.")
    to: tuple[str, ...] = Field(min_length=1, description="Names under `channels:`.")


class EscalationKeys(_Keys):
    """The steps for incidents with such alerts, in the order of their times."""

    name: str = Field(min_length=1, description="What messages, `route show` and `why-not` call it.")
    match: str = Field(min_length=1, description='Selector, such as "severity:critical"; "*" is everything.')
    steps: tuple[StepKeys, ...] = Field(min_length=1, description="Each later than the one before it.")

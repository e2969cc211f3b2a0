"""What a channel must offer, and what some offer besides: a pace, buttons, webhooks, news of changes."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from dqmon.core.delivery import Delivery, Rate, Receipt
    from dqmon.core.message import Message
    from dqmon.core.options import ChannelOptions
    from dqmon.core.page_event import PageEvent
    from dqmon.core.plain import Json
    from dqmon.core.press import Press


class Channel(Protocol):
    """One configured channel: `dqmon/notify/<type>.py` or an entry point of `dqmon.channels`."""

    type: ClassVar[str]
    Options: ClassVar[builtins.type[BaseModel]]
    pages: ClassVar[bool]
    """True for a channel that wakes people: group_wait is at most 10 s there."""
    name: str
    options: ChannelOptions
    """The engine reads `dry_run` and `timeout`."""

    def __init__(self, name: str, options: BaseModel) -> None:
        """Keeps the options; connects to nothing."""

    def parts(self, message: Message) -> tuple[str, ...]:
        """The requests that tell this message, in order, each a delivery of its own (`post`; `edit`, `reply`).

        None for a message that the channel does not take; a digest, which has lines and no alerts, may be one.
        """

    def render(self, message: Message, part: str) -> Json:
        """The request body, within all of the vendor's limits. Pure."""

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it, line by line. Pure."""

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """Sends once, without retries. Raises Transient, Permanent or OutcomeUnknown."""


@runtime_checkable
class Paced(Protocol):
    """A channel whose vendor takes only so many requests a second."""

    rate: ClassVar[Rate]


@runtime_checkable
class Listening(Protocol):
    """A channel in which people answer: they press buttons under its messages."""

    def listen(self, act: Callable[[Press], str]) -> Callable[[], None] | None:
        """Hears presses in threads of its own until what it returns is called; None where the options want none.

        Both return at once, and trouble with the vendor is logged and tried again. `act` does what was pressed and says what was
        done; it is called once for a press, from any thread.
        """


@runtime_checkable
class Opener(Protocol):
    """A channel that pages nobody, and yet has something open from a trigger to its resolve."""

    opens: str
    """What that is there, such as `alert`."""


@runtime_checkable
class Pager(Protocol):
    """A channel whose service tells what people do with its pages, in webhooks that it signs."""

    name: str

    def has_signed(self, body: bytes, header: str) -> bool:
        """True for a webhook that the service has signed; takes the same time for any wrong signature."""

    def page_event(self, data: Json) -> PageEvent | None:
        """What such a webhook says; None for what dqmon has no use for. ValueError for what is none of the service's."""


@runtime_checkable
class ChangeTeller(Protocol):
    """A channel that can tell of changes which are no incidents."""

    def change_part(self) -> str | None:
        """The part (of a message, as `Channel.parts` has them) that tells a change of a schema; None where none are wanted."""

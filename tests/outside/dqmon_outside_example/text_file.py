"""Channel text_file: a line in a file for each message."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from dqmon.core.delivery import Delivery, Receipt
from dqmon.core.message import Message
from dqmon.core.options import ChannelOptions
from dqmon.errors import Transient


class TextFileOptions(ChannelOptions):
    """path: the file."""

    path: str


class TextFile:
    """Appends `kind severity title`."""

    type: ClassVar[str] = "text_file"
    Options: ClassVar[type[TextFileOptions]] = TextFileOptions
    pages: ClassVar[bool] = False

    def __init__(self, name: str, options: TextFileOptions) -> None:
        self.name = name
        self.options = options
        self._path = Path(options.path)

    def parts(self, message: Message) -> tuple[str, ...]:
        """One line is all."""
        return ("line",)

    def render(self, message: Message, part: str) -> dict[str, Any]:
        """The line."""
        return {"line": f"{message.kind} {message.severity} {message.title}"}

    def text(self, payload: dict[str, Any]) -> str:
        """The line itself."""
        return str(payload["line"])

    def send(self, payload: dict[str, Any], delivery: Delivery) -> Receipt:
        """Appends the line."""
        try:
            with self._path.open("a") as file:
                file.write(f"{payload['line']}\n")
        except OSError as e:
            raise Transient(f"{self._path} cannot be written: {e.strerror}") from e
        return Receipt({"path": str(self._path)})

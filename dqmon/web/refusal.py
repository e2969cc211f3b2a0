"""Why a request is refused, in one sentence for whoever sent it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


class Refused(Exception):
    """The request is not taken: HTTP status, sentence. It says nothing of what exists to those who may not know."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


def answer(refused: Refused) -> JSONResponse:
    """`{"error": sentence}`."""
    return JSONResponse({"error": refused.sentence}, refused.status, refused.headers)

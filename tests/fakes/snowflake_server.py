"""A stand-in for Snowflake on loopback that the real connector signs in to. Run it by itself: it needs an environment of its own.

    python -m venv .venv-snowflake
    .venv-snowflake/bin/pip install "fakesnow[server]==0.12.1" "snowflake-connector-python<5"
    .venv-snowflake/bin/python tests/fakes/snowflake_server.py [--public-key rsa_pub.pem]

It prints `READY <port>` once it listens, and keeps all data in memory. With --public-key it refuses sign-ins whose key-pair token the
key does not verify; fakesnow itself takes any.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socket
from pathlib import Path
from typing import Any

import fakesnow.arrow
import fakesnow.server
import fakesnow.transforms
import jwt
import pyarrow as pa
import pyarrow.compute as pc
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LOGIN = "/session/v1/login-request"


def login(public_key: str | None) -> Any:
    """The endpoint of signing in."""
    original: Any = fakesnow.server.login_request

    async def answer(request: Request) -> JSONResponse:
        if public_key is not None and (reason := await _refusal(request, public_key)):
            message = f"JWT token is invalid. {reason}"
            return JSONResponse({"data": {}, "success": False, "code": "390144", "message": message})
        content = json.loads((await original(request)).body)
        for macro in MACROS:
            fakesnow.server.sessions[content["data"]["token"]]._duck_conn.execute(macro)
        # Connector 5 refuses an answer without the first two, which fakesnow 0.12.1 does not send.
        content["data"] |= {"masterToken": content["data"]["token"], "sessionId": 1, "validityInSeconds": 3600}
        content["data"] |= {"masterValidityInSeconds": 14_400}
        return JSONResponse(content)

    return answer


async def _refusal(request: Request, public_key: str) -> str | None:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    try:
        jwt.decode(json.loads(body)["data"].get("TOKEN", ""), public_key, algorithms=["RS256"])
    except jwt.PyJWTError as e:
        return type(e).__name__
    return None


def mend() -> None:
    """What fakesnow 0.12.1 does otherwise than Snowflake, and what would stand in the way of exact results."""
    struct = fakesnow.arrow.timestamp_to_sf_struct

    def with_nulls(moments: Any) -> Any:
        found = struct(pc.fill_null(moments, pa.scalar(0, pa.int64()).cast(moments.type)))
        missing = pc.is_null(moments)
        mask = missing.combine_chunks() if isinstance(missing, pa.ChunkedArray) else missing
        return pa.StructArray.from_arrays(found.flatten(), fields=list(found.type), mask=mask)

    fakesnow.arrow.timestamp_to_sf_struct = with_nulls
    # It adds all numbers as doubles.
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


MACROS = ("create or replace temp macro m_d5_number_upper64(x) as cast('0x' || substr(md5(x), 1, 16) as ubigint)",)
"""Functions that Snowflake has and fakesnow lacks, by the names that it makes of them."""


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--public-key", type=Path)
    path = parser.parse_args().public_key
    mend()
    routes = fakesnow.server.app.router.routes
    place = next(index for index, route in enumerate(routes) if getattr(route, "path", None) == LOGIN)
    routes[place] = Route(LOGIN, login(path.read_text() if path else None), methods=["POST"])
    # Bound before READY, so that no client's connection is refused.
    listening = socket.create_server(("127.0.0.1", 0))
    print("READY", listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(fakesnow.server.app, log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    main()

"""AWS for tests: moto's server on loopback, botocore's stubs for what moto does not know, and both made the same way."""

import logging
from contextlib import contextmanager
from functools import partial

import boto3
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer

SECRET = "s3cr3t-key"  # pragma: allowlist secret
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}


@contextmanager
def moto():
    """The URL of a server; each region of it is a world of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def clients(url, region):
    """Makes boto3's own clients, to put things there."""
    return partial(
        boto3.client, endpoint_url=url, region_name=region, aws_access_key_id=KEYS["access_key_id"], aws_secret_access_key=SECRET
    )


def made(cls, url=None, region="eu-west-1", **options):
    """The source `aws` of that class."""
    local = {"base_url": url, "allow_private_addresses": True} if url else {}
    return cls("aws", cls.Options.model_validate({"region": region, **KEYS, **local, **options}, strict=False), None)


@contextmanager
def stubbed(aws):
    """Answers for the `Aws` of a source, in order: `.add_response(…)`, `.add_client_error(…)`."""
    with Stubber(aws._client) as stub:
        yield stub
        stub.assert_no_pending_responses()

"""AWS SNS: a text to a topic, for whoever subscribes to it: mail, SMS, queues, functions."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.options import ChannelOptions
from dqmon.errors import NotifyError, Permanent, Transient
from dqmon.net import Outgoing
from dqmon.notify.base.outcome import problem
from dqmon.notify.base.post import Post, Request, without_secrets
from dqmon.notify.base.story import headline, plain_text, readable, story

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json
    from dqmon.net import Answer

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: the subject in printable ASCII, the message in bytes.
SUBJECT_LIMIT = 100
MESSAGE_LIMIT = 262_144
# What AWS says with status 400 that is worth another try: https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html.
_LATER = ("Throttl", "KMSThrottling", "RequestExpired")


class SnsOptions(ChannelOptions):
    """Options of an SNS channel.

    topic_arn: of the topic, standard or FIFO; it names the region. profile: of ~/.aws/config. Without keys and profile
    boto3's own chain counts: the environment, ~/.aws, the role of the machine or pod. It needs `sns:Publish` alone.
    """

    topic_arn: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]{1,40}:[0-9]{12}:[A-Za-z0-9_.-]{1,256})?$")
    profile: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None

    @model_validator(mode="after")
    def _can_send(self) -> SnsOptions:
        if not self.topic_arn and not self.dry_run:
            raise ValueError("topic_arn is not set; set arn:aws:sns:REGION:ACCOUNT:NAME")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("set both access_key_id and secret_access_key, or neither")
        if self.profile and self.secret_access_key:
            raise ValueError("set profile, or access_key_id and secret_access_key")
        return self


class Sns:
    """Publishes each message to a topic.

    Attributes `event` and `severity` are there for subscription filters. A FIFO topic keeps a group in order and drops a
    second sending of the same delivery within 5 minutes; a standard topic may pass it on.
    """

    type: ClassVar[str] = "sns"
    Options: ClassVar[builtins.type[SnsOptions]] = SnsOptions
    pages: ClassVar[bool] = False
    opens: ClassVar[str] = "incident"

    def __init__(self, name: str, options: SnsOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options

    def parts(self, message: Message) -> tuple[str, ...]:
        """One publication each."""
        del message
        return ("message",)

    def render(self, message: Message, part: str) -> Json:
        """The parameters of Publish but for the topic. Pure."""
        del part
        attributes = {"event": message.kind.value, "severity": message.severity.value}
        return {
            "Subject": _subject(headline(message, SUBJECT_LIMIT)),
            "Message": plain_text(story(message, lambda told: len(plain_text(told).encode()) <= MESSAGE_LIMIT)),
            "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        }

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return readable(f"{payload['Subject']}\n\n{payload['Message']}")

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown."""
        client = self._client
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # it ships no types

        fifo = {"MessageGroupId": delivery.group_id[:128], "MessageDeduplicationId": delivery.id[:128]}
        more = fifo if self.options.topic_arn.endswith(".fifo") else {}
        try:
            client.publish(TopicArn=self.options.topic_arn, **payload, **more)
        except NotifyError as e:
            error = e
        except (BotoCoreError, ClientError) as e:
            error = Permanent(f"AWS: {' '.join(str(e).split())[:300]}")
        else:
            return Receipt(detail="published")
        raise without_secrets(error, self._secrets()) from None

    @cached_property
    def _client(self) -> Any:
        """boto3's client, made once, with its own retries off and dqmon's policy for outgoing requests under it."""
        try:
            import boto3  # type: ignore[import-untyped]  # it ships no types
            from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types
            from botocore.exceptions import BotoCoreError
        except ModuleNotFoundError:
            raise Permanent(f"channel {self.name} needs the extra `aws`: pip install 'dqmon[aws]'") from None
        given = self.options
        try:
            session = boto3.Session(
                aws_access_key_id=given.access_key_id,
                aws_secret_access_key=given.secret_access_key.get_secret_value() if given.secret_access_key else None,
                aws_session_token=given.session_token.get_secret_value() if given.session_token else None,
                region_name=given.topic_arn.split(":")[3],
                profile_name=given.profile,
            )
            config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
            client = session.client("sns", endpoint_url=given.base_url, config=config)
        except (BotoCoreError, ValueError) as e:
            raise Permanent(f"AWS: {' '.join(str(e).split())[:300]}") from None
        client.meta.events.register("before-send", self._sent)
        return client

    def _sent(self, request: Any, **_: object) -> Any:
        """Sends in boto3's place, which would follow the environment's proxies and redirects."""
        from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]  # it ships no types

        headers = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()}
        # Amazon's own names may stand for addresses of the own network: those of interface endpoints of a VPC do.
        allow_private = self.options.allow_private_addresses or not self.options.base_url
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        post = Post(Outgoing(self.options.timeout, self.options.verify, allow_private), tuple(self._secrets()))
        post.send(Request(request.url, body, headers), _problem)
        # Only what was taken comes here, and nothing of the answer is needed; boto3 would stumble over a body that it cannot read.
        return AWSResponse(request.url, 200, {}, _Taken(b"<PublishResponse><PublishResult/></PublishResponse>"))

    def _secrets(self) -> list[str]:
        return [key.get_secret_value() for key in (self.options.secret_access_key, self.options.session_token) if key]


class _Taken(BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """All of it at once."""
        yield self.read()


def _problem(answer: Answer) -> NotifyError | None:
    words = " ".join(answer.text.split())
    error = problem(answer, words)
    return Transient(str(error)) if isinstance(error, Permanent) and any(word in words for word in _LATER) else error


def _subject(text: str) -> str:
    """Printable ASCII that begins with no blank; what is not ASCII is a question mark."""
    return readable(text).encode("ascii", "replace").decode().strip()[:SUBJECT_LIMIT] or "dqmon"

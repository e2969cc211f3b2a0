"""A picture that only the bot's own messages show: Slack's upload in three steps, shared with no channel.

https://docs.slack.dev/messaging/working-with-files#upload
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.errors import Permanent
from dqmon.notify.base.outcome import problem

if TYPE_CHECKING:
    from slack_sdk.web import WebClient

    from dqmon.net import Outgoing

_NAME = "series.png"


def upload(client: WebClient, outgoing: Outgoing, picture: bytes) -> str:
    """The id of the file. The bot needs `files:write`. Raises a NotifyError or NetError.

    1. ask where to; 2. send the bytes there; 3. say that this was all. Slack then looks at the file, and a message that shows it
    earlier than that is refused (slackapi/node-slack-sdk#1865).
    """
    asked = client.files_getUploadURLExternal(filename=_NAME, length=len(picture)).data
    if not isinstance(asked, dict) or not asked.get("upload_url") or not asked.get("file_id"):
        raise Permanent("Slack: no place to upload to in its answer")
    file_id = str(asked["file_id"])
    answer = outgoing.post(str(asked["upload_url"]), picture, {"Content-Type": "application/octet-stream"})
    if error := problem(answer, answer.text):
        raise error
    client.files_completeUploadExternal(files=[{"id": file_id, "title": _NAME}])
    return file_id

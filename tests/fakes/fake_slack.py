"""Slack's Web API and incoming webhooks as its documentation describes them: limits, words, and the state of messages.

Sources: docs.slack.dev/reference/methods/chat.postMessage (and chat.update, conversations.history, .replies),
/reference/block-kit/blocks, /messaging/sending-messages-using-incoming-webhooks, /messaging/working-with-files; the wording of block errors as seen in
public issues. `msg_blocks_too_long` at 13,200 characters: slackapi/bolt-js#2509. Shares no code with dqmon.
"""

import json
import re
from urllib.parse import parse_qs

from fake_socket_mode import SocketRoom

BLOCKS_LIMIT = 50
TOTAL_LIMIT = 13_200
TEXT_LIMIT = 40_000
ATTACHMENTS_LIMIT = 100
BLOCK_TYPES = ("section", "header", "context", "divider", "image", "actions")


class SlackError(Exception):
    def __init__(self, word, messages=()):
        super().__init__(word)
        self.word, self.messages = word, list(messages)


class FakeSlack:
    """One workspace: a bot token with scopes, channels by name and ID, one webhook."""

    def __init__(self, token="xoxb-fake", webhook_path="/services/T0/B0/secret", scopes=None):
        self.token = token
        self.webhook_path = webhook_path
        self.scopes = {"chat:write", "channels:history", "files:write"} if scopes is None else set(scopes)
        self.app_token = "xapp-fake"
        self.url = "http://127.0.0.1"
        self.sockets = SocketRoom()
        self.files: dict[str, dict] = {}
        self.looks_before_ready = 0
        self.whispers: list[dict] = []
        self.channels = {"C0DATA": "#data-quality", "C0OPS": "#ops"}
        self.not_in = {"C0OPS"}
        self.archived: set[str] = set()
        self.messages: list[dict] = []

    def call(self, method, authorization, content_type, raw: bytes):
        """(status, JSON answer) of POST /api/<method>."""
        try:
            self._authorize(authorization, self.app_token if method == "apps.connections.open" else self.token)
            return 200, {"ok": True} | self._methods(method)(self._arguments(content_type, raw))
        except SlackError as e:
            answer = {"ok": False, "error": e.word}
            if e.messages:
                answer |= {"errors": e.messages, "response_metadata": {"messages": [f"[ERROR] {text}" for text in e.messages]}}
            return 200, answer

    def webhook(self, path, raw: bytes):
        """(status, text) of POST to an incoming webhook's URL."""
        if path != self.webhook_path:
            return 404, "no_service"
        try:
            body = json.loads(raw)
        except ValueError:
            return 400, "invalid_payload"
        if not isinstance(body, dict):
            return 400, "invalid_payload"
        try:
            check_message(body)
        except SlackError as e:
            return 400, e.word
        self._store("C0DATA", body)
        return 200, "ok"

    @staticmethod
    def _authorize(authorization, token):
        if not authorization:
            raise SlackError("not_authed")
        if authorization != f"Bearer {token}":
            raise SlackError("invalid_auth")

    def _methods(self, name):
        methods = {
            "auth.test": lambda _: {"team_id": "T0", "user_id": "U0"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "chat.postEphemeral": self._whisper,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
            "apps.connections.open": lambda _: {"url": self.url.replace("http", "ws", 1) + self.sockets.ticket()},
        }
        if name not in methods:
            raise SlackError("unknown_method")
        needed = {"chat": "chat:write", "files": "files:write", "conversations": "channels:history"}.get(name.partition(".")[0])
        if needed and needed not in self.scopes:
            raise SlackError("missing_scope")
        return methods[name]

    @staticmethod
    def _arguments(content_type, raw):
        if "json" not in content_type:
            return {key: values[-1] for key, values in parse_qs(raw.decode(errors="replace")).items()}
        try:
            body = json.loads(raw or b"{}")  # its own SDK sends JSON of no bytes
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        return body

    def _channel(self, name, *, must_be_id=False):
        by_name = {} if must_be_id else {label: key for key, label in self.channels.items()}
        found = name if name in self.channels else by_name.get(name)
        if not name or found is None:
            raise SlackError("channel_not_found")
        if found in self.archived:
            raise SlackError("is_archived")
        if found in self.not_in:
            raise SlackError("not_in_channel")
        return found

    def _post(self, body):
        channel = self._channel(body.get("channel"))
        self._check(body)
        if body.get("thread_ts") and not self._find(channel, body["thread_ts"]):
            raise SlackError("thread_not_found")
        if body.get("reply_broadcast") and not body.get("thread_ts"):
            raise SlackError("cannot_reply_to_message")
        message = self._store(channel, body)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _check(self, body):
        """As `check_message`; besides, a picture must be one of this workspace, whole, and looked at by now."""
        check_message(body)
        blocks = [*body.get("blocks", ()), *(block for item in body.get("attachments", ()) for block in item.get("blocks", ()))]
        for block in blocks:
            if block["type"] == "image" and "slack_file" in block:
                file = self.files.get(block["slack_file"]["id"], {"is_complete": False})
                file["looks"] = file.get("looks", 0) + 1
                if not file["is_complete"] or file["looks"] <= self.looks_before_ready:
                    raise SlackError("invalid_blocks", ["invalid slack file [json-pointer:/blocks/0/slack_file]"])

    def _whisper(self, body):
        channel = self._channel(body.get("channel"))
        if not body.get("user") or not body.get("text"):
            raise SlackError("no_text")
        self.whispers.append({"channel": channel, "user": body["user"], "text": body["text"]})
        return {"message_ts": "1700000001.000000"}

    def _upload_url(self, body):
        if not body.get("filename") or not int(body.get("length", 0)) > 0:
            raise SlackError("invalid_arguments")
        file_id = f"F{len(self.files):09d}"
        self.files[file_id] = {"length": int(body["length"]), "bytes": None, "is_complete": False}
        return {"upload_url": f"{self.url}/upload/v1/{file_id}", "file_id": file_id}

    def upload(self, path, raw):
        """(status, text) of POST to an address that was given out."""
        file = self.files.get(path.rpartition("/")[2])
        if file is None or len(raw) != file["length"]:
            return 400, "bad length"
        file["bytes"] = raw
        return 200, f"OK - {len(raw)}"

    def _complete(self, body):
        items = json.loads(body["files"]) if isinstance(body.get("files"), str) else body.get("files")
        if not items or body.get("channel_id") or body.get("channels"):
            raise SlackError("invalid_arguments")
        for item in items:
            file = self.files.get(item["id"])
            if file is None or not (file["bytes"] or b"").startswith(b"\x89PNG"):
                raise SlackError("file_not_found")
            file["is_complete"] = True
        return {"files": items}

    def _store(self, channel, body):
        message = {"ts": f"1700000000.{len(self.messages):06d}", "channel": channel, "edits": 0} | {
            key: body[key]
            for key in ("text", "blocks", "attachments", "metadata", "thread_ts", "reply_broadcast", "unfurl_links")
            if key in body
        }
        self.messages.append(message)
        return message

    def _update(self, body):
        channel = self._channel(body.get("channel"), must_be_id=True)
        message = self._find(channel, body.get("ts"))
        if not message:
            raise SlackError("message_not_found")
        self._check(body)
        message |= {key: body[key] for key in ("text", "blocks", "attachments", "metadata") if key in body}
        message["edits"] += 1
        return {"channel": channel, "ts": message["ts"], "text": message.get("text", "")}

    def _find(self, channel, ts):
        return next((m for m in self.messages if m["channel"] == channel and m["ts"] == ts), None)

    def _page(self, found, body):
        limit = min(int(body.get("limit", 100)), 999)
        with_metadata = body.get("include_all_metadata") in (True, "true", "1")
        shown = [m if with_metadata else {k: v for k, v in m.items() if k != "metadata"} for m in found[-limit:]]
        return {"messages": shown, "has_more": len(found) > limit}

    def _history(self, body):
        channel = self._channel(body.get("channel"), must_be_id=True)
        return self._page([m for m in self.messages if m["channel"] == channel and not m.get("thread_ts")], body)

    def _replies(self, body):
        channel = self._channel(body.get("channel"), must_be_id=True)
        if not self._find(channel, body.get("ts")):
            raise SlackError("thread_not_found")
        return self._page([m for m in self.messages if m["channel"] == channel and body["ts"] in (m["ts"], m.get("thread_ts"))], body)

    def state(self):
        return {"messages": self.messages}


def check_message(body):
    """Raises SlackError with the word that Slack has for the first thing wrong."""
    text, blocks, attachments = body.get("text"), body.get("blocks"), body.get("attachments")
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments")
    if text and len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    metadata = body.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    ):
        raise SlackError("invalid_metadata_format")
    if blocks is not None:
        _check_blocks(blocks, "/blocks")
    if attachments is not None:
        _check_attachments(attachments)
    if _text_length(blocks) + _text_length(attachments) > TOTAL_LIMIT:
        raise SlackError("msg_blocks_too_long")


def _check_attachments(attachments):
    if not isinstance(attachments, list) or not all(isinstance(item, dict) for item in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > ATTACHMENTS_LIMIT:
        raise SlackError("too_many_attachments")
    for i, item in enumerate(attachments):
        if not item.get("blocks") and not item.get("text") and not item.get("fallback"):
            raise SlackError("no_text")
        if "blocks" in item:
            _check_blocks(item["blocks"], f"/attachments/{i}/blocks")


def _check_blocks(blocks, at):
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    if len(blocks) > BLOCKS_LIMIT:
        raise SlackError("invalid_blocks", [f"no more than {BLOCKS_LIMIT} items allowed [json-pointer:{at}]"])
    problems = [text for i, block in enumerate(blocks) for text in _block_problems(block, f"{at}/{i}")]
    if problems:
        raise SlackError("invalid_blocks", problems)


def _block_problems(block, at):
    kind = block.get("type")
    if kind not in BLOCK_TYPES:
        yield f"unsupported type: {kind} [json-pointer:{at}/type]"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield f"must be less than 256 characters [json-pointer:{at}/block_id]"
    if kind == "header":
        yield from _text_problems(block.get("text"), f"{at}/text", 150, ("plain_text",))
    elif kind == "section":
        yield from _section_problems(block, at)
    elif kind == "context":
        yield from _items_problems(block.get("elements"), f"{at}/elements", 10, 3000)
    elif kind == "image":
        if "slack_file" in block and not re.fullmatch(r"F[A-Z0-9]{8,}", str(block["slack_file"].get("id"))):
            yield f"input must match regex pattern: ^[F][A-Z0-9]{{8,}}$ [json-pointer:{at}/slack_file/id]"
        for name, limit in (("alt_text", 2000),) if "slack_file" in block else (("image_url", 3000), ("alt_text", 2000)):
            if not isinstance(block.get(name), str) or not block[name]:
                yield f"missing required field: {name} [json-pointer:{at}]"
            elif len(block[name]) > limit:
                yield f"must be less than {limit + 1} characters [json-pointer:{at}/{name}]"
    elif kind == "actions":
        elements = block.get("elements")
        if not isinstance(elements, list) or not elements:
            yield f"missing required field: elements [json-pointer:{at}]"
        elif len(elements) > 25:
            yield f"no more than 25 items allowed [json-pointer:{at}/elements]"
        else:
            yield from _elements_problems(elements, f"{at}/elements")


def _elements_problems(elements, at):
    names = [element.get("action_id") for element in elements]
    if len(set(names)) < len(names) or not all(isinstance(name, str) and 0 < len(name) <= 255 for name in names):
        yield f"action_id must be unique and of 1 to 255 characters [json-pointer:{at}]"
    for i, element in enumerate(elements):
        if element.get("type") == "button":
            yield from _text_problems(element.get("text"), f"{at}/{i}/text", 75, ("plain_text",))
            if len(element.get("value", "")) > 2000 or element.get("style", "primary") not in ("primary", "danger"):
                yield f"value or style [json-pointer:{at}/{i}]"
        elif element.get("type") == "static_select":
            yield from _text_problems(element.get("placeholder"), f"{at}/{i}/placeholder", 150, ("plain_text",))
            if not 0 < len(element.get("options", ())) <= 100:
                yield f"options [json-pointer:{at}/{i}/options]"
            for n, option in enumerate(element.get("options", ())):
                yield from _text_problems(option.get("text"), f"{at}/{i}/options/{n}/text", 75, ("plain_text",))
                if not 0 < len(option.get("value", "")) <= 150:
                    yield f"value [json-pointer:{at}/{i}/options/{n}]"
        else:
            yield f"unsupported type: {element.get('type')} [json-pointer:{at}/{i}/type]"


def _section_problems(block, at):
    if "text" not in block and "fields" not in block:
        yield f"must define either `fields` or `text` [json-pointer:{at}]"
    if "text" in block:
        yield from _text_problems(block["text"], f"{at}/text", 3000, ("plain_text", "mrkdwn"))
    if "fields" in block:
        yield from _items_problems(block["fields"], f"{at}/fields", 10, 2000)


def _items_problems(items, at, most, limit):
    if not isinstance(items, list) or not items:
        yield f"no less than 1 items allowed [json-pointer:{at}]"
        return
    if len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}]"
    for i, item in enumerate(items):
        yield from _text_problems(item, f"{at}/{i}", limit, ("plain_text", "mrkdwn"))


def _text_problems(node, at, limit, kinds):
    if not isinstance(node, dict) or node.get("type") not in kinds:
        yield f"must be one of the types {', '.join(kinds)} [json-pointer:{at}/type]"
        return
    text = node.get("text")
    if not isinstance(text, str) or not text:
        yield f"must be more than 0 characters [json-pointer:{at}/text]"
    elif len(text) > limit:
        yield f"must be less than {limit + 1} characters [json-pointer:{at}/text]"
    if "emoji" in node and node["type"] != "plain_text":
        yield f"additional property: emoji [json-pointer:{at}]"
    if "verbatim" in node and node["type"] != "mrkdwn":
        yield f"additional property: verbatim [json-pointer:{at}]"


def _text_length(node):
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_text_length(value) for value in node.values())
    return sum(map(_text_length, node)) if isinstance(node, list) else 0

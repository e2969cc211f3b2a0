"""What people's programs would act on in a channel's payload: links, mentions, tags, hidden characters. Shares no code with dqmon."""

import re
import unicodedata
from html.parser import HTMLParser

_ACTED_ON = re.compile(r"(?i)[a-z]://|\bwww\.\w|\bmailto:|\btel:|@\w|<[a-z/!?@#]|%%%")
_REORDERING = ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI")
_TAGS = {"html", "body", "p", "strong", "table", "tr", "th", "td", "ul", "li", "pre", "small", "a"}


def hidden(text):
    """Characters that reorder or end what is read."""
    return [c for c in text if unicodedata.bidirectional(c) in _REORDERING or c == "\0" or unicodedata.category(c) == "Cs"]


def live(text, allowed):
    """What a program that looks for links, mentions and tags would find in a plain text; `allowed` are the configuration's URLs."""
    for url in allowed:
        text = text.replace(url, "")
    return [found[0] for found in _ACTED_ON.finditer(text)] + hidden(text)


class _Html(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found, self.data, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.links += [names["href"]] if "href" in names else []
        self.found += [tag] if tag not in _TAGS or not names.keys() <= {"href", "style"} else []

    def handle_data(self, data):
        self.data.append(data)

    def handle_comment(self, data):
        self.found.append(f"comment {data}")

    handle_pi = unknown_decl = handle_comment


def live_in_html(text, allowed):
    """The same for HTML: unknown tags and attributes, links that the configuration does not have, and what the shown text holds."""
    reader = _Html()
    reader.feed(text)
    reader.close()
    return reader.found + [url for url in reader.links if url not in allowed] + live("".join(reader.data), allowed)


def texts(node):
    """All strings of a payload, keys excepted."""
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        node = list(node.values())
    return [text for item in node for text in texts(item)] if isinstance(node, list | tuple) else []


def live_in(kind, payload, allowed):
    """What would be acted on in a payload of that type of channel."""
    match kind:
        case "webhook":
            return [c for text in texts(payload) for c in hidden(text)]
        case "email":
            subject = [f"line {payload['subject']!r}"] if len(payload["subject"].splitlines()) != 1 else []
            return subject + live(payload["subject"] + payload["text"], allowed) + live_in_html(payload["html"], allowed)
        case "teams":
            content = payload["attachments"][0]["content"]
            return live_in_teams(content, allowed)
        case "sns":
            return live(payload["Message"], allowed) + [c for c in payload["Subject"] if not " " <= c <= "~"]
        case "datadog":
            return live(payload["title"] + payload["text"], allowed)
        case _:
            shown = payload.get("body", payload) if isinstance(payload, dict) else [{**item, "generatorURL": ""} for item in payload]
            return [hit for text in texts(shown) for hit in live(text, allowed)]


def live_in_teams(content, allowed):
    """Text runs have no Markdown, but a client may still see a bare URL."""
    blocks = [inner for block in content["body"] for inner in block.get("items", [block])]
    odd = [block["type"] for block in blocks if block["type"] != "RichTextBlock"]
    runs = [run for block in blocks for run in block["inlines"]]
    links = [action["url"] for action in content["actions"] if action["url"] not in allowed]
    return (
        odd
        + links
        + [hit for run in runs for hit in live(run["text"], allowed)]
        + [key for run in runs for key in run if key == "selectAction"]
    )

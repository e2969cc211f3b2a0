"""The past values of an alert as a picture: the course, the good range behind it, bad values in red. Drawn from the message alone."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from dqmon.notify.base.series import amounts, share
from dqmon.notify.base.text import utc

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from dqmon.core.message import AlertFacts, Reading

SIZE = (720, 240)
"""Pixels. Slack shows pictures in blocks at most 360 wide, on sharp screens at twice the pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 110, 24, 32
_BAND, _LINE, _GOOD, _BAD, _TEXT, _BACK = "#dff3e6", "#5b6b7b", "#2f6f9f", "#c92a2a", "#333333", "#ffffff"


def png(alert: AlertFacts) -> bytes | None:
    """The alert's series as a PNG, the same bytes for the same numbers; None without pillow, or with fewer than two values."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        return None
    if len(alert.series) < 2:  # noqa: PLR2004 - one value has no course
        return None
    image = Image.new("RGB", SIZE, _BACK)
    _draw(ImageDraw.Draw(image), alert)
    made = BytesIO()
    image.save(made, "PNG", optimize=True)
    return made.getvalue()


def _draw(draw: ImageDraw, alert: AlertFacts) -> None:
    from PIL.ImageFont import load_default

    series, amount, font = alert.series, amounts(alert), load_default(14)
    edges = [edge for point in series for edge in (point.value, point.low, point.high) if edge is not None]
    low, high = min(edges), max(edges)
    step = (SIZE[0] - _LEFT - _RIGHT) / (len(series) - 1)
    places = [(_LEFT + step * n, _height(point.value, low, high)) for n, point in enumerate(series)]
    for (x, _), point in zip(places, series, strict=True):
        if (band := _band(point, low, high)) is not None:
            draw.rectangle((max(_LEFT, x - step / 2), band[0], min(SIZE[0] - _RIGHT, x + step / 2), band[1]), fill=_BAND)
    draw.line(places, fill=_LINE, width=3)
    for (x, y), point in zip(places, series, strict=True):
        size = 6 if point.is_bad else 4
        draw.ellipse((x - size, y - size, x + size, y + size), fill=_BAD if point.is_bad else _GOOD)
    newest = series[-1]
    draw.text((places[-1][0] + 12, places[-1][1] - 8), amount(newest.value), fill=_BAD if newest.is_bad else _TEXT, font=font)
    draw.text((_LEFT, 4), amount(high), fill=_TEXT, font=font)
    draw.text((_LEFT, SIZE[1] - _BOTTOM + 10), f"{amount(low)}   from {utc(series[0].at)} to {utc(newest.at)}", fill=_TEXT, font=font)


def _band(point: Reading, low: float, high: float) -> tuple[float, float] | None:
    """From where to where the value would have been good; to the edge of the picture on a side without bound."""
    if point.low is None and point.high is None:
        return None
    top = _height(high if point.high is None else point.high, low, high)
    return top, max(top, _height(low if point.low is None else point.low, low, high))


def _height(value: float, low: float, high: float) -> float:
    return SIZE[1] - _BOTTOM - share(value, low, high) * (SIZE[1] - _TOP - _BOTTOM)

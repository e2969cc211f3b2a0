"""Charts as SVG: valid, readable, and right at the edges of what values can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmon.exporters.chart import HEIGHT, Dot, Panel, chart

START = datetime(2026, 3, 2, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def days(*dots: tuple[float, float | None, float | None, str | None]) -> Panel:
    return Panel("main.orders.volume_anomaly", "rows", tuple(Dot(START + timedelta(days=n), *dot) for n, dot in enumerate(dots)))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def places(svg: str, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{SVG}{kind}"))


def test_line_band_alerts_and_axes():
    svg = chart([days(*((100.0, 80, 120, None) for _ in range(13)), (20.0, 80, 120, "there are 20 rows <expected about 100>"))])
    said = texts(svg)
    assert {"main.orders.volume_anomaly", "rows", "time, UTC", "value", "expected", "outside"} <= set(said)
    assert [text for text in said if text.startswith("2026")] == [f"2026-03-{day:02}" for day in range(2, 16, 2)]
    assert {"20", "120"} <= set(said), "the ends of the range are on the axis"
    (line,) = places(svg, "polyline")
    assert len(line.attrib["points"].split()) == 14
    (title,) = places(svg, "title")
    assert title.text == "2026-03-15 00:00 UTC: there are 20 rows <expected about 100>"
    assert "outside" not in texts(chart([days((1.0, 0, 2, None), (1.0, 0, 2, None))])), "the legend names only what is there"


def test_values_of_half_an_hour_have_a_time_at_the_axis():
    panel = Panel("", "rows", tuple(Dot(START + timedelta(minutes=10 * n), 1.0) for n in range(4)))
    assert "03-02 00:00" in texts(chart([panel]))


@pytest.mark.parametrize("value", [5e-324, -5e-324, 1e-300])
def test_the_least_values_that_there_are_have_an_axis(value):
    assert places(chart([days((value, None, None, None))]), "circle")


def test_higher_values_are_higher_up():
    points = [
        tuple(map(float, place.split(",")))
        for place in places(chart([days(*((float(n), None, None, None) for n in range(5)))]), "polyline")[0].attrib["points"].split()
    ]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_a_bound_that_is_missing_reaches_the_edge_and_breaks_the_band():
    svg = chart([days((5.0, 1, 9, None), (5.0, 1, 9, None), (0.0, 1, None, "none"), (5.0, None, None, None), (5.0, 1, 9, None))])
    assert [len(band.attrib["points"].split()) for band in places(svg, "polygon")] == [4, 2, 2]


def test_segments_stand_below_each_other_and_the_rest_is_said():
    svg = chart([days((1.0, None, None, None))] * 23)
    assert len(places(svg, "g")) >= 20
    assert "3 more segments are not drawn" in texts(svg)
    assert float(ET.fromstring(svg).attrib["height"]) == 20 * HEIGHT + 24


def test_text_of_the_user_is_escaped():
    svg = chart([Panel("a<b>&\x00\x1b[31m\ud800", "<unit>", (Dot(START, 1.0, wrong="<script>\x07"),))])
    assert "<script>" not in svg
    assert "a<b>&  [31m " in texts(svg)


@pytest.mark.parametrize("panels", [[], [Panel("empty", "rows", ())]])
def test_nothing_to_draw_is_a_picture_too(panels: list[Panel]):
    ET.fromstring(chart(panels))


VALUES = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda value: abs(value) < 1e300)
BOUNDS = st.none() | VALUES


@given(st.lists(st.tuples(VALUES, BOUNDS, BOUNDS, st.none() | st.text(max_size=5)), min_size=1, max_size=6), st.integers(1, 10**7))
def test_any_values_give_a_picture_inside_of_its_frame(dots: list[tuple[float, float | None, float | None, str | None]], step_s: int):
    panel = Panel("any", "value", tuple(Dot(START + n * timedelta(seconds=step_s), *dot) for n, dot in enumerate(dots)))
    svg = chart([panel])
    shown = [*places(svg, "polyline"), *places(svg, "polygon")]
    for x, y in (map(float, place.split(",")) for element in shown for place in element.attrib["points"].split()):
        assert 0 <= x <= 960, f"{x} is outside"
        assert 0 <= y <= HEIGHT, f"{y} is outside"

"""`server.doctor.page`: what a browser is given."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from server.doctor.page import page
from server.doctor.plots import accuracies, distances, outlines, troubles
from server.doctor.words import count, duration, metres, percent
from tests.unit.server.doctor_scene import BESIDE, circle, reports, trace_of, visitors

TRACE = trace_of(visitors(*BESIDE), noise_m=5)
REPORTS = reports(TRACE, circle(name='A < B & "C"'), circle("far", at_m=(9_000, 0)))
PAGE = page(REPORTS, "2 geofences, judged <today>.")


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_loads_and_runs_nothing() -> None:
    tags = Tags(PAGE).seen
    links = [attributes.get("href") or "" for _, attributes in tags if "href" in attributes]

    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in tags}
    assert not {"src", "srcset", "action", "onload"} & {name for _, attributes in tags for name in attributes}
    assert all(link.startswith("#") for link in links)
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    assert "default-src 'none'" in PAGE


def test_the_page_shows_no_position() -> None:
    assert re.findall(r"\b(?:60\.1|24\.9)\d{3,}", PAGE) == []


def test_links_lead_to_sections_that_exist() -> None:
    tags = Tags(PAGE).seen
    named = {attributes["id"] for _, attributes in tags if "id" in attributes}

    assert {(attributes["href"] or "")[1:] for _, attributes in tags if "href" in attributes} <= named


def test_what_others_wrote_is_text_and_no_markup() -> None:
    assert "A &lt; B &amp; &quot;C&quot;" in PAGE
    assert "judged &lt;today&gt;." in PAGE


def test_the_proposal_is_told_with_its_effect() -> None:
    assert re.search(r"radius 50 → \d+ m", PAGE)
    assert re.search(r"wrong in all \d+ → 0", PAGE)


@pytest.mark.parametrize("plot", [distances, accuracies, troubles, outlines])
def test_every_plot_is_well_formed(plot: object) -> None:
    for report in REPORTS:
        assert callable(plot)
        assert ET.fromstring(plot(report)).tag == "svg"


def test_the_bars_of_the_distances_are_all_fixes_near_the_fence() -> None:
    histogram = REPORTS[0].spread.distance

    assert sum(map(sum, histogram.counts)) == REPORTS[0].case.measures.fixes
    assert 0.0 in histogram.edges_m


def test_fixes_without_accuracy_have_no_plot_of_it() -> None:
    report = reports(trace_of(visitors(*BESIDE), accuracy_m=None), circle())[0]

    assert report.spread.accuracy is None
    assert "No fix states its accuracy" in accuracies(report)


def test_numbers_read_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (None, 45, 600, 12_600)] == ["–", "45 s", "10 min", "3.5 h"]
    assert [metres(None), metres(12.4)] == ["–", "12 m"]
    assert [percent(None), percent(0.123)] == ["–", "12 %"]
    assert [count(1, "fix", "fixes"), count(1_200, "fix", "fixes")] == ["1 fix", "1,200 fixes"]

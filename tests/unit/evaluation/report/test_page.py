# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The report is one page that holds everything, escapes what users write, and never calls nothing zero."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.report.content import Content
from anemoi_ailand.evaluation.report.page import SECTIONS, ReportFigure, render, write_report
from tests.support.results import metrics

VOID = {"meta", "img", "link", "br", "input"}


@pytest.fixture(scope="module")
def html():
    """Page of the made-up evaluation, without figures."""
    return render(Content(metrics()))


class Page(HTMLParser):
    """Tags and text of a page; unbalanced tags are an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def figure(tmp_path):
    path = save(Figure(figsize=(2, 1), dpi=100), tmp_path / "map.png")
    return ReportFigure("maps", path, "A map", "How to read it.", "swvl1", "A")


def test_page_is_one_file(tmp_path, figure):
    """Images are embedded, nothing is requested from a server, and the policy forbids it."""
    path = write_report(tmp_path, metrics(), [figure])
    assert path == tmp_path / "report" / "index.html"
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]
    page = Page(path.read_text(encoding="utf-8"))
    (image,) = page.all("img")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == figure.path.read_bytes()
    assert (image["alt"], image["width"], image["height"]) == ("A map. How to read it.", "140", "70")
    assert not page.all("link")
    assert all("src" not in script for script in page.all("script"))
    assert all(a["href"].startswith("#") for a in page.all("a"))
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_every_link_leads_somewhere(html):
    """Every section is a target, and no target stands twice."""
    page = Page(html)
    targets = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(targets) == len(set(targets))
    assert {a["href"][1:] for a in page.all("a")} <= set(targets)
    assert {key for key, *_ in SECTIONS} <= set(targets)


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "$x$"])
def test_label_of_a_user_is_text(label):
    """A label never becomes a tag, an attribute or a formula."""
    made = metrics((label, "older"))
    made["inputs"]["note"] = label
    page = Page(render(Content(made)))
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert any(label in text for text in page.text)


def test_tables_have_headers(html):
    """Every table has a caption and column headers, every row a row header."""
    page = Page(html)
    assert len(page.all("caption")) == len(page.all("table"))
    assert {th.get("scope") for th in page.all("th")} == {"col", "row"}
    for body in re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL):
        rows = body.split("<tr")[1:]
        assert rows
        assert all('<th scope="row">' in row for row in rows)


def test_missing_parts_are_reported():
    """Scores of protocol A alone make a page; other sections say that they have no data."""
    made = {"scores": [r for r in metrics()["scores"] if r["protocol"] == "A" and r["cut"] == "all"]}
    text = render(Content(made))
    assert text.count("No data in this evaluation.") == len(SECTIONS) - 1
    assert "Not evaluated: protocol B" in text


def test_climatology_and_protocols_are_stated(html):
    """The page states period, window, starts, points, command and hash."""
    for words in ("2018-01-01T06:00</time> to <time>2020-12-31T18:00", "±3 days", "138 starts", "84 held out",
                  "ab12ab12", "anemoi-ailand evaluate configs/evaluation/reference.yaml"):  # fmt: skip
        assert words in html

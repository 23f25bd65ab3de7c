# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The report is one page that holds everything, escapes what users write, and agrees with the scores."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.report.content import LEADS as SHOWN_LEADS
from anemoi_ailand.evaluation.report.content import NOT_MEASURED, WHOLE, Content
from anemoi_ailand.evaluation.report.page import SECTIONS, ReportFigure, render, write_report
from anemoi_ailand.evaluation.report.summary import not_measured, strengths, weaknesses
from tests.support.results import LEADS, VARIABLES, metrics


@pytest.fixture(scope="module")
def content():
    return Content(metrics())


def test_empty_group_and_absent_score_differ(content):
    """An empty group has n = 0; a score that was not computed is ``NOT_MEASURED``."""
    assert content.score("rmse", "2t", "emulator", 30.0, strata="biome", group="glacier").n == 0
    assert content.score("rmse", "2t", "emulator", 31.0) is NOT_MEASURED


def test_json_gives_the_same_content(content):
    """Null in metrics.json is read as NaN."""
    text = json.dumps(metrics(), default=float).replace("NaN", "null")
    read = Content(json.loads(text))
    for name in VARIABLES:
        for lead in (*LEADS, WHOLE):
            first, second = (c.score("acc", name, "climatology", lead) for c in (content, read))
            np.testing.assert_equal(first.value, second.value)
    assert read.budgets.shape == content.budgets.shape
    assert read.snow_season.shape == content.snow_season.shape


def test_order_of_models_and_leads_of_tables(content):
    """Forecasts come in the given order before the baselines; tables have few leads, else 1, 7, 30, 60, 90 days."""
    assert content.models == ["emulator", "older", "persistence", "climatology"]
    turned = Content({**metrics(), "inputs": {"forecasts": {"older": {}, "emulator": {}}}})
    assert turned.forecasts == ["older", "emulator"]
    assert content.variables == list(VARIABLES)
    some = Content({**metrics(), "scores": [r for r in metrics()["scores"] if r["lead"] != 60.0]})
    assert some.leads("A") == [1.0, 7.0, 30.0, 90.0]
    assert some.middle_lead("A") == SHOWN_LEADS[2]
    assert some.leads("B") == [15.0, 345.0]
    assert some.middle_lead("B") == WHOLE


def sentences(content):
    """All sentences about the first forecast as one text."""
    lines = [*strengths(content, "emulator"), *weaknesses(content, "emulator")]
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def with_horizon(reached):
    """The made-up evaluation with another skill horizon of the variables in ``reached``."""
    made = metrics()
    for row in made["scores"]:
        if row["variable"] in reached and row["metric"].startswith("skill_horizon"):
            row["value"] = reached[row["variable"]] if row["metric"].endswith("reached") else 0.0
    return Content(made)


def test_variables_without_horizon_share_a_phrase():
    """No variable reaches the error of climatology; those without skill at the first lead share a phrase."""
    text = sentences(with_horizon(dict.fromkeys(VARIABLES, 0.0)))
    assert "the RMSE of every variable is below that of climatology up to 90 d" in text
    text = sentences(with_horizon({"stl1": 1.0, "2t": 1.0}))
    assert "that of climatology for 2t and stl1 at the first lead; swvl4 after 46 d." in text


def test_sentences_are_those_of_the_scores(content):
    """Counts against baselines; then the worst variables, skill horizon, groups and an open budget."""
    assert sentences(content).splitlines() == [
        "Protocol A, 30 d: the RMSE is below that of climatology for 6 of 6 and that of persistence for 5 of 6 "
        "variables.",
        "Protocol A, 90 d: the RMSE is below that of climatology for 5 of 6 and that of persistence for 5 of 6 "
        "variables.",
        "Protocol B, whole run: the RMSE is below that of climatology for 5 of 6 and that of persistence for 5 of 6 "
        "variables.",
        "Protocol A, 90 d: the RMSE exceeds that of climatology for 1 of 6 variables: swvl4 (200 %).",
        "Protocol B, whole run: the RMSE exceeds that of climatology for 1 of 6 variables: swvl4 (823 %).",
        "Skill horizon: the RMSE exceeds that of climatology for swvl4 after 46 d.",
        "Protocol A, 30 d: in no group is the RMSE relative to climatology above 1.5 times that over all points.",
        "Protocol B, whole run: in no group is the RMSE relative to climatology above 1.5 times that over all points.",
        "The energy budget is not closed: the run lacks ssr, str.",
    ]


def scaled(factor, **where):
    """The made-up evaluation with some errors multiplied by a factor."""
    made = metrics()
    for row in made["scores"]:
        if where.items() <= row.items() and row["metric"] == "rmse":
            row["value"] *= factor
    return Content(made)


def test_weak_groups_are_named():
    """The group with its worst variable, unless climatology's error there is negligible; most groups are counted."""
    snow = {"cut": "snow_regime", "group": "snow", "protocol": "A"}
    weak = scaled(2.0, model="emulator", variable="stl1", **snow)
    assert "above 1.5 times that over all points: snow (snow regime), stl1 93 % against 46 %." in sentences(weak)
    assert "Protocol B, whole run: in no group" in sentences(weak)
    calm = scaled(0.01, model="climatology", variable="stl1", **snow)
    assert "Protocol A, 30 d: in no group" in sentences(calm)
    many = scaled(0.1, cut="all", variable="2t", model="emulator")
    assert "rainforest (biome), 2t 16 % against 1.6 %; 10 more groups." in sentences(many)


def test_worst_variable_is_named_though_it_beats_climatology():
    text = sentences(scaled(0.1, model="emulator"))
    assert "90 d: the RMSE is closest to that of climatology, but below it, for swvl4 (20 %), swvl1 (5.6 %) " in text


def test_unknown_weaknesses_are_not_called_strengths():
    """Without climatology and budgets the page says that nothing is known."""
    rows = [r for r in metrics()["scores"] if r["model"] == "emulator" and r["cut"] == "all"]
    alone = Content({"scores": [r for r in rows if not r["metric"].startswith("skill_horizon")]})
    assert strengths(alone, "emulator") == []
    assert weaknesses(alone, "emulator") == ["Not known: there are no scores of climatology to compare with."]
    assert "Not known: there are no scores of climatology" in render(alone)


def test_missing_parts_are_reported(content):
    """Scores of protocol A alone make a page; other sections and the summary say what is missing."""
    assert not_measured(content) == ["protocol C (other points and places)"]
    bare = Content({"scores": [r for r in metrics()["scores"] if r["protocol"] == "A" and r["cut"] == "all"]})
    assert {"the budgets", "the snow season", "observations", "extremes", "groups of points"} <= set(not_measured(bare))
    text = render(bare)
    assert text.count("No data in this evaluation.") == len(SECTIONS) - len(("skill", "weak", "protocol-a"))
    assert "Not evaluated: protocol B" in text


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


def test_answer_comes_first_and_method_last(html):
    """The sections follow the order of the navigation, which ends with the method."""
    page = Page(html)
    order = [attributes["id"] for attributes in page.all("section")]
    assert order == [key for key, *_ in SECTIONS] + ["method"]
    assert order[:3] == ["skill", "weak", "protocol-a"]
    assert [a["href"] for a in page.all("a")][1:] == [f"#{key}" for key in order]


def test_first_section_has_scorecards_and_its_figures_once(figure):
    """One open scorecard a forecast against both baselines, then site and map, which no other section repeats."""
    first = replace(figure, section="skill", title="Two sites")
    text = render(Content(metrics()), [first, figure])
    skill, weak, *others = re.findall(r"<section id=.*?</section>", text, re.DOTALL)
    assert re.findall(r'id="(table[^"]*)"', skill) == ["table-skill-0", "table-skill-1"]
    assert skill.count("relative to climatology</th>") == skill.count("relative to persistence</th>") == 2
    assert "<details" not in skill
    assert skill.rindex("</table>") < skill.index("<figure")
    assert (skill.count("Two sites</h3>"), text.count("Two sites</h3>"), text.count("<img")) == (1, 1, 2)
    assert "<img" not in weak
    assert "table-skill" not in "".join([weak, *others])


def test_every_link_leads_somewhere(html):
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
    assert {th.get("scope") for th in page.all("th")} == {"col", "colgroup", "row"}
    for body in re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL):
        rows = body.split("<tr")[1:]
        assert rows
        assert all('<th scope="row">' in row for row in rows)


def test_climatology_and_protocols_are_stated(html):
    """The page states period, window, starts, points, command and hash."""
    for words in ("2018-01-01T06:00</time> to <time>2020-12-31T18:00", "±3 days", "138 starts", "84 held out",
                  "ab12ab12", "anemoi-ailand evaluate configs/evaluation/reference.yaml"):  # fmt: skip
        assert words in html

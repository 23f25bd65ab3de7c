# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Renewal of the results pages: blocks, steps that are made once, scores of runs with observed weather."""

import json
import logging
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.evaluation.scores.ensemble_scores import ensemble_scores
from tools.results import __main__ as command
from tools.results import commands, derivatives, ensembles, goals, real_weather, steps, weather_runs
from tools.results.pages import block_names, made_by, paragraph, renew_pages, renewed, table
from tools.results.reference_set import CORE, PAPER, Scores, bias_table, readme_table, recipe_errors
from tools.results.steps import ROOT, Inputs, fingerprint, key_of, once
from tools.results.weather_runs import Run, class_errors, errors, site_errors

PAGE = """# A

prose 1

<!-- results: one -->
old
<!-- /results -->

more

<!-- results: two -->
<!-- /results -->
"""


def test_blocks_are_replaced_and_prose_stays():
    new = renewed(PAGE, {"two": "| a |\n|---|"})
    assert new == PAGE.replace("<!-- results: two -->\n", "<!-- results: two -->\n| a |\n|---|\n")
    assert renewed(new, {"two": "| a |\n|---|"}) == new
    assert block_names(new) == ["one", "two"]


@pytest.mark.parametrize("page", [PAGE, PAGE + PAGE.replace("one", "three")])
def test_block_without_one_place_is_an_error(page):
    """A block that the page lacks, or has twice, is named."""
    with pytest.raises(ValueError, match=r"blocks \['(two|zero)'"):
        renewed(page, {"zero": "x", "two": "y"})


def test_no_page_is_written_if_one_does_not_fit(tmp_path):
    """All pages are checked before the first is written; pages that do not change are not listed."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(PAGE)
    with pytest.raises(ValueError, match="zero"):
        renew_pages(tmp_path, {"a.md": {"one": "new"}, "b.md": {"zero": "new"}})
    assert (tmp_path / "a.md").read_text() == PAGE
    assert renew_pages(tmp_path, {"a.md": {"one": "new"}, "b.md": {"one": "old"}}) == ["a.md"]
    assert "new" in (tmp_path / "a.md").read_text()


def test_every_block_of_the_pages_is_filled():
    """No page of the repository has an empty block, and every page with blocks names the command."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "results").glob("*.md"))]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    with_blocks = {name: text for name, text in texts.items() if block_names(text)}
    renewed_pages = {
        "reference-set.md",
        "real-weather.md",
        "observed-towers.md",
        "snow-and-runoff.md",
        "long-runs.md",
        "ensembles.md",
        "derivatives.md",
        "goals.md",
        "fine-tuning.md",
        "assimilation.md",
        "diagnosis.md",
        "coupling.md",
        "site.md",
        "stability.md",
        "quickstart.md",
    }
    assert set(with_blocks) == {"README.md", *renewed_pages}
    empty = [n for n, text in with_blocks.items() if re.search(r"<!-- results: [\w-]+ -->\s*<!-- /results -->", text)]
    unnamed = [name for name, text in with_blocks.items() if "make results" not in text and name != "README.md"]
    assert (empty, unnamed) == ([], [])


def test_texts_of_pages():
    assert table([["a", "b"], ["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"
    text = made_by("site", {"ailand": ("0123456789abcdef", "plain"), "other": ("f" * 64, "compiled")})
    assert "`make results ONLY=site`" in text.replace("\n", " ")
    assert "`ailand` (SHA-256 `0123456789ab`, plain) and `other`" in text.replace("\n", " ")
    assert max(map(len, paragraph("word " * 100).splitlines())) <= 120


def test_tables_of_ensembles():
    """By lead, by ground with cases only, and ranks in their order."""
    rng = np.random.default_rng(0)
    truth = rng.normal(5.0, 1.0, (len(ensembles.LEADS), 40))
    found = ensemble_scores(truth[..., None] + rng.normal(0.0, 1.0, (*truth.shape, 11)), truth, truth + 1.0,
                            {"snow": truth > 5.0, "dry": truth > 99.0})  # fmt: skip
    found["lead"] = np.array(ensembles.LEADS)[found["lead"]]
    scores = pd.concat([found.assign(variable=name) for name in ensembles.VARIABLES])
    leads, ground, ranks = (
        made(scores).splitlines() for made in (ensembles.leads_table, ensembles.ground_table, ensembles.ranks_table)
    )
    assert [line.split(" | ")[0] for line in leads[2:4]] == ["| `swvl1` [m3 m-3]", "| `swvl2` [m3 m-3]"]
    assert len({line.count("|") for line in leads}) == 1
    assert [line.split(" | ")[0] for line in ground[2:]] == ["| all", "| snow"]
    by_ground = [line.strip("| ").split(" | ") for line in ensembles.ground_leads_table(scores).splitlines()[2:]]
    assert [row[0] for row in by_ground] == [f"`{name}`" for name in ensembles.SHOWN]
    assert {row[2:] == ["- / - / - / -"] * 4 and row[1].count(" / ") == 3 for row in by_ground} == {True}
    assert ranks[0].startswith("| variable | 1 | 2 | 3 |")
    assert ranks[0].count("|") == 12 + 3
    assert len(ensembles.leads_figure(scores).axes) == 2 * len(ensembles.SHOWN)


def test_step_is_made_again_only_if_its_key_changes(tmp_path):
    """An unchanged step is taken as it is; another key, or an interruption, makes it again."""
    made, result = [], tmp_path / "x" / "result.txt"

    def make():
        made.append(1)
        result.write_text("whole")

    def broken():
        result.write_text("half")
        raise KeyboardInterrupt

    once(result, {"code": 1}, make)
    once(result, {"code": 1}, make)
    assert len(made) == 1
    once(result, {"code": 2}, make)
    assert len(made) == 2
    with pytest.raises(KeyboardInterrupt):
        once(result, {"code": 3}, broken)
    once(result, {"code": 2}, make)
    assert (len(made), result.read_text()) == (3, "whole")


def test_key_knows_network_data_and_options(tmp_path):
    """Another network, other data or another option make another key; the same have the same."""
    file = tmp_path / "a.nc"
    file.write_bytes(b"1")
    key = key_of("ailand", file, years=1)
    assert key == key_of("ailand", file, years=1)
    assert key != key_of("ailand-small", file, years=1)
    assert key != key_of("ailand", file, years=2)
    of_folder = fingerprint(tmp_path)
    file.write_bytes(b"2")
    assert key != key_of("ailand", file, years=1)
    assert fingerprint(tmp_path) != of_folder


def test_page_of_the_quickstart_has_the_errors_only(tmp_path, monkeypatch):
    """Of the tables of the quickstart, the page shows that of RMSE at held-out points, and no correlations."""
    comparison = tmp_path / "quickstart" / "comparison"
    comparison.mkdir(parents=True)
    head = "| variable | unit | points | emulator |\n|---|---|---|---:|\n"
    errors = "| stl1 | K | held-out | 1.3 |\n| stl1 | K | trained | 0.8 |\n"
    (comparison / "table.md").write_text(
        f"RMSE.\n\n{head}{errors}\nCorrelation.\n\n{head}| sshf | 1 | held-out | 0.9 |\n"
    )
    monkeypatch.setattr(commands, "once", lambda *_: None)
    monkeypatch.setattr(commands, "copy_figure", lambda *_: None)
    (blocks,) = commands.renew_quickstart(Inputs(None, None, None, tmp_path)).values()
    assert "`stl1` | K | 1.3" in blocks["quickstart-table"]
    assert "0.8" not in blocks["quickstart-table"] and "sshf" not in blocks["quickstart-table"]


def test_absent_data_are_skipped_with_a_line(tmp_path, caplog):
    """A part without its data is skipped and says what to give."""
    with caplog.at_level(logging.INFO):
        changed = command.renew(["real-weather", "site"], Inputs(None, None, None, tmp_path))
    assert changed == []
    assert "real-weather is skipped: give its data with --towers or $AILAND_TOWERS" in caplog.text
    assert "site is skipped: give its data with --reference or $AILAND_REFERENCE" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["weather"], "there is no part"), (["--towers", "nowhere", "site"], "does not exist; correct it")],
)
def test_wrong_arguments_end_with_a_message(arguments, message, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_recipe_is_read_from_the_contest():
    """The README's columns on the recipe are those of the page on the contest, for every core variable."""
    contest = (ROOT / "docs" / "results" / "contest.md").read_text(encoding="utf-8")
    at_30, at_90 = recipe_errors(contest, 30), recipe_errors(contest, 90)
    assert set(CORE) <= set(at_30) & set(at_90) & set(PAPER)
    assert float(at_30["stl1"]) < float(at_90["stl1"])
    with pytest.raises(ValueError, match="Restore its table"):
        recipe_errors(contest.replace("ailand-v1 [RMSE]", "other"), 30)


@pytest.fixture
def towers():
    """Run at six points of two sites: the first is 1 K too warm, one drawn physiography 2 K, others are exact."""
    time = np.datetime64("2005-01-02T06", "ns") + np.arange(1500) * np.timedelta64(6, "h")
    truth = 280 + np.sin(np.arange(1500))[:, None] + np.zeros(6)
    shift = np.array([1.0, 2.0, 0, 0, 0, 0])
    dims = ("time", "point")
    marks = {
        "site": ("point", ["A", "A", "A", "B", "B", "B"]), "variant": ("point", [0, 1, 2, 0, 1, 2]),
        "climate_class": ("point", [7, 7, 8, 8, 8, 8]),
    }  # fmt: skip
    emulator = xr.Dataset({"stl1": (dims, truth + shift), "t2m": (dims, truth.copy())}, {"time": time})
    emulator["t2m"][-1] += 9.0
    ecland = xr.Dataset({"stl1": (dims, truth), "t2m": (dims, truth), **marks}, {"time": time})
    return Run("towers", emulator, ecland)


def test_errors_of_a_run(towers):
    """RMSE, bias and spread over points equal their definition; the last value of 2t, which is wrong, is left out."""
    of = errors(towers).set_index("variable")
    assert of.loc["stl1", "rmse"] == pytest.approx(np.sqrt(5 / 6))
    assert of.loc["stl1", "bias"] == pytest.approx(0.5)
    assert of.loc["stl1", "spread"] == pytest.approx(np.std([1, 2, 0, 0, 0, 0]))
    assert of.loc["2t", "rmse"] == 0
    assert of.loc["2t", "correlation"] == pytest.approx(1.0)
    years = errors(towers, np.array([1]), years=True).query("variable == 'stl1'").set_index("year")
    assert years["days"].tolist() == [375.0, 365.25, 9.75]
    assert years["bias"].tolist() == pytest.approx([2.0] * 3)


def test_errors_by_site_and_class(towers):
    """A site's own physiography is apart from drawn ones; classes are made of the latter."""
    site = site_errors(towers).query("variable == 'stl1'").set_index(["site", "own"])
    assert site["bias"].to_dict() == pytest.approx({("A", True): 1, ("A", False): 1, ("B", True): 0, ("B", False): 0})
    assert site.loc[("A", False), "spread"] == pytest.approx(1.0)
    group = class_errors(towers, ("A",)).query("variable == 'stl1'").set_index(["group", "unseen"])
    assert group["points"].to_dict() == {("continental", True): 1, ("boreal", True): 1, ("boreal", False): 2}
    assert group.loc[("continental", True), "bias"] == pytest.approx(2.0)


def test_classes_without_points_have_a_dash():
    """The held-out sites come first, and a class that only one of both groups has gets a dash for the other."""
    rows = [
        {"group": group, "unseen": unseen, "points": 2, "variable": name, "rmse": rmse, "bias": -rmse}
        for group, unseen, rmse in (("steppe", True, 2.0), ("steppe", False, 1.0), ("boreal", False, 3.0))
        for name in real_weather.BY_PLACE
    ]
    lines = real_weather.classes_table(pd.DataFrame(rows)).splitlines()
    assert lines[2].startswith("| steppe | 2 / 2 | 2.00 / 1.00 |") and lines[2].endswith("| -2.00 / -1.00 |")
    assert lines[3].startswith("| boreal | - / 2 | - / 3.00 |")


def test_trained_weather_follows_from_the_record(monkeypatch):
    """A network of the reference set knows no weather of a tower; one of the tower set all but the sites kept apart."""
    record = {"data": {"recipe": "ecland-reference"}, "training": {"commands": ["train"]}}
    monkeypatch.setattr(real_weather, "pretrained_record", lambda name: record)
    assert {real_weather.weather_known("x", site) for site in real_weather.SITES} == {"no"}
    record["data"]["others"] = ["ecland-towers"]
    known = {site for site in real_weather.SITES if real_weather.weather_known("x", site) == "yes"}
    assert known == set(real_weather.SITES) - {"Amplero", "Bondville", "CdP", "FortPeck"}


def test_tables_of_observed_weather():
    """Medians are over the sizes of biases, the weighted row over squared errors, and Fort Peck stands alone."""
    names = [*dict.fromkeys((*real_weather.COLUMNS, *real_weather.MEDIANS, "sd"))]
    rows = [
        {"run": run, "variable": name, "year": 0, "rmse": rmse, "bias": bias, "correlation": 0.9, "ecland": 5.0,
         "days": days}
        for run, rmse, bias, days in (("FortPeck_2003", 1.0, -0.4, 300.0), ("Loobos_1999", 3.0, 0.2, 100.0))
        for name in names
    ]  # fmt: skip
    found = pd.DataFrame(rows)
    lines = real_weather.runs_table("ailand", found).splitlines()
    place = [cell.strip() for cell in lines[0].strip("|").split("|")].index("bias of `stl1`")
    cells = {line.split("|")[1].strip(): [c.strip() for c in line.strip("|").split("|")] for line in lines[2:]}
    assert cells["**median of 2 runs**"][place - 1 : place + 1] == ["**2.00**", "**0.30**"]
    assert cells["**median, Amplero and Fort Peck**"][place - 1 : place + 1] == ["**1.00**", "**0.40**"]
    weighted = cells["all, weighted by length"]
    assert weighted[place - 1 : place + 1] == [f"{np.sqrt(3.0):.2f}", "-0.25"]
    all_runs, unseen = real_weather.median_rows("ailand", found)
    assert (all_runs[1], unseen[1]) == ("all (2)", "Amplero, Fort Peck (1)")
    assert (all_runs[-2:], unseen[-2:]) == (["0.30", "0.900"], ["0.40", "0.900"])


def test_static_fields_are_found(tmp_path):
    """A file's own static fields come before those of its folder; they are not series."""
    for name in ("A_1.nc", "A_1_static.nc", "B.nc", "static.nc"):
        (tmp_path / name).touch()
    assert [path.name for path in weather_runs.series_files(tmp_path)] == ["A_1.nc", "B.nc"]
    assert weather_runs.static_of(tmp_path / "A_1.nc").name == "A_1_static.nc"
    assert weather_runs.static_of(tmp_path / "B.nc").name == "static.nc"


def test_records_of_packaged_networks_are_readable():
    """The fields of a record that the pages use exist for each packaged network."""
    for name in Inputs(None, None, None, ROOT).networks:
        assert len(steps.checksum_of(name)) == 64
        assert isinstance(real_weather.trained_on_towers(name), bool)
        assert json.dumps(key_of(name))


def made_up_scores(model, size):
    """Scores of the core variables at the held-out points, all of one size for each metric."""
    rows = []
    for name in CORE:
        key = {"variable": name, "cut": "points", "group": "held_out", "n": 9}
        for of in (model, "climatology"):
            value = size if of == model else 9.0
            rows += [{**key, "model": of, "protocol": "A", "lead": d, "metric": "rmse", "value": value * d}
                     for d in (30, 90)]  # fmt: skip
            rows.append({**key, "model": of, "protocol": "B", "lead": np.nan, "metric": "rmse", "value": value})
        for k, metric in enumerate(("bias", "bias_spread", "bias_most")):
            for prefix, factor in (("", 1), ("last_year_", 10)):
                row = {"model": model, "protocol": "B", "lead": np.nan, "metric": f"{prefix}{metric}"}
                rows.append({**key, **row, "value": size * (k + 1) * factor})
    return Scores(pd.DataFrame(rows), model, "plain", ROOT)


def test_systematic_errors_are_tabulated_by_network():
    """Biases of one run over a year come from one evaluation, those of year 5 and errors at 90 days from another."""
    found = {"a": made_up_scores("a", 0.5), "b": made_up_scores("b", 0.25)}
    lines = bias_table(found, {"a": made_up_scores("a", 0.01), "b": made_up_scores("b", 0.02)}).splitlines()
    assert "| `stl1` | K | `a` | 45 | 0.01 | 0.02 | 0.03 | 5 | 10 | 15 |" in lines
    assert "| `stl1` | K | `b` | 22.5 | 0.02 | 0.04 | 0.06 | 2.5 | 5 | 7.5 |" in lines
    assert len(lines) == 2 + 2 * len(CORE)


def test_readme_table_has_recipe_and_paper():
    contest = (ROOT / "docs" / "results" / "contest.md").read_text(encoding="utf-8")
    line = next(r for r in readme_table(made_up_scores("a", 0.01), contest).splitlines() if r.startswith("| `stl1`"))
    assert line == "| `stl1` | K | **0.3** | 1.87 | 1.06 | **0.9** | 2.3 | 1.19 | 810 | **0.01** | 1.72 | 9 |"


def test_goals_are_met_missed_or_stated():
    """A bound holds without rounding; a value that misses it is bold, and one without a goal is not judged."""
    at_most = goals.Goal("error", "K", 0.3, 0.5, {"ailand": 0.301, "other": 0.3})
    assert at_most.row(["ailand", "other"]) == ["error", "K", "0.3", "0.5", "**0.301**", "0.3", "**no**"]
    at_least = goals.Goal("r", "1", 0.9, None, {"ailand": 0.9, "other": 0.899}, least=True)
    assert at_least.row(["ailand", "other"]) == ["r", "1", "at least 0.9", "", "0.9", "**0.899**", "yes"]
    stated = goals.Goal("more", "1", None, 1.0, {"ailand": 9.0})
    assert stated.row(["ailand", "other"]) == ["more", "1", "", "1", "9", "", ""]
    text = goals.summary([at_most, at_least, stated])
    assert text == "`ailand` meets 1 of 2 goals; `other` meets 1 of 2 goals."


def test_goals_come_from_scores_of_both_networks():
    """Half the spread and .8 of the errors of the first network, in the order of the page."""
    found = {"ailand": made_up_scores("ailand", 0.001), "b": made_up_scores("b", 1.0)}
    spread = {goal.what.split("`")[1]: goal for goal in goals.spread_goals(found)}
    assert (spread["stl1"].bar, spread["stl1"].now) == (pytest.approx(0.1605), {"ailand": 0.002, "b": 2.0})
    error = {goal.what.split("`")[1]: goal for goal in goals.error_goals(found)}
    assert error["skt"].bar == pytest.approx(0.8 * 0.865) and error["slhf"].bar == 7.65
    assert [goal.met("ailand") for goal in goals.year_5_goals(found)] == [True] * 6
    assert not any(goal.met("b") for goal in goals.year_5_goals(found))


def test_derivatives_are_compared_at_held_out_points():
    """Correlation, sign and size of the differences where ecLand's response is linear, at every fifth point only."""
    rng = np.random.default_rng(0)
    shape = (2, 2, 3, 4, 40)  # date, lead, disturbed, responding, point
    jac = rng.normal(size=shape)
    theirs = xr.Dataset(
        {
            "jac": (("date", "lead", "in_var", "out_var", "point"), jac),
            "asym": (("date", "lead", "in_var", "out_var", "point"), np.zeros(shape)),
            "valid": (("date", "in_var", "point"), np.ones((2, 3, 40))),
            "lead": ("lead", [6, 24]),
            "in_name": ("in_var", list(derivatives.INPUTS)),
            "out_name": ("out_var", ["t2m", "d2m", "skt", "slhf"]),
            "point_id": ("point", np.arange(40)),
        }
    )
    ours = 2.0 * jac
    ours[..., np.arange(40) % 5 > 0] = rng.normal(size=(2, 2, 3, 4, 32))  # points of training, which do not count
    ours[:, 0, 0, 0] *= -1.0
    rows = derivatives.compared(ours, theirs).splitlines()
    assert len(rows) == 2 + 8
    first, second = (rows[k].split("|")[3].split(",") for k in (2, 3))
    assert [float(v) for v in first[:2]] == [-1.0, 0.0]
    assert [float(v) for v in second[:2]] == [1.0, 1.0]
    size, of_ecland = second[2].replace(")", "").split("(")
    assert float(size) == pytest.approx(2.0 * float(of_ecland), rel=0.1)
    dates = np.array(["2018-01-15", "2018-07-15"], "M8[ns]")
    theirs = theirs.assign(
        time=("date", dates), init=(("date", "in_var", "point"), rng.random((2, 3, 40))),
        latitude=("point", np.where(np.arange(40) < 20, 50.0, -50.0)),
    )  # fmt: skip
    winter, summer = (derivatives.seasons(theirs)[n][0] for n in ("winter", "summer"))
    assert winter[0, :20].all() and winter[1, 20:].all() and winter.sum() == summer.sum() == 40
    parts = [np.stack(of) for of in derivatives.thirds(theirs).values()]
    assert (np.sum(parts, axis=0) == 1).all() and parts[0].sum() == pytest.approx(80, abs=3)
    before = derivatives.agreements(ours, theirs, "2t", 24, [winter] * 3)[0]
    ours[:, 1, 0, 0] *= np.where(winter, -1.0, 1.0)
    after = derivatives.agreements(ours, theirs, "2t", 24, [winter] * 3)[0]
    assert (before.r, after.r) == (pytest.approx(1.0), pytest.approx(-1.0))
    assert derivatives.agreements(ours, theirs, "2t", 24, [summer] * 3)[0].r == pytest.approx(1.0)

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table says what was found, and where."""

import json

import numpy as np
import pytest

from anemoi_ailand.evaluation.display.json_records import json_text
from anemoi_ailand.evaluation.processes.stability import judge
from anemoi_ailand.evaluation.report.stability_table import stability_record, stability_table
from tests.support.results import CYCLE, STEPS, changed, years

ECLAND = years(CYCLE)


@pytest.fixture(scope="module")
def verdict():
    """A drift, a variable at a bound, and a value that is not finite."""
    run = changed(years(10), "stl1_mean", 1, 285.0 + np.arange(10))
    run = changed(run, "swvl4_at_upper", 0, STEPS)
    return judge(changed(run, "not_finite", 2, 1), ECLAND)


def test_table_names_answers_and_points(verdict):
    """The table has criteria with their answer, classes, and each finding with its point."""
    text = stability_table(verdict, "10 years.")
    assert text.startswith("10 years.\n\n3 of 6 criteria passed.\n")
    answers = {row.split("|")[1].strip(): row.split("|")[-2].strip() for row in text.splitlines() if row[:2] == "| "}
    assert {k: answers[k] for k in ("finite", "bounds", "storage", "temperature", "snow")} == {
        "finite": "NO", "bounds": "NO", "storage": "yes", "temperature": "NO", "snow": "yes",
    }  # fmt: skip
    assert "- point 6 (boreal, 50.00, 20.00): 10 K per decade; limit 0.02" in text
    assert "- point 5 (tundra, held out, 70.00, 10.00): 1; swvl4 at its upper bound in 2 of 2 years" in text
    assert "ecLand's snow melts everywhere" in text


def test_points_that_keep_their_snow_are_named():
    """Points where ecLand keeps snow are listed with the growth in both models."""
    ice = changed(changed(ECLAND, "sd_min", 0, 300.0), "sd_end", 0, [400.0, 500.0])
    run = changed(years(10), "sd_end", 0, 100.0 * np.arange(10))
    text = stability_table(judge(run, ice), "10 years.")
    assert "- point 5 (tundra, held out, 70.00, 10.00): emulator +1e+03, ecLand +2.5e+03" in text


def test_long_lists_are_cut():
    """The table lists twelve findings of a kind, the JSON file all."""
    run = years(10)
    for k in range(1, 5):
        for point in range(4):
            run = changed(run, f"swvl{k}_at_lower", point, STEPS)
    verdict = judge(run, ECLAND)
    assert "- and 4 more, see stability.json" in stability_table(verdict, "10 years.")
    assert len(stability_record(verdict)["findings"]) == 16


def test_record_is_json(verdict):
    """The record has plain numbers, null for undefined values, and places of the findings."""
    record = json.loads(json_text(stability_record(verdict)))
    assert record["passed"] is False
    assert [c["passed"] for c in record["criteria"]] == [False, False, True, True, False, True]
    assert record["criteria"][-1]["worst"] is None
    assert {f["point_id"] for f in record["findings"]} == {5.0, 6.0, 7.0}

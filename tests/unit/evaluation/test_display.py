# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Colours, units, groups and numbers as results show them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pint
import pytest
from matplotlib.colors import to_rgb

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.text import json_text, plain_number, records
from anemoi_ailand.evaluation.display.variables import (
    _SHOWN,
    GROUPS,
    OTHER,
    ordered,
    shown_factor,
    shown_scores,
    shown_units,
    variable_groups,
)
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.scores.metrics import UNITLESS
from anemoi_ailand.variables import VARIABLES, Role, names

FORECASTS = [f"run {k}" for k in range(6)]


def test_colour_of_a_forecast_is_its_place_in_the_order():
    """Reference, baselines and forecasts all differ in colour or line, and a forecast keeps its colour."""
    looks = [
        (style.model_colour(m, FORECASTS), str(style.model_line(m, FORECASTS)))
        for m in [*FORECASTS, "ecLand", "persistence", "climatology"]
    ]
    assert len(set(looks)) == len(looks)
    assert style.model_colour("run 1", FORECASTS) == style.model_colour("run 1", FORECASTS[:2])
    assert style.model_colour("climatology", FORECASTS) == style.model_colour("climatology")


def test_colours_differ_for_the_colour_blind():
    """All pairs of colours differ under simulated deuteranopia (Machado et al. 2009, doi:10.1109/TVCG.2009.113)."""
    matrix = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    colours = [*style.FORECAST_COLOURS, *map(style.model_colour, (REFERENCE, "persistence", "climatology"))]
    seen = np.clip(np.array([to_rgb(c) for c in colours]) @ matrix.T, 0, 1)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert apart[~np.eye(len(seen), dtype=bool)].min() > 0.1


def test_number_has_three_digits():
    """Numbers have three digits, and no exponent between 1e-4 and 1e4."""
    texts = {0.0123456: "0.0123", 123.456: "123", 1234.5: "1230", 3.2e-7: "3.2e-07", None: "-"}
    assert {value: plain_number(value) for value in texts} == texts


def test_json_has_a_line_for_each_record():
    """It is read back unchanged; NaN and infinity are refused, because other readers refuse them."""
    metrics = {"path": Path("a"), "n": np.int64(3), "scores": [{"value": 1.5}, {"value": None}], "no": []}
    text = json_text(metrics)
    assert json.loads(text) == {**metrics, "path": "a", "n": 3}
    assert text.splitlines()[3:6] == [' "scores": [', '  {"value": 1.5},', '  {"value": null}']
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            json_text({"budgets": {"value": value}})


def test_records_are_plain_and_short():
    """Floats have six digits, NaN and infinity are ``None``, types of numpy are those of Python."""
    table = pd.DataFrame({"a": [0.123456789, np.nan, np.inf], "n": [1, 2, 3], "b": [True, False, True]})
    found = records(table)
    assert found == [
        {"a": 0.123457, "n": 1, "b": True},
        {"a": None, "n": 2, "b": False},
        {"a": None, "n": 3, "b": True},
    ]
    assert {type(value) for row in found for value in row.values()} == {float, int, bool, type(None)}


UNITS = pint.UnitRegistry()


def parsed(units):
    return UNITS.parse_units(units.replace("d-1", "day**-1").replace("m-2", "m**-2").replace("s-1", "s**-1"))


def test_factor_is_that_of_the_units():
    """Factors agree with a library of units, with 1 kg of water on 1 m2 as 1 mm."""
    for name in _SHOWN:
        kept, shown = VARIABLES[name].units, shown_units(name)
        density = 1.0 if shown.startswith("g") else 1000.0 * UNITS.parse_units("kg") / UNITS.parse_units("m**3")
        wanted = (1 * parsed(kept.replace(" ", "*")) / density).to(parsed(shown.replace(" ", "*"))).magnitude
        assert shown_factor(name) == pytest.approx(wanted), name


def test_scores_with_the_unit_of_the_variable_are_converted():
    """Only metrics with the unit of the variable are converted, in a copy of the table."""
    metrics = ["rmse", "bias", "drift_per_year", "rmse_q25", *sorted(UNITLESS)]
    table = pd.DataFrame({"variable": np.repeat(["ssro", "stl1"], len(metrics)), "metric": 2 * metrics, "value": 0.5})
    shown = shown_scores(table).set_index(["variable", "metric"])["value"]
    assert (shown["ssro"][metrics[:4]] == 43200).all()
    assert (shown["ssro"][metrics[4:]] == 0.5).all()
    assert (shown["stl1"] == 0.5).all()
    assert (table["value"] == 0.5).all()


def test_groups_of_variables():
    """Every output has one group; empty groups are left out, unknown names come last, duplicates count once."""
    grouped = [name for members in GROUPS.values() for name in members]
    assert sorted(grouped) == sorted(names(Role.PROGNOSTIC, Role.DIAGNOSTIC))
    found = variable_groups(["albedo", "2t", "swvl2", "swvl1", "2t"])
    assert found == {"Soil moisture": ["swvl1", "swvl2"], "Surface and 2 m": ["2t"], OTHER: ["albedo"]}
    assert ordered(["albedo", "2t", "swvl2"]) == ["swvl2", "2t", "albedo"]

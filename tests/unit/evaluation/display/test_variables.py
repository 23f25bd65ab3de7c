# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Display units and groups of variables."""

import numpy as np
import pandas as pd
import pint
import pytest

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
from anemoi_ailand.evaluation.scores.metrics import UNITLESS
from anemoi_ailand.variables import VARIABLES, Role, names

UNITS = pint.UnitRegistry()


def parsed(units):
    return UNITS.parse_units(units.replace("d-1", "day**-1").replace("m-2", "m**-2").replace("s-1", "s**-1"))


@pytest.mark.parametrize("name", _SHOWN)
def test_factor_is_that_of_the_units(name):
    """Factors agree with a library of units, with 1 kg of water on 1 m2 as 1 mm."""
    kept, shown = VARIABLES[name].units, shown_units(name)
    density = 1.0 if shown.startswith("g") else 1000.0 * UNITS.parse_units("kg") / UNITS.parse_units("m**3")
    wanted = (1 * parsed(kept.replace(" ", "*")) / density).to(parsed(shown.replace(" ", "*"))).magnitude
    assert shown_factor(name) == pytest.approx(wanted)


def test_scores_with_the_unit_of_the_variable_are_converted():
    """Only metrics with the unit of the variable are converted, in a copy of the table."""
    metrics = ["rmse", "bias", "drift_per_year", "rmse_q25", *sorted(UNITLESS)]
    table = pd.DataFrame({"variable": np.repeat(["ssro", "stl1"], len(metrics)), "metric": 2 * metrics, "value": 0.5})
    shown = shown_scores(table).set_index(["variable", "metric"])["value"]
    assert (shown["ssro"][metrics[:4]] == 43200).all()
    assert (shown["ssro"][metrics[4:]] == 0.5).all()
    assert (shown["stl1"] == 0.5).all()
    assert (table["value"] == 0.5).all()


def test_every_output_has_a_group():
    """Every prognostic and diagnostic variable has one group."""
    grouped = [name for members in GROUPS.values() for name in members]
    assert sorted(grouped) == sorted(names(Role.PROGNOSTIC, Role.DIAGNOSTIC))


def test_groups_keep_only_requested_variables():
    """Empty groups are left out, unknown names come last, duplicates count once."""
    found = variable_groups(["albedo", "2t", "swvl2", "swvl1", "2t"])
    assert found == {"Soil moisture": ["swvl1", "swvl2"], "Surface and 2 m": ["2t"], OTHER: ["albedo"]}
    assert ordered(["albedo", "2t", "swvl2"]) == ["swvl2", "2t", "albedo"]

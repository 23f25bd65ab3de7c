# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables go to columns by the table."""

import pytest

from anemoi_ailand.model.columns import StepColumns

INPUTS = {"swvl1": 0, "t": 1, "avg_tprate": 2, "lai_lv": 3, "z": 4, "cos_julian_day": 5}
OUTPUTS = {"2t": 0, "swvl1": 1}
FORCING = ["t", "avg_tprate", "lai_lv", "z", "cos_julian_day"]


def columns(**changes):
    return StepColumns.from_names(
        **{"inputs": INPUTS, "outputs": OUTPUTS, "diagnostic": ["2t"], "forcing": FORCING, **changes}
    )


def test_each_variable_is_taken_at_its_ends():
    """State, statics and LAI at the start; interval means and calendar at the end; instants at both; with positions."""
    c = columns()
    assert c.start == ("swvl1", "t", "lai_lv", "z")
    assert c.end == ("t", "avg_tprate", "cos_julian_day")
    assert (c.start_index, c.end_index) == ((0, 1, 3, 4), (1, 2, 5))
    assert c.n_in == 7
    assert (c.prognostic, c.prognostic_in, c.prognostic_out) == (("swvl1",), (0,), (1,))
    assert (c.diagnostic, c.diagnostic_out) == (("2t",), (0,))
    assert c.positions(["swvl1", "2t"]) == {"swvl1": 1, "2t": 0}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"outputs": {"2t": 0, "t": 1}, "forcing": []}, "'t'"),
        ({"outputs": {"swvl1": 0, "slt": 1}, "diagnostic": []}, "'slt'"),
        ({"diagnostic": ["2t"], "forcing": [*FORCING, "skt"]}, "'skt'"),
        ({"inputs": {**INPUTS, "slt": 6}, "forcing": [*FORCING, "slt"]}, "'slt'"),
        ({"inputs": {**INPUTS, "tvl": 6}, "forcing": [*FORCING, "tvl"], "categories": ["slt"]}, "'tvl'"),
        ({"outputs": {"2t": 0, "slt": 1}, "categories": ["slt"]}, "'slt'"),
    ],
)
def test_roles_of_the_table_are_enforced(changes, names):
    """A forcing or a category that slipped into the state, or a diagnostic into the forcing, is refused by name."""
    with pytest.raises(ValueError, match=names):
        columns(**changes)


def test_leaf_area_may_be_state():
    """It has an increment scale, so that a configuration may leave it out of the forcing; air may not."""
    c = columns(outputs={"2t": 0, "lai_lv": 1, "swvl1": 2}, forcing=[n for n in FORCING if n != "lai_lv"])
    assert c.prognostic == ("lai_lv", "swvl1")
    assert c.n_in == columns().n_in


def test_unknown_variable_names_the_nearest():
    """A name that the table lacks is an error that offers the nearest one."""
    with pytest.raises(ValueError, match="swvl1"):
        columns(inputs={**INPUTS, "swlv1": 6})


def test_category_that_something_reads_is_allowed_and_in_no_column():
    """It may be in the forcing, and the network's columns are those without it."""
    c = columns(inputs={**INPUTS, "slt": 6}, forcing=[*FORCING, "slt"], categories=["slt"])
    assert c == columns()

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every wrong input of the catalogue is refused or warned of, and nothing that is sound."""

import logging

import pytest

import anemoi_ailand as ail
from tests.faults.inputs import CASES, ERROR, FINE, WARNING

#: Four days by season; with snow at the first point in winter.
PERIODS = {
    "winter": ("2021-02-01", "2021-02-05"),
    "summer": ("2021-07-10", "2021-07-14"),
    "spring": ("2021-04-12", "2021-04-16"),
}

#: Places with snow in winter, in the tropics, in a steppe [degrees].
PLACES = ([54.3, 3.06, 31.7], [10.1, 104.7, -110.4])


@pytest.fixture(scope="module")
def land():
    """The packaged network, which is loaded once."""
    return ail.load("ailand-small", threads=1)


@pytest.fixture(scope="module")
def seasons():
    """Four days of the sample in each season, in memory."""
    data = ail.open_data("$AILAND_SAMPLE")
    points = data.nearest(*PLACES, within=1000.0)
    return {name: data.to_xarray(period, points=points).load() for name, period in PERIODS.items()}


def outcome(land, data, caplog):
    """Class of a run, and all it says."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        try:
            land.run(data, ["skt"], progress=False)
        except ValueError as error:
            return ERROR, str(error)
    said = " ".join(record.getMessage() for record in caplog.records)
    return (WARNING if said else FINE), said


def test_wrong_inputs_are_found(land, seasons, caplog):
    """Each case of the table has its class, and its words stand in the message."""
    wrong = []
    for case in CASES:
        found, said = outcome(land, case.change(seasons[case.period].copy()), caplog)
        if found != case.outcome or not any(words in said.lower() for words in case.words.lower().split("|")):
            wrong.append(f"{case.name}: {found} instead of {case.outcome} with '{case.words}': {said[:300]}")
    assert wrong == []


def test_the_catalogue_is_whole():
    """There are at least a hundred cases with different names, and some of each class."""
    assert len({case.name for case in CASES}) == len(CASES) >= 100
    assert {case.outcome for case in CASES} == {ERROR, WARNING, FINE}

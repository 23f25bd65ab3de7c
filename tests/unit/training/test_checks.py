# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Data are checked before training starts."""

from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.training.checks import check_dataset, check_length
from anemoi_ailand.variables import variable

NAMES = ["swvl1", "t", "avg_tprate", "z", "cos_julian_day"]


class Data:
    """Stand-in for an opened anemoi dataset."""

    def __init__(self, values=None, units=None, constant=("z",), missing=()):
        self.variables = NAMES
        self.dates = np.arange(100).astype("datetime64[D]")
        self.missing = set(missing)
        self.values = np.random.default_rng(0).random((100, 5, 1, 3)) if values is None else values
        self.typed_variables = {
            n: SimpleNamespace(units=(units or {}).get(n, variable(n).units), is_constant_in_time=n in constant)
            for n in NAMES
        }

    def __getitem__(self, i):
        return self.values[i]


def test_good_data_pass():
    """Valid data raise no error, nor do computed variables of any unit."""
    check_dataset(Data(units={"cos_julian_day": "degree"}), "training")


def test_wrong_unit_is_refused():
    """The error gives both units."""
    with pytest.raises(ValueError, match="mm in the data, m3 m-3 in the table"):
        check_dataset(Data(units={"swvl1": "mm"}), "training")


def test_constant_forcing_is_refused():
    """A rain-free sample: Anemoi would never update the rain of a roll-out."""
    with pytest.raises(ValueError, match=r"\['avg_tprate'\] never change"):
        check_dataset(Data(constant=("z", "avg_tprate")), "training")


def test_gap_in_time_is_refused():
    """The error gives the first missing date."""
    with pytest.raises(ValueError, match="1970-01-08"):
        check_dataset(Data(missing=[7, 9]), "validation")


def test_missing_values_are_refused():
    """The error names the variable."""
    values = np.ones((100, 5, 1, 3))
    values[:, 2, 0, 1] = np.nan
    with pytest.raises(ValueError, match="avg_tprate"):
        check_dataset(Data(values), "training")


def test_period_shorter_than_the_longest_rollout_is_refused():
    """The curriculum reaches its last rollout long after the start; the period must have room for it."""
    check_length(9, 8, "training")
    with pytest.raises(ValueError, match="8 dates, too few for a rollout of 8 steps"):
        check_length(8, 8, "training")

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tensors that the runner gives to anemoi-inference."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from anemoi.inference.forcings import ComputedForcings

from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.run.tensor_handler import LandMetadata, LandTensorHandler, SunForcings
from tests.support.land import OPEN

DATE = datetime(2022, 1, 1)
WHERE = (np.array([50.7, 60.0]), np.array([7.1, 25.0]))
NAMES = sorted([*OPEN.forcing, *OPEN.prognostic])
DYNAMIC = ["avg_tprate", "cos_julian_day", "lai_lv", "t"]


class Provider:
    """Forcing whose value is the hour of the stamp."""

    kinds: dict = {}
    variables = DYNAMIC
    mask = tuple(NAMES.index(n) for n in DYNAMIC)

    def load_forcings_array(self, dates, state):
        hours = np.array([(d - DATE) / timedelta(hours=1) for d in dates], dtype=np.float32)
        return np.broadcast_to(hours[None, :, None], (len(DYNAMIC), len(dates), 2)).copy()


def handler():
    """A handler with metadata and providers made by hand, without a run around it."""
    out = LandTensorHandler.__new__(LandTensorHandler)
    out.metadata = SimpleNamespace(
        variable_to_input_tensor_index={n: i for i, n in enumerate(NAMES)},
        timestep=timedelta(hours=6),
        lagged=[timedelta(0)],
        dataset_name="data",
    )
    out.constant_forcings_providers, out.dynamic_forcings_providers = [], [Provider()]
    out._input_kinds, out.trace, out.context = {}, None, SimpleNamespace(device="cpu")
    return out


def state(**changes):
    fields = {n: np.full((1, 2), 5.0, dtype=np.float32) for n in NAMES if n not in DYNAMIC}
    fields.update(changes)
    return {"date": DATE, "latitudes": WHERE[0], "longitudes": WHERE[1], "fields": fields}


def test_first_input_has_state_static_fields_and_forcing_at_the_start():
    """The first input is one slot, in the order of the model's inputs."""
    tensor = handler().prepare_input_tensor(state())
    assert tensor.shape == (1, len(NAMES), 2)
    assert [tensor[0, NAMES.index(n), 0] for n in ("t", "swvl1", "z")] == [0.0, 5.0, 5.0]


def test_missing_forcing_of_the_first_step_is_refused(monkeypatch):
    """The forcing of the first step is checked, but not means before the start, which no step reads."""
    load = Provider.load_forcings_array

    def broken(hour):
        def read(self, dates, state):
            values = load(self, dates, state)
            values[DYNAMIC.index("avg_tprate"), [d == DATE + timedelta(hours=hour) for d in dates], 1] = np.nan
            return values

        monkeypatch.setattr(Provider, "load_forcings_array", read)

    broken(hour=0)
    handler().prepare_input_tensor(state())
    broken(hour=6)
    with pytest.raises(ValueError, match=r"'avg_tprate' at 2022-01-01 06:00 .* at 1 of 2 points.*60\.000"):
        handler().prepare_input_tensor(state())


def test_incomplete_input_is_refused():
    """A missing value, a missing variable and another number of points are errors."""
    for name in ("swvl1", "z"):
        field = np.array([[1.0, np.nan]], dtype=np.float32)
        with pytest.raises(ValueError, match=rf"'{name}' at 2022-01-01 00:00 .* at 1 of 2 points.*60\.000"):
            handler().prepare_input_tensor(state(**{name: field}))
    with pytest.raises(ValueError, match="3 points, but the initial state has 2"):
        handler().prepare_input_tensor(state(z=np.zeros((1, 3), dtype=np.float32)))
    incomplete = state()
    del incomplete["fields"]["theta_sat"]
    with pytest.raises(ValueError, match="theta_sat: static"):
        handler().prepare_input_tensor(incomplete)


def test_metadata_forget_the_training_points():
    """Supporting arrays of the training points are left out, others kept."""
    arrays = {"latitudes": np.zeros(3), "longitudes": np.zeros(3), "grid_indices": np.zeros(3), "other": np.ones(2)}
    assert set(LandMetadata({}, arrays).supporting_arrays) == {"other"}


def test_sun_and_calendar_are_those_of_anemoi():
    """Values are bitwise equal, in the order of the checkpoint, also just after a new year."""
    names, places = sorted(COMPUTED, reverse=True), {"latitudes": WHERE[0], "longitudes": np.array([-120.0, 359.0])}
    dates = [DATE, DATE + timedelta(hours=6), datetime(2024, 2, 29, 18)]
    ours = SunForcings(None, names, range(len(names))).load_forcings_array(dates, places)
    theirs = ComputedForcings(None, names, range(len(names))).load_forcings_array(dates, places)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_other_computed_forcing_is_left_to_anemoi():
    """Computed variables unknown to this package keep Anemoi's provider."""
    h = handler()
    assert type(h.create_dynamic_computed_forcings(["cos_julian_day"], [0])[0]) is SunForcings
    assert type(h.create_dynamic_computed_forcings(["cos_julian_day", "cos_latitude"], [0, 1])[0]) is ComputedForcings

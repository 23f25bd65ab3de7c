# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Task `stored-atmosphere`: steps of a dataset, and what is refused before the first one."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import anemoi.datasets
import numpy as np
import pytest

from anemoi_ailand.coupling.component import LandTask
from anemoi_ailand.coupling.coupled_land import Atmosphere, CoupledLand
from anemoi_ailand.coupling.stored_atmosphere import StoredAtmosphere
from anemoi_ailand.coupling.transports import LandThreadsTransport
from anemoi_ailand.rollout.stepper import LandStepper

DATE = datetime(2020, 5, 1)


class Stored:
    """Dataset of forecasts, or of their first dates, in memory: `tp` grows by 1, 2, 3 ... mm, `2t` is random."""

    def __init__(self, *, trajectories=True, hours=3, members=1):
        rain, steps = np.cumsum(np.arange(9.0)), np.arange(9) * np.timedelta64(hours, "h")
        values = np.random.default_rng(0).random((3, 2, members, 9, 5)).astype("f4")
        values[:, 0] = rain[:, None] + np.arange(3)[:, None, None, None]
        self.values = values if trajectories else np.moveaxis(values[0], 2, 0)
        self.shape, self.missing = self.values.shape, {2}
        self.name_to_index = {"tp": 0, "2t": 1}
        self.variables_metadata = {"tp": {"units": "mm"}, "2t": {}}
        self.latitudes, self.longitudes = np.linspace(0.0, 50.0, 5), np.linspace(0.0, 300.0, 5)
        self.base_dates = np.datetime64(DATE, "s") + np.arange(3) * np.timedelta64(24, "h")
        self.steps, self.step_frequency = steps.astype("timedelta64[ns]"), timedelta(hours=hours)
        self.dates, self.frequency = np.datetime64(DATE, "s") + steps, timedelta(hours=hours)

    def __getitem__(self, index):
        return self.values[index]


def given(monkeypatch, data, **options):
    """Return what a land gets in each step."""
    got = []

    def land(task, transport):
        sky = transport.tasks["sky"]
        about = transport.receive(task, sky, 0)["atmosphere"]
        transport.send(task, sky, {"fields": {}, "needs": ("tp", "2t")}, 0)
        for number in range(1, about.lead // about.step + 1):
            state = transport.receive(task, sky, number)
            got.append(state)
            transport.send(task, sky, {"fields": {}, "date": state["date"]}, number)
        got.append(about)

    monkeypatch.setattr(anemoi.datasets, "open_dataset", lambda _: data)
    monkeypatch.setattr(LandTask, "run", land)
    shared = {"date": DATE.isoformat(), "lead_time": "12h"}
    sky = StoredAtmosphere("sky", **{"dataset": "x.zarr", "global_config": shared, "use_trajectories": True, **options})
    transport = LandThreadsTransport([], {"sky": sky, "land": LandTask("land")})
    transport.start()
    transport.wait()
    return got


@pytest.mark.parametrize("base", [0, 1])
def test_steps_of_the_forecast_from_the_start(monkeypatch, base):
    """Each step has the fields of its lead time, amounts as differences; units and step are those of the dataset."""
    data, date = Stored(members=1 + base), DATE + base * timedelta(days=1)
    *steps, about = given(monkeypatch, data, since_start=["tp"], date=date, member=base or None)
    assert [s["date"] for s in steps] == [date + k * timedelta(hours=3) for k in range(1, 5)]
    for k, state in enumerate(steps, start=1):
        np.testing.assert_array_equal(state["fields"]["2t"], data.values[base, 1, base, k])
        np.testing.assert_array_equal(state["fields"]["tp"], np.full(5, k + base * (k == 1)))
    assert (about.units, about.step, about.answers) == ({"tp": "mm", "2t": None}, timedelta(hours=3), False)
    assert about.places[1].tolist() == data.longitudes.tolist()


def test_steps_of_a_dataset_of_dates(monkeypatch):
    """Without trajectories each step has the fields of its date."""
    data = Stored(trajectories=False)
    data.missing = set()
    *steps, about = given(monkeypatch, data, use_trajectories=False, lead_time="24h")
    assert (len(steps), about.lead) == (8, timedelta(days=1))
    for k, state in enumerate(steps, start=1):
        np.testing.assert_array_equal(state["fields"]["tp"], data.values[k, 0, 0])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ({}, {"use_trajectories": False}, "is a dataset of forecasts. Set `use_trajectories: true`"),
        ({"trajectories": False}, {}, "is a dataset of dates. Set `use_trajectories: false`"),
        ({"members": 2}, {}, r"`member` is None, and .* has 2. Give one from 0 to 1"),
        ({}, {"member": 1}, "`member` is 1, and .* has 1. Give one from 0 to 0"),
        ({}, {"date": "2020-05-07"}, "has 2020-05-01T00:00:00 to 2020-05-03T00:00:00; 2020-05-07T00:00:00 is not in"),
        ({}, {"lead_time": "30h"}, "The forecast of .* has 0 h to 24 h; 27 h is not in it"),
        ({}, {"date": "2020-05-03"}, "has no values at 2020-05-03"),
        ({"trajectories": False}, {"use_trajectories": False}, "has no values at 2020-05-01T06:00:00"),
        ({}, {"since_start": ["ssrd"]}, r"`since_start` names \['ssrd'\]"),
    ],
)
def test_refused_before_the_first_step(monkeypatch, data, options, message):
    """Another layout, members, and forecasts, steps and dates that are missing end both."""
    with pytest.raises(RuntimeError, match=message):
        given(monkeypatch, Stored(**data), **options)


def test_options_of_the_task():
    """An unknown or missing option is refused when the configuration is read."""
    with pytest.raises(TypeError, match=r"`stored-atmosphere`\) has no option 'use_trajectory'. Nearest: .*use_traj"):
        StoredAtmosphere("sky", dataset="x.zarr", use_trajectory=True)
    with pytest.raises(ValueError, match=r"has no \['dataset', 'lead_time'\]"):
        StoredAtmosphere("sky", date=DATE)
    with pytest.raises(ValueError, match="`since_start` is for forecasts: set `use_trajectories: true`"):
        StoredAtmosphere("sky", dataset="x.zarr", since_start=["tp"], date=DATE, lead_time="6h")


def test_an_atmosphere_that_does_not_answer(monkeypatch, tmp_path):
    """Feedback into stored fields is refused; that of a mapping is left out."""
    land = SimpleNamespace(needs={"forcing": (), "forcing_at_start": ()}, outputs=("skt",), checkpoint_sha256="",
                           execution="plain")  # fmt: skip
    monkeypatch.setattr(LandStepper, "open", lambda *_, **__: land)
    (tmp_path / "mine.yaml").write_text("level: 2 m\nfeedback: {skt: skt}\n")
    given = {"initial": {"state": "x"}, "mapping": str(tmp_path / "mine.yaml")}
    stored = Atmosphere({"skt": "K"}, timedelta(hours=6), answers=False)
    assert CoupledLand(stored, **given).needs == ()
    assert CoupledLand(replace(stored, answers=True), **given).needs == ("skt",)
    with pytest.raises(ValueError, match=r"`feedback` is \{'skt': 'skt'\}, but a stored atmosphere does not answer"):
        CoupledLand(stored, **given, feedback={"skt": "skt"})

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Packaged mappings of fields against mock checkpoints with variables, grid and step of the atmospheres."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling.field_mapping import read_field_mapping
from anemoi_ailand.coupling.height import saturation_humidity
from anemoi_ailand.coupling.land_model import LandModelProcessor
from anemoi_ailand.rollout.outputs.grib.grid import rows_of
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import stepper as case

DATE, LEVELS = datetime(2020, 5, 1), (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
UPPER = [f"{n}_{p}" for n in "qtuvwz" for p in LEVELS]
#: Output variables of AIFS Single: prognostic, then diagnostic.
AIFS = [*UPPER, "10u", "10v", "2d", "2t", "msl", "skt", "sp", "tcw", "stl1", "stl2", "swvl1", "swvl2",
        "100u", "100v", "cp", "hcc", "lcc", "mcc", "ro", "sf", "ssrd", "strd", "tcc", "tp"]  # fmt: skip
ERA5 = [*AIFS, "stl3", "stl4", "swvl3", "swvl4", "sd", "rsn", "lai_lv", "lai_hv"]
#: Mapping, variables, grid and step [h] of the atmosphere.
ATMOSPHERES = {
    "AIFS Single": ("aifs-single", AIFS, "N320", 6),
    "ERA5": ("ifs", ERA5, "N320", 1),
    "IFS, 3 h": ("ifs", ERA5, "O96", 3),
    "925 hPa": ("ifs-925", AIFS, "N320", 6),
}


def places(cells):
    rows = rows_of(cells)
    return np.repeat(rows.latitudes, rows.counts), np.concatenate([np.arange(n) * 360.0 / n for n in rows.counts])


def mock(names, hours, where, units=None):
    """Metadata of a checkpoint as the mid-processor reads it."""
    rows = {n: SimpleNamespace(units=(units or {}).get(n)) for n in names}
    return SimpleNamespace(
        variable_to_output_tensor_index={n: i for i, n in enumerate(names)}, timestep=timedelta(hours=hours),
        typed_variables=rows, dataset_name="data", latitudes=where[0], longitudes=where[1],
    )  # fmt: skip


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    stepper = LandStepper.open("ailand", threads=1, execution="plain", plausibility="off")
    state, _ = case.sample_fields(stepper, 1)
    path = stepper.save(state, tmp_path_factory.mktemp("mapping") / "land.state")
    return SimpleNamespace(stepper=stepper, state=state, path=path)


@pytest.fixture(autouse=True)
def _one_stepper(land, monkeypatch):
    monkeypatch.setattr(LandStepper, "open", lambda name, **k: land.stepper)


def processor(land, names, hours, where, units=None, **options):
    context = SimpleNamespace(reference_date=DATE, lead_time=None, config=SimpleNamespace(lead_time="6h"))
    given = {"initial": {"state": str(land.path)}, "points": "nearest", **options}
    return LandModelProcessor(context, mock(names, hours, where, units), **given)


def fields_of(names, n_points):
    """Plausible fields, alike at all points."""
    values = {"sp": 9.8e4, "2t": 288.0, "2d": 281.0, "t_925": 284.0, "q_925": 5e-3, "10u": 3.0, "10v": -1.0,
              "u_925": 9.0, "v_925": 2.0, "skt": 290.0, "swvl1": 0.3, "lai_lv": 2.0, "lai_hv": 3.0}  # fmt: skip
    return {n: torch.full((n_points,), values.get(n, 280.0)) for n in names}


@pytest.mark.parametrize("case_of", ATMOSPHERES)
def test_a_step_of_each_atmosphere(land, monkeypatch, case_of):
    """The land steps on what the mapping says, in its units, and writes into the fields that it names, no others."""
    mapping, names, cells, hours = ATMOSPHERES[case_of]
    where = places(cells)
    taken = []
    step = land.stepper.step
    monkeypatch.setattr(land.stepper, "step", lambda state, forcing: taken.append(forcing) or step(state, forcing))
    made = processor(land, names, hours, where, mapping=mapping)
    for k in range(6 // hours):
        fields = fields_of(names, where[0].size)
        per_step = {"ssrd": 300.0, "strd": 320.0, "tp": 2e-7, "sf": 1e-8}  # W m-2, m s-1
        fields |= {n: torch.full((where[0].size,), v * hours * 3600.0) for n, v in per_step.items()}
        before = {n: v.clone() for n, v in fields.items()}
        date = DATE + (k + 1) * timedelta(hours=hours)
        made.process({"date": date, "latitudes": where[0], "longitudes": where[1], "fields": fields})
    (given,) = taken
    low = mapping == "ifs-925"
    expected = {"avg_sdswrf": 300.0, "avg_sdlwrf": 320.0, "avg_tprate": 2e-4, "avg_tsrwe": 1e-5, "avg_sp": 9.8e4,
                "t": 284.0 if low else 288.0, "avg_u": 9.0 if low else 3.0}  # fmt: skip
    for name, value in expected.items():
        assert given[name].numpy() == pytest.approx(np.full(44, value), rel=1e-5), name
    dew = float(saturation_humidity(torch.tensor(281.0).double(), torch.tensor(9.8e4).double()))
    assert given["q"].numpy() == pytest.approx(np.full(44, 5e-3 if low else dew), rel=1e-5)
    feedback = read_field_mapping(mapping).feedback
    changed = {n for n in names if not fields[n].equal(before[n])}
    assert changed == set(feedback)
    at = made.land._run.points.targets
    assert fields["skt"][at].mean() == pytest.approx(float(made.land._run.land["skt"].mean()), rel=0.02)


def test_forcing_and_feedback_of_the_user_take_precedence(land):
    """A line of forcing replaces that of the mapping; an empty feedback leaves the land forced only."""
    where = places("O96")
    made = processor(land, ERA5, 6, where, mapping="ifs", feedback={}, forcing={"lai_hv": {"held": True}})
    assert made.land._feedback == ()
    assert made.land._source.held == ("lai_hv", "al")


@pytest.mark.parametrize(
    ("names", "hours", "units", "options", "message"),
    [
        ([n for n in AIFS if n != "ssrd"], 6, {}, {}, "`forcing.avg_sdswrf`: the atmosphere has no field 'ssrd'"),
        (AIFS, 6, {"tp": "kg m-2"}, {}, "'tp' is in 'kg m-2' according to the atmosphere's checkpoint, in 'm'"),
        (AIFS, 4, {}, {}, "in which the land's 6 h cannot be divided|do not divide"),
        (AIFS, 6, {}, {"points": "same"}, "the land has 44 points and the atmosphere 40320"),
        ([n for n in AIFS if n != "sp"], 6, {}, {}, "`forcing.q.pressure`: the atmosphere has no field 'sp'"),
        (AIFS, 6, {}, {"forcing": {"t": {"field": "2t", "units": "K", "pressure": "sp"}}},
         "converts a dew point .* 't' is in K"),
        (AIFS, 6, {}, {"feedback": {"skt": {"units": "K", "between": "linear"}}}, "Give own or held"),
        (AIFS, 6, {}, {"feedback": {"skt": {"units": "K", "land_only": 1}}}, "Give true or false"),
    ],
)  # fmt: skip
def test_mismatch_is_reported_before_the_first_step(land, names, hours, units, options, message):
    """Variables, units, step and grid that do not fit the mapping are refused when the run is set up."""
    with pytest.raises(ValueError, match=message):
        processor(land, names, hours, places("O96"), units, mapping="aifs-single", **options)


def test_mappings_that_cannot_be_read(tmp_path):
    """An unknown name, another key, and a mapping without its level are refused."""
    with pytest.raises(FileNotFoundError, match="aifs-single"):
        read_field_mapping("aifs-singl")
    (tmp_path / "a.yaml").write_text("level: 2 m\nforcings: {}\n")
    with pytest.raises(TypeError, match=r"Nearest: \['forcing'\]"):
        read_field_mapping(str(tmp_path / "a.yaml"))
    (tmp_path / "b.yaml").write_text("forcing: {}\n")
    with pytest.raises(ValueError, match="does not state the `level`"):
        read_field_mapping(str(tmp_path / "b.yaml"))

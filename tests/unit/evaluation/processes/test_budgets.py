# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets: their degree of closure, a world that closes by construction, and the packaged sample of ecLand."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.processes import budget_terms as bt
from anemoi_ailand.evaluation.processes.budgets import COLUMNS, LAND, WET_OR_URBAN, Budgets, budgets
from anemoi_ailand.support import packaged as resources
from anemoi_ailand.variables import VARIABLES
from tests.support.worlds import fields_of, six_hourly

SOIL = ["swvl1", "swvl2", "swvl3", "swvl4"]
WATER = [*SOIL, "sd", "src", "evap", "sro", "ssro"]
ENERGY = ["stl1", "stl2", "stl3", "stl4", "ssr", "str", "slhf", "sshf", "sd", "slw", "tsn", "evap"]
REFERENCE = [*bt.SOIL_FIELDS, "avg_tsrwe", "avg_t"]


def without(names: list[str], *gone: str) -> list[str]:
    """Return ``names`` without some of them."""
    return [name for name in names if name not in gone]


def test_water_plan_lists_missing_terms():
    """Each missing variable has its consequence and is named."""
    for held, closure, missing in (
        (WATER, "closed", ()),
        (without(WATER, "src"), "approximate", ()),
        ([*without(WATER, "evap"), "slhf"], "approximate", ()),
        (without(WATER, "sro"), "implied_runoff", ("sro",)),
        (without(WATER, "src", "sro", "ssro"), "implied_runoff", ("sro", "ssro")),
        (without(WATER, "evap"), "incomplete", ("evap",)),
        (without(WATER, "sd", "ssro"), "incomplete", ("sd", "ssro")),
        (without(WATER, "swvl4"), "incomplete", ("swvl4",)),
    ):
        plan = bt.water_plan(held)
        assert (plan.closure, plan.missing) == (closure, missing)
        assert ("change of src" in plan.omitted) == ("src" not in held)
        assert set(plan.variables) <= set(held)


def test_energy_plan_lists_missing_terms():
    """Without the heat of snow only steps without snow close, without radiation or porosity none."""
    for held, closure, missing in (
        (ENERGY, "approximate", ()),
        (without(ENERGY, "tsn"), "snow_free", ()),
        ([*without(ENERGY, "sd"), "snowc"], "snow_free", ()),
        (without(ENERGY, "sd"), "incomplete", ("sd or snowc",)),
        (without(ENERGY, "ssr", "stl4"), "incomplete", ("ssr", "stl4")),
    ):
        plan = bt.energy_plan(held, REFERENCE)
        assert (plan.closure, plan.missing) == (closure, missing)
        assert set(plan.variables) <= set(held)
    assert bt.energy_plan(ENERGY, without(REFERENCE, "theta_sat")).missing == ("theta_sat (reference)",)


@pytest.fixture
def step():
    """One step of one point: 21.6 mm of rain, 2.16 evaporated, 4.32 + 6.48 run off, 8.64 into the first layer."""
    still = {name: np.array([[0.3], [0.3]]) for name in (*SOIL, "sd", "src")}
    run = {**still, "swvl1": np.array([[0.3], [0.3 + 8.64 / 70.0]])}
    fluxes = {name: np.array([[np.nan], [rate]]) for name, rate in (("evap", 1e-4), ("sro", 2e-4), ("ssro", 3e-4))}
    return {**run, **fluxes}, {"avg_tprate": np.array([[np.nan], [1e-3]])}


def test_water_terms_close(step):
    """The step closes, and each term has its size in mm."""
    terms = bt.water_terms(bt.water_plan(WATER), *step)
    size = {name: float(v[0, 0]) for name, v in terms.items()}
    assert size == pytest.approx(
        {"precipitation": 21.6, "evaporation": 2.16, "surface_runoff": 4.32, "subsurface_runoff": 6.48,
         "soil_change": 8.64, "storage_change": 8.64, "residual": 0.0}, abs=1e-9)  # fmt: skip


def test_energy_terms_close_for_a_column_that_warms():
    """A column of 2.89 m that warms by 0.1 K takes up its heat capacity times that; cold snow takes up nothing."""
    run = {f"stl{k}": np.array([[290.0], [290.1]]) for k in (1, 2, 3, 4)}
    run |= {"sd": np.full((2, 1), 5.0), "slw": np.zeros((2, 1)), "tsn": np.full((2, 1), 260.0)}
    gained = 2.89 * (0.5 * 1.6e6 + 0.3 * 4.18e6) * 0.1 / 21600.0
    fluxes = {"ssr": gained + 30.0, "str": -20.0, "slhf": 0.0, "sshf": -10.0, "evap": 0.0}
    run |= {name: np.array([[np.nan], [v]]) for name, v in fluxes.items()}
    forcing = {"avg_tsrwe": np.zeros((2, 1)), "avg_t": np.full((2, 1), 270.0)}
    soil = {name: np.array([v]) for name, v in zip(bt.SOIL_FIELDS, (0.5, 0.3, 0.4, 0.4, 1.0, 1.0), strict=True)}
    terms = bt.energy_terms(bt.energy_plan(ENERGY, REFERENCE), run, forcing, soil)
    assert float(terms["surface_heat_flux"][0, 0]) == pytest.approx(gained)
    assert float(terms["soil_heat_change"][0, 0]) == pytest.approx(gained)
    assert float(terms["residual"][0, 0]) == pytest.approx(0.0, abs=1e-9)


def test_snow_free_needs_both_ends_of_the_step():
    """Steps that begin or end with snow are not snow-free; without snow variables there is no mask."""
    sd = np.array([[0.0], [0.0], [2.0], [0.0]])
    assert bt.snow_free({"sd": sd})[:, 0].tolist() == [True, False, False]
    assert bt.snow_free({"snowc": sd / 4})[:, 0].tolist() == [True, False, False]
    assert bt.snow_free({}) is None


def test_ground_is_bare_freezing_or_under_snow():
    """Each step has one state of the ground; a layer that crosses 273 K within the step freezes."""
    stl1 = np.array([[290.0], [280.0], [270.0], [260.0], [260.0], [260.0], [260.0], [280.0]])
    run = {f"stl{k}": np.full((8, 1), 285.0) for k in (2, 3, 4)} | {"stl1": stl1}
    run["snowc"] = np.array([[0.0], [0.0], [0.0], [0.0], [0.4], [1.0], [1.0], [0.0]])
    run["sd"] = 10.0 * run["snowc"]
    found = bt.grounds(run)
    steps = {name: np.flatnonzero(mask[:, 0]).tolist() for name, mask in found.items()}
    assert steps == {"bare": [0, 2], "freezing": [1], "full_snow": [5], "partial_snow": [3, 4, 6]}
    assert set(bt.grounds({k: v for k, v in run.items() if k != "snowc"})) == {"bare", "freezing"}
    assert bt.grounds({"sd": run["sd"]}) == {}


N_POINTS = 5
STATE = ("swvl1", "swvl2", "swvl3", "swvl4", "sd", "src")


@pytest.fixture
def world():
    """Function that makes 60 days around New Year in which rain and fluxes fill the first layer exactly.

    ``leak`` is lost in each step [mm]; variables in ``without`` are left out. Point 3 is a lake, point 4 a town;
    point 0 is held out.
    """
    times = six_hourly("2020-12-02T00", "2021-01-30T18")
    rng = np.random.default_rng(3)
    rates = {name: rng.uniform(0, 1e-5, (len(times), N_POINTS)) for name in ("evap", "sro", "ssro")}
    rates["avg_tprate"] = rng.uniform(0, 5e-5, (len(times), N_POINTS))

    def make(leak: float = 0.0, without: tuple[str, ...] = (), first: int = 0, held_out: int = 1) -> Fields:
        gain = 21600.0 * (rates["avg_tprate"] - rates["evap"] - rates["sro"] - rates["ssro"]) - leak
        gain[0] = 0.0
        values = {name: np.full((len(times), N_POINTS), 0.2) for name in STATE} | rates
        values["swvl1"] = 0.2 + gain.cumsum(0) / 70.0
        values = {name: v[first:] for name, v in values.items() if name not in without}
        marks = {"cl": [0, 0, 0, 0.5, 0], "cur": [0, 0, 0, 0, 0.2], "held_out": [held_out, 0, 0, 0, 0]}
        return fields_of(times[first:], values, constants={name: np.array(v) for name, v in marks.items()})

    return make


def value(result: Budgets, term: str, year: float = np.nan, column: str = "value", **where: str) -> float:
    """Value of the one matching row of the table."""
    table = result.table
    rows = table[(table.term == term) & (table.year.isna() if np.isnan(year) else table.year == year)]
    for name, wanted in {"model": "ecLand", "budget": "water", "steps": "all", "group": LAND, **where}.items():
        rows = rows[rows[name] == wanted]
    return float(rows[column].item())


@pytest.mark.parametrize("block_bytes", [4 * 50 * N_POINTS, 2**26], ids=["small blocks", "one block"])
def test_world_that_closes_has_no_residual(world, monkeypatch, block_bytes):
    """Residuals are rounding errors for any block size; terms are sums over the steps of the year."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    fields = world()
    result = budgets(fields)
    assert value(result, "residual_step_max_abs") < 1e-4
    rain = fields.load(["avg_tprate"])["avg_tprate"]
    for year, part in (
        (2020, slice(1, 121)),
        (2021, slice(121, None)),
    ):  # the step that ends at 1 January 00 is of 2020
        expected = 21600.0 * rain[part, :3].sum("time").mean()
        assert value(result, "precipitation", year) == pytest.approx(float(expected), rel=1e-6)
    assert value(result, "precipitation", 2020, "n") == 3 * 120
    steps = len(rain) - 1
    per_year = 21600.0 * float(rain[1:, :3].sum("time").mean()) * 365.25 * 4 / steps
    assert value(result, "precipitation") == pytest.approx(per_year, rel=1e-6)


def test_leak_is_found(world):
    result = budgets(world(), {"leaky": world(leak=0.05)})
    assert value(result, "residual_step_mean", model="leaky") == pytest.approx(0.05, abs=1e-4)
    assert value(result, "residual_step_max_abs", model="leaky") == pytest.approx(0.05, abs=1e-3)
    assert value(result, "residual", model="leaky") == pytest.approx(0.05 * 365.25 * 4, rel=1e-3)
    relative = value(result, "residual", model="leaky") / value(result, "precipitation", model="leaky")
    assert value(result, "residual_relative", model="leaky") == pytest.approx(relative)
    assert value(result, "residual_step_mean", model="ecLand") == pytest.approx(0.0, abs=1e-5)
    assert value(result, "residual_step_mean_abs", model="leaky") == pytest.approx(0.05, abs=1e-4)


def test_terms_that_a_forecast_lacks(world):
    """Implied runoff equals that of the closed budget; missing terms are named, and there is no residual."""
    result = budgets(world(), {"dry": world(without=("sro", "ssro")), "bare": world(without=("sd", "sro"))})
    expected = value(result, "surface_runoff") + value(result, "subsurface_runoff")
    assert value(result, "implied_runoff", model="dry") == pytest.approx(expected, rel=1e-4)
    assert not result.table[result.table.model == "dry"].term.str.startswith("residual").any()
    assert result.closure["dry"]["water"]["missing"] == ["sro", "ssro"]
    assert result.closure["bare"]["water"]["closure"] == "incomplete"
    assert result.closure["bare"]["water"]["missing"] == ["sd", "sro"]
    terms = set(result.table[(result.table.model == "bare") & (result.table.budget == "water")].term)
    assert terms == {"precipitation", "evaporation", "subsurface_runoff", "soil_change"}


def test_points_with_lake_or_town_are_apart(world):
    result = budgets(world())
    n_steps = 239
    counts = {group: value(result, "precipitation", column="n", group=group) for group in
              (LAND, WET_OR_URBAN, "held_out", "trained")}  # fmt: skip
    assert counts == {LAND: 3 * n_steps, WET_OR_URBAN: 2 * n_steps, "held_out": n_steps, "trained": 2 * n_steps}


def test_reference_is_taken_over_the_dates_of_the_forecast(world):
    result = budgets(world(), {"late": world(first=4 * 29)})
    for model in ("ecLand", "late"):
        assert value(result, "precipitation", 2020, "n", model=model) == 3 * 4
    assert value(result, "precipitation", 2021, model="late") == value(result, "precipitation", 2021)


def test_nan_after_the_first_record_and_other_steps_are_errors(world):
    """Fluxes have no value at the initial date; a later NaN is an error, as is a daily file (means are over 6 h)."""
    fields = world()
    values = {name: fields.load([name])[name].values for name in fields.variables}

    def spoiled(row: int) -> Fields:
        evap = values["evap"].copy()
        evap[row] = np.nan
        return fields_of(fields.times, {**values, "evap": evap}, path=Path("run"))

    assert value(budgets(fields, {"run": spoiled(0)}), "residual_step_max_abs", model="run") < 1e-4
    with pytest.raises(ValueError, match=r"'evap' of 'run' has 5 values"):
        budgets(fields, {"run": spoiled(5)})
    daily = fields_of(fields.times[::4], {name: values[name][::4] for name in STATE})
    with pytest.raises(ValueError, match="step of 24 h"):
        budgets(fields, {"daily": daily})


def test_record_is_json(world):
    """The entry of metrics.json has closure and one row for each number; an empty group is null with n = 0."""
    found = budgets(world(held_out=0))
    assert list(found.table.columns) == COLUMNS
    assert not found.table.duplicated(["model", "budget", "steps", "group", "year", "term"]).any()
    text = json.loads(json.dumps(found.record(), allow_nan=False))
    assert sorted(text["terms"][0]) == sorted(COLUMNS)
    empty = [(row["value"], row["n"]) for row in text["terms"] if row["group"] == "held_out"]
    assert set(empty) == {(None, 0)}
    assert text["closure"]["ecLand"]["water"]["closure"] == "closed"


@pytest.fixture(scope="module")
def sample():
    """Times, fields and constants of a year of the packaged sample, by dataset name."""
    folder = resources.folder("sample")
    with xr.open_dataset(folder / "ecland_2021.nc") as data, xr.open_dataset(folder / "static.nc") as static:
        values = {v.name: data[v.reference].values for v in VARIABLES.values() if v.reference in data}
        values["avg_tprate"] = (data["Rainf"] + data["Snowf"]).values
        fixed = {v.name: static[v.reference].values for v in VARIABLES.values() if v.reference in static}
        return data["time"].values, values, fixed


def test_budgets_of_ecland(sample):
    """Water of ecLand closes to 0.02 mm in every step except under lakes and towns, energy to 0.2 W m-2."""
    times, values, fixed = sample
    result = budgets(fields_of(times, values, constants=fixed))
    assert value(result, "residual_step_max_abs") < 0.02
    assert value(result, "residual_step_max_abs", group=WET_OR_URBAN) > 0.1
    assert abs(value(result, "residual_relative")) < 1e-4
    assert abs(value(result, "residual", budget="energy")) < 0.2
    assert value(result, "residual_step_mean_abs", budget="energy", steps="snow_free") < 0.5
    assert value(result, "net_radiation", budget="energy") > 50.0
    for steps, middle, most in (("bare", 0.2, 1.0), ("full_snow", 1.5, 8.0), ("partial_snow", 2.0, 40.0),
                                ("freezing", 1.0, 40.0)):  # fmt: skip
        where = {"budget": "energy", "steps": steps}
        assert 1e-3 < value(result, "residual_step_median_abs", **where) < middle, steps
        assert (
            value(result, "residual_step_median_abs", **where) < value(result, "residual_step_p99_abs", **where) < most
        )


def test_size_of_the_residual_is_its_quantile(sample):
    """Median and 99 % of the size of a known error of long-wave radiation, to 2 %; other models do not count."""
    times, values, fixed = sample
    rng = np.random.default_rng(0)
    error = rng.exponential(50.0, values["str"].shape)
    spoiled = {**values, "str": values["str"] + error}
    result = budgets(fields_of(times, values, constants=fixed), {"run": fields_of(times, spoiled)})
    where = {"budget": "energy", "steps": "bare", "model": "run"}
    assert value(result, "residual_step_median_abs", **where) == pytest.approx(50.0 * np.log(2.0), rel=0.05)
    assert value(result, "residual_step_p99_abs", **where) == pytest.approx(50.0 * np.log(100.0), rel=0.05)
    assert value(result, "residual_step_median_abs", **{**where, "model": "ecLand"}) < 0.2

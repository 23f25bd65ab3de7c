# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every criterion finds what it is for, and nothing else."""

import numpy as np
import pytest

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.evaluation.processes import stability as module
from anemoi_ailand.evaluation.processes.stability import (
    A_YEAR,
    FOR_EVER,
    STORAGE_DRIFT,
    TEMPERATURE_DRIFT,
    WITH_ECLAND,
    by_class,
    check_length,
    judge,
    layers_of,
    storage,
    stuck,
    trend,
)  # fmt: skip
from tests.support.results import CYCLE, LEVEL, N_POINTS, PATTERN, STEPS, changed, years

N = 10
ECLAND = years(CYCLE)


def answers(run, ecland=ECLAND):
    """Number of points that fail, by criterion."""
    return {c.name: c.points for c in judge(run, ecland).criteria if c.points}


def test_a_level_run_passes():
    """The repeated pattern of the forcing is not a drift, however large it is."""
    verdict = judge(years(N), ECLAND)
    assert verdict.passed
    assert verdict.findings.empty
    assert abs(PATTERN).max() * 1000 * sum(SOIL_LAYER_THICKNESS) > STORAGE_DRIFT


def test_storage_is_the_water_of_all_stores():
    found = storage(years(3, sd_end=np.full((3, N_POINTS), 7.0)))
    depth = np.array(SOIL_LAYER_THICKNESS)
    level = [LEVEL[f"swvl{k}"] for k in range(1, 5)]
    assert found.shape == (4, N_POINTS)
    np.testing.assert_allclose(found[0], 1000 * (depth * level).sum() + 0.1)
    np.testing.assert_allclose(found[1] - found[0], 7.0 + PATTERN[0] * (1000 * depth.sum() + 1))


@pytest.mark.parametrize("cycle", [1, 2, 5])
def test_trend_is_that_of_the_last_half_in_whole_cycles(cycle):
    """A straight line has its slope; the first half and what repeats have none."""
    number = np.arange(20.0)
    pattern = np.random.default_rng(0).normal(size=cycle)[np.arange(20) % cycle]
    line = 0.3 * number + 100 * pattern
    before = np.where(number < 20 - 20 // cycle // 2 * cycle, 50.0, line)
    np.testing.assert_allclose(trend(np.stack([line, before], axis=1), cycle), 3.0)


def test_short_runs_and_small_states():
    """The message gives the required length; a state without deep layers and snow is judged by its variables."""
    with pytest.raises(ValueError, match="Give 16 years or more"):
        check_length(15, 4)
    check_length(16, 4)
    few = ("swvl1", "swvl2", "stl1", "stl2")
    assert judge(years(N, few), years(CYCLE, few)).passed
    assert layers_of(years(N, few), "stl") == [1, 2]
    with pytest.raises(ValueError, match="without stl1"):
        judge(years(N, ("swvl1",)), years(CYCLE, ("swvl1",)))


def test_values_that_are_not_finite():
    run = changed(years(N), "not_finite", 2, [0] * 5 + [3] * 5)
    for name in ("swvl1_end", "stl3_mean"):
        run = changed(run, name, 2, [0.3] * 5 + [np.nan] * 5)
    verdict = judge(run, ECLAND)
    assert set(verdict.findings["point"]) == {2}
    assert answers(run) == {"finite": 1, "storage": 1, "temperature": 1}
    assert verdict.points.loc[2, "years_not_finite"] == 5


def test_drift_of_storage():
    """The limit is absolute where ecLand does not vary, else a tenth of its spread in a decade if that is more."""
    still = ECLAND.copy(deep=True)
    for k in range(1, 5):
        still[f"swvl{k}_end"].values[:] = 0.2
    still["src_end"].values[:] = 0.0
    for slope, found in ((0.9, {}), (1.1, {"storage": 1}), (-1.1, {"storage": 1})):
        drift = STORAGE_DRIFT / 10 * slope * np.arange(N)
        assert answers(changed(years(N), "src_end", 1, 0.1 + drift), still) == found
    spread = np.std(PATTERN * 2930, ddof=1)
    assert 0.1 * spread > 2 * STORAGE_DRIFT
    for part, fails in ((0.09, False), (0.11, True)):
        run = changed(years(N), "src_end", 1, 0.1 + PATTERN[np.arange(N) % 2] + part * spread / 10 * np.arange(N))
        assert ("storage" in answers(run)) == fails


def test_drift_of_temperature():
    """A drift is found in its layer; the first half of the run does not count."""
    drift = 2 * TEMPERATURE_DRIFT / 10 * np.arange(N)
    verdict = judge(changed(years(N), "stl3_mean", 3, 283.0 + drift), ECLAND)
    assert verdict.findings["finding"].tolist() == ["stl3 drift"]
    assert answers(changed(years(N), "stl3_mean", 3, [270.0] * 6 + [283.0] * 4)) == {}


def test_stuck_for_ever_and_for_a_year():
    """A variable is stuck if it is at a bound through the last cycle, or a year of it, and ecLand is not."""
    run = changed(years(N), "swvl4_at_upper", 0, [0] * 8 + [STEPS] * 2)
    run = changed(run, "src_at_lower", 1, [0] * 8 + [STEPS, STEPS - 1])
    run = changed(run, "swvl1_at_lower", 2, [STEPS] * 8 + [0, 0])
    found = stuck(run, ECLAND)
    assert found[["finding", "point", "value"]].to_numpy().tolist() == [[FOR_EVER, 0, 1.0], [A_YEAR, 1, 1.0]]
    assert found["note"][0].startswith("swvl4 at its upper bound in 2 of 2 years")
    assert answers(run) == {"bounds": 1, "bounds, a year": 1}
    run = changed(years(N), "sd_at_lower", 3, STEPS)
    for away, fails in ((0, False), (14, False), (15, True)):  # ecLand may be away for four days
        dry = changed(ECLAND, "sd_at_lower", 3, STEPS - away)
        assert bool(answers(run, dry)) == fails


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ([0.75, 0.5, 0.25], WITH_ECLAND),  # dries out in another year
        ([0.5, 0.0, 0.0], WITH_ECLAND),  # has dried out
        ([0.75, 0.8, 0.25], FOR_EVER),  # turns back in a year
        ([0.99, 0.98, 0.97], FOR_EVER),  # would be dry in a century
        ([1.1, 1.2, 1.3], FOR_EVER),  # becomes wetter
    ],
)
def test_soil_that_dries_out_in_ecland_may_do_so_in_the_run(ends, found):
    """The finding is listed, and counts as a failure only if ecLand's own years do not lead to the bound."""
    ecland = changed(years(3), "swvl4_end", 1, LEVEL["swvl4"] * np.array(ends))
    run = changed(changed(years(12), "swvl4_end", 1, 0.0), "swvl4_at_lower", 1, [0] * 9 + [STEPS] * 3)
    assert stuck(run, ecland)["finding"].tolist() == [found]
    assert ("bounds" in answers(run, ecland)) == (found == FOR_EVER)


def test_snow_temperature_at_the_melting_point_is_not_a_finding(monkeypatch):
    """``tsn`` without snow is at its bound by definition."""
    names = {f"src_{what}": f"tsn_{what}" for what in ("at_lower", "at_upper", "mean", "min", "max", "end")}
    run, ecland = (d.rename({a: b for a, b in names.items() if a in d}) for d in (years(N), ECLAND))
    run = run.assign(tsn_at_upper=run["tsn_at_upper"] * 0 + STEPS)
    assert stuck(run, ecland).empty
    monkeypatch.setattr(module, "AT_BOUND_BY_DEFINITION", ())
    assert set(stuck(run, ecland)["finding"]) == {FOR_EVER}


def test_snow_that_stays_where_ecland_melts_it():
    """Snow through the last cycle fails; a single year with snow passes."""
    run = changed(years(N), "sd_min", 0, [0] * 8 + [5, 6])
    assert answers(run) == {"snow": 1}
    assert answers(changed(run, "sd_min", 0, [0] * 9 + [6])) == {}


def test_where_ecland_keeps_snow_it_is_judged_without():
    """Growth of snow is not a drift of storage where ecLand keeps snow, and temperature is not judged there."""
    ice = changed(changed(ECLAND, "sd_min", 0, 300.0), "sd_end", 0, [400.0, 500.0])
    run = changed(changed(years(N), "sd_min", 0, 300.0), "sd_end", 0, 100.0 * np.arange(N))
    run = changed(run, "stl4_mean", 0, 282.0 + np.arange(N))
    verdict = judge(run, ice)
    assert verdict.passed
    row = verdict.points.loc[0]
    assert row["ecland_keeps_snow"]
    np.testing.assert_allclose(row["snow_trend"], 1000.0)
    np.testing.assert_allclose(row["ecland_snow_trend"], 2500.0)
    assert answers(changed(run, "src_end", 0, np.arange(N)), ice) == {"storage": 1}


def test_classes_in_their_order():
    """All points come first; the drift is the largest of the class, with its sign."""
    run = changed(years(N), "stl1_mean", 3, 285.0 - 0.5 * np.arange(N))
    table = by_class(judge(run, ECLAND).points).set_index("class")
    assert list(table.index) == ["all", "rainforest", "desert", "boreal", "tundra"]
    np.testing.assert_allclose(table.loc[["all", "desert", "tundra"], "stl1_trend"], [-5.0, -5.0, 0.0], atol=1e-9)
    unnamed = judge(run.drop_vars("climate_class"), ECLAND.drop_vars("climate_class")).points
    assert list(by_class(unnamed)["class"]) == ["all", "unknown"]

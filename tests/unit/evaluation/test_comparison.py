# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The comparison gives known scores where the answer is known, a whole folder, or nothing and an error."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anemoi_ailand.evaluation import comparison
from anemoi_ailand.evaluation.comparison import compare
from anemoi_ailand.evaluation.fields.case import prepare
from anemoi_ailand.evaluation.fields.fields import open_fields

FILES = ["error_growth.png", "map_swvl1.png", "metrics.json", "sites.png", "table.md"]


YEARS = ("2020", "2021")


@pytest.fixture
def scored(write_forecast, reference_file):
    """Function that scores a forecast with a bias."""

    def score(bias: float) -> dict:
        forecast = open_fields(write_forecast(bias=bias))
        return comparison.score(prepare(forecast, open_fields(reference_file), YEARS))

    return score


def test_forecast_with_a_constant_bias(scored, truth):
    """Emulator: the bias and nothing else. Persistence: the distance of the truth from its initial state."""
    result = scored(0.01)
    emulator = result["swvl1"]["groups"]["all"]["emulator"]
    assert emulator["rmse"] == pytest.approx(0.01, rel=1e-3)
    assert emulator["bias"] == pytest.approx(0.01, rel=1e-3)
    assert emulator["unbiased_rmse"] < 1e-6
    assert emulator["acc"] == pytest.approx(1.0, abs=1e-5)
    assert emulator["n"] == 239 * 10
    assert np.allclose(emulator["by_lead"]["rmse"], 0.01, rtol=1e-3)
    run = truth.sel(time=slice("2022-01-01", "2022-03-01T18"))
    for name in ("stl1", "2t"):  # for a diagnostic the reference gives the initial value
        error = (run[name][1:] - run[name][0]).isel(point=[0, 5]).astype(float)
        held = result[name]["groups"]["held_out"]["persistence"]
        assert held["rmse"] == pytest.approx(float(np.sqrt((error**2).mean())), rel=1e-5)


def test_values_outside_the_bounds_are_counted(scored):
    """Snow cover 0.01 below none, at the five points that never have snow."""
    counts = scored(-0.01)["snowc"]["outside_bounds"]
    assert counts["emulator"]["below"] >= 239 * 5
    assert counts["ecLand"] == {"below": 0, "above": 0, "nan": 0}


def test_few_variables_at_a_time_give_the_same_scores(scored, monkeypatch):
    """Bounded memory changes nothing."""
    together = scored(0.01)
    monkeypatch.setattr(comparison, "MEMORY_BYTES", 1)
    assert scored(0.01) == together


def test_best_model_is_the_one_with_the_smallest_rmse(scored):
    """A forecast that is far off loses."""
    assert set(scored(50.0)["stl1"]["best"].values()) < {"persistence", "climatology"}


def test_folder_is_complete_and_metrics_are_what_is_returned(write_forecast, reference_file, tmp_path):
    """Five files; the JSON is strict and holds the documented keys."""
    written = compare(write_forecast(), reference_file, tmp_path / "out", training_period=YEARS)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == FILES
    assert all(p.stat().st_size > 10_000 for p in (tmp_path / "out").glob("*.png"))
    assert written == json.loads((tmp_path / "out" / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert written["schema"] == comparison.SCHEMA
    assert written["groups"] == {"all": 10, "held_out": 2, "trained": 8}
    assert written["forecast"]["checkpoint"] == "inference.ckpt"
    assert written["climatology"]["first"] == "2020-01-01T00:00"
    assert written["lead_time"]["window_days"] == 5.0
    scores = written["variables"]["snowc"]["groups"]["trained"]
    assert set(scores) == {"emulator", "persistence", "climatology"}
    assert set(scores["emulator"]) == {"rmse", "bias", "unbiased_rmse", "correlation", "acc", "n", "by_lead"}
    assert len(scores["emulator"]["by_lead"]["q75"]) == len(written["lead_time"]["centre_days"]) == 12
    assert scores["climatology"]["acc"] is None
    assert "| swvl1 " in (tmp_path / "out" / "table.md").read_text()


def _nan(name, at):
    def change(run):
        run[name][at] = np.nan
        return run

    return change


@pytest.mark.parametrize(
    ("name", "message"),
    [("stl1", "'stl1'.*has 10 values of 2400.*NaN.*first at 2022-01-01"), ("t2m", "'2t'.*has 10 values of 2390")],
)
def test_nan_in_the_forecast_is_an_error(write_forecast, reference_file, tmp_path, name, message):
    """Also in a diagnostic, after lead 0; nothing is left."""
    forecast = write_forecast(change=_nan(name, 0 if name == "stl1" else 7))
    with pytest.raises(ValueError, match=message):
        compare(forecast, reference_file, tmp_path / "out", training_period=YEARS)
    assert [p.name for p in tmp_path.iterdir()] == ["forecast.nc"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"training_period": ("2021-07", "2021-12")}, "at least one year"),
        ({"training_period": (2030, 2032)}, "at least one year"),
        ({"training_period": (2020, 2022)}, "contains dates of the forecast"),
        ({"held_out_every": 1}, "no point to train on"),
        ({"map_date": "2025-01-01"}, "map date '2025-01-01' is not among"),
    ],
)
def test_bad_argument_is_an_error_and_leaves_nothing(write_forecast, reference_file, tmp_path, kwargs, message):
    """An earlier result stays as it was."""
    forecast = write_forecast()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match=message):
        compare(forecast, reference_file, tmp_path / "out", **{"training_period": YEARS, **kwargs})
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["metrics.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["forecast.nc", "out"]

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Calibration: spread follows error, the best numbers are kept, held-out points and other years are left alone."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.model.perturbation import GROUPS
from anemoi_ailand.physics.ground import GROUND
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors, errors_of
from anemoi_ailand.variables import model_errors
from anemoi_ailand.workflows import calibrate as module
from anemoi_ailand.workflows.calibrate import LEADS, Cases, calibrate, matched
from tests.support.land import CLOSED

OUTPUTS = CLOSED.land_step().model.model.network_outputs
FIRST = OutputErrors(OUTPUTS, (0.1,) * len(OUTPUTS), (0.0,) * len(OUTPUTS), (24.0,) * len(OUTPUTS))


def test_groups_are_scaled_by_their_variables():
    """Half the spread of the first layer doubles the amplitude, less in deep ones later lengthens the memory."""
    ratio = pd.DataFrame(1.0, index=["swvl1", "stl1", "stl2", "skt"], columns=LEADS)
    ratio.loc["swvl1"], ratio.loc["skt"] = 0.5, 0.5
    ratio.loc["stl1"], ratio.loc["stl2"] = [2.0, 2.0, 0.5, 0.5], [9.0, 9.0, 0.5, 0.5]
    wet = pd.DataFrame({lead: [0.25] for lead in LEADS}, index=["swvl1"])
    known = {where: wet if where == "wet" else wet.iloc[:0] for where in GROUND}
    found = matched(FIRST, ratio, known)
    by_name = dict(zip(OUTPUTS, zip(found.deviation, found.hours, strict=True), strict=True))
    np.testing.assert_allclose(by_name["roots_1"], (0.2, 24.0))
    np.testing.assert_allclose(by_name["top_heating"], (0.1, 48.0))
    assert by_name["melt"] == (0.1, 24.0)  # no variable tells of the snow
    assert found.constant == FIRST.constant
    factors = pd.DataFrame(found.ground, index=GROUND, columns=list(GROUPS))
    told = factors.loc["wet", ["evaporation", "water"]]
    np.testing.assert_allclose(told, 2.0)  # half the spread of that elsewhere
    factors.loc["wet", told.index] = 1.0
    assert factors.eq(1.0).all(axis=None)


def test_best_of_the_iterations_is_written(monkeypatch, tmp_path):
    """Each ensemble takes the numbers matched to the one before; the numbers of the best ratio are kept."""
    step = replace(CLOSED.land_step(), path=tmp_path / "a.ckpt")
    step.path.write_bytes(b"weights")
    ratios, seen = iter([0.5, 1.1, 0.3]), []

    class Known:
        points, blocks, starts = np.arange(4), np.array([], "datetime64[s]"), np.array(["2021-01-01"], "datetime64[s]")

        def __init__(self, *_, held_out):
            assert held_out is False

        def scores(self, land, model_error, *, members, seed):
            seen.append(errors_of(step, model_error).deviation[0])
            rows = [("swvl1", "all", lead, "spread_error", ratio) for ratio in [next(ratios)] for lead in LEADS]
            return pd.DataFrame(rows, columns=["variable", "group", "lead", "metric", "value"])

    monkeypatch.setattr(module, "Cases", Known)
    monkeypatch.setattr(module, "load_step", lambda _: step)
    monkeypatch.setattr(module, "with_model_error", lambda step: replace(step, model_error=model_errors(len(OUTPUTS))))
    monkeypatch.setattr(module, "estimate_errors", lambda *_: FIRST)
    monkeypatch.setattr(module, "load", lambda *_, **__: None)
    path = calibrate("a.ckpt", "d.zarr", iterations=3)
    assert path == tmp_path / "a.model-error.json"
    np.testing.assert_allclose(seen, [0.1, 0.2, 0.2 / 1.1])
    assert errors_of(step, "calibrated").deviation[0] == pytest.approx(0.2)


class Data:
    """Opened data of two years at ten points, every fifth of them held out."""

    def __init__(self):
        dates = np.arange("2021-01-01", "2022-07-01", np.timedelta64(6, "h"), "datetime64[s]").astype(object)
        self.reader = SimpleNamespace(latitudes=np.zeros(10))
        self.coverage = SimpleNamespace(dates=lambda: list(dates))


def test_cases_are_of_one_year_and_one_kind_of_points(monkeypatch):
    """Ensembles and blocks end in the year; points are those held out, or the others."""
    monkeypatch.setattr(module, "open_data", lambda _: Data())
    monkeypatch.setattr(module, "open_fields", lambda _: None)
    monkeypatch.setattr(module, "held_out_points", lambda _: np.arange(10) % 5 == 0)
    trained, held_out = (Cases("d.zarr", 2021, 80, 6, held_out=kind) for kind in (False, True))
    assert trained.points.tolist() == [1, 2, 3, 4, 6, 7, 8, 9]
    assert held_out.points.tolist() == [0, 5]
    assert trained.starts[0] == np.datetime64("2021-01-01")
    ends = [trained.starts[-1] + np.timedelta64(90, "D"), trained.blocks[-1] + np.timedelta64(5, "D")]
    assert max(ends) < np.datetime64("2022-01-01")
    with pytest.raises(ValueError, match=r"'d\.zarr' has 0 dates in 2025"):
        Cases("d.zarr", 2025, 80, 6, held_out=False)

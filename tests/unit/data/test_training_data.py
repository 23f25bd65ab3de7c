# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The record of the training data: made, written, read; novelty of inputs against it; units by their size."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.data.plausibility.novelty import Novelty
from anemoi_ailand.data.plausibility.scale import likely_unit
from anemoi_ailand.data.plausibility.training_data import LEVELS, Collection, from_json, record_path, write_record
from anemoi_ailand.rollout.step.training_record import stored_record
from anemoi_ailand.training.data_record import Part, read_training_data

N_POINTS, N_DATES = 24, 32
WHERE = np.linspace(-40.0, 60.0, N_POINTS), np.linspace(0.0, 90.0, N_POINTS)
DATE = datetime(2020, 1, 1)


def fields(seed=0, **changes):
    """Statics (point,) and forcing (date, point): air around 280 K, rain at some dates, two soils with grass."""
    rng = np.random.default_rng(seed)
    static = {"slt": np.arange(N_POINTS) % 2 + 2.0, "tvl": np.full(N_POINTS, 7.0), "cvl": np.full(N_POINTS, 0.5),
              "tvh": np.full(N_POINTS, 3.0), "cvh": np.zeros(N_POINTS)}  # fmt: skip
    rain = np.where(rng.random((N_DATES, N_POINTS)) < 0.3, rng.exponential(1.0e-4, (N_DATES, N_POINTS)), 0.0)
    return static, {"avg_t": rng.normal(280.0, 5.0, (N_DATES, N_POINTS)), "avg_tprate": rain} | changes


@pytest.fixture(scope="module")
def known():
    """Record of the made-up data."""
    static, forcing = fields()
    made = Collection()
    made.begin("made-up, 24 points", static)
    made.add(forcing)
    return made.result()


def test_record_has_ranges_density_and_surfaces(known):
    """Quantiles are those of the values; types count where they cover something; the file is read as it was written."""
    values = fields()[1]["avg_t"]
    np.testing.assert_allclose(known.quantiles["avg_t"], np.quantile(values, LEVELS), rtol=1e-4)
    assert known.surfaces == {"2/7": 12, "3/7": 12}  # no high vegetation
    assert known.points_with(5, 7) == 0


def test_a_record_is_found_next_to_a_checkpoint(known, tmp_path):
    """A damaged one, or one of another layout, is refused; without one nothing is known."""
    checkpoint = tmp_path / "my.ckpt"
    assert stored_record(checkpoint) is None
    path = write_record(record_path(checkpoint), known)
    assert stored_record(checkpoint) == known
    assert path.name == "my.training-data.json" and path.stat().st_size < 2000
    for text in ('{"schema": "another"}', "{"):
        path.write_text(text)
        with pytest.raises(ValueError, match="record of training data"):
            stored_record(checkpoint)
    with pytest.raises(ValueError, match="'there' has no record of training data"):
        from_json({}, "there")


def test_values_that_mean_nothing_are_left_out():
    """The density of no snow and the depth of no lake are not a part of the range."""
    made = Collection()
    made.begin("made-up", {})
    made.add({"sd": np.array([[0.0, 9.0]]), "rsn": np.array([[5.0, 300.0]]), "cl": np.array([[0.0, 0.2]]),
              "dl": np.array([[99.0, 4.0]])})  # fmt: skip
    found = made.result()
    assert found.range_of("rsn") == (300.0, 300.0) and found.range_of("dl") == (4.0, 4.0)


def test_a_unit_is_found_by_the_size_of_many_points(known):
    """Rain in metres of a step; not what no unit explains, nor at few points."""
    rain = fields(1)[1]["avg_tprate"]
    assert likely_unit("avg_tprate", rain, known) is None
    unit, ratio = likely_unit("avg_tprate", rain * 21.6, known)
    assert unit == "m over 6 h" and 15.0 < ratio < 30.0
    assert likely_unit("avg_tprate", rain / 1.0e3, known)[0] == "m of water equivalent s-1"
    assert likely_unit("avg_tprate", rain * 21.6e3, known)[0] == "kg m-2 over 6 h"
    assert likely_unit("avg_tprate", rain[:, :9] * 21.6, known) is None
    assert likely_unit("avg_tprate", rain * 1.0e9, known) is None
    assert likely_unit("swvl1", rain, known) is None  # not in the record


def test_novelty_of_points(known, tmp_path):
    """Distances, rare values and surfaces that no training point has, as text and as a map."""
    static, forcing = fields(2)
    static["slt"][:3] = 5.0
    forcing["avg_t"][4, 7] = known.range_of("avg_t")[1] * 2.0
    found = Novelty(known, WHERE)
    found.start(static)
    found.add(forcing)
    low, high = known.range_of("avg_t")
    assert found.beyond[7] == pytest.approx(high / (high - low), rel=1e-3)
    assert 0.0 < found.rare.mean() < 0.05
    assert found.training_points.tolist()[:4] == [0.0, 0.0, 0.0, 12.0]
    assert "0 training points have soil type 5 with vegetation 7 (3 points)" in str(found)
    assert "beyond all of them (share of the range): avg_t by" in str(found)
    with xr.open_dataset(found.write(tmp_path / "deep" / "novelty.nc")) as file:
        np.testing.assert_allclose(file["beyond"], found.beyond, rtol=1e-6)
        assert file["training_points"].dims == ("point",) and file.attrs["training_data"] == "made-up, 24 points"


def test_a_checker_compares_with_the_training(known, caplog):
    """Types and values that the network has not seen are warnings, units by their size too; the summary comes once."""
    static, forcing = fields(3)
    static["slt"][5] = 4.0
    checker = Checker("error", training=known)
    dates = [datetime(2020, 1, 1 + k // 4, 6 * (k % 4)) for k in range(1, N_DATES)]
    hot = {"avg_t": forcing["avg_t"][1:] + 20.0, "avg_tprate": forcing["avg_tprate"][1:] / 1.0e3}
    with caplog.at_level("INFO", "anemoi_ailand"):
        checker.start(static, DATE, WHERE)
        checker.forcing(hot, dates, WHERE)
        checker.forcing(hot, dates, WHERE)
    said = [f"{found}" for found in checker.take()]
    assert any(s.startswith("No point of the training has soil type 4 (1 of 24 points") for s in said)
    assert any("which was 26" in s and "The network has not seen such values" in s for s in said)
    assert any("The unit m of water equivalent s-1 would fit" in s for s in said)
    assert caplog.text.count("Training data: made-up") == 1
    assert checker.novelty.beyond.max() > 0.15


class Stored:
    """Stand-in for an opened Anemoi dataset with all fields."""

    def __init__(self, n_dates=40):
        static, forcing = fields()
        parts = {n: np.broadcast_to(v, (n_dates, N_POINTS)) for n, v in static.items()}
        parts |= {n: np.resize(v, (n_dates, N_POINTS)) for n, v in forcing.items()}
        self.variables = list(parts)
        self.name_to_index = {n: i for i, n in enumerate(parts)}
        self.values = np.stack(list(parts.values()), axis=1)[:, :, None]
        self.dates = np.datetime64(DATE, "s") + 6 * 3600 * np.arange(n_dates)
        self.latitudes, self.longitudes = WHERE
        self.shape = self.values.shape
        self.statistics = {"minimum": self.values.min((0, 2, 3)), "maximum": self.values.max((0, 2, 3)) + 1.0}

    def __getitem__(self, i):
        return self.values[i]


def test_training_data_are_read_checked_and_recorded(caplog):
    """A bounded number of dates is said; held-out points are left out; impossible values stop the training."""
    data = Stored()
    with caplog.at_level("INFO", "anemoi_ailand"):
        found = read_training_data([Part("folder/a.zarr", data, 20)], plausibility="warn")
    assert "40 of 40 dates of a.zarr, 2020-01-01 to 2020-01-10, 20 points are read" in caplog.text
    assert found.surfaces == {"2/7": 10, "3/7": 10}
    assert found.range_of("avg_t")[1] == pytest.approx(data.values[:, 5].max() + 1.0, rel=1e-4)  # of the statistics
    whole = read_training_data([Part("a.zarr", data, 20)], whole=True, plausibility="warn")
    assert whole.range_of("avg_t")[1] == pytest.approx(data.values[:, 5, 0, :20].max(), rel=1e-4)
    data.values[0, 0] = 9.0
    with pytest.raises(ValueError, match=r"'slt' \(soil type \(1-7\)\) is 9"):
        read_training_data([Part("a.zarr", data, 20)])


def test_windows_of_a_large_dataset_are_few(caplog):
    """Two days at eight times of the period, not all of it."""
    data = Stored(200)
    data.shape = (200, 7, 1, 2**24)
    with caplog.at_level("INFO", "anemoi_ailand"):
        read_training_data([Part("a.zarr", data, 20)], plausibility="off")
    assert "72 of 200 dates" in caplog.text


def test_older_checkpoints_have_ranges_only(known):
    """Those of the statistics that every checkpoint keeps: values beyond them are still warned of."""
    from anemoi_ailand.rollout.step.training_record import training_data_of

    statistics = {"minimum": np.array([250.0]), "maximum": np.array([300.0])}
    indices = {"data": SimpleNamespace(name_to_index={"avg_t": 0})}
    step = SimpleNamespace(
        path=Path("older.ckpt"), dataset="data", inputs=("avg_t", "slt"),
        model=SimpleNamespace(statistics={"data": statistics}, data_indices=indices),
    )  # fmt: skip
    assert training_data_of(step).range_of("avg_t") == (250.0, 300.0)
    step.model = SimpleNamespace()
    assert training_data_of(step) is None

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Several datasets: options, shares, statistics of all, variables."""

from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf

from anemoi_ailand.training.checks import check_apart
from anemoi_ailand.training.datasets import OpenDataset, check_variables, open_others, pooled, shares


def statistics(values):
    """Statistics over dates and points, shape (variable,)."""
    functions = {"mean": np.mean, "stdev": np.std, "minimum": np.min, "maximum": np.max}
    return {name: function(values, axis=(0, 2)) for name, function in functions.items()}


def test_pooled_statistics_are_those_of_all_values_together():
    """Mean, deviation and range of the two datasets as one, when weighted by their numbers of values."""
    rng = np.random.default_rng(3)
    parts = [rng.normal(280.0, 5.0, (40, 2, 7)), rng.normal(290.0, 1.0, (10, 2, 9)), rng.normal(100.0, 9.0, (3, 2, 1))]
    together = np.concatenate([p.swapaxes(0, 1).reshape(2, -1) for p in parts], axis=1)[None]
    found = pooled([statistics(p) for p in parts], [p.shape[0] * p.shape[2] for p in parts])
    for name, expected in statistics(together).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, err_msg=name)


def test_shares_follow_the_point_steps_unless_given():
    """The rest that given shares leave is divided by size; one dataset alone has all."""
    assert shares([10], [None]).tolist() == [1.0]
    np.testing.assert_allclose(shares([900, 100], [None, None]), [0.9, 0.1])
    np.testing.assert_allclose(shares([300, 100, 7, 7], [None, None, 0.5, 0.1]), [0.3, 0.1, 0.5, 0.1])


def config(*others):
    return OmegaConf.create(
        {
            "training": {"method": {"others": list(others)}},
            "dataloader": {"training": {"datasets": {"data": {"dataset_config": {"dataset": "a.zarr"}}}}},
        }
    )


def test_no_other_dataset_is_the_default():
    """Also of configurations that are older than the option."""
    assert open_others(config()) == []
    assert open_others(OmegaConf.create({"training": {"method": {}}})) == []


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([{"dataset": "b.zarr", "shar": 0.1}], r"'shar' is not an option. .*share"),
        ([{"dataset": "b.zarr", "share": 1.0}], r"'share': .*less than 1"),
        ([{"share": 0.2}], r"'dataset': Field required"),
        ([{"dataset": "b.zarr", "share": 0.5}, {"dataset": "c.zarr", "share": 0.5}], "leaves none for the main"),
    ],
)
def test_wrong_entries_are_refused(others, message):
    """The error names the option; shares leave something for the main dataset."""
    with pytest.raises(ValueError, match=message):
        open_others(config(*others))


def test_a_path_without_a_dataset_is_refused(tmp_path):
    """The error names the path."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.zarr"):
        open_others(config({"dataset": str(tmp_path / "nowhere.zarr")}))


def test_variables_must_be_those_of_the_main_dataset_in_its_order():
    """Columns are read by position."""
    other = OpenDataset(SimpleNamespace(name_to_index={"t": 0, "swvl1": 1}), {"dataset": "b.zarr"})
    check_variables(other, {"t": 0, "swvl1": 1})
    for expected, message in (({"t": 0, "q": 1}, r"\['q', 'swvl1'\]"), ({"swvl1": 0, "t": 1}, "another order")):
        with pytest.raises(ValueError, match=message):
            check_variables(other, expected)


def test_a_copy_of_a_part_may_not_have_the_dates_of_the_validation():
    """Its places at its dates are refused; other places, or other dates, pass."""

    def data(longitude, start):
        dates = np.arange(np.datetime64(start), np.datetime64(start) + np.timedelta64(5, "D"))
        return SimpleNamespace(latitudes=np.array([10.0, 20.0]), longitudes=np.array([longitude, 3.0]), dates=dates)

    validation = data(359.0, "2021-01-01")
    for other in (data(-1.0, "2021-01-03"), data(50.0, "2021-01-05")):
        with pytest.raises(ValueError, match=r"[12] places of the validation at [13] of its dates.*`start` and `end`"):
            check_apart("copy.zarr", other, validation)
    check_apart("copy.zarr", data(-1.0, "2020-12-01"), validation)
    elsewhere = data(-1.0, "2021-01-01")
    elsewhere.latitudes = -elsewhere.latitudes
    check_apart("copy.zarr", elsewhere, validation)

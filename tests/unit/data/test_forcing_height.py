# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing at other heights than the lowest model level: declared in a mapping, moved, compared with a checkpoint."""

import logging

import numpy as np
import pytest
import yaml

from anemoi_ailand.data.mapping import declaration
from anemoi_ailand.data.mapping import mapped_path as names
from anemoi_ailand.data.mapping.declaration import load_mapping, mapping_of
from anemoi_ailand.data.mapping.mapped_fields import MappedFields
from anemoi_ailand.physics.air import moved_temperature, saturation_pressure, specific_humidity
from anemoi_ailand.rollout.forcing.mapped_inputs import mapped_inputs
from anemoi_ailand.support.packaged import folder
from tests.support.published import published_store

#: Screen-level forcing, as AIFS and ERA5-Land deliver it.
SCREEN = {
    "t": {"from": "2t", "units": "K"},
    "q": {"dewpoint": ["2d", "sp"]},
    "avg_t": {"from": "2t", "units": "K", "both_ends": True},
    "avg_q": {"dewpoint": ["2d", "sp"], "both_ends": True},
    "avg_u": {"from": "10u", "both_ends": True},
    "avg_v": {"from": "10v", "both_ends": True},
}


def declared(heights=None, **changes):
    """Content of the packaged mapping with screen-level forcing; None leaves a column out."""
    content = load_mapping("ailand-v1").record()
    columns = content["variables"] | SCREEN | changes
    content["variables"] = {n: c for n, c in columns.items() if c is not None}
    return content | ({} if heights is None else {"heights": heights})


def mapping(*args, **kwargs):
    return mapping_of(declared(*args, **kwargs), "The mapping")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return published_store(tmp_path_factory.mktemp("published") / "o96.zarr", start="2016-01-02", end="2016-01-04")


def fields_of(store, given):
    """Fields at two consecutive dates, by name."""
    fields = MappedFields(store, given)
    return [dict(zip(fields.names, fields.at(i).astype(float), strict=True)) for i in (2, 3)]


def test_humidity_follows_from_dew_point_and_pressure(store):
    """The specific humidity is that of saturated air at the dew point; its mean is that of the ends of the step."""
    before, now = fields_of(store, mapping({"air": 2}))
    lowest, _ = fields_of(store, load_mapping("ailand-v1"))
    pressure = 2.0 * now["avg_sp"] - lowest["avg_sp"]  # not exact: the pressure of the replica hardly changes
    expected = specific_humidity(saturation_pressure(now["2d"]), pressure)
    np.testing.assert_allclose(now["q"], expected, rtol=3e-3)
    np.testing.assert_allclose(now["avg_q"], 0.5 * (before["q"] + now["q"]), rtol=1e-6)
    np.testing.assert_array_equal(now["t"], now["2t"])


def test_temperature_is_moved_at_both_ends_of_the_step(store):
    """Instants by the skin of their date, means as the mean of the moved ends; other variables stay."""
    before, now = fields_of(store, mapping({"air": 2, "to": 10}))
    _, unmoved = fields_of(store, mapping({"air": 2}))
    np.testing.assert_allclose(now["t"], moved_temperature(now["2t"], now["skt"], 2.0, 10.0), atol=1e-4)
    np.testing.assert_allclose(now["avg_t"], 0.5 * (before["t"] + now["t"]), atol=1e-4)
    assert np.abs(now["t"] - unmoved["t"]).max() > 0.1
    for name in set(now) - {"t", "avg_t"}:
        np.testing.assert_array_equal(now[name], unmoved[name], err_msg=name)


def test_unit_of_the_dew_point_is_compared_with_that_of_the_store(tmp_path):
    """Degrees Celsius that the store states are not taken for K."""
    store = published_store(tmp_path / "c.zarr", start="2016-01-02", end="2016-01-04", units={"2d": "degC"})
    with pytest.raises(ValueError, match=r"'2d' in .* is in 'degC', but the mapping declares 'K' for '(avg_)?q'"):
        MappedFields(store, mapping({"air": 2}, **{"2d": None}))


#: Heights, changed columns, and what the error says.
BAD = {
    "pressure level moved": ({"air": "925hPa", "to": 10}, {}, "from 2 to 10 m, not from 925hPa to 10 m; remove `to`"),
    "too high": ({"air": 40, "to": 10}, {}, "from 2 to 10 m, not from 40 m to 10 m"),
    "wind elsewhere": ({"air": 2, "wind": 2, "to": 10}, {}, "moves no wind, which is at 2 m; give wind at 10 m"),
    "no skin": ({"air": 2, "to": 10}, {"skt": None}, "declare 'skt'"),
    "mean of the step": ({"air": 2, "to": 10}, {"avg_t": {"from": "2t"}}, "declare `both_ends` for 'avg_t'"),
    "not a level": ({"air": "lowest"}, {}, "heights.air"),
    "below the ground": ({"air": 0}, {}, "heights.air"),
    "dew point of wind": ({}, {"avg_u": {"dewpoint": ["2d", "sp"]}}, "`dewpoint` makes q and avg_q, not 'avg_u'"),
    "unknown option": ({"temperature": 2}, {}, "'heights.temperature' is not an option"),
}


@pytest.mark.parametrize("case", BAD)
def test_heights_that_are_refused(case):
    heights, columns, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        mapping(heights, **columns)


@pytest.fixture
def said(caplog):
    """Warnings of heights that were given since the last call."""
    names.compare_heights.cache_clear()
    caplog.set_level(logging.WARNING, logger=names.__name__)

    def take():
        found = [record.getMessage() for record in caplog.records if record.name == names.__name__]
        caplog.clear()
        return found

    return take


def written(where, heights):
    path = where / f"{len(list(where.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump(declared(heights)))
    return path


def test_forcing_at_another_height_than_that_of_the_training_is_warned_of(store, tmp_path, said):
    """Once, naming both; not if the heights agree, or the temperature is moved to that of the training."""
    checkpoint = folder("pretrained") / "ailand.ckpt"
    low = names.mapped_path(store, written(tmp_path, {"air": 2}))
    assert [names.of_checkpoint(low, checkpoint) for _ in range(2)] == [low, low]
    (message,) = said()
    assert "temperature and humidity at 2 m, wind at 10 m; the network of" in message
    assert "was trained with temperature and humidity at 10 m, wind at 10 m" in message
    for heights in ({"air": 10}, {"air": 2, "to": 10}, None):
        names.of_checkpoint(names.mapped_path(store, written(tmp_path, heights)), checkpoint)
    assert said() == []


def test_checkpoint_keeps_the_heights_of_its_training(store, tmp_path, said, monkeypatch):
    """Data without declared heights are warned of by a network that was trained at 925 hPa, whatever their kind."""
    record = declared({"air": "925hPa", "wind": "925hPa"})
    assert mapping_of(mapping_of(record, "it").record(), "it").heights.read == ("925hPa", "925hPa")
    for module in (names, declaration):
        monkeypatch.setattr(module, "checkpoint_record", lambda path: record)
    names.of_checkpoint(tmp_path / "land.zarr", "trained.ckpt")
    (message,) = said()
    assert (
        "(none declared); the network of 'trained.ckpt' was trained with temperature and humidity at 925hPa" in message
    )
    names.of_checkpoint(store, "trained.ckpt")  # by its own mapping
    assert said() == []


def test_files_of_a_run_are_compared_too(said, monkeypatch):
    """An input of files of ecLand, at the height of ecLand, is compared with the heights of the checkpoint."""

    class Configuration:
        checkpoint, input = "trained.ckpt", {"ecland": {"path": "forcing.nc"}}
        constant_forcings = dynamic_forcings = forcings = None

        def model_copy(self, update):
            assert not update
            return self

    monkeypatch.setattr(names, "checkpoint_record", lambda path: declared({"air": 2}))
    mapped_inputs(Configuration())
    assert "Forcing of 'forcing.nc'" in said()[0]

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stores of another schema through a declared mapping: values, statistics, names, and all that is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr
from anemoi.datasets import open_dataset

from anemoi_ailand.constants import STEP, STEP_SECONDS
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.mapping.contradictions import Extremes, sample_dates
from anemoi_ailand.data.mapping.declaration import RECORD, hint, load_mapping, mapping_of
from anemoi_ailand.data.mapping.mapped_fields import MappedFields, soil_type_of
from anemoi_ailand.data.mapping.mapped_path import local_store, mapped_path, parts
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.plausibility.sunshine import insolation_of_steps
from anemoi_ailand.physics.snow import where_no_snow
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.physics.vegetation import vegetation_parameters
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.support.packaged import find
from anemoi_ailand.variables import VARIABLES
from tests.support.published import EARLIER, IS_SEA, UNDEFINED, WHICH, published_fields, published_store

SHORT = {"start": "2016-01-02", "end": "2016-01-04"}

#: Variables whose means over the step are made from instants: they differ from those of the sample.
FROM_ENDS = {"avg_t": "t", "avg_q": "q"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return published_store(tmp_path_factory.mktemp("published") / "o96.zarr")


@pytest.fixture(scope="module")
def fields(store):
    return MappedFields(store, load_mapping("ailand-v1"))


@pytest.fixture(scope="module")
def sample():
    return open_reader("$AILAND_SAMPLE")


def declared(**changes):
    """Content of the packaged mapping with other columns; None leaves one out."""
    content = yaml.safe_load(find("configs", "mapping/ailand-v1").read_text())
    content["variables"] |= changes
    content["variables"] = {n: c for n, c in content["variables"].items() if c is not None}
    return content


def column(name, **changes):
    """Column of the packaged mapping with other options."""
    return {name: {**declared()["variables"][name], **changes}}


def row(fields, name, index=5):
    return fields.at(index)[fields.names.index(name)]


def test_values_are_those_of_the_data_that_the_store_was_made_from(fields, sample):
    """Names, units, signs and accumulations lead back to the sample, at the land points in the order of the dataset."""
    known = [n for n in fields.names if n in sample.variables and n not in ("lsm", "cur", *FROM_ENDS)]
    assert len(known) > 45
    _, _, *places = published_fields()
    which = (WHICH % len(sample.point_id))[fields.points]
    defined = fields.points != UNDEFINED
    for index in (0, 17):
        date = (fields.dates[index] + EARLIER).astype(object)
        now, before = (dict(zip(known, sample.read(known, [d])[:, 0], strict=True)) for d in (date, date - STEP))
        now |= {n: 0.5 * (now[n] + before[n]) for n in ("avg_sp", "avg_u", "avg_v")}  # instants of the replica
        now["slt"] = np.where(now["slt"] == 7.0, 2.0, now["slt"])  # their parameters are equal
        now["tsn"], now["rsn"] = where_no_snow(now["sd"], now["tsn"], now["rsn"])
        sunshine = 0.5 * insolation_of_steps([fields.dates[index].astype(object)], places)[0][fields.points]
        np.testing.assert_allclose(row(fields, "avg_sdswrf", index), sunshine, rtol=2e-5, atol=1e-4)
        del now["avg_sdswrf"]
        for name, expected in now.items():
            found = row(fields, name, index)
            np.testing.assert_allclose(found[defined], expected[which][defined], rtol=2e-5, atol=1e-12, err_msg=name)


def test_means_over_the_step_are_those_of_its_two_ends(fields):
    """The mean of an instant is that of the date and the one before, and the first date of the store has none."""
    for mean, instant in FROM_ENDS.items():
        ends = [row(fields, instant, k) for k in (4, 5)]
        np.testing.assert_allclose(row(fields, mean, 5), 0.5 * (ends[0] + ends[1]), rtol=1e-6)
    assert fields.dates[0] == np.datetime64("2016-01-02T06")


def test_only_land_in_an_order_that_mixes_the_bands(fields):
    """All land points and no sea, each once; ten neighbours in the dataset are spread over the latitudes."""
    assert sorted(fields.points) == np.flatnonzero(~IS_SEA).tolist()
    np.testing.assert_array_equal(row(fields, "point_id"), fields.points)
    spreads = [np.ptp(fields.latitudes[k : k + 10]) for k in range(0, 60, 10)]
    assert min(spreads) > 60.0, "the store runs from 78 N to 54 S"


def test_gaps_of_static_fields_get_the_default_of_their_type(fields):
    """Without a vegetation type: type 0 and its parameters; without soil constants: medium soil and its constants."""
    (place,) = np.flatnonzero(fields.points == UNDEFINED)
    none = vegetation_parameters(np.zeros(1))
    for name, (value,) in zip(("veg_cov_lv", "veg_z0m_lv", "veg_rsmin_lv"), none, strict=True):
        assert row(fields, name)[place] == np.float32(value)
    assert row(fields, "tvl")[place] == 0.0
    assert row(fields, "slt")[place] == 2.0
    for name, (value,) in zip(("theta_cap", "theta_pwp", "theta_sat"), soil_parameters(np.array([2.0])), strict=True):
        assert row(fields, name)[place] == np.float32(value)
    assert not np.isnan(fields.at(3)).any()
    assert not row(fields, "cur").any()


def test_soil_type_follows_from_its_constants():
    """Every type is found again but 7, which has the parameters of 2; a gap has no type."""
    capacity, wilting, _ = soil_parameters(np.arange(1, 8))
    found, distance = soil_type_of(np.append(capacity, np.nan), np.append(wilting, 0.1))
    np.testing.assert_array_equal(found, [1, 2, 3, 4, 5, 6, 2, np.nan])
    assert distance[:7].max() < 1e-12


def test_statistics_are_those_of_the_land(store):
    """They need none in the store, and equal those over all dates if all are taken."""
    content = declared()
    content["statistics"] = {"end": "2016-01-08", "dates": 1000}
    fields = MappedFields(store, mapping_of(content, "it"))
    inside = np.flatnonzero(fields.dates < np.datetime64("2016-01-09"))
    assert len(inside) == 27
    values = np.stack([fields.at(i) for i in inside]).astype(np.float64)
    found = fields.statistics
    np.testing.assert_allclose(found["values"]["mean"], values[1:].mean((0, 2)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["values"]["stdev"], values[1:].std((0, 2)), rtol=1e-4, atol=1e-9)
    changes = np.diff(values, axis=0)
    np.testing.assert_allclose(found["changes"]["stdev"], changes.std((0, 2)), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(found["values"]["maximum"], values[1:].max((0, 2)))


def test_sampled_dates_have_all_hours():
    """Few dates over years are at all four hours of the day, and none is missing."""
    found = sample_dates(40_000, 64, without=[0])
    assert len(found) == 63
    assert np.bincount(np.array(found) % 4).min() >= 15
    assert 0 <= found[0] < 1000 < 39_000 < found[-1] < 40_000


def test_sums_keep_their_digits():
    """The standard deviation of temperature in float32 is exact to six digits, and that of a constant is zero."""
    rng = np.random.default_rng(1)
    parts = [np.stack([280.0 + 1e-2 * rng.standard_normal(500), np.full(500, 0.1)]).astype("f4") for _ in range(9)]
    sums = Extremes(["t", "q"])
    for part in parts:
        sums.add(part)
    whole = np.concatenate(parts, axis=1).astype(np.float64)
    np.testing.assert_allclose(sums.statistics()["stdev"][0], whole[0].std(), rtol=1e-6)
    assert sums.statistics()["stdev"][1] == 0.0


def test_open_dataset_reads_it_as_any_dataset(store, fields):
    """By its name, as text or as a path, with a period and a selection, units and constants."""
    name = mapped_path(store, "ailand-v1")
    assert str(Path(name)) == name
    assert (parts(name), local_store(name)) == ((str(store), "ailand-v1"), store)
    data = open_dataset(
        {"dataset": str(Path(name)), "start": "2016-01-03", "end": "2016-01-04", "select": ["evap", "z"]}
    )
    assert data.shape == (8, 2, 1, len(fields.points))
    np.testing.assert_array_equal(data[2:4][:, 0, 0], [row(fields, "evap", k) for k in (5, 6)])
    whole = AnemoiDataset(Path(name))
    assert whole.units["sd"] == "kg m-2"
    assert {"slt", "z", "cur"} <= set(open_dataset(name).constant_fields)
    assert open_reader(name).variables == open_reader(store, mapping="ailand-v1").variables
    np.testing.assert_array_equal(open_reader(name).latitudes, fields.latitudes)


def test_missing_dates_are_missing_with_the_means_that_need_them(store):
    """A date that the store lacks makes two dates of the dataset missing, which cannot be read."""
    content = declared()
    content["open"] = {"set_missing_dates": ["2016-01-05T00:00:00"]}
    fields = MappedFields(store, mapping_of(content, "it"))
    assert [str(fields.dates[i]) for i in fields.missing] == ["2016-01-05T00:00:00", "2016-01-05T06:00:00"]


def test_record_makes_the_same_mapping(store):
    """The attributes that a checkpoint keeps hold the whole mapping."""
    record = open_dataset(mapped_path(store, "ailand-v1")).metadata()["specific"]["attrs"][RECORD]
    assert mapping_of(record, "it") == load_mapping("ailand-v1")


def test_store_of_another_centre(tmp_path):
    """A short mapping of other names, units and categories: percent, degC, mm, hPa, types by their own numbers."""
    rng = np.random.default_rng(2)

    def change(fields):
        shape = fields["swvl1"].shape
        fields.clear()
        fields |= {
            "W_SO_1": 100.0 * rng.uniform(0.1, 0.4, shape), "T_2M": rng.uniform(-20.0, 30.0, shape),
            "TOT_PREC": rng.uniform(0.0, 20.0, shape), "PS": rng.uniform(900.0, 1010.0, shape),
            "FR_LAND": np.broadcast_to(rng.uniform(0.0, 1.0, shape[1]), shape).copy(),
            "SOILTYP": np.broadcast_to(rng.integers(3, 6, shape[1]), shape).astype(float),
        }  # fmt: skip

    store = published_store(tmp_path / "other.zarr", change=change, units={"W_SO_1": "%", "PS": "hPa"}, **SHORT)
    mapping = {
        "points": {"land": {"variable": "FR_LAND"}, "order": None, "held_out": {"every": 3}},
        "variables": {
            "swvl1": {"from": "W_SO_1", "units": "%"},
            "t": {"from": "T_2M", "units": "degC"},
            "avg_tprate": {"from": "TOT_PREC", "units": "mm", "over": "6h"},
            "avg_sp": {"from": "PS", "units": "hPa", "both_ends": True},
            "slt": {"from": "SOILTYP", "values": {3: 1, 4: 2, 5: 4}},
            "theta_sat": {"derived": True},
        },
    }
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(mapping))
    made, raw = open_dataset(mapped_path(store, path)), open_dataset(str(store))

    def theirs(name, index):
        return raw[index][raw.name_to_index[name], 0]

    def ours(name, index):
        return made[index][made.name_to_index[name], 0]

    points = ours("point_id", 0).astype(int)
    held = ours("held_out", 0) > 0.5
    assert held.any() and not held[: (~held).sum()].any(), "held-out points are last"
    np.testing.assert_array_equal(sorted(points), np.flatnonzero(theirs("FR_LAND", 0) > 0.5))
    np.testing.assert_allclose(ours("swvl1", 2), 0.01 * theirs("W_SO_1", 3)[points], rtol=1e-6)
    np.testing.assert_allclose(ours("t", 2), theirs("T_2M", 3)[points] + 273.15, rtol=1e-6)
    np.testing.assert_allclose(ours("avg_tprate", 2), theirs("TOT_PREC", 3)[points] / STEP_SECONDS, rtol=1e-6)
    np.testing.assert_allclose(ours("avg_sp", 2), 50.0 * (theirs("PS", 2) + theirs("PS", 3))[points], rtol=1e-6)
    np.testing.assert_array_equal(ours("slt", 0), np.array([1, 2, 4])[theirs("SOILTYP", 0)[points].astype(int) - 3])
    assert ours("theta_sat", 0).min() > 0.4


def set_values(name, values):
    def change(fields):
        fields[name][:] = values

    return change


def at_land(name, dates=slice(None), points=6):
    """NaN at a few land points."""

    def change(fields):
        fields[name][dates, np.flatnonzero(~IS_SEA)[:points]] = np.nan

    return change


def scaled(factor, *names):
    def change(fields):
        for name in names:
            fields[name] *= factor

    return change


def without(*names):
    def change(fields):
        for name in names:
            del fields[name]

    return change


#: Change of the store, change of the mapping, and what the error says.
BAD_STORES = {
    "another schema": (without("t_ml_137"), {}, "has no 't_ml_137', from which the mapping makes 't'"),
    "no mask": (without("lsm_0"), {"lsm": None}, "has no 'lsm_0', from which the mapping makes 'the selection"),
    "mask in percent": (scaled(100.0, "lsm_0"), {}, "land-sea mask 'lsm_0' .* outside 0 to 1"),
    "no land": (scaled(0.01, "lsm_0"), {}, "No point of .* has 'lsm_0' above 0.5"),
    "percent for fraction": (scaled(100.0, "snowc"), {}, r"'snowc' reaches 100 1, more than 1.01"),
    "fraction for percent": (None, column("snowc", units="%"), "taken for percent"),
    "mean for amount": (scaled(1 / STEP_SECONDS, "ssrd"), {}, "'avg_sdswrf' reaches .* only, less than 20"),
    "amount for mean": (None, column("avg_sdlwrf", units="W m-2", over=None), "'avg_sdlwrf' reaches .* more than 700"),
    "mm for m": (scaled(1000.0, "tp"), {}, "'avg_tprate' reaches .* more than 0.05"),
    "snow in kg m-2": (scaled(1000.0, "sd"), {}, r"Snow that covers more than 0.9 .* is .* m deep|'sd' reaches"),
    "snow in m for kg m-2": (None, column("sd", units="kg m-2"), "Snow that covers more than 0.9 .* m deep"),
    "sign": (None, column("evap", sign=1), "'evap' has a mean of -.* of the wrong sign"),
    "NaN in a dynamic field": (at_land("swvl2"), {}, r"'swvl2' is missing \(NaN\) at 6 of 72 land points"),
    "too many NaN": (at_land("slhf"), {}, "'slhf' is missing .* the mapping allows 0.001"),
    "NaN in a static field": (at_land("sdor_0"), column("sdor", missing=None), "Declare `missing` for 'sdor'"),
    "no soil type": (set_values("theta_cap_0", 0.5), {}, "are those of no soil type of ecLand at 71 of 72"),
    "unknown category": (set_values("c3_c4_0", 5.0), {}, r"has the values \[5.0\], which the mapping of 'c4'"),
    "moving static field": (
        lambda fields: fields["sdor_0"].__iadd__(np.arange(len(fields["sdor_0"]))[:, None]), {},
        "'sdor_0' of .* changes in time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_STORES)
def test_values_that_contradict_the_mapping_are_refused(case, tmp_path):
    """On opening, or with the statistics, before any training; the message names variable and remedy."""
    change, columns, message = BAD_STORES[case]
    store = published_store(tmp_path / "bad.zarr", start="2016-01-02", end="2016-01-12", change=change)
    with pytest.raises(ValueError, match=message):
        assert MappedFields(store, mapping_of(declared(**columns), "it")).statistics


#: Mistakes in a mapping, and what the error says.
BAD_MAPPINGS = {
    "unknown unit": (column("sd", units="furlong"), "'sd' has the unknown unit 'furlong'; give one of"),
    "ambiguous unit": (column("sd", units="m"), "'sd' has the unknown unit 'm'"),
    "rate for amount": (column("avg_sdswrf", units="W m-2"), "'W m-2' is not the unit of an amount"),
    "amount for rate": (column("avg_sdswrf", over=None), "'avg_sdswrf' has the unknown unit 'J m-2'"),
    "unknown variable": ({"swvl9": {"from": "swvl9"}}, "'swvl9' is not in the table of variables; nearest"),
    "unknown option": (column("t", unit="K"), r"'variables.t.unit' is not an option. Nearest: \['units'\]"),
    "two sources": (column("t", value=1.0), "give one of from, value, derived, dewpoint, soil_type"),
    "mean of an instant": (column("t", both_ends=True), "'t' is not a mean over the step"),
    "gaps of a dynamic field": (column("t", missing=280.0), "a number for all gaps would hide a fault"),
    "no type": (column("cl", missing="type"), "'cl' does not follow from types"),
}


@pytest.mark.parametrize("case", BAD_MAPPINGS)
def test_mistakes_in_a_mapping_are_refused(case):
    columns, message = BAD_MAPPINGS[case]
    with pytest.raises(ValueError, match=message):
        mapping_of(declared(**columns), "The mapping")


def test_units_of_the_store_and_the_mapping_agree(tmp_path):
    """A unit that the store states and that is not the declared one is an error; another spelling of it is not."""
    store = published_store(tmp_path / "units.zarr", units={"tp": "m", "ssrd": "J m**-2", "stl1": "K"}, **SHORT)
    MappedFields(store, load_mapping("ailand-v1"))
    with pytest.raises(ValueError, match=r"'tp' in .* is in 'm', but the mapping declares 'mm' for 'avg_tprate'"):
        MappedFields(store, mapping_of(declared(**column("avg_tprate", units="mm")), "it"))


def test_store_without_statistics_suffices(tmp_path):
    """The statistics that a store may lack are not read."""
    dropped = ("mean", "stdev", *(f"statistics_tendencies_6h_{k}" for k in ("mean", "stdev", "minimum", "maximum")))
    store = published_store(tmp_path / "bare.zarr", drop=dropped)
    data = open_dataset(mapped_path(store, "ailand-v1"))
    assert (data.statistics["stdev"] > 0.0).sum() > 50
    assert (data.statistics_tendencies("6h")["stdev"] > 0.0).sum() > 30


def test_gap_at_one_date_is_an_error_when_it_is_read(tmp_path):
    """A date that the checks on opening left out cannot be read, and its values are never zero or NaN."""
    store = published_store(tmp_path / "gap.zarr", change=at_land("stl3", dates=slice(9, 10)))
    data = open_dataset(mapped_path(store, "ailand-v1"))
    assert np.isfinite(data[7]).all()
    with pytest.raises(ValueError, match=r"'stl3' is missing \(NaN\) .* on 2016-01-04T06:00:00, the first at latitude"):
        data[8]


def test_few_gaps_are_filled_as_declared(tmp_path):
    """One gap of a diagnostic gets the declared value."""
    store = published_store(tmp_path / "few.zarr", change=at_land("slhf", points=1), **SHORT)
    fields = MappedFields(store, load_mapping("ailand-v1"))
    assert row(fields, "slhf", 2)[fields.points == np.flatnonzero(~IS_SEA)[0]] == 0.0


def test_open_dataset_says_what_contradicts_the_mapping(tmp_path):
    """The message reaches those that open the dataset by its name, as a training does."""
    store = published_store(tmp_path / "bad.zarr", change=without("ssrd"), **SHORT)
    with pytest.raises(ValueError, match="has no 'ssrd', from which the mapping makes 'avg_sdswrf'"):
        open_dataset(mapped_path(store, "ailand-v1"))
    with pytest.raises(ValueError, match="There is no store"):
        open_dataset(mapped_path(tmp_path / "none.zarr", "ailand-v1"))


def test_damaged_chunk_is_an_error(tmp_path):
    """A chunk of the store that cannot be decoded is never taken for missing values."""
    store = published_store(tmp_path / "damaged.zarr")
    (store / "data" / "9.0.0.0").write_bytes(b"damaged")
    data = open_dataset(mapped_path(store, "ailand-v1"))
    with pytest.raises((ValueError, RuntimeError)):
        data[8]


def test_store_that_a_packaged_mapping_fits_is_recognised(store):
    """Reading it without the mapping says so; a dataset of this package gets no such advice."""
    with pytest.raises(ValueError, match=r"the mapping 'ailand-v1': set `land.mapping=ailand-v1`"):
        StoredFields(store, ["avg_t"])
    assert hint(list(VARIABLES)) == ""


def test_names_that_are_refused(store, tmp_path):
    """A mapping that does not exist, a name without one, and a store that is mapped already."""
    with pytest.raises(FileNotFoundError, match="neither a file nor a packaged one"):
        mapped_path(store, "ailand-v9")
    with pytest.raises(ValueError, match=r"names no mapping\. Write"):
        open_reader(f"ailand::{store}")
    with pytest.raises(ValueError, match="names its mapping already"):
        mapped_path(mapped_path(store, "ailand-v1"), "ailand-v1")
    with pytest.raises(FileNotFoundError, match="There is no dataset"):
        AnemoiDataset(mapped_path(tmp_path / "none.zarr", "ailand-v1"))


def test_other_steps_and_members_are_refused(store, tmp_path):
    """A store of another frequency is refused."""
    group = zarr.open_group(str(published_store(tmp_path / "step.zarr", **SHORT)), mode="r+")
    group.attrs["frequency"] = "3h"
    with pytest.raises(ValueError, match="has a step of 3:00:00, but the land makes steps of 6:00:00"):
        MappedFields(tmp_path / "step.zarr", load_mapping("ailand-v1"))


def test_dataset_survives_pickling(store):
    """A process that is spawned to read dates has the same dataset."""
    data = open_dataset(mapped_path(store, "ailand-v1"))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data))[3], data[3])

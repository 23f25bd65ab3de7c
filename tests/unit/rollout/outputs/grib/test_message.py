# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB messages of the variables of the table, read back by ecCodes, and the grids of their points."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib.parameters import PARAMETERS, level_kind
from anemoi_ailand.data.grib.rows import UNSTRUCTURED, guess, rows_of
from anemoi_ailand.rollout.outputs.grib.grid import AUTO, Grid, check_grid, grid_of
from anemoi_ailand.rollout.outputs.grib.message import Encoder, Style, coordinates, is_flux, parameter, why_not
from anemoi_ailand.rollout.outputs.output_columns import Column
from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.variables import Role, names, variable

DATE, STEP = datetime(2020, 2, 28, 18), timedelta(hours=6)
N = 40
WATER = 1.0e-3  # m of kg m-2
#: Variable, edition and way of fluxes: paramId, short name, units, factor from the table's units (of amounts: times s).
EXPECTED: dict[tuple[int, str], dict[str, tuple[int, str, str, float]]] = {
    (1, "mean"): {
        "swvl1": (39, "swvl1", "m**3 m**-3", 1.0), "swvl2": (40, "swvl2", "m**3 m**-3", 1.0),
        "swvl3": (41, "swvl3", "m**3 m**-3", 1.0), "swvl4": (42, "swvl4", "m**3 m**-3", 1.0),
        "stl1": (139, "stl1", "K", 1.0), "stl2": (170, "stl2", "K", 1.0),
        "stl3": (183, "stl3", "K", 1.0), "stl4": (236, "stl4", "K", 1.0),
        "sd": (141, "sd", "m of water equivalent", WATER), "asn": (32, "asn", "(0 - 1)", 1.0),
    },
    (2, "mean"): {
        **{f"swvl{k}": (260199, "vsw", "m**3 m**-3", 1.0) for k in range(1, 5)},
        **{f"stl{k}": (260360, "sot", "K", 1.0) for k in range(1, 5)},
        "sd": (228141, "sd", "kg m**-2", 1.0), "asn": (228032, "asn", "%", 100.0),
        "snowc": (260038, "snowc", "%", 100.0), "slw": (228038, "lwcs", "kg m**-2", 1.0),
    },
}  # fmt: skip
for means in EXPECTED.values():
    means |= {
        "rsn": (33, "rsn", "kg m**-3", 1.0), "tsn": (238, "tsn", "K", 1.0),
        "src": (198, "src", "m of water equivalent", WATER),
        "2t": (167, "2t", "K", 1.0), "2d": (168, "2d", "K", 1.0), "skt": (235, "skt", "K", 1.0),
        "slhf": (235034, "avg_slhtf", "W m**-2", 1.0), "sshf": (235033, "avg_ishf", "W m**-2", 1.0),
        "ssr": (235037, "avg_snswrf", "W m**-2", 1.0), "str": (235038, "avg_snlwrf", "W m**-2", 1.0),
        "evap": (235043, "avg_ie", "kg m**-2 s**-1", -1.0),
        "sro": (235020, "avg_surfror", "kg m**-2 s**-1", 1.0), "ssro": (235021, "avg_ssurfror", "kg m**-2 s**-1", 1.0),
        "gpp": (228084, "fco2gpp", "kg m**-2 s**-1", 1.0), "nee": (228083, "fco2nee", "kg m**-2 s**-1", -1.0),
    }  # fmt: skip
AMOUNTS = {
    "slhf": (147, "slhf", "J m**-2", 1.0), "sshf": (146, "sshf", "J m**-2", 1.0),
    "ssr": (176, "ssr", "J m**-2", 1.0), "str": (177, "str", "J m**-2", 1.0),
    "evap": (182, "e", "m of water equivalent", -WATER), "sro": (8, "sro", "m", WATER), "ssro": (9, "ssro", "m", WATER),
    "gpp": (228081, "aco2gpp", "kg m**-2", 1.0), "nee": (228080, "aco2nee", "kg m**-2", -1.0),
}  # fmt: skip
for number in (1, 2):
    EXPECTED[number, "accumulated"] = {**EXPECTED[number, "mean"], **AMOUNTS}


def grid(edition: int, gap: int = 3) -> Grid:
    """Return a grid with every third of its points."""
    rows = rows_of("N32")
    longitudes = np.concatenate([np.arange(c) * 360.0 / c for c in rows.counts])
    return grid_of("N32", np.repeat(rows.latitudes, rows.counts)[::gap][:N], longitudes[::gap][:N], edition)


def values_of(name: str, seed: int = 0) -> np.ndarray:
    """Return values within the bounds of a variable, or around zero."""
    low, high = variable(name).bounds
    low, high = (-1e-3 if low is None else low), (1e-3 if high is None else high)
    return np.random.default_rng(seed).uniform(low, high, N)


def read(message: bytes, *keys: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the values of a message, NaN where missing, and some keys."""
    handle = eccodes.codes_new_from_message(message)
    eccodes.codes_set(handle, "missingValue", 1.0e33)
    values = eccodes.codes_get_values(handle)
    found = {k: eccodes.codes_get(handle, k) for k in keys}
    eccodes.codes_release(handle)
    return np.where(values == 1.0e33, np.nan, values), found


def encoder(name: str, style: Style, column: Column | None = None, bits: int = 16, **options: Any) -> Encoder:
    return Encoder(grid(style.edition), column or Column(name), style, bits, options.pop("data_type", "fc"), **options)


PACKINGS = [(1, "simple"), (2, "simple"), (2, "ccsds")]
KEYS = ("paramId", "shortName", "units", "stepType", "stepRange", "dataDate", "dataTime", "dataType", "edition")


def is_amount(name: str, fluxes: str) -> bool:
    """Return whether a variable is written as an amount since the start."""
    return fluxes == "accumulated" and is_flux(name)


def written(name: str, style: Style) -> bytes:
    """Message of the fifth step."""
    start = timedelta(0) if is_amount(name, style.fluxes) else 4 * STEP
    return encoder(name, style)(values_of(name), DATE, start, 5 * STEP)


@pytest.mark.parametrize("fluxes", ["mean", "accumulated"])
@pytest.mark.parametrize(("edition", "packing"), PACKINGS)
def test_message_has_the_name_of_eccodes(edition: int, fluxes: str, packing: str) -> None:
    """Parameter, units, statistical processing and step of every variable."""
    wrong = {}
    for name, (param, short_name, units, _) in EXPECTED[edition, fluxes].items():
        _, found = read(written(name, Style(edition, fluxes, packing=packing)), *KEYS)
        plain = ("avg", "24-30") if is_flux(name) else ("instant", "30")
        kind, steps = ("accum", "0-30") if is_amount(name, fluxes) else plain
        expected = (param, short_name, units, kind, steps, 20200228, 1800, "fc", edition)
        if tuple(found.values()) != expected:
            wrong[name] = (found, expected)
    assert wrong == {}


@pytest.mark.parametrize("fluxes", ["mean", "accumulated"])
@pytest.mark.parametrize(("edition", "packing"), PACKINGS)
def test_values_are_within_packing(edition: int, fluxes: str, packing: str) -> None:
    """Values in the units of GRIB at the points of the land, missing elsewhere, for every variable."""
    place = grid(edition).index
    assert place is not None
    for name, (_, _, _, factor) in EXPECTED[edition, fluxes].items():
        expected = factor * values_of(name)
        field, _ = read(written(name, Style(edition, fluxes, packing=packing)))
        np.testing.assert_allclose(field[place], expected, rtol=0.0, atol=2.0**-15 * np.ptp(expected), err_msg=name)
        assert np.isnan(np.delete(field, place)).all(), name


def test_outputs_of_the_package_are_expected() -> None:
    """The table above lists exactly the outputs of the packaged network."""
    given = pretrained_record()["variables"]
    assert set(EXPECTED[2, "mean"]) == {*given["state"], *given["diagnostic"]}


@pytest.mark.parametrize("fluxes", ["mean", "accumulated"])
def test_readable_parameters_can_be_written(fluxes: str) -> None:
    """GRIB2 has a parameter for every state variable and diagnostic, and it is one that is read, three fluxes apart."""
    ways = {name: parameter(name, Style(2, fluxes)) for name in names(Role.PROGNOSTIC, Role.DIAGNOSTIC)}
    assert [name for name, way in ways.items() if way is None] == []
    not_read = {name for name, way in ways.items() if way not in PARAMETERS.get(name, ())}
    assert not_read <= {"gpp", "nee", *(["evap"] if fluxes == "mean" else [])}


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["swvl", "stl"])
def test_soil_has_its_layer(name: str, layer: int) -> None:
    """Soil layers are given by level number or by depth in cm, in GRIB1 as in ERA5."""
    tops, bottoms = (0, 7, 28, 100), (7, 28, 100, 289)
    message = encoder(f"{name}{layer}", Style())(np.ones(N), DATE, STEP, STEP)
    _, found = read(message, "typeOfLevel", "level", "mars.levtype")
    assert found == {"typeOfLevel": "soilLayer", "level": layer, "mars.levtype": "sol"}
    keys = ("typeOfLevel", "scaledValueOfFirstFixedSurface", "scaledValueOfSecondFixedSurface", "shortName")
    _, found = read(encoder(f"{name}{layer}", Style(soil="parameters"))(np.ones(N), DATE, STEP, STEP), *keys)
    assert list(found.values()) == ["depthBelowLandLayer", tops[layer - 1], bottoms[layer - 1], f"{name}{layer}"]
    message = encoder(f"{name}{layer}", Style(1))(np.ones(N), DATE, STEP, STEP)
    _, found = read(message, "typeOfLevel", "topLevel")
    assert found == {"typeOfLevel": "depthBelowLandLayer", "topLevel": tops[layer - 1]}
    assert message[8 + 11] == min(bottoms[layer - 1], 255)  # octet 12 of section 1


@pytest.mark.parametrize(("name", "level"), [("2t", 2), ("2d", 2), ("skt", 0), ("sd", 0), ("src", 0), ("slhf", 0)])
def test_others_are_at_the_surface(name: str, level: int) -> None:
    """Diagnostics at the surface or at 2 m have that level."""
    _, found = read(encoder(name, Style())(np.ones(N), DATE, STEP, STEP), "typeOfLevel", "level")
    assert found["level"] == level
    assert level_kind(found["typeOfLevel"]) in parameter(name, Style()).levels  # type: ignore[union-attr]


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("name", ["stl1", "slhf", "gpp"])
def test_member_has_its_number(name: str, edition: int) -> None:
    """Instants, intervals and constituents of members have their product template."""
    made = encoder(name, Style(edition), Column(name, members=True), data_type="pf", n_members=50)
    keys = ("number", "numberOfForecastsInEnsemble", "dataType", "paramId", "stepRange")
    _, found = read(made(np.ones(N), DATE, STEP, 2 * STEP, number=7), *keys)
    assert [found[k] for k in keys[:3]] == [7, 50, "pf"]
    assert found["paramId"] == EXPECTED[edition, "mean"][name][0]
    assert found["stepRange"] == ("6-12" if is_flux(name) else "12")


@pytest.mark.parametrize(("statistic", "data_type"), [("mean", "em"), ("spread", "es"), ("q10", "pb")])
@pytest.mark.parametrize("name", ["stl1", "evap"])
def test_statistic_over_members(name: str, statistic: str, data_type: str) -> None:
    """With a change of sign a spread stays positive, and the 10 % quantile becomes 90 %."""
    made, values = encoder(name, Style(), Column(name, statistic), n_members=50), np.linspace(1.0, 2.0, N)
    keys = ("dataType", "paramId", "percentileValue" if statistic == "q10" else "derivedForecast")
    field, found = read(made(values, DATE, STEP, 2 * STEP), *keys)
    turned = name == "evap"
    assert list(found.values()) == [
        data_type, EXPECTED[2, "mean"][name][0], {"mean": 0, "spread": 4, "q10": 90 if turned else 10}[statistic]
    ]  # fmt: skip
    sign = -1.0 if turned and statistic != "spread" else 1.0
    np.testing.assert_allclose(field[grid(2).index], sign * values, rtol=0.0, atol=1e-4)


def test_statistics_that_grib_lacks() -> None:
    """The reason why a column cannot be written is given in advance."""
    assert why_not(Column("gpp", "mean"), Style()) == "GRIB2 has no statistics of constituents"
    assert why_not(Column("2t", "q10"), Style(1)) == "GRIB1 has no quantiles"
    assert why_not(Column("2t", "q2.5"), Style()) == "percentiles of GRIB are whole numbers"
    assert why_not(Column("2t", "q10"), Style()) is None


@pytest.mark.parametrize("packing", ["simple", "ccsds"])
@pytest.mark.parametrize("values", [np.full(N, 3.0), np.full(N, np.nan), np.where(np.arange(N) % 2, 280.0, np.nan)])
def test_plain_fields(values: np.ndarray, packing: str) -> None:
    """Constant and missing fields are encoded, and the bits per value stay for the next message."""
    made = encoder("skt", Style(packing=packing))
    np.testing.assert_array_equal(read(made(values, DATE, STEP, STEP))[0][grid(2).index], values)
    assert read(made(values_of("skt"), DATE, STEP, STEP), "bitsPerValue")[1]["bitsPerValue"] == 16


def test_bits_are_kept() -> None:
    """More bits give a smaller error."""
    values, place = values_of("sd") + 1e4, grid(2).index
    coarse, fine = (read(encoder("sd", Style(), bits=b)(values, DATE, STEP, STEP))[0][place] for b in (8, 24))
    errors = [np.abs(coarse - values).max(), np.abs(fine - values).max()]
    assert errors[1] < 1e-4 * errors[0]


def test_keys_of_the_user() -> None:
    """Keys of MARS add the local section."""
    made = encoder("2t", Style(keys={"class": "rd", "expver": "abcd", "generatingProcessIdentifier": 7}))
    _, found = read(made(np.ones(N), DATE, STEP, STEP), "class", "expver", "generatingProcessIdentifier", "shortName")
    assert list(found.values()) == ["rd", "abcd", 7, "2t"]


@pytest.mark.parametrize(
    ("keys", "match"), [({"no_such_key": 1}, "no_such_key"), ({"paramId": 168}, "but 2d \\(168\\)")]
)
def test_wrong_keys_are_refused(keys: dict[str, Any], match: str) -> None:
    """An unknown key, and one that changes the parameter, are refused."""
    with pytest.raises(ValueError, match=match):
        encoder("2t", Style(keys=keys))


def test_interval_too_late_for_grib1() -> None:
    """GRIB1 refuses an interval that its octets cannot hold; GRIB2 has no such limit."""
    long = timedelta(days=20_000)
    assert read(encoder("slhf", Style(2))(np.ones(N), DATE, long - STEP, long), "endStep")[1] == {"endStep": 480_000}
    assert read(encoder("2t", Style(1))(np.ones(N), DATE, long, long), "endStep")[1] == {"endStep": 480_000}
    with pytest.raises(ValueError, match="Set `dates: valid` or `edition: 2`"):
        encoder("slhf", Style(1))(np.ones(N), DATE, long - STEP, long)


def test_template_leaves_nothing_of_its_product() -> None:
    """Only the grid is taken from a template, even from a member's accumulation in the other edition."""
    member = encoder("slhf", Style(1, "accumulated"), Column("slhf", members=True), data_type="pf", n_members=5)
    message = member(np.ones(N), DATE, timedelta(0), STEP, number=3)
    other = Grid("t", message, grid(1).size, grid(1).index)
    for edition in (1, 2):
        plain = Encoder(other, Column("skt"), Style(edition), 16, "fc")
        values = values_of("skt")
        keys = ("edition", "shortName", "stepType", "dataType", "stepRange", "typeOfLevel")
        field, found = read(plain(values, DATE, STEP, STEP), *keys)
        assert list(found.values()) == [edition, "skt", "instant", "fc", "6", "surface"]
        np.testing.assert_allclose(field[other.index], values, rtol=0.0, atol=0.01)


def test_coordinates_of_points() -> None:
    """Coordinates are two messages, precise to 1e-4 degrees."""
    latitudes, longitudes = np.linspace(-55.5, 80.1, 9), np.linspace(-179.0, 179.0, 9)
    both = coordinates(grid_of("unstructured", latitudes, longitudes, 2), latitudes, longitudes, DATE)
    first = both.index(b"7777GRIB") + 4
    for message, values, name in ((both[:first], latitudes, "lat"), (both[first:], longitudes, "lon")):
        field, found = read(message, "shortName", "gridType")
        assert found == {"shortName": name, "gridType": "unstructured_grid"}
        np.testing.assert_allclose(field, values, rtol=0.0, atol=1e-4)


NAMED: list[Any] = ["O96", "N32", "N80", [2.0, 1.0]]


def points(option: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return all points of a grid of rows."""
    rows = rows_of(option)
    longitudes = [np.arange(count) * 360.0 / count for count in rows.counts]
    return np.repeat(rows.latitudes, rows.counts), np.concatenate(longitudes)


def some(option: Any, n: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return some points of a grid, with longitudes from -180, and their positions."""
    latitudes, longitudes = points(option)
    places = np.random.default_rng(seed).permutation(latitudes.size)[:n]
    return latitudes[places], (longitudes[places] + 180.0) % 360.0 - 180.0, places


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("option", NAMED, ids=str)
def test_points_are_where_eccodes_has_them(option: Any, edition: int) -> None:
    """The coordinates that ecCodes computes for the message are those of the points."""
    latitudes, longitudes, places = some(option)
    grid = grid_of(check_grid(option, edition), latitudes, longitudes, edition)
    np.testing.assert_array_equal(grid.index, places)
    handle = eccodes.codes_new_from_message(grid.message)
    assert eccodes.codes_get_long(handle, "edition") == edition
    found = [eccodes.codes_get_double_array(handle, k)[grid.index] for k in ("latitudes", "longitudes")]
    if isinstance(option, str):
        assert eccodes.codes_get_string(handle, "gridName") == option
    eccodes.codes_release(handle)
    np.testing.assert_allclose(found[0], latitudes, rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(np.cos(np.radians(found[1] - longitudes)), 1.0, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("option", [*NAMED[:3], [1.0, 1.0], [0.25, 0.25]], ids=str)
def test_guess_finds_the_grid(option: Any) -> None:
    """A grid is found from some of its points."""
    assert guess(*some(option)[:2]) == option


def test_guess_takes_nothing_by_chance() -> None:
    """Arbitrary points, or too few, are unstructured."""
    latitudes, longitudes, _ = some("O96", 7)
    assert guess(latitudes, longitudes) == UNSTRUCTURED
    rng = np.random.default_rng(2)
    assert guess(rng.uniform(-80.0, 80.0, 50), rng.uniform(0.0, 360.0, 50)) == UNSTRUCTURED


def test_whole_grid_in_order_needs_no_places() -> None:
    """A global field in the order of the grid needs no index."""
    assert grid_of(AUTO, *points("N32"), 2).index is None


def test_template_of_any_grid(tmp_path: Path) -> None:
    """A template gives a grid without a name, here a box."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    latitudes, longitudes = (eccodes.codes_get_double_array(handle, k) for k in ("latitudes", "longitudes"))
    with (tmp_path / "box.grib").open("wb") as file:
        eccodes.codes_write(handle, file)
    eccodes.codes_release(handle)
    option = check_grid({"template": str(tmp_path / "box.grib")}, 2)
    grid = grid_of(option, latitudes[[7, 3]], longitudes[[7, 3]] - 360.0, 2)
    np.testing.assert_array_equal(grid.index, [7, 3])
    assert grid.size == latitudes.size


@pytest.mark.parametrize(
    ("option", "edition", "error", "match"),
    [
        ("O", 2, ValueError, "O96"),
        ("N97", 2, ValueError, "N320"),
        ("F80", 2, ValueError, "octahedral"),
        ([0.7, 0.7], 2, ValueError, "divide the globe"),
        ([1.0], 2, ValueError, "increments"),
        (UNSTRUCTURED, 1, ValueError, "edition 1 has no unstructured"),
        ({"template": "nowhere.grib"}, 2, FileNotFoundError, "no 'nowhere.grib'"),
    ],
)
def test_unknown_grid_is_refused(option: Any, edition: int, error: type[Exception], match: str) -> None:
    """An unknown grid is refused with the known forms."""
    with pytest.raises(error, match=match):
        check_grid(option, edition)


def test_points_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Points off the grid, two at one position (one would be lost), and points without a grid."""
    latitudes, longitudes, _ = some("O96", 20)
    off, twice = latitudes.copy(), (latitudes.copy(), longitudes.copy())
    off[4] += 0.1
    twice[0][3], twice[1][3] = latitudes[2], longitudes[2] + 360.0
    (tmp_path / "u.grib").write_bytes(grid_of(UNSTRUCTURED, np.zeros(4), np.arange(4.0), 2).message)
    for option, points, edition, message in (
        ("O96", (off, longitudes), 2, f"1 of 20 points are not on the grid O96, the first at latitude {off[4]:.3f}"),
        ("O96", twice, 2, "1 points have the position of another one"),
        ({"template": str(tmp_path / "u.grib")}, (latitudes, longitudes), 2, "does not hold the coordinates"),
        (AUTO, (np.array([1.234]), np.array([5.678])), 1, "Set `edition: 2`"),
    ):
        with pytest.raises(ValueError, match=message):
            grid_of(option, *points, edition)

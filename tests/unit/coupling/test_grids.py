# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Exchange between grids: what is conserved, kept and exact; correction for height; the file of weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling.grids import GridOptions, Side, load, make, open_grids, save
from anemoi_ailand.coupling.height import at_height, check_corrected, saturation_humidity
from anemoi_ailand.coupling.weights import bilinear, cell_areas, cell_overlaps, nearest_few, voronoi_areas
from anemoi_ailand.physics.air import saturation_pressure, specific_humidity
from anemoi_ailand.rollout.outputs.grib.grid import rows_of

OCTAHEDRAL, REGULAR = "O8", [10.0, 10.0]


def places(cells):
    """Coordinates of all points of a grid."""
    rows = rows_of(cells)
    east = [np.arange(n) * 360.0 / n for n in rows.counts]
    return np.repeat(rows.latitudes, rows.counts), np.concatenate(east)


def side(cells, land=None, keep=None, height=None):
    """Return the points ``keep`` of a grid."""
    lat, lon = places(cells)
    chosen = np.arange(lat.size) if keep is None else keep
    return Side((lat[chosen], lon[chosen]), cells, land, height)


def fraction(cells, seed):
    """Return land-sea masks of 0, 1 and between."""
    return np.random.default_rng(seed).uniform(-0.5, 1.5, rows_of(cells).size).clip(0.0, 1.0)


def noise(n, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=n))


@pytest.mark.parametrize(("targets", "sources"), [(OCTAHEDRAL, REGULAR), (REGULAR, "N32"), ("O8", "O9")])
def test_overlaps_fill_the_cells_of_both_grids(targets, sources):
    """Common areas sum to the cells of either grid, and these to the sphere."""
    a, b = rows_of(targets), rows_of(sources)
    rows, columns, values = cell_overlaps(a, b)
    np.testing.assert_allclose(np.bincount(rows, values), cell_areas(a), rtol=1e-12)
    np.testing.assert_allclose(np.bincount(columns, values), cell_areas(b), rtol=1e-12)
    assert cell_areas(a).sum() == pytest.approx(4.0 * np.pi, rel=1e-14)


def test_bilinear_is_exact_on_linear_fields():
    """A field linear in latitude, or in longitude away from the meridian of zero, is reproduced."""
    source, (lat, lon) = rows_of(REGULAR), places(OCTAHEDRAL)
    rows, columns, values = bilinear(source, (lat, lon))
    north, east = places(REGULAR)
    for field, expected in ((3.0 * north + 1.0, 3.0 * lat + 1.0), (2.0 * east, 2.0 * lon)):
        found = np.bincount(rows, values * field[columns])
        inside = lon < 350.0
        np.testing.assert_allclose(found[inside], expected[inside], rtol=0.0, atol=1e-11)


def test_inverse_distance_is_between_its_sources():
    """Weights of the nearest points are positive and larger for nearer ones; a point of the source has its value."""
    sources = np.array([0.0, 0.0, 10.0, 50.0]), np.array([0.0, 4.0, 0.0, 90.0])
    rows, columns, values = nearest_few(sources, (np.array([0.0, 10.0]), np.array([1.0, 0.0])), 3)
    assert columns[rows == 0].tolist() == [0, 1, 2]
    first = values[rows == 0]
    assert first[0] == pytest.approx(3.0 * first[1], rel=1e-3)
    assert (first > 0.0).all()
    assert columns[rows == 1].tolist() == [2]


def test_voronoi_areas_of_a_grid():
    """Areas of scattered points sum to the sphere; too few points are refused."""
    rng = np.random.default_rng(0)
    points = np.degrees(np.arcsin(rng.uniform(-1, 1, 200))), rng.uniform(0, 360, 200)
    assert voronoi_areas(points).sum() == pytest.approx(4.0 * np.pi, rel=1e-9)
    with pytest.raises(ValueError, match="The 2 points of the atmosphere are on no known grid"):
        voronoi_areas((points[0][:2], points[1][:2]))


CASES = {
    "whole grids": (side(REGULAR), side(OCTAHEDRAL)),
    "masks on both sides": (side(REGULAR, fraction(REGULAR, 1)), side(OCTAHEDRAL, fraction(OCTAHEDRAL, 2))),
    "few points of land": (side(REGULAR, keep=np.arange(100, 300, 3)), side(OCTAHEDRAL, fraction(OCTAHEDRAL, 3))),
    "land without a grid": (Side((np.array([3.0, 4.0, -50.0]), np.array([7.0, 8.0, 200.0])), "unstructured"),
                            side(OCTAHEDRAL, fraction(OCTAHEDRAL, 4) * 0.5 + 0.4)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fluxes_are_conserved_both_ways(case):
    """Both sides have the same sum over the shared area, to rounding; the share is never above the mask."""
    land, atmosphere = CASES[case]
    grids = make(land, atmosphere)
    exchange = grids.exchange()
    down, up = noise(atmosphere.size), noise(land.size, 1)
    given = (down[exchange.targets] * exchange.target_areas).sum()
    received = (exchange.read(down, amount=True) * exchange.land_areas).sum()
    assert given.abs() > 1e-3
    torch.testing.assert_close(received, given, rtol=1e-12, atol=1e-12)
    cells = torch.from_numpy(cell_areas(rows_of(atmosphere.cells)))
    back = (exchange.write(torch.zeros(atmosphere.size).double(), up) * cells).sum()
    torch.testing.assert_close(back, (up * exchange.land_areas).sum(), rtol=1e-12, atol=1e-12)
    if atmosphere.land is not None:
        assert (grids.share <= atmosphere.land + 1e-15).all()


def test_a_flux_is_conserved_over_the_sphere():
    """Between whole grids without masks the integral over the sphere is kept."""
    land, atmosphere = CASES["whole grids"]
    exchange, down = make(land, atmosphere).exchange(), noise(atmosphere.size)
    areas = [torch.from_numpy(cell_areas(rows_of(s.cells))) for s in (land, atmosphere)]
    integrals = [(f * a).sum() for f, a in zip((exchange.read(down, amount=True), down), areas, strict=True)]
    torch.testing.assert_close(*integrals, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_constants_stay(case):
    """A constant field is that constant on the other side, whatever masks and weights."""
    land, atmosphere = CASES[case]
    exchange = make(land, atmosphere).exchange()
    here, there = (torch.full((n,), 7.25, dtype=torch.float64) for n in (land.size, atmosphere.size))
    for amount in (False, True):
        torch.testing.assert_close(exchange.read(there, amount=amount), here, rtol=1e-14, atol=0.0)
    torch.testing.assert_close(exchange.write(there, here), there, rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("keep", [None, np.array([5, 9, 100, 311])])
def test_the_same_grid_is_the_identity_to_the_last_bit(keep):
    """On one grid values pass unchanged, also for a part of its points as land, and other points are left alone."""
    atmosphere = side(OCTAHEDRAL)
    land = side(OCTAHEDRAL, keep=keep)
    exchange, field = make(land, atmosphere).exchange(), noise(atmosphere.size).float()
    index = np.arange(atmosphere.size) if keep is None else keep
    for amount in (False, True):
        assert exchange.read(field, amount=amount).float().equal(field[index])
    values = noise(land.size, 1).float()
    expected = field.clone()
    expected[index] = values
    assert exchange.write(field, values).equal(expected)


def test_land_feeds_back_its_share_only():
    """In mixed points the field is weighted by the share of the land, unless it describes the land alone."""
    mask = np.full(rows_of(OCTAHEDRAL).size, 0.25)
    mask[3] = 0.0
    exchange = make(side(OCTAHEDRAL), side(OCTAHEDRAL, mask)).exchange()
    field, values = torch.full((mask.size,), 280.0), torch.full((mask.size,), 300.0)
    mixed, alone = exchange.write(field, values), exchange.write(field, values, land_only=True)
    assert (mixed[3], alone[3]) == (280.0, 280.0)
    assert mixed[4] == pytest.approx(285.0)
    assert alone[4] == 300.0


def test_instants_prefer_land_points():
    """Next to land of the atmosphere its sea is left out, elsewhere it is taken."""
    points = np.array([0.0, 0.0, 60.0, 60.0, -50.0, -50.0]), np.array([0.0, 10.0, 0.0, 180.0, 100.0, 270.0])
    atmosphere = Side(points, "unstructured", np.eye(6)[0], np.array([100.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    land = Side((np.array([0.0]), np.array([9.0])), "unstructured", height=np.array([300.0]))
    grids = make(land, atmosphere, states={"nearest": 2}, correct=True)
    assert grids.exchange().read(torch.tensor([1.0, 5.0, 0.0, 0.0, 0.0, 0.0])).tolist() == [1.0]
    assert grids.rise.tolist() == [200.0]  # above the orography of the same points


def test_land_without_land_in_the_atmosphere_is_forced_only():
    """Such a point reads fluxes of the cells over it, and the atmosphere is left unchanged."""
    land, atmosphere = side(REGULAR), side(OCTAHEDRAL, np.zeros(rows_of(OCTAHEDRAL).size))
    exchange = make(land, atmosphere).exchange()
    field = noise(atmosphere.size)
    assert exchange.write(field, torch.ones(land.size)).equal(field)
    whole = make(land, side(OCTAHEDRAL)).exchange()
    torch.testing.assert_close(exchange.read(field, amount=True), whole.read(field, amount=True))


def test_fields_are_not_shared():
    """Fields are copied: neither side sees later changes of the other."""
    exchange = make(side(OCTAHEDRAL), side(OCTAHEDRAL)).exchange()
    field, values = noise(exchange.n_points), noise(exchange.n_points, 1)
    read, written = exchange.read(field), exchange.write(field, values)
    kept = [t.clone() for t in (read, written)]
    field += 1.0
    values += 1.0
    assert read.equal(kept[0])
    assert written.equal(kept[1])


def test_an_exchange_has_a_derivative():
    """Gradients pass from the land to the atmosphere's field."""
    exchange = make(side(REGULAR, fraction(REGULAR, 1)), side(OCTAHEDRAL)).exchange()
    field = noise(exchange.n_points).requires_grad_()
    exchange.read(field, amount=True).sum().backward()
    assert field.grad is not None
    assert float(field.grad.sum()) == pytest.approx(exchange.n_land, rel=1e-12)


def air(n=4):
    t = torch.linspace(260.0, 300.0, n, dtype=torch.float64)
    return {"t": t, "avg_t": t + 1.0, "q": 0.6 * saturation_humidity(t, torch.tensor(9e4)),
            "avg_q": 0.7 * saturation_humidity(t, torch.tensor(9e4)), "avg_sp": torch.full((n,), 9e4).double(),
            "avg_u": t * 0.0 + 3.0}  # fmt: skip


def test_height_changes_temperature_pressure_and_humidity():
    """Lapse rate, hydrostatic pressure to a metre, and constant relative humidity; other fields stay."""
    rise = torch.tensor([0.0, 100.0, -500.0, 1500.0], dtype=torch.float64)
    fields = air()
    found = at_height(fields, rise, 0.0065)
    torch.testing.assert_close(found["t"], fields["t"] - 0.0065 * rise)
    middle = (found["avg_t"] + fields["avg_t"]) / 2.0
    expected = 9e4 * torch.exp(-9.80665 * rise / (287.05 * middle))
    torch.testing.assert_close(found["avg_sp"], expected, rtol=1e-4, atol=0.0)
    for q, t in (("q", "t"), ("avg_q", "avg_t")):
        humidity = [f[q] / saturation_humidity(f[t], f["avg_sp"]) for f in (fields, found)]
        torch.testing.assert_close(*humidity)
    assert found["avg_u"] is fields["avg_u"]
    for name, values in fields.items():
        assert found[name][0] == values[0]
    still = at_height(fields, rise, 0.0)
    torch.testing.assert_close(still["avg_sp"], 9e4 * torch.exp(-9.80665 * rise / (287.05 * fields["avg_t"])))


def test_saturation_humidity_is_that_of_the_numpy_formula():
    t = np.linspace(240.0, 310.0, 8)
    expected = specific_humidity(saturation_pressure(t), np.full(8, 9e4))
    found = saturation_humidity(torch.from_numpy(t), torch.full((8,), 9e4, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


def test_a_correction_needs_its_partners():
    """Humidity without pressure or temperature from the atmosphere is refused."""
    with pytest.raises(ValueError, match=r"needs \['avg_sp', 't'\] from the atmosphere"):
        check_corrected(["q", "avg_u"])
    check_corrected(["t", "avg_t", "q", "avg_q", "avg_sp"])


def test_weights_are_kept_and_used_again(tmp_path, caplog):
    """The file gives the same exchange bitwise, for the same points and options only."""
    options = GridOptions.read({"weights": tmp_path / "w.npz", "land": {"cells": REGULAR}, "lapse_rate": None})
    land, atmosphere = places(REGULAR), places("O32")
    with caplog.at_level("INFO"):
        made = open_grids(options, land, atmosphere, None)
    assert "O32" not in caplog.text  # the grid is guessed
    again = open_grids(options, land, (atmosphere[0], atmosphere[1] - 360.0), None)
    field = noise(atmosphere[0].size)
    for amount in (False, True):
        assert made.exchange().read(field, amount=amount).equal(again.exchange().read(field, amount=amount))
    with pytest.raises(ValueError, match="belong to another grid of the atmosphere: 5248 points, while this run has 6"):
        open_grids(options, land, places("N32"), None)
    with pytest.raises(ValueError, match="belong to another grid of the land"):
        open_grids(options, (land[0], land[1] + 1.0), atmosphere, None)
    other = GridOptions.read({"weights": tmp_path / "w.npz", "lapse_rate": None, "states": {"nearest": 3}})
    with pytest.raises(ValueError, match=r"were made with .* Remove it"):
        open_grids(other, land, atmosphere, None)


def test_damaged_weights_are_refused(tmp_path):
    """A file that changed after it was written, or without its checksum, is not read."""
    path = tmp_path / "w.npz"
    grids = make(side(REGULAR), side(OCTAHEDRAL))
    save(path, grids, places(REGULAR), places(OCTAHEDRAL), "x")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load(path, places(REGULAR), places(OCTAHEDRAL), "x")


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"states": "cubic"}, ValueError, "Give bilinear or"),
        ({"states": {"nearest": 0}}, ValueError, "N of at least 1"),
        ({"land": {"cell": "O96"}}, TypeError, r"`points.land` has no option 'cell'. Nearest: \['cells'\]"),
        ({"land": "O96"}, TypeError, "Give a mapping"),
        ({"atmosphere": {"cells": "O"}}, ValueError, "`grid` is 'O'"),
        ({"lapse": 1.0}, TypeError, r"Nearest: \['lapse_rate'\]"),
        ({"weights": "w.nc"}, ValueError, "ends in .npz"),
    ],
)
def test_wrong_options(config, error, message):
    """Options are checked before any work."""
    with pytest.raises(error, match=message):
        GridOptions.read({"weights": "w.npz", **config})


def test_what_cannot_be_made_is_refused(tmp_path):
    """A correction without orography, points off the named grid, bilinear without rows, land out of reach."""
    options = GridOptions.read({"weights": tmp_path / "w.npz"})
    with pytest.raises(ValueError, match="needs the orography of the atmosphere"):
        open_grids(options, places(REGULAR), places(OCTAHEDRAL), np.zeros(rows_of(REGULAR).size))
    with pytest.raises(ValueError, match="needs the orography of the land"):
        open_grids(options, places(REGULAR), places(OCTAHEDRAL), None)
    assert not Path(tmp_path / "w.npz").exists()
    with pytest.raises(ValueError, match="points are not on the grid O9"):
        make(side(REGULAR), Side(places(OCTAHEDRAL), "O9"))
    with pytest.raises(ValueError, match="the atmosphere is on no known grid"):
        make(side(REGULAR), Side(places(OCTAHEDRAL), "unstructured"), states="bilinear")
    with pytest.raises(ValueError, match="are outside the points of the atmosphere"):
        make(side(REGULAR), side(OCTAHEDRAL, keep=np.arange(200)))

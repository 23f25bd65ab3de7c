# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""4D-Var against closed forms and the extended Kalman filter, limits of an analysis, snow from depth, placing."""

from datetime import datetime

import numpy as np
import pytest
import torch

from anemoi_ailand.assimilation.cycle import correlated
from anemoi_ailand.assimilation.extended_kalman_filter import extended_kalman_analysis
from anemoi_ailand.assimilation.placed_observations import Status, WindowObservations, place_observations
from anemoi_ailand.assimilation.snow_depth import ADDED, snow_depth, snow_depth_analysis
from anemoi_ailand.assimilation.soil_limits import limited_analysis
from anemoi_ailand.assimilation.variational import variational_analysis
from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.data.observations.rows import make_rows
from anemoi_ailand.physics.snow_pack import snow_cover


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear_problem():
    """Jacobian, covariance, variances, background and observations of points that differ, with gaps."""
    h, root = noise(7, 2, 3, seed=1), noise(7, 3, 3, seed=2)
    y = noise(7, 2, seed=3)
    y[1, 0] = y[2] = torch.nan
    b = root @ root.mT + 0.1 * torch.eye(3, dtype=torch.float64)
    return h, b, torch.tensor([0.5, 2.0], dtype=torch.float64), noise(7, 3, seed=4), y


def test_4dvar_is_exact_on_linear_problems():
    """Any number of iterations gives the analysis, its covariance and signal of the Kalman filter."""
    h, b, r, x, y = linear_problem()
    observe = lambda x: (h @ x[..., None])[..., 0]  # noqa: E731
    expected = extended_kalman_analysis(y - observe(x), h, b, r)
    for n in (1, 3):
        made = variational_analysis(observe, lambda _: h, x, y, b, r, iterations=n)
        for name in ("increments", "covariance", "signal"):
            torch.testing.assert_close(getattr(made, name), getattr(expected, name), rtol=1e-9, atol=1e-11)


def test_4dvar_finds_the_minimum_of_a_nonlinear_problem():
    """The gradient of the cost vanishes; a single iteration, the extended filter, does not get there."""
    b, r, background, y = 0.5, 0.2, noise(50, 1, seed=1) + 2.0, noise(50, 1, seed=2) + 6.0
    observe, jacobian = torch.square, lambda x: 2.0 * x[:, None]
    grads = []
    for n in (1, 15):
        given = torch.tensor([[b]], dtype=torch.float64), torch.tensor([r], dtype=torch.float64)
        made = variational_analysis(observe, jacobian, background, y, *given, iterations=n)
        x = background + made.increments
        grads.append(((x - background) / b - 2.0 * x * (y - x**2) / r).abs().median())
    assert grads[1] < 1e-6 < grads[0]


def test_soil_stays_within_its_limits():
    """Wilting point, porosity, frozen layers, snow, largest change and freezing; zero increments keep their bits."""
    names = ["swvl1", "swvl2", "stl1"]
    warm, soil = torch.full((7, 4), 290.0), torch.tensor([[0.1, 0.4]]).expand(7, 2)
    before = torch.tensor([[0.2, 0.05, 290.0]]).repeat(7, 1)
    after = before.clone()
    after[0] = torch.tensor([0.05, 0.02, 280.0])  # too dry: wilting point; drier than that: as before
    after[1] = torch.tensor([0.9, 0.3, 299.0])
    after[2:5] += 0.01
    warm[2, 1] = 274.0  # second layer frozen
    before[5], warm[5], after[5] = torch.tensor([0.2, 0.2, 275.0]), 275.0, torch.tensor([0.2, 0.2, 270.0])
    sd = torch.zeros(7)
    sd[3] = 5.0
    made = limited_analysis(names, before, after, warm, sd, soil)
    expected = torch.stack([
        torch.tensor([0.1, 0.05, 285.0]), torch.tensor([0.4, 0.3, 295.0]), torch.tensor([0.21, 0.05, 290.01]),
        before[3], after[4], torch.tensor([0.2, 0.2, 274.16]), before[6],
    ])  # fmt: skip
    torch.testing.assert_close(made, expected)
    assert torch.equal(made[3], before[3]) and torch.equal(made[6], before[6])


def snow(n=7):
    """Snow of 0.2 m, and none at the last three points."""
    bare = torch.arange(n) >= n - 3
    sd = torch.where(bare, 0.0, 50.0)
    rsn = torch.where(bare, 100.0, 250.0)
    return {"sd": sd, "rsn": rsn, "snowc": snow_cover(sd, rsn), "stl1": torch.full((n,), 272.0),
            "tsn": torch.where(bare, TRIPLE_POINT, 265.0), "asn": torch.where(bare, 0.85, 0.7),
            "slw": torch.where(bare, 0.0, 1.0)}  # fmt: skip


def test_snow_follows_its_depth():
    """More, less, none observed, none there, removal, creation, and creation over warm soil; all variables agree."""
    state = snow()
    state["stl1"][6] = 280.0
    observed = torch.tensor([0.4, 0.1, torch.nan, 0.0, 0.0, 0.3, 0.3])
    made, used = snow_depth_analysis(state, observed, torch.full((7,), 1e-12))
    assert used.tolist() == [True, True, False, True, True, True, False]
    after = {**state, **made}
    torch.testing.assert_close(snow_depth(after), torch.tensor([0.4, 0.1, 0.2, 0.0, 0.0, 0.3, 0.0]))
    torch.testing.assert_close(after["sd"], torch.tensor([50.0 + 0.2 * ADDED, 25.0, 50.0, 0.0, 0.0, 0.3 * ADDED, 0.0]))
    torch.testing.assert_close(after["slw"], torch.tensor([1.4, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(after["snowc"], snow_cover(after["sd"], after["rsn"]))
    torch.testing.assert_close(after["rsn"], torch.tensor([175.0, 250.0, 250.0, 100.0, 100.0, ADDED, 100.0]))
    torch.testing.assert_close(after["tsn"][[0, 3, 5]], torch.tensor([265.0, TRIPLE_POINT, 272.0]))
    torch.testing.assert_close(after["asn"][[0, 3, 5]], torch.tensor([0.7, 0.85, 0.85]))
    for name, values in state.items():
        if name in made:
            assert torch.equal(made[name][[2, 4, 6]], values[[2, 4, 6]]), name


def test_gain_of_a_depth_is_that_of_the_errors():
    """Half way for equal errors; glaciers stay."""
    state = snow()
    state["sd"][1] = 5000.0
    made, used = snow_depth_analysis(state, torch.full((7,), 0.3), torch.full((7,), 0.09**2), relative=0.3)
    assert snow_depth({**state, **made})[0].item() == pytest.approx(0.25)
    assert made["sd"][1] == 5000.0 and not used[1]


START, END = datetime(2022, 6, 1), datetime(2022, 6, 2)
PLACES = np.array([50.0, 10.0]), np.array([8.0, 100.0])


def placed(passive=(), vegetation=None):
    """Observations of all fates at two points."""
    times = np.array(["2022-06-01T06:10", "2022-06-01T06:20", "2022-06-01T09:00", "2022-06-03T00", "2022-06-01T12",
                      "2022-06-01T12", "2022-06-01T12"], "datetime64[s]")  # fmt: skip
    names = np.array(["2t", "2t", "2t", "2t", "2t", "swvl1", "2t"])
    lat = np.array([50.1, 50.0, 50.0, 50.0, 60.0, 10.0, 10.0])
    lon = np.array([8.0, 8.0, 8.0, 8.0, 8.0, 100.1, 460.0 - 360.0])
    heights = np.array([200.0, np.nan, np.nan, np.nan, np.nan, np.nan, 900.0])
    values = np.where(names == "2t", 290.0, 0.2)
    rows = make_rows("obs.csv", names, times, lat, lon, values, np.where(names == "2t", 1.0, 0.04), heights)
    heights = np.array([100.0, 0.0])
    return place_observations(rows, PLACES, heights, (START, END), 25.0, passive, {"2t": 2.0}, vegetation)


def test_observations_find_point_and_stamp():
    """With the reason where they do not; heights are corrected, and errors have those of the equivalents."""
    found = placed()
    assert found.status.tolist() == [
        Status.USED, Status.USED, Status.TIME, Status.PERIOD, Status.PLACE, Status.USED, Status.HEIGHT
    ]  # fmt: skip
    assert found.points.tolist() == [0, 0, -1, -1, -1, 1, 1]
    np.testing.assert_allclose(found.values[:2], [290.65, 290.0])
    np.testing.assert_allclose(found.variances[[0, 5]], [5.0, 0.0016])
    assert placed(["2t"]).status.tolist()[:2] == [Status.PASSIVE] * 2


def test_soil_water_of_deserts_is_refused():
    """Other observations there are used, and soil water elsewhere."""
    for cover, status in ((0.02, Status.DESERT), (0.3, Status.USED)):
        found = placed(vegetation=np.array([0.01, cover])).status.tolist()
        assert (found[5], found[0]) == (status, Status.USED)


def test_observations_of_a_window_as_array():
    """Two at the same point and stamp have a column each; passive and refused ones are not in the array."""
    window = WindowObservations(placed().between(START, END), START)
    assert (window.points.tolist(), window.names, window.steps) == ([0, 1], ["2t", "swvl1"], [1, 2])
    assert window.columns.tolist() == [0, 0, 2, 3]
    np.testing.assert_allclose(window.observed[0], [290.65, 290.0, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(window.observed[1], [np.nan, np.nan, np.nan, 0.2], rtol=1e-6)
    columns = torch.arange(8.0).reshape(2, 4)
    assert window.at_rows(columns).tolist() == [0.0, 1.0, 7.0, 6.0]
    assert WindowObservations(placed(["swvl1"]).between(START, END), START).observed[1].isnan().all()


def test_covariance_of_layers():
    made = correlated(["swvl1", "swvl3", "stl1"], np.array([2.0, 1.0, 3.0]), 0.5)
    np.testing.assert_allclose(made, [[4.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 9.0]])

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin of fine-tuning: closed fluxes, networks that run together, changed inputs, and the tables of the page."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tools.results import fine_tuning
from tools.results.tuning_twin import BOWEN, NATURE, SideBySide, closed
from tools.results.tuning_twin_parameters import changes

SITES = 40


def test_closing_keeps_the_bowen_ratio_and_removes_the_gain():
    """Two towers that miss 15 and 30 % are closed to a few per cent; both fluxes have one factor in a month."""
    random = np.random.default_rng(0)
    truth = {n: -random.uniform(40.0, 200.0, (240, 2)) for n in ("slhf", "sshf")}
    seen = {n: v * [0.85, 0.7] for n, v in truth.items()}
    month = np.repeat([0, 1], 120)
    found = closed(seen, truth, month, seed=1)
    factors = {n: found[n] / seen[n] for n in seen}
    np.testing.assert_allclose(factors["slhf"], factors["sshf"])
    assert all(np.ptp(factors["slhf"][month == k], axis=0).max() < 1e-9 for k in (0, 1))
    np.testing.assert_allclose(found["slhf"].mean(0) / truth["slhf"].mean(0), 1.0, atol=0.12)
    assert abs(found["slhf"].mean(0) / truth["slhf"].mean(0) - 1.0).max() < 0.15


def test_networks_side_by_side_are_the_single_ones():
    """Each has its own part of the rows."""
    torch.manual_seed(0)

    class Pair(torch.nn.Linear):
        def forward(self, z):
            return super().forward(z), 2.0 * z

    networks = [Pair(3, 2), Pair(3, 2)]
    z = torch.randn(8, 3)
    first, second = SideBySide(networks)(z)
    torch.testing.assert_close(first, torch.cat([networks[0](z[:4])[0], networks[1](z[4:])[0]]))
    torch.testing.assert_close(second, 2.0 * z)


def test_changes_are_those_of_probable_hypotheses_in_their_class():
    """Amplitudes count by probability; sites outside the class keep their inputs."""
    fields = {"tvl": np.repeat([2.0, 1.0], 6), "tvh": np.zeros(12), "cvl": np.ones(12), "cvh": np.zeros(12),
              "slt": np.ones(12)}  # fmt: skip
    found = [{"surface": "short grass", "parameter": "rsmin_lv", "amplitude": -2.0, "probability": 0.5}]
    factor, offset = changes(found, fields)["veg_rsmin_lv"]
    np.testing.assert_allclose(factor, np.repeat([1.5**-1.0, 1.0], 6))
    assert not offset.any()


def test_recovered_share_and_nothing_to_recover():
    """Half of what the floor gains, with an interval around it; a floor that gains nothing has no share."""
    base = np.random.default_rng(1).uniform(5.0, 9.0, SITES)
    share, low, high = (float(x) for x in fine_tuning.recovery(base, base - 0.5, base - 1.0).replace("(", "")
                        .replace(")", "").replace("to", "").split())  # fmt: skip
    assert (share, low, high) == pytest.approx((0.5, 0.5, 0.5))
    assert fine_tuning.recovery(base, base - 0.5, base + 0.1) == "-"


def test_table_averages_seeds_and_names_each_row():
    """Errors by site of two seeds, their range, and the floor without a share."""

    def row(preset, kind, seed, size):
        values = {n: [size] * SITES for n in ("slhf", "sshf", "fraction", "swvl1", "swvl2")}
        return {"preset": preset, "kind": kind, "seed": seed, "found": [True] * 10 + [False] * 30} | values

    rows = [row("base", "", 0, 8.0), row("S5", BOWEN, 1, 7.0), row("S5", BOWEN, 2, 7.5), row("S5", NATURE, 0, 6.0)]
    lines = fine_tuning.scores_table(rows).splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]
    assert [c[0] for c in cells] == ["base", "S5, bowen", "S5, nature"]
    assert cells[1][1] == "7.25 (7.00-7.50)" and cells[1][6].startswith("0.38 (")
    assert cells[2][6] == "" and cells[0][3] == "8.00"


def test_errors_of_the_daily_fraction_need_energy():
    """Days below 50 W m-2 have none; a run of equal shares has no error whatever its size."""
    truth = {"slhf": np.full((8, 2), -60.0), "sshf": np.full((8, 2), -40.0), "swvl1": np.zeros((8, 2))}
    truth["slhf"][:4, 1] = truth["sshf"][:4, 1] = -10.0
    run = {n: 1.2 * v for n, v in truth.items()}
    found = fine_tuning.errors(run, truth)
    assert found["fraction"] == [0.0, 0.0] and found["slhf"][0] == pytest.approx(12.0)

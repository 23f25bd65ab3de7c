# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Members are folded into points, one after the other, and each is the same in every run."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from tests.support import stepper as case

DATE, N = datetime(2022, 1, 1), 9
NAMES = ["swvl1", "stl1", "sd"]
FORCING = ["t", "q", "avg_tprate"]
FORCING_SPREAD = {"precipitation": 0.5, "temperature": 2.0}


def ensemble(points=slice(None), **options):
    lat, lon = case.places(N)
    return Ensemble(EnsembleOptions(**options) if options else SINGLE, lat[points], lon[points])


def fields():
    rng = np.random.default_rng(1)
    found = {"swvl1": rng.uniform(0.1, 0.4, N), "stl1": rng.uniform(260, 300, N), "sd": rng.uniform(0, 9, N)}
    return {n: v.astype("f4") for n, v in found.items()} | {"theta_sat": np.full(N, 0.45, dtype="f4")}


def forcing(k=0):
    rng = np.random.default_rng(k)
    return np.stack([rng.uniform(260, 300, N), rng.uniform(0, 0.01, N), rng.uniform(0, 1e-4, N)]).astype("f4")


def by_member(values, members):
    return values.reshape(len(values), members, -1)


def test_one_unperturbed_member_is_the_run():
    """A single unperturbed member is the run itself."""
    one = ensemble()
    np.testing.assert_array_equal(one.states(fields(), NAMES, DATE), [fields()[n] for n in NAMES])
    np.testing.assert_array_equal(one.at_start(forcing()[:2], FORCING[:2]), forcing()[:2])
    np.testing.assert_array_equal(one.forcing(forcing(), FORCING), forcing())
    np.testing.assert_array_equal(one.places(), case.places(N))
    assert len(one) == 1
    assert one.progress() == {}


def test_rows_are_members_one_after_the_other():
    """States, forcing, static fields and places have the same order."""
    some = ensemble(members=3, initial={}, forcing=FORCING_SPREAD)
    states, air = some.states(fields(), NAMES, DATE), some.forcing(forcing(), FORCING)
    assert states.shape == air.shape == (3, 3 * N)
    np.testing.assert_array_equal(states[:, :N], [fields()[n] for n in NAMES])  # the control
    np.testing.assert_array_equal(air[:, :N], forcing())
    assert np.abs(states[1].reshape(3, N) - fields()["stl1"]).mean(axis=1)[1:].min() > 0.1
    np.testing.assert_array_equal(by_member(some.static(forcing()), 3), np.repeat(forcing()[:, None], 3, axis=1))
    np.testing.assert_array_equal(some.places(), np.tile(case.places(N), 3))


def test_unperturbed_variables_are_repeated():
    """State or forcing that is not perturbed is the same for all members."""
    state, air = ensemble(members=2, initial={}), ensemble(members=2, forcing={})
    np.testing.assert_array_equal(by_member(state.forcing(forcing(), FORCING), 2)[:, 1], forcing())
    assert not np.array_equal(by_member(air.forcing(forcing(), FORCING), 2)[:, 1], forcing())
    np.testing.assert_array_equal(by_member(air.states(fields(), NAMES, DATE), 2)[0, 1], fields()["swvl1"])


@pytest.mark.parametrize(("first", "members"), [(0, 1), (0, 25), (25, 25), (49, 1)])
def test_member_is_the_same_in_any_run(first, members):
    """State and forcing of a member are bitwise independent of the other members."""
    options = {"initial": {"sd": 0.5}, "forcing": FORCING_SPREAD, "seed": 3}
    whole, part = ensemble(members=50, **options), ensemble(members=members, first=first, **options)
    chosen = slice(first, first + members)
    assert part.members == range(first, first + members)
    np.testing.assert_array_equal(
        by_member(part.states(fields(), NAMES, DATE), members),
        by_member(whole.states(fields(), NAMES, DATE), 50)[:, chosen],
    )
    for k in range(3):
        np.testing.assert_array_equal(
            by_member(part.forcing(forcing(k), FORCING), members),
            by_member(whole.forcing(forcing(k), FORCING), 50)[:, chosen],
        )


def test_restored_is_never_stopped():
    """The arrays of a restart suffice to continue."""
    options = {"members": 3, "forcing": FORCING_SPREAD}
    whole, other = ensemble(**options), ensemble(**options)
    for k in range(3):
        whole.forcing(forcing(k), FORCING)
    other.restore(whole.progress(), 3)
    for k in range(3, 6):
        np.testing.assert_array_equal(other.forcing(forcing(k), FORCING), whole.forcing(forcing(k), FORCING))


def test_state_and_forcing_have_no_numbers_in_common():
    """Perturbations of air and soil temperature are independent."""
    options = {"members": 800, "control": False}
    state = ensemble(initial={"stl": 1.0}, **options).states(fields(), NAMES, DATE)[1]
    air = ensemble(forcing={"temperature": 1.0}, **options).at_start(forcing(), FORCING)[0]
    changes = state.reshape(800, N) - fields()["stl1"], air.reshape(800, N) - forcing()[0]
    assert abs(np.corrcoef(*(c[:, 0] for c in changes))[0, 1]) < 4.0 / np.sqrt(800)


def test_networks_follow_the_number_of_the_member():
    """The number of a member, not its position, gives its network."""
    options = {"initial": {}, "checkpoints": ("b", "c")}
    np.testing.assert_array_equal(ensemble(members=4, **options).network_of(3), [0, 1, 2, 0])
    np.testing.assert_array_equal(ensemble(members=2, first=2, **options).network_of(3), [2, 0])

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Hourly and random rain within the step: the same network, totals kept, draws that depend on nothing else."""

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from anemoi_ailand.physics import rain
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.ensembles.random_rain import NEEDED
from anemoi_ailand.rollout.reforecast.point_run import PointRun
from anemoi_ailand.rollout.reforecast.sweep import sweep
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step import physical_step
from anemoi_ailand.rollout.step.checkpoint import load_step, with_precipitation
from anemoi_ailand.rollout.step.fused_step import NetworkPart, StatePart
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.variables import HOURLY_RAIN
from tests.support import loop
from tests.support import stepper as case
from tests.support.land import CLOSED, FORMER, OPEN

N, STEP_SECONDS = 64, 6 * 3600.0
DATES = [case.DATE + (k + 1) * timedelta(hours=6) for k in range(4)]


def network():
    """A step with a concentration of rain that is that of the formula alone."""
    step = CLOSED.land_step()
    with torch.no_grad():
        step.model.model.network.prognostic_head.weight[11].zero_()
        step.model.model.network.prognostic_head.bias[11].zero_()
    return step


@pytest.fixture(scope="module")
def steppers():
    return {
        kind: LandStepper(with_precipitation(network(), kind), threads=1, plausibility="off")
        for kind in ("mean", "hourly", "random")
    }


def weather(seed=10):
    """Forcing of a step with rain everywhere."""
    found = case.fields(N, seed=seed)
    rng = np.random.default_rng(seed)
    return found | {"avg_tprate": 2e-4 * rng.uniform(0.2, 2.0, N), "avg_tsrwe": np.zeros(N)}


def by_formula(forcing):
    """Hourly rates that are those of the formula."""
    rate, air = (torch.from_numpy(forcing[n]) for n in ("avg_tprate", "avg_t"))
    half_hours = torch.stack(rain.peaked(rate * STEP_SECONDS, rain.concentration_logit(rate * STEP_SECONDS, air)))
    hours = half_hours.unflatten(0, (6, 2)).sum(1) / 3600.0
    return dict(zip(HOURLY_RAIN, hours.numpy(), strict=True))


def gathered(forcing, hour=3):
    """Hourly rates of rain that falls in one hour."""
    return {n: (k == hour) * 6.0 * forcing["avg_tprate"] for k, n in enumerate(HOURLY_RAIN)}


def water(state):
    """Water in the soil [kg m-2]."""
    return sum(1000.0 * d * state[f"swvl{k + 1}"].double() for k, d in enumerate((0.07, 0.21, 0.72, 1.89)))


def test_rain_of_the_formula_by_the_hour_is_the_mean(steppers, monkeypatch):
    """The same network gives the same results; rain in one hour runs off more, and is not lost."""
    monkeypatch.setattr(rain, "_PEAK", (6, 7))  # the hour of the peak is one of the six, not between two of them
    fields = case.smooth_fields(N)
    forcing = fields | {"avg_tprate": np.linspace(1e-4, 1e-3, N)}
    mean, hourly = steppers["mean"], steppers["hourly"]
    start = case.start(hourly, N, given=fields)
    expected = mean.step(case.start(mean, N, given=fields), forcing)
    found = hourly.step(start, forcing | by_formula(forcing))
    for name in expected.names:
        torch.testing.assert_close(found[name], expected[name], rtol=2e-5, atol=2e-6, msg=name)
    other = hourly.step(start, forcing | gathered(forcing))
    steady = hourly.step(start, forcing | dict.fromkeys(HOURLY_RAIN, forcing["avg_tprate"]))
    assert (other["sro"] > steady["sro"]).double().mean() > 0.8
    totals = [
        water(state) + STEP_SECONDS * sum(state[n].double() for n in ("sro", "ssro", "evap"))
        for state in (expected, other)
    ]
    torch.testing.assert_close(totals[1], totals[0], rtol=0.0, atol=2e-3)


def test_shares_of_the_hours():
    """They add up to one, and are equal in a dry step and for negative noise."""
    rates = torch.tensor([[0.0, 1e-4, 3e-4, 0.0, 0.0, 0.0], [0.0] * 6, [-1e-12] * 6, [0.0, 1e-30, 0.0, 0.0, 0.0, 0.0]])
    shares = rain.hourly_shares(rates.unbind(-1))
    torch.testing.assert_close(shares.sum(-1), torch.ones(4))
    torch.testing.assert_close(shares[0], torch.tensor([0.0, 0.25, 0.75, 0.0, 0.0, 0.0]))
    assert (shares[1:3] == 1.0 / 6.0).all()


def test_all_forms_of_the_step_read_the_hours(steppers):
    """Steps one by one, several at once, the fused form and the checkpoint itself agree."""
    stepper = steppers["hourly"]
    forcings = [f | gathered(f, k) for k, f in enumerate(map(weather, (10, 11, 12)))]
    state = case.start(stepper, N)
    outputs, last = stepper.steps(
        state, {n: np.stack([f[n] for f in forcings]) for n in stepper.forcing_names if n in forcings[0]}, 3
    )
    start, end = state.columns, stepper.forcing_columns(state, forcings[0])
    step = stepper._loaded
    assert torch.equal(step.of_slots(start, end), outputs[0])
    assert torch.equal(physical_step.PhysicalStep(step)(start, end), outputs[0])
    slots = start.t().contiguous(), end.t().contiguous()
    fused = StatePart(step)(*slots, NetworkPart(step, torch.float32)(*slots)).t()
    torch.testing.assert_close(fused, outputs[0], rtol=1e-3, atol=1e-4)
    for forcing in forcings:
        state = stepper.step(state, forcing)
    assert torch.equal(state.columns, last.columns)


def test_derivatives_know_the_hours(steppers):
    """The derivative with respect to the rain of an hour is that of a difference."""
    stepper = LandStepper(with_precipitation(network(), "hourly"), "float64", threads=1, plausibility="off")
    fields = case.smooth_fields(N) | {"avg_tprate": np.full(N, 3e-4)}
    forcing = fields | {n: np.full(N, 3e-4) for n in HOURLY_RAIN}
    state, name, change = case.start(stepper, N, given=fields), HOURLY_RAIN[2], 1e-7
    found = stepper.jacobian(state, forcing, to=["sro"], of=[name]).values[:, 0, 0]
    sides = [stepper.step(state, forcing | {name: forcing[name] + s * change})["sro"].numpy() for s in (1, -1)]
    assert np.abs(found).max() > 0.0
    np.testing.assert_allclose(found, (sides[0] - sides[1]) / (2 * change), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [({HOURLY_RAIN[0]: 1.03}, r"mean of `tprate_h1` to `tprate_h6` is not `avg_tprate` at 64 of 64 values"),
     ({HOURLY_RAIN[4]: np.nan}, "'tprate_h5' .* is missing or infinite"),
     ({HOURLY_RAIN[5]: None}, r"also needs \['tprate_h6'\]")],
)  # fmt: skip
def test_wrong_hours_are_refused(steppers, change, message):
    """Rates of another sum, missing values and missing hours; rounding within 1 % passes."""
    stepper, forcing = steppers["hourly"], weather()
    forcing |= dict.fromkeys(HOURLY_RAIN, 1.005 * forcing["avg_tprate"])
    stepper.step(case.start(stepper, N), forcing)
    ((name, factor),) = change.items()
    other = {k: v for k, v in forcing.items() if k != name or factor is not None}
    if factor is not None:
        other[name] = forcing[name] * factor + (0.0 if np.isnan(factor) else 1e-4)
    with pytest.raises(ValueError, match=message):
        stepper.step(case.start(stepper, N), other)


def test_former_networks_and_open_steps_are_refused():
    """The error says which checkpoint, and what to set instead."""
    with pytest.raises(ValueError, match=r"ailand-small.* former closed step.* Set `precipitation: mean`"):
        with_precipitation(load_step(FORMER), "hourly")
    with pytest.raises(ValueError, match="no closed step"):
        with_precipitation(OPEN.land_step(), "random")
    with pytest.raises(ValueError, match="Give one of mean, hourly, random"):
        with_precipitation(CLOSED.land_step(), "daily")


def drawn(chosen, dates=DATES, seed=1, first=0, members=1):
    """Rates (hour, step, member, point) of some of many points."""
    n, rng = 400, np.random.default_rng(0)
    rates = np.where(rng.random((4, n)) < 0.5, 0.0, rng.gamma(0.5, 2e-4, (4, n)))
    values = np.stack([rates, np.zeros((4, n)), rng.uniform(270.0, 300.0, (4, n))]).astype("f4")
    values = values[:, [DATES.index(d) for d in dates]][:, :, chosen]
    some = Ensemble(
        EnsembleOptions(members=members, first=first, seed=seed), *(p[chosen] for p in case.places(n)), "random"
    )
    out = some.forcings(values, NEEDED, dates)[len(NEEDED) :]
    np.testing.assert_allclose(out.mean(0), np.tile(values[0], members), rtol=1e-5)
    return out.reshape(6, len(dates), members, -1)


def test_draws_depend_on_seed_member_date_and_place_only():
    """Bitwise the same for other points, orders, members and steps in a call; different for another seed or date."""
    everywhere = np.arange(400)
    whole = drawn(everywhere, members=3)
    for chosen in (everywhere[::-1], everywhere[7:8], everywhere[::3], everywhere[5:22]):
        np.testing.assert_array_equal(drawn(chosen, members=3), whole[..., chosen])
    np.testing.assert_array_equal(drawn(everywhere, DATES[2:3], first=2)[:, :, 0], whole[:, 2:3, 2])
    shares = whole / whole.sum(0).clip(1e-12)
    assert 0.3 < (shares.max(0)[whole.sum(0) > 0]).mean() < 0.9
    for other in (drawn(everywhere, seed=2), whole[:, :, 1:2]):
        assert not np.array_equal(other, whole[:, :, :1])


def test_random_run_is_member_zero_and_resumes():
    """A single run is the first member of an ensemble, in the loop and in a stepper, also from its middle."""
    step = with_precipitation(network(), "random")
    names = loop.forcing_names(CLOSED.land_step())
    values = np.stack(loop.forcings(CLOSED.land_step(), 4), axis=1)
    values[names.index("avg_tprate")] = 3e-4

    def roll(members):
        ensemble = Ensemble(EnsembleOptions(members=members), *case.places(loop.N), "random")
        start = loop.inputs(CLOSED.land_step(), 0)
        return Rollout([BlockStep(step, 1)], ensemble, start, names, case.DATE, case.places(loop.N))

    several, single, resumed = roll(3), roll(1), roll(1)
    expected = single.steps(values)
    out = several.steps(values)
    assert torch.equal(out[:, : loop.N], expected)
    assert not torch.equal(out[:, loop.N : 2 * loop.N], expected)
    first = roll(1)
    first.steps(values[:, :2])
    resumed.restore(first.progress(), first.date, first.number)
    assert torch.equal(resumed.steps(values[:, 2:]), expected[2:])
    stepper = LandStepper(step, threads=1, plausibility="off")
    assert not set(HOURLY_RAIN) & set(stepper.needs["forcing"])
    start = dict(zip(CLOSED.land_step().inputs, loop.inputs(CLOSED.land_step(), 0), strict=True))
    state = stepper.initial(start, case.DATE, *case.places(loop.N))
    for k in range(4):
        state = stepper.step(state, dict(zip(names, values[:, k], strict=True)))
    for name in state.names:
        assert torch.equal(state[name], expected[3][:, stepper.outputs.index(name)]), name


class Data:
    """Inputs of a small model at some dates and points, as a reader and as a dataset has them."""

    def __init__(self, read):
        self.variables, self.names, self.name = read, read, "data"
        self.latitudes, self.longitudes = self.places = case.places(loop.N)
        self.stored = self

    def values(self, k):
        """Fields by name, with heavy rain in three hours."""
        found = dict(zip(CLOSED.land_step().inputs, loop.inputs(CLOSED.land_step(), k), strict=True))
        found |= {"avg_tprate": np.full(loop.N, 3e-4, "f4")}
        return found | {n: np.full(loop.N, 6e-4 * (i < 3), "f4") for i, n in enumerate(HOURLY_RAIN)}

    def read(self, names, dates):
        fields = [self.values((date - case.DATE) // timedelta(hours=6)) for date in dates]
        return np.array([[one[n] for one in fields] for n in names]).reshape(len(names), len(dates), loop.N)

    def at(self, k):
        return np.stack([self.values(k)[n] for n in self.names], axis=-1)

    def check(self, values, _date, needed):
        assert np.isfinite(values[:, [self.names.index(n) for n in needed]]).all()

    def date(self, k):
        return case.DATE + k * timedelta(hours=6)


@pytest.mark.parametrize("kind", ["hourly", "random"])
def test_sites_and_reforecasts_take_the_same_rain(steppers, kind):
    """Steps with a reader, and roll-outs of a dataset, are bitwise those of a stepper."""
    stepper = steppers[kind]
    step, read = stepper._loaded, tuple(n for n in stepper.inputs if n not in stepper._loaded.drawn)
    data = Data(read)
    state = stepper.initial(data.values(0), case.DATE, *data.places)
    expected = []
    for k in range(1, 4):
        forcing = {n: v for n, v in data.values(k).items() if n in stepper.forcing_names}
        state = stepper.step(state, forcing)
        expected.append(torch.stack([state[n] for n in stepper.outputs], -1).numpy())
    swept = [values[0].numpy() for _, _, values in sweep(BlockStep(step, 1), data, [0], 3)]
    np.testing.assert_array_equal(swept, expected)
    run = PointRun(step, data, [data.date(k) for k in range(4)])
    np.testing.assert_array_equal(run.run(run.state(data.values(0)), progress=False), expected)


def test_mean_of_many_draws_is_near_the_formula(steppers):
    """Surface runoff, which steady rain would halve."""
    fields = case.smooth_fields(N) | {f"swvl{k}": np.full(N, 0.33) for k in range(1, 5)}
    rng = np.random.default_rng(4)
    forcing = fields | {"avg_tprate": rng.gamma(0.7, 3e-4, N), "avg_t": rng.uniform(278.0, 293.0, N)}
    mean, random = steppers["mean"], steppers["random"]
    expected = mean.step(case.start(mean, N, given=fields), forcing)["sro"].mean()
    many = EnsembleOptions(members=40)
    ensemble = Ensemble(many, *case.places(N), "random")
    hours = ensemble.forcings(np.stack([forcing[n] for n in NEEDED])[:, None], NEEDED, DATES[:1])[3:, 0]
    rows = {k: np.tile(v, 40) for k, v in fields.items()}
    state = random.initial(rows, case.DATE, *ensemble.places())
    given = {k: np.tile(v, 40) for k, v in forcing.items()} | dict(zip(HOURLY_RAIN, hours, strict=True))
    found = random.step(state, given)["sro"].mean()
    assert 0.75 < found / expected < 1.25


def test_state_of_one_kind_continues_the_other(steppers, tmp_path):
    """A state saved with the mean serves hourly rain, and the other way round."""
    mean, hourly = steppers["mean"], steppers["hourly"]
    first = case.start(mean, N)
    mean.save(first, tmp_path / "mean.state")
    state = hourly.load(tmp_path / "mean.state")
    assert torch.equal(state.columns, case.start(hourly, N).columns)
    hourly.save(state, tmp_path / "hourly.state")
    assert torch.equal(mean.load(tmp_path / "hourly.state").columns, first.columns)


def test_members_that_differ_by_rain_only():
    """They are an ensemble only if rain within the step is random."""
    members = EnsembleOptions(members=2)
    members.check_members_differ("random")
    with pytest.raises(ValueError, match="all members would be the same"):
        members.check_members_differ("hourly")


def test_date_before_all_others_has_a_draw():
    """The number of a step counts from the year 1."""
    values = np.array([[[1e-4]], [[0.0]], [[280.0]]], "f4")
    some = Ensemble(EnsembleOptions(members=1), np.array([50.0]), np.array([10.0]), "random")
    assert some.forcings(values, NEEDED, [datetime(1940, 1, 1, 6)]).shape == (9, 1, 1)

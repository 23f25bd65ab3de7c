# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields exchanged with an atmosphere: units and times, and forcing of a land step from them."""

import numpy as np
import pytest
import torch

from anemoi_ailand.coupling.crossing import ForcingField, factor_between, read_feedback, read_forcing
from anemoi_ailand.coupling.step_forcing import StepForcing

UNITS = {"t": "K", "tp": None, "ssrd": "J m**-2", "2t": "K", "late": "W m-2", "sd": "m", "skt": "K", "swvl1": None,
         "avg_sp": "hPa"}  # fmt: skip
HELD = ("lai_lv", "t")


def taken(name, given, step=6.0):
    return read_forcing({name: given}, [name], UNITS, step, HELD).taken[0]


@pytest.mark.parametrize(
    ("given", "wanted", "factor"),
    [("K", "K", 1.0), ("W/m2", "W m-2", 1.0), ("m", "kg m-2", 1000.0), ("kg m-2", "m", 1e-3), ("mm", "kg m-2", 1.0),
     ("hPa", "Pa", 100.0), ("1", "%", 100.0), ("J m**-2", "J m-2", 1.0)],
)  # fmt: skip
def test_factors(given, wanted, factor):
    """Factors convert to the units of the table and back, whatever the spelling."""
    assert factor_between(given, wanted, "x") == pytest.approx(factor, rel=1e-15)


def test_the_same_name_is_taken_with_the_units_of_the_checkpoint():
    """A forcing that is not configured is taken from the field of its name, converted if its units differ."""
    assert read_forcing({}, ["t", "avg_sp"], UNITS, 6.0, HELD).taken == (
        ForcingField("t", "t", 1.0, 1.0, 0.0), ForcingField("avg_sp", "avg_sp", 100.0, 1.0, 6.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "step", "expected"),
    [
        ("avg_tprate", {"field": "tp", "accumulated": True, "units": "m"}, 6, ("tp", 1000.0, 21600.0, 6.0)),
        ("avg_tprate", {"field": "tp", "accumulated": True, "units": "mm"}, 3, ("tp", 1.0, 10800.0, 3.0)),
        ("avg_sdswrf", {"field": "ssrd", "accumulated": True}, 1, ("ssrd", 1.0, 3600.0, 1.0)),
        ("avg_sdswrf", {"field": "ssrd", "accumulated": True, "hours": 6}, 1, ("ssrd", 1.0, 21600.0, 6.0)),
        ("late_sdswrf", {"field": "late", "hours": 3}, 6, ("late", 1.0, 1.0, 3.0)),
        ("avg_t", {"field": "2t", "instants": True}, 6, ("2t", 1.0, 1.0, 6)),
    ],
)
def test_amounts_and_means(name, given, step, expected):
    """Factor, seconds and hours follow from units, step and the hours that a value covers."""
    found = taken(name, given, float(step))
    assert (found.field, found.factor, found.seconds, found.hours) == expected
    assert found.instants == ("instants" in given)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("avg_tprate", {"field": "tp", "accumulated": True}, "does not give the units of 'tp'. Set `units`"),
        ("avg_t", "2t", "is a mean over 6 h: specify how '2t' relates to time: `hours: 6` for a mean"),
        ("avg_tprate", {"field": "tp", "units": "m", "hours": 6}, "'tp' is in 'm', but 'kg m-2 s-1' is needed"),
        (
            "avg_sdswrf",
            {"field": "ssrd", "accumulated": True, "units": "W m-2"},
            "is in 'J m.*2' according to the atmosphere's",
        ),
        ("avg_sdswrf", {"field": "ssrd", "hours": 6}, "'ssrd' is in 'J m.*', but 'W m-2' is needed"),
        ("t", {"field": "2t", "accumulated": True}, r"'t' \[K\] is not a rate"),
        ("t", {"field": "2t", "instants": True}, "`instants`, which is for means"),
        ("avg_t", {"field": "no"}, "has no field 'no' in its output; it has"),
        ("avg_t", {"field": "2t", "hours": 4}, "4 h do not divide"),
        ("avg_t", {"field": "2t", "hours": 2}, r"covers 2 h, the atmosphere's step is 6 h. Give `hours`"),
        ("avg_t", {"held": True}, "`held` cannot be combined with other options and applies only to"),
        ("lai_lv", {"held": True, "field": "2t"}, "`held` cannot be combined"),
    ],
)
def test_invalid_option_is_refused(name, given, message):
    """Wrong configurations are refused with the reason and the repair."""
    with pytest.raises(ValueError, match=message):
        taken(name, given)


def test_unknown_names_and_options_are_refused():
    """An unknown option is refused with the nearest known one."""
    with pytest.raises(ValueError, match=r"`forcing` names \['tt'\], not among the inputs of the land"):
        read_forcing({"tt": "t"}, ["t"], UNITS, 6.0, HELD)
    with pytest.raises(TypeError, match=r"`forcing.t` has no option 'unit'. Nearest: .*'units'"):
        taken("t", {"unit": "K"})


def test_held_and_stored_forcing():
    """Held forcing and datasets are not taken from the atmosphere."""
    found = read_forcing(
        {"lai_lv": {"held": True}, "lai_hv": {"dataset": "x.zarr"}}, ["lai_lv", "lai_hv"], UNITS, 6.0, HELD
    )
    assert (found.taken, found.held, found.datasets) == ((), ("lai_lv",), {"lai_hv": "x.zarr"})


def test_albedo_is_held_unless_the_atmosphere_has_it():
    """One value suffices, and atmospheres rarely have the field; one that is configured or there is taken."""
    for units, held in (({}, ("al",)), ({"al": "1"}, ())):
        found = read_forcing({}, ["al"], units, 6.0, ("al",))
        assert (found.held, len(found.taken)) == (held, 1 - len(held))
    assert read_forcing({"al": {"dataset": "x.zarr"}}, ["al"], {}, 6.0, ("al",)).datasets == {"al": "x.zarr"}


def test_feedback_is_converted_to_the_units_of_the_field():
    """Feedback converts to units of the atmosphere, stated by checkpoint or configuration."""
    found = read_feedback({"sd": "sd", "swvl1": {"units": "%", "variable": "snowc"}}, ["sd", "snowc"], UNITS)
    assert [(f.field, f.name) for f in found] == [("sd", "sd"), ("swvl1", "snowc")]
    assert [f.factor for f in found] == pytest.approx([1e-3, 100.0])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"skt": "tsk"}, "is 'tsk', which is not an output of the land model; it predicts"),
        ({"no": "skt"}, "no field 'no'"),
        ({"swvl1": "swvl1"}, "does not give the units"),
        ({"skt": "swvl1"}, "no factor is known"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(config, message):
    """Wrong feedback is refused like wrong forcing."""
    with pytest.raises(ValueError, match=message):
        read_feedback(config, ["skt", "swvl1"], UNITS)


RAIN = ForcingField("avg_tprate", "tp", 1000.0, 3600.0, 1.0)
MEAN = ForcingField("avg_t", "mt", 1.0, 1.0, 1.0)
LATE = ForcingField("late_sdswrf", "ssr", 1.0, 1.0, 1.0)
ENDS = ForcingField("avg_q", "q", 1.0, 1.0, 1.0, instants=True)
INSTANT = ForcingField("t", "2t", 1.0, 1.0, 0.0)


def hourly(n=6):
    rng = np.random.default_rng(0)
    return {f: torch.from_numpy(rng.random((n, 4)).astype("f4")) for f in ("tp", "mt", "ssr", "q", "2t")}


def test_hourly_steps_become_means_over_the_step():
    """Amounts, means, late means, trapezoids of instants and instants agree with numpy."""
    x, start = hourly(), torch.full((4,), 0.5)
    forcing = StepForcing([RAIN, MEAN, LATE, ENDS, INSTANT], 1.0)
    forcing.start({"avg_q": start, "avg_t": start})
    for k in range(6):
        assert not forcing.complete
        forcing.add({f: v[k] for f, v in x.items()})
    assert forcing.complete
    found = {k: v.numpy() for k, v in forcing.take().items()}
    y = {f: v.double().numpy() for f, v in x.items()}
    ends = np.concatenate([np.full((1, 4), 0.5), y["q"]])
    expected = {
        "avg_tprate": y["tp"].sum(0) * 1000.0 / 21600.0,
        "avg_t": y["mt"].mean(0),
        "late_sdswrf": y["ssr"][3:].mean(0),
        "avg_q": 0.5 * (ends[1:] + ends[:-1]).mean(0),
        "t": y["2t"][-1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-7, err_msg=name)
        assert found[name].dtype == np.float32
    assert not forcing.complete


def test_second_step_is_independent_of_the_first():
    """After a step nothing is kept except the last instant."""
    x, forcing = hourly(12), StepForcing([MEAN, ENDS], 1.0)
    for k in range(12):
        forcing.add({f: v[k] for f, v in x.items()})
        if k == 5:
            forcing.take()
    found = forcing.take()
    np.testing.assert_allclose(found["avg_t"], x["mt"][6:].double().mean(0), rtol=1e-7)
    q = x["q"].double()
    np.testing.assert_allclose(found["avg_q"], 0.5 * (q[6:] + q[5:-1]).mean(0), rtol=1e-7)


@pytest.mark.parametrize("value", [0.1, 1e-8, 287.123])
def test_one_value_for_the_whole_step_is_unchanged(value):
    """A constant value is returned bitwise, at steps of 6 h and of 1 h."""
    x = torch.full((3,), value)
    for hours in (6.0, 1.0):
        forcing = StepForcing([ForcingField("avg_t", "mt", 1.0, 1.0, hours)], hours)
        while not forcing.complete:
            forcing.add({"mt": x})
        assert torch.equal(forcing.take()["avg_t"], x)


def test_a_field_that_covers_the_step_is_taken_at_its_end():
    """A field that covers the window is taken at the end of the step, whatever came before."""
    forcing = StepForcing([ForcingField("avg_t", "mt", 1.0, 1.0, 6.0)], 3.0)
    forcing.add({"mt": torch.zeros(2)})
    forcing.add({"mt": torch.ones(2)})
    assert torch.equal(forcing.take()["avg_t"], torch.ones(2))


def test_first_instant_replaces_a_missing_start():
    """Without an instant at the start, the first one replaces it."""
    forcing = StepForcing([ForcingField("avg_sp", "sp", 1.0, 1.0, 6.0, instants=True)], 6.0)
    forcing.add({"sp": torch.full((2,), 9e4)})
    assert torch.equal(forcing.take()["avg_sp"], torch.full((2,), 9e4))


@pytest.mark.parametrize("hours", [12.0, 4.0, 0.0])
def test_steps_that_do_not_divide_the_lands_are_refused(hours):
    """A step that does not divide 6 h is refused."""
    with pytest.raises(ValueError, match=f"The atmosphere makes steps of {hours:g} h"):
        StepForcing([MEAN], hours)

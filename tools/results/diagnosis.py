# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on diagnosis: twins with nothing or one parameter changed, and ecLand with one parameter changed, blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES
from anemoi_ailand.evaluation.diagnosis.diagnosis_text import said
from anemoi_ailand.evaluation.diagnosis.evidence import NOTHING, Hypothesis
from anemoi_ailand.evaluation.diagnosis.pseudo_towers import pseudo_towers
from anemoi_ailand.evaluation.diagnosis.site_means import local_phase
from anemoi_ailand.evaluation.display.text import records
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.support.sphere import nearest_points
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows.diagnose import Case, Emulation, responses_of, write
from tools.results.pages import Blocks, made_by, table
from tools.results.steps import Inputs, checksum_of, key_of, once_json

PART = "diagnosis"

NAMES = ("slhf", "sshf", "2t", "2d", "swvl1", "swvl2")

#: Network whose response is planted, another one than that of the diagnosis.
OTHER = "ailand-small"

#: Year of the twins and years of the error; other combinations for the null case.
TWIN, ERROR_YEARS = 2020, (2018, 2019, 2020)

#: Planted changes: parameter, amplitude in units of its candidate, class.
PLANTED = (
    ("rsmin_lv", 1.71, "all crops"), ("rsmin_lv", 1.71, "deciduous shrubs"), ("lai_hv", 1.68, "needleleaf"),
    ("lai_hv", 1.68, "mixed forest"), ("albedo", -1.0, "soil coarse"), ("albedo", -1.0, "tall grass"),
    ("rsmin_hv", -1.47, "evergreen broadleaf"), ("rsmin_hv", -1.47, "deciduous broadleaf"),
    ("z0m_lv", -1.58, "short grass"), ("lai_lv", -1.14, "evergreen shrubs"), ("lai_lv", -1.14, "grass"),
    ("cov_hv", 1.93, "broadleaf"), ("wilting", -1.0, "soil medium"), ("wilting", -1.0, "soil fine"),
)  # fmt: skip

#: Probability from which a planted change counts as found.
_HALF = 0.5

#: Largest distance of a point of nature from that of the reference set [degrees].
_SAME_PLACE = 0.01

#: Numbers of towers of the blind test, each with its own draw of errors.
TOWERS = (408, 200, 100)


@dataclass(frozen=True)
class Verdict:
    """Outcome of a twin: what was planted, what was found first, and the probabilities of the truth."""

    parameter: str
    surface: str
    amplitude: float
    first: Hypothesis
    of_truth: float
    of_parameter: float
    of_class: float


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make twins and blind test, and return the blocks of the page."""
    assert inputs.reference is not None and inputs.nature is not None
    key = key_of(DEFAULT, inputs.reference, inputs.nature, other=checksum_of(OTHER))
    twins = [row for year in ERROR_YEARS for row in twins_of(inputs, year, key)]
    blind = blind_of(inputs, key)
    blocks = {
        "diagnosis-origin": made_by(PART, {DEFAULT: (checksum_of(DEFAULT), blind["execution"])}),
        "diagnosis-twins": twins_table(twins),
        "diagnosis-blind": blind_table(blind["hypotheses"]),
    }
    return {"docs/results/diagnosis.md": blocks}


def twins_of(inputs: Inputs, year: int, key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the verdicts of a year, made unless they are there."""
    path = inputs.folder / f"{PART}-twins-{year}.json"
    return list(once_json(path, key, lambda: records(pd.DataFrame(make_twins(inputs.reference, year)))))


def blind_of(inputs: Inputs, key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hypotheses of the blind test, made unless they are there."""
    return dict(once_json(inputs.folder / f"{PART}-blind.json", key, lambda: make_blind(inputs)))


def observations(emulation: Emulation, times: np.ndarray, truth: Mapping[str, np.ndarray], seed: int) -> xr.Dataset:
    """Return pseudo-observations of a truth (time, point) at the points of an emulation."""
    quarter = local_phase(times.astype("datetime64[s]"), *emulation.places)[1]
    period = times[0], times[-1]
    rain = emulation.data.to_xarray(period, variables=["avg_tprate"])["avg_tprate"].values
    seen = pseudo_towers(truth, (quarter == 1) | (quarter == 2), rain, seed)
    return _dataset(times, emulation.places, seen)


def _dataset(times: np.ndarray, places: Sequence[np.ndarray], fields: Mapping[str, np.ndarray]) -> xr.Dataset:
    coordinates = dict(zip(("latitude", "longitude"), (("point", x) for x in places), strict=True))
    return xr.Dataset({n: (("time", "point"), v) for n, v in fields.items()}, {"time": times, **coordinates})


def of_year(data: Any, year: int, others: Sequence[int]) -> tuple[Emulation, np.ndarray, dict[str, np.ndarray]]:
    """Return the emulation of a year, its error from others, with times and ecLand's fields after the first step."""
    found = data.to_xarray(str(year), variables=list(NAMES))
    times = found["time"].values[1:]
    truth = {n: found[variable(n).netcdf_name].values[1:] for n in NAMES}
    places = data.reader.latitudes, data.reader.longitudes
    return Emulation(data, _dataset(times, places, truth), DEFAULT, others), times, truth


def make_twins(reference: Any, year: int) -> list[dict[str, Any]]:
    """Judge a year with nothing changed, and that of the twins with each of :data:`PLANTED`; return the verdicts."""
    data = ail.open_data(reference)
    emulation, times, truth = of_year(data, year, [y for y in ERROR_YEARS if y != year])
    case = Case(emulation, observations(emulation, times, truth, seed=1))
    responses = case.responses(list(CANDIDATES))
    rows = [vars_of(verdict("", "", 0.0, case.hypotheses(responses))) | {"year": year}]
    if year != TWIN:
        return rows
    other = Emulation(data, case.observed, OTHER, emulation.error_years)
    for number, (parameter, amplitude, surface) in enumerate(PLANTED):
        change = other.perturbed(parameter, amplitude, emulation.surface(surface).members)
        planted = {n: truth[n] + change[n] for n in NAMES}
        twin = Case(emulation, observations(emulation, times, planted, seed=10 + number))
        rows.append(vars_of(verdict(parameter, surface, amplitude, twin.hypotheses(responses))))
    return rows


def verdict(parameter: str, surface: str, amplitude: float, found: Sequence[Hypothesis]) -> Verdict:
    """Compare the hypotheses of a twin with what was planted; nothing was planted without a parameter."""
    name = parameter or NOTHING

    def share(own: Any) -> float:
        return float(sum(h.probability for h in found if own(h)))

    return Verdict(
        name, surface, amplitude, found[0], share(lambda h: (h.parameter, h.surface) == (name, surface)),
        share(lambda h: h.parameter == name), share(lambda h: h.surface == surface),
    )  # fmt: skip


def vars_of(found: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values."""
    first = {"found": said(found.first), "estimate": found.first.amplitude, "log_evidence": found.first.log_evidence}
    return {k: v for k, v in vars(found).items() if k != "first"} | first


def make_blind(inputs: Inputs) -> dict[str, Any]:
    """Judge pseudo-towers of ecLand with a changed parameter, for some numbers of towers; return the hypotheses.

    The reports are kept, with the towers in a file that ``anemoi-ailand diagnose`` reads.
    """
    assert inputs.reference is not None and inputs.nature is not None
    data, cases = ail.open_data(inputs.reference), []
    with xr.open_mfdataset(sorted(inputs.nature.glob("*.nc"))) as files:
        times = files["time"].values
        places = data.reader.latitudes, data.reader.longitudes
        here, degrees = nearest_points((files["latitude"].values, files["longitude"].values), places)
        assert degrees.max() < _SAME_PLACE, "nature lacks points of the reference set"  # which has an order of its own
        truth = {n: files[variable(n).netcdf_name].transpose("time", "point").values[:, here] for n in NAMES}
    emulation = Emulation(data, _dataset(times, places, truth), DEFAULT, ERROR_YEARS)
    for seed, towers in enumerate(TOWERS, start=1):
        seen = observations(emulation, times, truth, seed)
        kept = np.sort(np.random.default_rng(seed + 99).permutation(len(places[0]))[:towers])
        folder = inputs.folder / f"{PART}-{towers}"
        folder.mkdir(exist_ok=True)
        seen.isel(point=kept).to_netcdf(folder / "towers.nc")
        cases.append(Case(emulation, seen.where(xr.DataArray(np.isin(np.arange(len(places[0])), kept), dims="point"))))
    rows = []
    for towers, case, responses in zip(TOWERS, cases, responses_of(cases, list(CANDIDATES)), strict=True):
        found = write(inputs.folder / f"{PART}-{towers}", case, responses)
        rows += [vars(h) | {"towers": towers, "said": said(h)} for h in found[:5]]
    return {"execution": emulation.land.execution, "hypotheses": records(pd.DataFrame(rows))}


def twins_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the twins."""
    found = [["planted", "change", "found first", "change found", "log evidence", "p of the truth"]]
    for row in rows:
        known, name = row["parameter"] in CANDIDATES, row["parameter"]
        planted = f"{CANDIDATES[name].name} of '{row['surface']}'" if known else f"nothing, {row['year']:.0f}"
        change = CANDIDATES[name].words(row["amplitude"]).partition(" (")[0] if known else "-"
        estimate = "-"
        if known and row["estimate"] is not None and row["of_truth"] > _HALF:
            estimate = CANDIDATES[name].words(row["estimate"]).partition(" (")[0]
        found.append([planted, change, row["found"], estimate, f"{row['log_evidence']:.0f}", f"{row['of_truth']:.2f}"])
    return table(found)


def blind_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the blind test."""
    found = [["towers", "hypothesis", "change", "sites", "log evidence", "probability"]]
    for row in rows:
        known = row["parameter"] in CANDIDATES
        change = CANDIDATES[row["parameter"]].words(row["amplitude"], row["uncertainty"]) if known else "-"
        numbers = f"{row['sites']:.0f}", f"{row['log_evidence']:.0f}", f"{row['probability']:.3f}"
        found.append([f"{row['towers']:.0f}", row["said"], change, *numbers])
    return table(found)

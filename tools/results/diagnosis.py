# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on diagnosis: twins with nothing or one parameter changed, and ecLand with one parameter changed, blind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from anemoi_ailand.evaluation.display.text import json_text, records
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows.diagnose import Case, Emulation, write
from tools.results.pages import Blocks, made_by, table
from tools.results.steps import EVERYTHING, Inputs, checksum_of, key_of, once

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
    twins, blind = inputs.folder / "diagnosis-twins.json", inputs.folder / "diagnosis-blind.json"
    key = key_of(DEFAULT, inputs.reference, inputs.nature, places=EVERYTHING)
    once(twins, key, lambda: make_twins(inputs.reference, twins))
    once(blind, key, lambda: make_blind(inputs.reference, inputs.nature, blind))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (twins, blind)]
    blocks = {
        "diagnosis-origin": made_by(PART, {DEFAULT: (checksum_of(DEFAULT), found[1]["execution"])}),
        "diagnosis-twins": twins_table(found[0]["twins"]),
        "diagnosis-blind": blind_table(found[1]["hypotheses"]),
    }
    return {"docs/results/diagnosis.md": blocks}


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


def make_twins(reference: Path, output: Path) -> None:
    """Judge years with nothing changed, and one year with each of :data:`PLANTED`; write the verdicts."""
    data, rows = ail.open_data(reference), []
    for year in ERROR_YEARS:
        emulation, times, truth = of_year(data, year, [y for y in ERROR_YEARS if y != year])
        case = Case(emulation, observations(emulation, times, truth, seed=1))
        responses = case.responses(list(CANDIDATES))
        rows.append(vars_of(verdict("", "", 0.0, case.hypotheses(responses))) | {"year": year})
        if year != TWIN:
            continue
        other = Emulation(data, case.observed, OTHER, emulation.error_years)
        for number, (parameter, amplitude, surface) in enumerate(PLANTED):
            members = emulation.surface(surface).members
            change = other.perturbed(parameter, amplitude)
            planted = {n: truth[n] + np.where(members, change[n], 0.0) for n in NAMES}
            twin = Case(emulation, observations(emulation, times, planted, seed=10 + number))
            rows.append(vars_of(verdict(parameter, surface, amplitude, twin.hypotheses(responses))))
    output.write_text(json_text({"twins": records(pd.DataFrame(rows))}), encoding="utf-8")


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


def make_blind(reference: Path, nature: Path, output: Path) -> None:
    """Judge pseudo-towers of ecLand with a changed parameter, for some numbers of towers; write the hypotheses."""
    data, rows, execution = ail.open_data(reference), [], ""
    with xr.open_mfdataset(sorted(nature.glob("*.nc"))) as files:
        times = files["time"].values
        truth = {n: files[variable(n).netcdf_name].transpose("time", "point").values for n in NAMES}
    places = data.reader.latitudes, data.reader.longitudes
    emulation = Emulation(data, _dataset(times, places, truth), DEFAULT, ERROR_YEARS)
    for seed, towers in enumerate(TOWERS, start=1):
        seen = observations(emulation, times, truth, seed)
        dropped = np.random.default_rng(seed + 99).permutation(len(places[0]))[towers:]
        seen = seen.map(lambda field, without=dropped: field.where(~np.isin(np.arange(field.sizes["point"]), without)))
        folder = output.with_name(f"diagnosis-{towers}")
        folder.mkdir(exist_ok=True)
        found = write(folder, Case(emulation, seen), list(CANDIDATES))
        rows += [vars(h) | {"towers": towers, "said": said(h)} for h in found[:5]]
        execution = emulation.land.execution
    output.write_text(json_text({"execution": execution, "hypotheses": records(pd.DataFrame(rows))}), encoding="utf-8")


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

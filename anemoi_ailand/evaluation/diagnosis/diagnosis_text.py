# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables and sentences of a diagnosis: where observations differ, what carries it, and what a repair would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, t

from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES
from anemoi_ailand.evaluation.diagnosis.evidence import NOTHING, OUTSIDE, Hypothesis
from anemoi_ailand.evaluation.diagnosis.residuals import Residuals
from anemoi_ailand.evaluation.diagnosis.site_means import QUARTERS, SEASONS
from anemoi_ailand.evaluation.diagnosis.surface_classes import SurfaceClass
from anemoi_ailand.evaluation.display.text import aligned, plain_number
from anemoi_ailand.variables import variable

#: Share of false discoveries among the strata that are listed, and rows of tables.
FALSE_DISCOVERIES, ROWS = 0.05, 12

#: Fewest sites of a stratum.
_FEWEST_SITES = 5

#: Probability from which a hypothesis is listed.
_LISTED = 0.001

#: Seconds of a year.
_YEAR = 365.25 * 86400.0


def strata_table(residuals: Residuals, classes: Sequence[SurfaceClass]) -> pd.DataFrame:
    """Return the strata (class, variable, season, quarter of the day) in which observation and emulator differ.

    Sites are the units of a t-test of the mean residual; the false-discovery rate over all strata is that of Benjamini
    and Hochberg (1995). The rows are those below :data:`FALSE_DISCOVERIES`, the surest first.
    """
    cells, rows = residuals.cells, []
    for surface in classes:
        for k in range(len(cells)):
            values = residuals.values[surface.members & ~residuals.missing[:, k], k]
            if values.size < _FEWEST_SITES:
                continue
            mean, error = values.mean(), values.std(ddof=1) / np.sqrt(values.size)
            chance = 2.0 * t.sf(abs(mean) / max(error, 1e-30), values.size - 1)
            quarter = "all day" if cells.quarter[k] < 0 else QUARTERS[cells.quarter[k]]
            name = cells.names[cells.variable[k]]
            rows.append((surface.name, name, SEASONS[cells.season[k]], quarter, mean, error, values.size, chance))
    table = pd.DataFrame(rows, columns=["class", "variable", "season", "quarter", "mean", "error", "sites", "p"])
    if table.empty:
        return table.assign(q=[])
    table["q"] = false_discovery_control(table["p"].to_numpy())
    return table[table["q"] < FALSE_DISCOVERIES].sort_values("p", ignore_index=True)


def said(hypothesis: Hypothesis) -> str:
    """Return a hypothesis in words."""
    if hypothesis.parameter == NOTHING:
        return "nothing is wrong"
    if hypothesis.parameter == OUTSIDE:
        return f"something outside the inputs, in the class '{hypothesis.surface}'"
    return f"{CANDIDATES[hypothesis.parameter].name} of '{hypothesis.surface}'"


def diagnosis_text(
    title: str,
    found: Sequence[Hypothesis],
    similar: Mapping[str, float],
    strata: pd.DataFrame,
    effects: Mapping[str, float],
    leaks: pd.DataFrame,
    gains: Mapping[str, float],
    closes: tuple[float, float] | None = None,
    shares: Mapping[str, float] | None = None,
) -> str:
    """Return the report as Markdown.

    ``closes`` is the difference at the sites of the likeliest hypothesis before and after its change, in units of the
    errors of instruments and emulator. ``similar`` are cosines of other parameters with the likeliest one, ``effects``
    the change of annual means by variable in the class if it is repaired, ``leaks`` the residual of the water budget of
    the physical model by class, ``shares`` the Shapley values of the parameters of the class.
    """
    lines = [f"# {title}", "", *_conclusion(found, similar, closes), ""]
    lines += ["## What carries it", "", *_table(_hypotheses(found)), ""]
    if shares:
        listed = sorted(shares.items(), key=lambda x: -x[1])
        words = ", ".join(f"{CANDIDATES[n].name} {share:.2f}" for n, share in listed)
        lines += [f"Of what the parameters of '{found[0].surface}' explain if all are fitted together, each has this "
                  f"share (Shapley value; those that are alike divide theirs): {words}.", ""]  # fmt: skip
    lines += ["## Where and when", ""]
    lines += _strata(strata) if len(strata) else ["No stratum differs beyond chance.", ""]
    if effects:
        lines += ["## What the change does to the budgets", "", *_effects(found[0], effects), ""]
    lines += ["## What is not booked here", ""]
    shown = ", ".join(f"{name} {gain:.2f}" for name, gain in gains.items())
    lines += [f"Mean gain of the observed fluxes (closure of towers), removed before: {shown or 'none'}.", ""]
    leaking = leaks[leaks["residual"].abs() > 1.0]
    if len(leaking):
        rows = [[str(r["class"]), str(int(r["points"])), plain_number(r["residual"])] for _, r in leaking.iterrows()]
        lines += ["The physical model itself loses water in these classes, in mm a year:", ""]
        lines += [*_table([["class", "points", "lost"], *rows]), ""]
    elif len(leaks):
        lines += ["The water budget of the physical model closes within 1 mm a year in all classes.", ""]
    return "\n".join(lines)


def _conclusion(
    found: Sequence[Hypothesis], similar: Mapping[str, float], closes: tuple[float, float] | None
) -> list[str]:  # fmt: skip
    best = found[0]
    sentence = f"Most probable ({best.probability:.2f}): **{said(best)}**"
    if best.parameter in CANDIDATES:
        candidate = CANDIDATES[best.parameter]
        sentence += f", {candidate.words(best.amplitude, best.uncertainty)}, from {best.sites} sites"
    lines = [f"{sentence}."]
    if closes is not None:
        before, after = closes
        words = f"With this change the difference at these sites falls from {before:.2f} to {after:.2f}, in units of "
        lines += ["", words + "the errors of instruments and emulator (root mean square; 1 is none to explain)."]
    near = [
        f"{CANDIDATES[n].name} ({c:+.2f})" for n, c in sorted(similar.items(), key=lambda x: -abs(x[1])) if abs(c) > 0.6
    ]
    if near:
        lines += ["", "Hardly told apart from it (cosine of the responses): " + ", ".join(near) + ". Take them as one "
                  "group, and decide by what you know of them."]  # fmt: skip
    return lines


def _hypotheses(found: Sequence[Hypothesis]) -> list[list[str]]:
    rows = [["hypothesis", "change", "sites", "log evidence", "probability"]]
    for k, h in enumerate(found[:ROWS]):
        if k > 2 and h.probability < _LISTED:
            break
        known = h.parameter in CANDIDATES
        change = CANDIDATES[h.parameter].words(h.amplitude, h.uncertainty) if known else "-"
        rows.append([said(h), change, str(h.sites), f"{h.log_evidence:.1f}", f"{h.probability:.3f}"])
    return rows


def _strata(strata: pd.DataFrame) -> list[str]:
    rows = [["class", "variable", "when", "observation - model", "standard error", "sites"]]
    for _, row in strata.head(ROWS).iterrows():
        units = variable(row["variable"]).units
        when = f"{row['season']}, {row['quarter']}"
        numbers = plain_number(row["mean"]), plain_number(row["error"])
        rows.append([row["class"], row["variable"], when, f"{numbers[0]} {units}", numbers[1], str(row["sites"])])
    counted = f"{len(strata)} strata differ at a false-discovery rate of {FALSE_DISCOVERIES:g}; the surest are:"
    return [counted, "", *_table(rows), ""]


def _effects(best: Hypothesis, effects: Mapping[str, float]) -> list[str]:
    rows = [["variable", "change of the annual mean"]]
    for name, value in effects.items():
        water = variable(name).units == "kg m-2 s-1"
        rows.append([name, f"{value * _YEAR:+.0f} mm a year" if water else f"{value:+.2f} {variable(name).units}"])
    return [f"Change of {said(best)} as estimated, mean over the sites of the class:", "", *_table(rows)]


def _table(rows: list[list[str]]) -> list[str]:
    return aligned(rows, left=(0, 1))

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of aims for snow, runoff and long runs: bar, the network before and the packaged one, and what is met.

All numbers come from results that other parts keep: run this part after them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.processes.snow_season import (
    FIRST_MONTH,
    SNOW_LIMITS,
    compare_snow_seasons,
    date_errors,
    season,
)
from anemoi_ailand.evaluation.report.tables import CORE
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results import commands, ensembles, reference_set, weather_runs
from tools.results.pages import Blocks, paragraph, table
from tools.results.runoff_tables import correlation, yearly_rmse
from tools.results.snow_and_runoff import FILES, LONG, PAGE
from tools.results.snow_runs import Pair, held_out_run
from tools.results.snow_tables import LEFT_OUT, SOIL, mean_squares, whole_melt
from tools.results.steps import Inputs, checksum_of

PART = "snow-aims"

#: Variables of the ensembles that have an aim, and leads at which the 12 variables are compared [d].
SPREAD, COMPARED = ("stl1", "swvl1", "sd"), (30, 90)

#: Layers whose growth of error has an aim.
GROWING = (*SOIL, "swvl1", "swvl2", "swvl3")


@dataclass(frozen=True)
class Measures:
    """Measures of one network; pairs in the order of the titles of the table.

    ``spread`` holds the ratios of :data:`SPREAD` at all leads, and is empty without model error; ``errors`` are RMSE at
    held-out points by variable and lead.
    """

    snow_ratio: tuple[float, ...]
    sd: tuple[float, float]
    melt: tuple[float, float]
    melt_observed: tuple[float, float]
    growth: tuple[float, float]
    ssro: tuple[float, float]
    sro: tuple[float, float]
    sro_hourly: float
    swvl3: tuple[float, float]
    century: tuple[int, int]
    spread: tuple[float, ...]
    errors: dict[tuple[str, int], float]


def _by_lead(names: Sequence[str], **leads: Sequence[float]) -> dict[tuple[str, int], float]:
    """Return values by variable and lead, for leads named ``d30``."""
    return {(n, int(lead[1:])): v for lead, values in leads.items() for n, v in zip(names, values, strict=True)}


#: The network before, in the repository's history at commit 7c9b997: the runs were made again with the code that made
#: the first table; scores of protocol A, ACC and the century are those of its own pages (commit 29040c0).
BEFORE_SHA = "0bd4d2738d7e"
BEFORE = Measures(
    snow_ratio=(1.69, 2.20, 1.81), sd=(3.25, 69.2), melt=(1.0, 4.0), melt_observed=(np.nan, np.nan),
    growth=(0.96, 1.55), ssro=(0.839, 0.975), sro=(0.941, -2.9), sro_hourly=np.nan, swvl3=(0.956, 0.0133),
    century=(9, 1), spread=(),
    errors=_by_lead(
        ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "2t", "2d", "skt", "sshf", "slhf"),
        d30=(0.0122, 0.00618, 0.00343, 0.536, 0.314, 0.194, 0.0182, 0.239, 0.363, 0.828, 8.48, 7.18),
        d90=(0.0172, 0.0089, 0.00611, 0.68, 0.47, 0.352, 0.038, 0.267, 0.348, 0.865, 8.66, 7.65),
    ),
)  # fmt: skip

#: Measured apart, with the network of this checksum: correlation of ``sro`` with hourly rain, median of 17 points in
#: 2018 (docs/guide/forcing.md), and processor time of a plain step relative to that of the network before.
APART_SHA, SRO_HOURLY, COST = "3f2fe615fab5", 0.995, 1.07


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Measure the default network from kept results and return the block of the page."""
    now = measures(inputs, DEFAULT)
    return {PAGE: {"snow-aims": f"{origin()}\n\n{aims_table(BEFORE, now)}"}}


def origin() -> str:
    """Return the sentence on the networks of the table."""
    return paragraph(
        f"Before: the `ailand` of SHA-256 `{BEFORE_SHA}`; now: the packaged one, `{checksum_of(DEFAULT)[:12]}` (`make "
        f"results ONLY={PART}`, from the results of the other pages). The correlation with hourly rain and the cost "
        f"are those of `{APART_SHA}`."
    )


def measures(inputs: Inputs, network: str) -> Measures:
    """Measure a network from the results that the other parts keep."""
    pair, run, reference = held_out_run(inputs, network, LONG)
    _, seasons = compare_snow_seasons({network: run}, reference)
    melt = whole_melt(date_errors(seasons), run.times[-1])["error_days"].to_numpy()
    scores = reference_set.evaluated(inputs, network)
    ratios = [np.divide(*(scores(n, lead=90, cut="snow_regime", group=g) for g in ("snow", "snow-free"))) for n in SOIL]
    criteria = json.loads((commands.century(inputs) / "stability.json").read_text(encoding="utf-8"))["criteria"]
    points = {each["name"]: int(each["points"]) for each in criteria}
    yearly = {name: yearly_rmse(pair, name) for name in GROWING}
    growth = {name: of[max(of)] / of[2] for name, of in yearly.items()}
    spread = ensembles.scores_of(inputs)
    spread = spread[(spread["group"] == ensembles.ALL) & (spread["metric"] == "spread_error")]
    return Measures(
        snow_ratio=tuple(map(float, ratios)), sd=snow_errors(pair), melt=sizes(melt),
        melt_observed=sizes(observed_melt(inputs, network)),
        growth=(max(growth[n] for n in SOIL), max(growth[n] for n in GROWING if n not in SOIL)),
        ssro=(point_correlation(pair, "ssro"), month_correlation(pair, "ssro")),
        sro=(point_correlation(pair, "sro"), annual_bias(pair, "sro")), sro_hourly=SRO_HOURLY,
        swvl3=(scores("swvl3", "acc", "B"), yearly["swvl3"][max(yearly["swvl3"])]),
        century=(points["storage"], points["snow"]),
        spread=tuple(spread[spread["variable"].isin(SPREAD)]["value"]),
        errors={(name, lead): scores(name, lead=lead) for name in CORE for lead in COMPARED},
    )  # fmt: skip


def sizes(days: np.ndarray) -> tuple[float, float]:
    """Return the median and the 90 % quantile of the size of errors [d], NaN without any."""
    if not len(days):
        return np.nan, np.nan
    return float(np.median(np.abs(days))), float(np.quantile(np.abs(days), 0.9))


def snow_errors(pair: Pair) -> tuple[float, float]:
    """Return the RMSE of snow mass without the points with the largest errors, and with them [kg m-2]."""
    squares = np.sort(mean_squares(pair))
    return float(np.sqrt(squares[:-LEFT_OUT].mean())), float(np.sqrt(squares.mean()))


def point_correlation(pair: Pair, name: str) -> float:
    """Return the correlation at 6 h, median over the points at which both vary."""
    mine, truth = (data[name].values for data in (pair.emulator, pair.ecland))
    vary = np.flatnonzero((mine.std(0) > 0) & (truth.std(0) > 0))
    return float(np.median([correlation(mine[:, k], truth[:, k]) for k in vary])) if len(vary) else np.nan


def month_correlation(pair: Pair, name: str) -> float:
    """Return the correlation of the monthly sums of all points together."""
    mine, truth = (data[name].resample(time="1MS").sum().values.ravel() for data in (pair.emulator, pair.ecland))
    return correlation(mine, truth)


def annual_bias(pair: Pair, name: str) -> float:
    """Return the bias of the sum over all points [%]."""
    return float(pair.emulator[name].sum() / pair.ecland[name].sum() - 1.0) * 100.0


def observed_melt(inputs: Inputs, network: str) -> np.ndarray:
    """Return the errors of melt-out [d] in all winters of the sites with observed weather."""
    assert inputs.towers is not None and inputs.real is not None
    paths = [*weather_runs.series_files(inputs.towers / "long"), inputs.real / dict(FILES)["real"]]
    runs = [weather_runs.run_of(inputs, network, path) for path in paths]
    return np.concatenate([melt_errors(run.emulator["sd"], run.ecland["sd"]) for run in runs])


def melt_errors(mine: xr.DataArray, truth: xr.DataArray) -> np.ndarray:
    """Return the errors of melt-out [d] of snow mass ``(time, point)`` in the winters in which both melt out."""
    found = []
    for series in (mine, truth):
        daily = series.isel(point=0).resample(time="1D").mean()
        years = (daily["time"].values.astype("datetime64[M]").astype(int) - (FIRST_MONTH["north"] - 1)) // 12
        snow = daily.values > SNOW_LIMITS["sd"]
        found.append([season(snow[years == year][:, None])["melt_out"][0] for year in np.unique(years)])
    error = np.subtract(*found)
    return error[np.isfinite(error)]


@dataclass(frozen=True)
class Aim:
    """Row of the table: title, bar in words, text of the measures, and whether each bar of the row is met."""

    title: str
    bar: str
    text: Callable[[Measures], str]
    met: Callable[[Measures], Iterable[bool]]


def _joined(values: Iterable[float], form: str) -> str:
    return " / ".join("-" if np.isnan(value) else format(value, form) for value in values)


def _spread_text(of: Measures) -> str:
    return f"{min(of.spread):.2f} to {max(of.spread):.2f}" if of.spread else "no model error"


def worst_ratio(now: Measures, before: Measures = BEFORE) -> float:
    """Return the largest ratio of errors to those before, over variables and leads."""
    return max(now.errors[key] / value for key, value in before.errors.items())


AIMS = (
    Aim("error of `stl1`, `stl2`, `stl3` at 90 d with snow / without, all points", "1.5",
        lambda m: _joined(m.snow_ratio, ".2f"), lambda m: [r <= 1.5 for r in m.snow_ratio]),
    Aim("`sd` over five years without the two worst points / with them [kg m-2]",
        ".8 of before / twice the former", lambda m: _joined(m.sd, ".3g"),
        lambda m: (m.sd[0] <= 0.8 * BEFORE.sd[0], m.sd[1] <= 2.0 * m.sd[0])),
    Aim("size of the error of melt-out over five years, median / 90 % [d]", "1 / 4",
        lambda m: _joined(m.melt, ".1f"), lambda m: (m.melt[0] <= 1.0, m.melt[1] <= 4.0)),
    Aim("the same with observed weather, all winters", "1 / 4", lambda m: _joined(m.melt_observed, ".1f"),
        lambda m: (m.melt_observed[0] <= 1.0, m.melt_observed[1] <= 4.0)),
    Aim("RMSE in year 5 over year 2, largest of `stl1` to `stl3` / of `swvl1` to `swvl3`", "1.1",
        lambda m: _joined(m.growth, ".2f"), lambda m: [g <= 1.1 for g in m.growth]),
    Aim("`ssro`: correlation at 6 h, median of points / of monthly sums", ".95 / .99",
        lambda m: _joined(m.ssro, ".3f"), lambda m: (m.ssro[0] >= 0.95, m.ssro[1] >= 0.99)),
    Aim("`sro`: correlation at 6 h, median of points, with 6-hourly / hourly rain", ".95 / .97",
        lambda m: _joined((m.sro[0], m.sro_hourly), ".3f"), lambda m: (m.sro[0] >= 0.95, m.sro_hourly >= 0.97)),
    Aim("`sro`: bias of the sum over five years [%]", "5", lambda m: f"{m.sro[1]:+.1f}",
        lambda m: [abs(m.sro[1]) <= 5.0]),
    Aim("`swvl3`: ACC over five years / RMSE in year 5 [m3 m-3]", ".97 / .015",
        lambda m: f"{m.swvl3[0]:.3f} / {m.swvl3[1]:.4f}", lambda m: (m.swvl3[0] >= 0.97, m.swvl3[1] <= 0.015)),
    Aim("points at which storage drifts / snow stays in a century, of 408", "none",
        lambda m: f"{m.century[0]} / {m.century[1]}", lambda m: [n == 0 for n in m.century]),
    Aim("spread over error of an ensemble, days 1 to 90, `stl1`, `swvl1`, `sd`", ".8 to 1.25", _spread_text,
        lambda m: [0.8 <= r <= 1.25 for r in m.spread]),
    Aim("largest error of the 12 variables at 30 and 90 d, over that of before", "1",
        lambda m: f"{worst_ratio(m):.2f}", lambda m: [worst_ratio(m) <= 1.0]),
    Aim("cost of a plain step, over that of before", "1.1",
        lambda m: "1" if m is BEFORE else f"{COST:.2f}", lambda _: [COST <= 1.1]),
)  # fmt: skip


def aims_table(before: Measures, now: Measures) -> str:
    """Tabulate the aims: held-out points of the reference set unless the title says otherwise."""
    rows = [["aim", "bar", "before", "now", "met"]]
    rows += [[aim.title, aim.bar, aim.text(before), aim.text(now), verdict(aim.met(now))] for aim in AIMS]
    return table(rows)


def verdict(met: Iterable[bool]) -> str:
    """Return yes, no, or how many of the bars of a row are met."""
    found = list(met)
    return {len(found): "yes", 0: "no"}.get(sum(found), f"{sum(found)} of {len(found)}")

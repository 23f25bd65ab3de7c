# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Measures and tables of snow: seasons at two sites, and the held-out points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.evaluation.fields.matching import ALL
from anemoi_ailand.evaluation.processes.snow_season import FIRST_MONTH, SNOW_LIMITS, peak, season
from anemoi_ailand.evaluation.scores.strata import BIOMES
from tools.results.pages import table
from tools.results.snow_runs import Pair
from tools.results.weather_runs import Run

#: Soil temperatures compared with and without snow.
SOIL = ("stl1", "stl2", "stl3")

#: Number of points with the largest error of snow mass that are left out, and of those that are described.
LEFT_OUT, DESCRIBED = 2, 6

#: Snow cover from which evaporation counts as sublimation [1].
COVERED = 0.99

#: Errors from which a point's fault has its name: melt-out [days], peak relative to ecLand's [1].
LATE, TOO_MUCH = 5.0, 0.05


def rms(values: np.ndarray) -> float:
    """Return the root mean square over all values, NaN without values."""
    return float(np.sqrt(np.mean(np.square(values)))) if np.size(values) else np.nan


def text_of(value: float, form: str = ".1f") -> str:
    """Format a number, with a dash if it is unknown."""
    return format(value, form) if np.isfinite(value) else "-"


def share_text(share: float) -> str:
    """Format a share in whole per cent."""
    return f"{share * 100:.0f} %" if share >= 0.005 else "< 1 %"


def site_seasons(run: Run) -> pd.DataFrame:
    """Measure each snow year of a run at one northern site, as rows.

    Columns: ``year`` in which the snow year begins, ``sd_rmse``, ``sd_bias`` [kg m-2], ``depth_rmse`` [m] and
    ``asn_rmse`` while ecLand has snow, and for emulator (``_e``) and ecLand (``_l``) ``melt`` (date), ``peak``,
    ``lightest`` density, ``sublimation`` while ecLand's snow covers the ground, ``runoff`` and, where the network has
    it, ``smlt`` [mm].
    """
    mine, truth = (data.isel(point=0).astype(np.float64) for data in (run.emulator, run.ecland))
    time = mine["time"].values
    months = time.astype("datetime64[M]").astype(int) - (FIRST_MONTH["north"] - 1)
    rows = []
    for year in np.unique(months // 12):
        part = np.flatnonzero(months // 12 == year)
        e, t = mine.isel(time=part), truth.isel(time=part)
        snow = t["sd"].values > SNOW_LIMITS["sd"]
        if not snow.any():
            continue
        error = {name: (e[name] - t[name]).values for name in ("sd", "asn")}
        covered = t["snowc"].values >= COVERED
        row = {
            "run": run.name, "year": 1970 + int(year), "sd_rmse": rms(error["sd"]), "sd_bias": error["sd"].mean(),
            "depth_rmse": rms((e["sd"] / e["rsn"] - t["sd"] / t["rsn"]).values[snow]),
            "asn_rmse": rms(error["asn"][snow]),
        }  # fmt: skip
        for mark, data in (("e", e), ("l", t)):
            daily = data["sd"].resample(time="1D").mean()
            values = daily.values[:, None]
            melt = season(values > SNOW_LIMITS["sd"])["melt_out"][0]
            row[f"melt_{mark}"] = daily["time"].values[int(melt)] if np.isfinite(melt) else np.datetime64("NaT", "ns")
            row[f"peak_{mark}"] = float(peak(values)["peak"][0])
            row[f"lightest_{mark}"] = float(data["rsn"].values[snow].min())
            row[f"sublimation_{mark}"] = float(data["evap"].values[covered].sum() * STEP_SECONDS)
            row[f"runoff_{mark}"] = float((data["sro"] + data["ssro"]).sum() * STEP_SECONDS)
            row[f"smlt_{mark}"] = float(data["smlt"].sum() * STEP_SECONDS) if "smlt" in mine else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def sites_table(found: pd.DataFrame, titles: dict[str, str], known: dict[str, str]) -> str:
    """Tabulate the snow years of the sites; pairs of numbers are emulator / ecLand."""
    head = ["site", "trained on its weather", "winter", "RMSE of `sd`", "bias of `sd`", "RMSE of depth [m]",
            "RMSE of `asn`", "melt-out", "largest `sd`", "smallest `rsn`",
            "sublimation [mm]", "`sro` + `ssro` [mm]"]  # fmt: skip
    melts = bool(found["smlt_e"].notna().any())
    rows = [head + ["`smlt` [mm]"] * melts]
    for _, each in found.iterrows():
        pairs = [f"{text_of(each[f'{n}_e'])} / {text_of(each[f'{n}_l'])}"
                 for n in ("peak", "lightest", "sublimation", "runoff", *["smlt"] * melts)]  # fmt: skip
        dates = [_date(each["melt_e"]), _date(each["melt_l"])]
        rows.append([
            titles[each["run"]], known[each["run"]], f"{each['year']}/{(each['year'] + 1) % 100:02d}",
            text_of(each["sd_rmse"]), text_of(each["sd_bias"], "+.1f"), text_of(each["depth_rmse"], ".3f"),
            text_of(each["asn_rmse"], ".3f"), " / ".join(dates), *pairs,
        ])  # fmt: skip
    return table(rows)


def _date(day: pd.Timestamp) -> str:
    return "-" if pd.isna(day) else f"{pd.Timestamp(day):%-d %b}"


def whole_melt(errors: pd.DataFrame, ends: np.datetime64) -> pd.DataFrame:
    """Return the errors of melt-out in the snow years, by their northern months, that end within a run."""
    last = int(str(np.datetime64(ends, "Y"))) - 1
    return errors[(errors["event"] == "melt_out") & (errors["snow_year"] <= last)]


def detection(scores: pd.DataFrame, period: str) -> str:
    """Return a sentence on the seasons that both, or only one, of emulator and ecLand have, over all snow years."""
    whole = scores[scores["snow_year"].isna() & (scores["group"] == ALL)].set_index("metric")["value"]
    hits, misses, false = (int(whole[name]) for name in ("hits", "misses", "false_alarms"))
    return (
        f"In the run {period}, ecLand has {hits + misses} seasons of snow (points times snow years); the emulator has "
        f"{hits} of them and {false} others."
    )


def mean_squares(pair: Pair, name: str = "sd") -> np.ndarray:
    """Return the mean squared error of a variable at each point ``(point,)``."""
    return np.asarray(((pair.emulator[name] - pair.ecland[name]) ** 2).mean("time"))


def snow_ratio(pair: Pair, name: str) -> tuple[float, float]:
    """Return the RMSE of a variable over points and dates with ecLand's snow, and without it."""
    error = (pair.emulator[name] - pair.ecland[name]).values
    snow = pair.ecland["sd"].values > SNOW_LIMITS["sd"]
    return rms(error[snow]), rms(error[~snow])


def summary_table(pairs: dict[str, Pair], melts: dict[str, pd.DataFrame]) -> str:
    """Tabulate snow at the held-out points, a column for each run."""
    rows = [["held-out points", *(f"run {period}" for period in pairs)]]
    cells: dict[str, list[str]] = {}
    for period, pair in pairs.items():
        days, squares = melts[period]["error_days"].to_numpy(), mean_squares(pair)
        rest = np.sort(squares)[:-LEFT_OUT]
        values = {
            "melt-outs known in both": f"{len(days)}",
            "melt-out, median error [days]": text_of(_quantile(days, 0.5), "+.1f"),
            "melt-out, median size of the error [days]": text_of(_quantile(np.abs(days), 0.5)),
            "melt-out, 90 % of the errors within [days]": text_of(_quantile(np.abs(days), 0.9)),
            "RMSE of `sd` [kg m-2]": text_of(np.sqrt(squares.mean()), ".2f"),
            f"RMSE of `sd` without the {LEFT_OUT} points with the largest": text_of(np.sqrt(rest.mean()), ".2f"),
        }
        for name in SOIL:
            snow, free = snow_ratio(pair, name)
            title = f"RMSE of `{name}` [K], snow / snow-free: ratio"
            values[title] = f"{snow:.2f} / {free:.2f}: {snow / free:.2f}"
        for title, value in values.items():
            cells.setdefault(title, []).append(value)
    return table(rows + [[title, *values] for title, values in cells.items()])


def _quantile(values: np.ndarray, part: float) -> float:
    return float(np.quantile(values, part)) if len(values) else np.nan


def classes_table(pairs: dict[str, Pair], melts: dict[str, pd.DataFrame]) -> str:
    """Tabulate snow by climate class; classes in which ecLand's mean ``sd`` stays below the limit of a day's snow."""
    head = ["climate class", "points"]
    for period in pairs:
        head += [f"{what}, {period}" for what in ("mean `sd` of ecLand", "RMSE", "bias", "size of melt-out error [d]")]
    rows = [head]
    for number, name in enumerate(BIOMES):
        members = np.flatnonzero(next(iter(pairs.values())).ecland["climate_class"].values == number)
        cells, snowy = [], False
        for period, pair in pairs.items():
            mine, truth = (data["sd"].values[:, members] for data in (pair.emulator, pair.ecland))
            melt = melts[period][melts[period]["point"].isin(members)]["error_days"].abs()
            snowy |= bool(len(members)) and truth.mean() > SNOW_LIMITS["sd"]
            if len(members):
                cells += [f"{truth.mean():.1f}", text_of(rms(mine - truth), ".2f"), f"{(mine - truth).mean():+.2f}",
                          text_of(float(melt.mean()))]  # fmt: skip
        if snowy:
            rows.append([name, f"{len(members)}", *cells])
    return table(rows)


def years_kept(sd: xr.DataArray) -> np.ndarray:
    """Count the calendar years ``(point,)`` in which a snow mass ``(time, point)`` never ends for a day."""
    daily = sd.resample(time="1D").mean()
    return np.asarray((daily > SNOW_LIMITS["sd"]).groupby("time.year").all("time").sum("year"))


def fault(kept: tuple[int, int], melt: float, peaks: tuple[float, float]) -> str:
    """Name the fault of a point by its years without bare ground, error of melt-out [d] and mean peaks.

    Pairs are emulator, then ecLand.
    """
    if kept[0] > kept[1]:
        return f"keeps snow all year in {kept[0] - kept[1]} years in which ecLand melts it"
    if kept[0] < kept[1]:
        return f"melts the snow in {kept[1] - kept[0]} years in which ecLand keeps it"
    excess = peaks[0] / peaks[1] - 1 if peaks[1] > 0 else np.nan
    parts = []
    if abs(excess) >= TOO_MUCH:
        parts.append(f"accumulates {abs(excess) * 100:.0f} % {'more' if excess > 0 else 'less'}")
    if np.isfinite(melt) and abs(melt) >= LATE:
        parts.append(f"melts {abs(melt):.0f} days {'late' if melt > 0 else 'early'}")
    return ", ".join(parts) or "errors within the winter, dates and peaks agree"


def worst_table(pair: Pair, melts: pd.DataFrame) -> str:
    """Tabulate the points with the largest error of snow mass, with their faults."""
    rows = [["`point_id`", "class", "latitude", "RMSE of `sd`", "share of the squared error", "bias",
             "mean peak, emulator / ecLand", "years without bare ground", "fault"]]  # fmt: skip
    squares = mean_squares(pair)
    mine, truth = pair.emulator["sd"], pair.ecland["sd"]
    kept = [years_kept(data) for data in (mine, truth)]
    peaks = [data.groupby("time.year").max("time").mean("year").values for data in (mine, truth)]
    for k in np.argsort(squares)[::-1][:DESCRIBED]:
        melt = float(melts[melts["point"] == k]["error_days"].median())
        named = fault((int(kept[0][k]), int(kept[1][k])), melt, (float(peaks[0][k]), float(peaks[1][k])))
        point = pair.ecland.isel(point=k)
        rows.append([
            f"{int(point['point_id'])}", BIOMES[int(point["climate_class"])], f"{float(point['latitude']):.0f}",
            f"{np.sqrt(squares[k]):.1f}", share_text(squares[k] / squares.sum()),
            f"{float((mine - truth).isel(point=k).mean()):+.1f}", f"{peaks[0][k]:.0f} / {peaks[1][k]:.0f}",
            f"{int(kept[0][k])} / {int(kept[1][k])}", named,
        ])  # fmt: skip
    return table(rows)


def snow_sentence(pair: Pair, melts: pd.DataFrame, sites: pd.DataFrame, names: Sequence[str]) -> str:
    """Return a sentence with the headline numbers of snow: sites, then held-out points."""
    days, squares = melts["error_days"].abs().to_numpy(), mean_squares(pair)
    share = np.sort(squares)[-LEFT_OUT:].sum() / squares.sum()
    at = " and ".join(
        f"{text_of(rms(part['sd_rmse'].to_numpy()))} kg m-2 at {name} (largest {text_of(part['peak_l'].max(), '.0f')})"
        for name, (_, part) in zip(names, sites.groupby("run", sort=False), strict=True)
    )
    return (
        f"**Snow.** The RMSE of `sd` is {at}. At the held-out points over five years, half of the melt-outs are within "
        f"{_quantile(days, 0.5):.1f} days of ecLand's and 90 % within {_quantile(days, 0.9):.1f}; {share * 100:.0f} % "
        f"of the squared error of `sd` is at {LEFT_OUT} points."
    )

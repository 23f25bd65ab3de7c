# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Choice of the sites and of the date that figures of a run show."""

from __future__ import annotations

import logging

import numpy as np

from anemoi_ailand.evaluation.fields.case import Case
from anemoi_ailand.evaluation.fields.fields import span
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT
from anemoi_ailand.support.sphere import wrap_longitude

LOG = logging.getLogger(__name__)

#: Variables by which a snowy site is told from others, the first that is there, and what counts as snow on the ground.
SNOW_ON_GROUND = {"snowc": 0.1, "sd": 1.0}

#: Share of the run with snow on the ground that a typical snowy site has: a season of four to five months.
SNOWY_SHARE = 0.4


def map_time(times: np.ndarray, wanted: object | None) -> np.datetime64:
    """Date of the map: ``wanted``, which must be one of ``times``, or the one in the middle.

    Raises
    ------
    ValueError
        ``wanted`` is not a date, or not one that is compared.
    """
    if wanted is None:
        return times[len(times) // 2]
    try:
        date = np.datetime64(str(wanted)).astype("datetime64[ns]")
    except ValueError as error:
        raise ValueError(f"The map date '{wanted}' is not a date. Write it as 2020-07-01T12:00.") from error
    if date not in times:
        raise ValueError(f"The map date '{wanted}' is not among the compared dates, {span(times)}. Give one of them.")
    return date


def choose_sites(case: Case) -> np.ndarray:
    """Indices of two sites among the held-out points (all points if there are none), the snowy one first.

    Snowy: of the points with any snow on the ground, the one nearest to :data:`SNOWY_SHARE` of the run. Snow-free: of
    the others with the least snow, the one in the middle by variability of the first variable, so that it is neither
    the best nor the worst looking one. Without snow: the most variable point and the one in the middle.
    """
    candidates = case.groups.get(HELD_OUT, case.groups[ALL])
    candidates = candidates if len(candidates) > 1 else case.groups[ALL]
    snow = next((v for v in SNOW_ON_GROUND if v in case.variables), None)
    truth = case.truth(list({case.variables[0], snow or case.variables[0]}), candidates)
    spread = truth[case.variables[0]].std("time").values
    share = np.zeros(len(candidates)) if snow is None else (truth[snow] > SNOW_ON_GROUND[snow]).mean("time").values
    sites = candidates[_snowy_and_free(spread, share)]
    LOG.info("Sites of the time series: points %s of the forecast", sites.tolist())
    return sites


def _snowy_and_free(spread: np.ndarray, share: np.ndarray) -> list[int]:
    """Positions of the two sites, given variability and share of time with snow of each point ``(point,)``."""
    off_season = np.where(share > 0, np.abs(share - SNOWY_SHARE), np.inf)
    snowy = int(np.argmin(off_season)) if np.any(share > 0) else int(np.argmax(spread))
    others = np.setdiff1d(np.arange(len(share)), [snowy])
    if len(others) == 0:
        return [snowy]
    free = others[share[others] == share[others].min()]
    return [snowy, int(free[np.argsort(spread[free], kind="stable")[len(free) // 2]])]


def site_title(case: Case, site: int) -> str:
    """Place of a point of the forecast, and whether training saw it."""
    lat, lon = case.forecast.latitude[site], wrap_longitude(case.forecast.longitude[site])
    place = f"{abs(lat):.1f}°{'N' if lat >= 0 else 'S'}, {abs(lon):.1f}°{'E' if lon >= 0 else 'W'}"
    held_out = site in case.groups.get(HELD_OUT, ())
    return f"{place}, {'held-out' if held_out else 'trained' if HELD_OUT in case.groups else 'a'} point"

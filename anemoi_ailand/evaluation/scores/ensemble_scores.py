# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of an ensemble and of the single run: spread, error, CRPS and ranks, by lead time and ground."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scores.probability import crps_for_ensemble, rank_histogram

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.physics.ground import DRY, GROUND, SNOW, WET

#: Metrics in the order of tables; the counts of ranks, ``rank_1`` and on, follow.
METRICS = ("spread", "error", "spread_error", "crps", "mae_single", "crps_skill", "outside", "cases")

#: Group of all cases, next to those of the state of the ground, see :func:`ground`.
ALL = "all"

_MEMBER = "member"


def ground(
    sd: np.ndarray, stl1: np.ndarray, swvl1: np.ndarray, wilting: np.ndarray, capacity: np.ndarray
) -> dict[str, np.ndarray]:
    """Return masks of the state of the ground by name: under snow, frozen without snow, or dry, moist or wet.

    Fields are those of the reference at the valid times, in the units of the table; shapes broadcast.
    """
    snow = sd > SNOW
    frozen = ~snow & (stl1 < np.float32(TRIPLE_POINT))
    water = (swvl1 - wilting) / (capacity - wilting)
    rest = ~snow & ~frozen
    masks = snow, frozen, rest & (water < DRY), rest & (water >= DRY) & (water <= WET), rest & (water > WET)
    return dict(zip(GROUND, masks, strict=True))


def ensemble_scores(
    forecast: np.ndarray, truth: np.ndarray, single: np.ndarray, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    r"""Score an ensemble and the single run of the same cases.

    ``spread`` is :math:`\sqrt{\frac{M + 1}{M} \overline{s^2}}` with the variance :math:`s^2` of M members (M - 1 in the
    denominator), ``error`` the RMSE of the mean of the members, so that both are equal in a reliable ensemble (Fortin
    et al. 2014, doi:10.1175/JHM-D-14-0008.1). ``crps`` is that of an infinite ensemble ("fair"), which for a single run
    is ``mae_single``, and ``crps_skill`` = 1 - ``crps`` / ``mae_single``. ``outside`` is the share of cases outside the
    ensemble, relative to that of a reliable one; ``rank_1`` to ``rank_M+1`` are the shares of the ranks.

    Parameters
    ----------
    forecast : numpy.ndarray, shape (lead, case, member)
        Members, which are exchangeable: none is the unperturbed control.
    truth, single : numpy.ndarray, shape (lead, case)
        Reference and single run.
    groups : mapping of name to mask (lead, case)
        Groups of cases; those without a case at a lead have no scores.

    Returns
    -------
    pandas.DataFrame
        Columns group, lead (its index), metric, value.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(0).standard_normal((1, 2000, 11))
    >>> table = ensemble_scores(draws[..., 1:], draws[..., 0], 0 * draws[..., 0], {})
    >>> round(table.set_index("metric").value["spread_error"], 1)
    1.0
    """
    rows = []
    for name, mask in {ALL: np.ones(truth.shape, bool), **groups}.items():
        for lead in np.flatnonzero(mask.any(axis=1)).tolist():
            cases = mask[lead]
            found = _scores(*(v[lead][cases].astype(np.float64) for v in (forecast, truth, single)))
            rows += [(name, lead, metric, value) for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["group", "lead", "metric", "value"])


def _scores(forecast: np.ndarray, truth: np.ndarray, single: np.ndarray) -> dict[str, float]:
    """Return the scores of cases (case, member) and (case,)."""
    n = forecast.shape[1]
    members, reference = xr.DataArray(forecast, dims=("case", _MEMBER)), xr.DataArray(truth, dims="case")
    ranks = rank_histogram(members, reference, _MEMBER).values
    spread = float(np.sqrt((n + 1) / n * forecast.var(axis=1, ddof=1).mean()))
    error = float(np.sqrt(np.square(forecast.mean(axis=1) - truth).mean()))
    crps = float(crps_for_ensemble(members, reference, _MEMBER, method="fair"))
    mae = float(np.abs(single - truth).mean())
    values = (
        spread, error, spread / error if error else np.nan, crps, mae, 1.0 - crps / mae if mae else np.nan,
        float((ranks[0] + ranks[-1]) * (n + 1) / 2.0), len(truth),
    )  # fmt: skip
    return dict(zip(METRICS, values, strict=True)) | {f"rank_{k}": float(v) for k, v in enumerate(ranks, 1)}

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin experiments with biased observations of soil water, as they are and after each correction of the bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.assimilation import observations
from tools.results.twin import (
    ERRORS,
    STEPS_A_DAY,
    Twin,
    climatological,
    extended_run,
    root_zone_error,
    single_run,
)
from tools.results.twin_experiments import SINGLE

#: Standard deviations over points of the shift [m3 m-3] and of the logarithm of the factor of biased observations.
SHIFT, FACTOR = 0.05, 0.3

#: Correction of the biased series (time, point) by series of observations and of the model from years before.
Correction = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def by_mean(observed: np.ndarray, before: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Shift by the difference of the means before."""
    shift = np.ma.masked_invalid(observations.matched_mean(before, model) - before).mean(0).filled(np.nan)
    corrected: np.ndarray = observed + shift
    return corrected


def by_distribution(observed: np.ndarray, before: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Give the values the ranks that they have in the years before."""
    series = np.concatenate([before, observed])
    return observations.matched_distribution(series, model)[len(before) :]


#: Corrections by title.
CORRECTIONS: dict[str, Correction] = {
    "biased": lambda observed, before, model: observed,
    "biased, mean matched": by_mean,
    "biased, distribution matched": by_distribution,
}


def bias_of(twin: Twin, period: tuple[str, str], often: int) -> dict[str, list[float]]:
    """Return the root-zone RMSE on the last day of the SEKF without and with observations of `swvl1`, by experiment.

    Observations of a point are multiplied and shifted by two numbers of the point. The corrections know such
    observations of ``period`` (first date, end), and what a free run of the emulator has at the same times, but not the
    truth. Each value is the RMSE of all columns, and of those seen at least ``often`` times.
    """
    rng = torch.Generator().manual_seed(twin.seed + 11)
    n, starts = len(twin.points), len(twin.dates)
    factor = (FACTOR * torch.randn(n, generator=rng)).exp().numpy()
    shift = (SHIFT * torch.randn(n, generator=rng)).numpy()
    before, model = history(twin, period, rng)
    before, unbiased = factor * before + shift, twin.observed
    runs = {SINGLE: single_run(twin)}
    b = climatological(twin, twin.settings.background)
    observed = unbiased["swvl1"].unflatten(1, (starts, n)).numpy()
    try:
        for title, correct in {"unbiased": None, **CORRECTIONS}.items():
            if correct is not None:
                made = [correct(factor * observed[:, k] + shift, before, model) for k in range(starts)]
                twin.observed = {**unbiased, "swvl1": torch.from_numpy(np.stack(made, 1)).float().flatten(1)}
            runs[title] = extended_run(twin, ("swvl1",), b)
    finally:
        twin.observed = unbiased
    seen = unbiased["swvl1"].isfinite().sum(0) >= often
    found = {}
    for title, run in runs.items():
        error = root_zone_error(twin, run)[-1]
        found[title] = [float(e.square().mean().sqrt()) for e in (error, error[seen])]
    return found


def history(twin: Twin, period: tuple[str, str], rng: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return daily observations of `swvl1` without bias, and the emulator's `swvl1`, of a period, (time, point).

    The emulator runs freely from ecLand's state at its start. Neither has values on frozen or snowy ground.
    """
    first, end = map(np.datetime64, period)
    fields = torch.from_numpy(twin.read(first, int((end - first) / np.timedelta64(1, "D")) * STEPS_A_DAY))
    inputs, names = len(twin.layout.inputs), twin.columns(("swvl1", "stl1", "sd"))
    slot, own = fields[0][:, :inputs], []
    for time in range(1, len(fields)):
        following = fields[time][:, :inputs]
        slot = twin.layout.next_start(slot, following, twin.model(slot, following))
        if time % STEPS_A_DAY == 1:
            own.append(_open(*(slot[:, i] for i in twin.layout.columns(("swvl1", "stl1", "sd")))))
    true = fields[1::STEPS_A_DAY][..., names]
    noise = ERRORS["swvl1"] * torch.randn(true.shape[:2], generator=rng)
    return _open(true[..., 0] + noise, true[..., 1], true[..., 2]).numpy(), torch.stack(own).numpy()


def _open(water: Tensor, stl1: Tensor, sd: Tensor) -> Tensor:
    return observations.on_open_ground(water, stl1, sd)


def bias_table(found: Mapping[str, list[float]]) -> list[list[str]]:
    """Return the rows of the table: RMSE and its ratio to the run without observations."""
    rows = [["observations", "RMSE, all", "ratio", "RMSE, seen", "ratio"]]
    for title, errors in found.items():
        free = found[SINGLE]
        cells = [text for e, f in zip(errors, free, strict=True) for text in (f"{e:.4f}", f"{e / f:.2f}")]
        rows.append(["none" if title == SINGLE else title, *cells])
    return rows

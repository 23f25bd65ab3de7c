# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Alignment of re-forecasts with one another and with the reference: variables, starts, leads, points.

Models are compared at common starts, leads and points only, so that scores differ only because the models do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anemoi_ailand.evaluation.fields.fields import Fields, span
from anemoi_ailand.evaluation.fields.matching import common_variables, match_points
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE, REFERENCE
from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.variables import VARIABLES, variable

LOG = logging.getLogger(__name__)

_RESERVED = (PERSISTENCE, CLIMATOLOGY, REFERENCE)


@dataclass(frozen=True)
class Alignment:
    """Re-forecasts with the same starts, leads and points in the same order, all of them in the reference."""

    forecasts: dict[str, Reforecast]
    reference: Fields
    #: Variables of the reference that at least one forecast has, in the order of the table of variables.
    variables: list[str]
    #: Index ``(point,)`` into the points of the reference.
    points: np.ndarray

    @property
    def first(self) -> Reforecast:
        """First forecast; all have the same starts, leads and points."""
        return next(iter(self.forecasts.values()))

    @property
    def starts(self) -> np.ndarray:
        """Initial dates ``(start,)``."""
        return self.first.starts

    @property
    def leads(self) -> np.ndarray:
        """Lead times ``(lead,)`` [h]."""
        return self.first.leads

    @property
    def valid_times(self) -> np.ndarray:
        """Valid times ``(start, lead)``."""
        return self.first.valid_times

    def without(self, left_out: np.ndarray) -> Alignment:
        """Return the alignment without some points, given a mask over the points of the reference."""
        kept = np.flatnonzero(~left_out[self.points])
        if not kept.size:
            raise ValueError(f"All {len(self.points)} points to score are left out. Leave out fewer kinds of points.")
        LOG.info("%d of %d points are left out", len(self.points) - len(kept), len(self.points))
        forecasts = {label: forecast.select(points=kept) for label, forecast in self.forecasts.items()}
        return replace(self, forecasts=forecasts, points=self.points[kept])

    def labels_with(self, name: str) -> list[str]:
        """Return the labels of the forecasts that have a variable."""
        return [label for label, forecast in self.forecasts.items() if name in forecast.units]


def align(forecasts: Mapping[str, Reforecast], reference: Fields, variables: Sequence[str] | None = None) -> Alignment:
    """Select the common starts, leads and points of re-forecasts by label, all of them in the reference.

    ``variables`` are dataset names, by default all prognostic and diagnostic variables in common.

    Raises
    ------
    ValueError
        No start, lead, point or variable is common; units differ; the reference lacks dates; a label is reserved.
    """
    _check_labels(forecasts)
    available = {label: common_variables(f, reference) for label, f in forecasts.items()}
    points = {label: match_points(f, reference) for label, f in forecasts.items()}
    common = _common("point of the reference", list(points.values()), list(forecasts))
    starts = _common("initial date", [f.starts for f in forecasts.values()], list(forecasts))
    leads = _common("lead time", [f.leads for f in forecasts.values()], list(forecasts))
    views = {
        label: f.select(_places(f.starts, starts), _places(f.leads, leads), _places(points[label], common))
        for label, f in forecasts.items()
    }
    views = {label: _within(view, reference) for label, view in views.items()}
    names = [name for name in VARIABLES if any(name in names for names in available.values())]
    names = names if variables is None else _wanted(variables, names)
    LOG.info(
        "Scoring %s of %s: %s starts, %s leads, %s points", names, list(views), len(starts), len(leads), len(common)
    )
    return Alignment(views, reference, names, common)


def _check_labels(forecasts: Mapping[str, Reforecast]) -> None:
    if not forecasts:
        raise ValueError("No forecast to score. Give at least one re-forecast.")
    if taken := sorted(set(forecasts) & set(_RESERVED)):
        raise ValueError(
            f"{taken} cannot be labels of a forecast, because {_RESERVED} are reserved. Choose other labels."
        )


def _common(what: str, values: list[np.ndarray], labels: list[str]) -> np.ndarray:
    """Values common to all, in the order of the first."""
    common = values[0]
    for other in values[1:]:
        common = common[np.isin(common, other)]
    if len(common) == 0:
        raise ValueError(
            f"The forecasts {labels} have no {what} in common. Produce them with the same starts, leads and points."
        )
    if any(len(each) > len(common) for each in values):
        counts = {label: len(each) for label, each in zip(labels, values, strict=True)}
        LOG.warning(
            "Only %s values of '%s' are common to all forecasts, which have %s; the others are left out",
            len(common),
            what,
            counts,
        )
    return common


def _places(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index into ``values`` of each of ``wanted``; all of them must occur."""
    order = np.argsort(values, kind="stable")
    return order[np.searchsorted(values[order], wanted)]


def _wanted(variables: Sequence[str], found: list[str]) -> list[str]:
    if absent := [name for name in variables if variable(name).name not in found]:
        raise ValueError(f"{absent} cannot be scored: forecasts and reference have {found} in common. Ask for these.")
    return [name for name in found if name in variables]


def _within(forecast: Reforecast, reference: Fields) -> Reforecast:
    """Restrict a single run to the dates of the reference; refuse other dates without reference."""
    beyond = forecast.valid_times > reference.times[-1]
    if beyond.any() and len(forecast.starts) == 1 and not beyond.all():
        LOG.warning("'%s' extends beyond the reference: %s leads are not scored", forecast.path, int(beyond.sum()))
        forecast = forecast.select(leads=~beyond[0])
    needed = np.append(forecast.starts[:, None], forecast.valid_times, axis=1)
    absent = ~np.isin(needed, reference.times)
    if absent.any():
        start, lead = np.argwhere(absent)[0]
        raise ValueError(
            f"Forecast and reference do not overlap in time: {int(absent.any(axis=1).sum())} of {len(absent)} runs of "
            f"'{forecast.path}' (starts {span(forecast.starts)}, leads to {forecast.leads[-1]} h) need dates that are "
            f"not in the reference '{reference.path}' ({span(reference.times)}), first {needed[start, lead]}. "
            "Start them so that all leads are in the reference, or extend the dataset."
        )
    return forecast

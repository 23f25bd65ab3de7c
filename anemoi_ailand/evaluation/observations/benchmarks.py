# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Empirical benchmarks of fluxes: regressions on the weather of the same 6 h, which a land model should beat.

A benchmark knows neither soil nor vegetation nor the past. One that is fitted at other sites (out of sample) has the
information that a land model has; one that is fitted at the site itself (in sample) is what the weather can say at
most by such a regression.

Source: Best et al. (2015), doi:10.1175/JHM-D-14-0158.1; names as in PLUMBER2, Abramowitz et al. (2024),
doi:10.5194/bg-21-5517-2024, where records are half-hourly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from anemoi_ailand.constants import VAPOUR_MASS_RATIO
from anemoi_ailand.physics.air import saturation_pressure
from anemoi_ailand.support.sphere import separation

#: Forcing that the benchmarks are made of.
WEATHER = ("avg_sdswrf", "avg_t", "avg_q", "avg_sp", "avg_u", "avg_v", "avg_tprate", "avg_sdlwrf")

#: Fluxes with benchmarks.
FLUXES = ("slhf", "sshf", "nee")

#: Number of predictors, of short-wave radiation, temperature, relative humidity, wind, precipitation and long-wave
#: radiation in this order, and of clusters with a regression each.
BENCHMARKS = {"1lin": (1, 1), "3km27": (3, 27), "6km729": (6, 729)}

#: End of the name of a benchmark that is fitted at the site itself.
OWN_SITE = ", own site"

#: Values for each coefficient that a regression needs: clusters are fewer where there are not as many.
_FEWEST = 5

#: Smallest relative singular value of a regression: predictors that hardly vary within a cluster have no part.
_RESOLVED = 1e-2

#: Distance up to which sites are not independent [degrees].
_NEAR = 0.5


def predictors(weather: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the predictors (time, 6) of series (time,) of :data:`WEATHER`."""
    pressure = weather["avg_q"] * weather["avg_sp"] / (VAPOUR_MASS_RATIO + (1.0 - VAPOUR_MASS_RATIO) * weather["avg_q"])
    humidity = pressure / saturation_pressure(weather["avg_t"])
    wind = np.hypot(weather["avg_u"], weather["avg_v"])
    return np.stack(
        [weather["avg_sdswrf"], weather["avg_t"], humidity, wind, weather["avg_tprate"], weather["avg_sdlwrf"]], -1
    ).astype(np.float64)


@dataclass(frozen=True)
class Regression:
    """Linear regressions in clusters of the predictors; made by :func:`fit`."""

    scale: np.ndarray  #: standard deviation of the predictors (predictor,)
    centres: np.ndarray  #: (cluster, predictor), in units of ``scale``
    means: np.ndarray  #: of flux and predictors (cluster, 1 + predictor)
    slopes: np.ndarray  #: (cluster, predictor)
    limits: tuple[float, float]  #: of the flux that was seen

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the flux (time,) of predictors (time, predictor), within the range that was seen."""
        scaled = x / self.scale
        cluster = cKDTree(self.centres).query(scaled)[1]
        flux = self.means[cluster, 0] + ((scaled - self.means[cluster, 1:]) * self.slopes[cluster]).sum(-1)
        return np.clip(flux, *self.limits)


def fit(x: np.ndarray, y: np.ndarray, clusters: int = 1) -> Regression:
    r"""Fit a linear regression in each cluster of the predictors.

    .. math:: \hat y = \bar y_k + \beta_k^\top (x - \bar x_k), \qquad k = \arg\min_j |x - c_j|

    with centres :math:`c` from k-means of the predictors over their standard deviation.

    Parameters
    ----------
    x, y : array, shape (time, predictor) and (time,)
        Predictors and flux without missing values.
    clusters : int
        Number of clusters; fewer where a cluster would have less than five values for each coefficient in the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.evaluation.observations.benchmarks import fit
    >>> x = np.linspace(0.0, 1.0, 50)[:, None]
    >>> fit(x, 2.0 * x[:, 0] - 1.0)(np.array([[1.0]])).round(6)
    array([1.])
    """
    spread = x.std(0)
    scale = np.where(spread > 0.0, spread, 1.0)
    scaled, fewest = x / scale, _FEWEST * (x.shape[1] + 1)
    number = max(1, min(clusters, len(y) // fewest))
    centres = scaled.mean(0, keepdims=True)
    if number > 1:
        centres = kmeans2(scaled, number, minit="points", seed=np.random.default_rng(0), missing="warn")[0]
        members = np.bincount(cKDTree(centres).query(scaled)[1], minlength=number)
        centres = centres[members >= min(fewest, members.max())]
    cluster = cKDTree(centres).query(scaled)[1]
    means, slopes = np.zeros((len(centres), 1 + x.shape[1])), np.zeros((len(centres), x.shape[1]))
    for k in range(len(centres)):
        own = cluster == k
        means[k] = y[own].mean(), *scaled[own].mean(0)
        slopes[k] = np.linalg.lstsq(scaled[own] - means[k, 1:], y[own] - means[k, 0], rcond=_RESOLVED)[0]
    return Regression(scale, centres, means, slopes, (float(y.min()), float(y.max())))


def benchmark_series(
    weather: Sequence[np.ndarray], fluxes: Sequence[np.ndarray], places: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """Return the benchmarks of each site by name, fitted elsewhere and, with :data:`OWN_SITE`, at the site.

    Parameters
    ----------
    weather, fluxes : sequence of array, shapes (time, 6) and (time,)
        Predictors from :func:`predictors` and the observed flux of each site, NaN where it is missing; there may be
        other times at each site.
    places : pair of array, shape (site,)
        Latitudes and longitudes [degrees]. Sites within 0.5 degrees are not used for each other.

    Returns
    -------
    list of dict of array, shape (time,)
        Series at all times of the site; those fitted elsewhere only if there are other sites.
    """
    valid = [np.isfinite(x).all(-1) & np.isfinite(y) for x, y in zip(weather, fluxes, strict=True)]
    out: list[dict[str, np.ndarray]] = []
    for i, x in enumerate(weather):
        own: dict[str, np.ndarray] = {}
        apart = separation(places, (places[0][i : i + 1], places[1][i : i + 1]))
        groups = {"": [j for j in range(len(weather)) if apart[j] > _NEAR], OWN_SITE: [i]}
        for label, members in groups.items():
            fitted = [j for j in members if valid[j].any()]
            if not fitted:
                continue
            known = np.concatenate([weather[j][valid[j]] for j in fitted])
            flux = np.concatenate([fluxes[j][valid[j]] for j in fitted])
            for name, (n, clusters) in BENCHMARKS.items():
                series = np.full(len(x), np.nan)
                complete = np.isfinite(x).all(-1)
                series[complete] = fit(known[:, :n], flux, clusters)(x[complete][:, :n])
                own[name + label] = series
        out.append(own)
    return out

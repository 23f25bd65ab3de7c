# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Values of a store that contradict its declared mapping: a wrong unit, sign or accumulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anemoi_ailand.variables import VARIABLES, Time

#: Range of the largest value over the land on a few days, in the unit of the table. A factor of 100 or more, as between
#: percent and fraction, W m-2 and J m-2, m and kg m-2, leaves it. Zero everywhere, as snow in summer, tells nothing.
LARGEST: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("swvl1", "swvl2", "swvl3", "swvl4"), (0.02, 1.0)),
    **dict.fromkeys(("stl1", "stl2", "stl3", "stl4", "skt", "2t", "2d", "t", "avg_t"), (220.0, 380.0)),
    "snowc": (0.0101, 1.01),
    "sd": (0.02, 3.0e4),  # glaciers of ECMWF hold 10 m of water
    "rsn": (50.0, 1000.0),
    "tsn": (200.0, 290.0),
    "asn": (0.1, 1.01),
    "src": (1.0e-3, 50.0),
    "slhf": (1.0, 2.0e3),
    "sshf": (5.0, 2.0e3),
    **dict.fromkeys(("evap", "avg_tprate", "avg_tsrwe"), (1.0e-6, 0.05)),
    **dict.fromkeys(("sro", "ssro", "smlt"), (1.0e-10, 0.05)),
    "gpp": (1.0e-9, 1.0e-5),
    "nee": (1.0e-9, 1.0e-5),
    "avg_sdswrf": (20.0, 1500.0),
    "avg_sdlwrf": (80.0, 700.0),
    **dict.fromkeys(("q", "avg_q"), (2.0e-4, 0.05)),
    **dict.fromkeys(("sp", "avg_sp"), (4.5e4, 1.2e5)),
    **dict.fromkeys(("lai_lv", "lai_hv"), (0.05, 15.0)),
    **dict.fromkeys(("cl", "cvl", "cvh", "c4", "lsm", "cur", "al"), (0.0101, 1.01)),
    "theta_cap": (0.1, 0.9),
    "theta_pwp": (0.02, 0.9),
    "theta_sat": (0.2, 1.0),
}  # fmt: skip

#: Sign of the mean over the land and many days, by the signs of the table.
SIGN = {"slhf": -1, "evap": 1, "sro": 1, "ssro": 1, "gpp": 1}

#: Number of values from which the largest one and the mean are telling.
_ENOUGH = 2000

#: Snow depth that covers nine tenths of the ground, at least and at most [m], and cover from which it is compared.
_DEPTH, _COVERED = (2.0e-3, 1.0e3), 0.9


class Extremes:
    """Sums, squares and limits of all variables over points and dates."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.count = 0
        self._sum, self._squares = np.zeros((2, len(names)))
        self.low, self.high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        self._shift: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        """Add the values (variable, point) of a date."""
        if self._shift is None:  # sums of squares lose their digits far from the mean
            self._shift = values.mean(axis=1, dtype=np.float64)
        away = values - self._shift[:, None]
        self.count += values.shape[1]
        self._sum += away.sum(axis=1)
        self._squares += np.square(away).sum(axis=1)
        self.low, self.high = np.minimum(self.low, values.min(axis=1)), np.maximum(self.high, values.max(axis=1))

    def statistics(self) -> dict[str, np.ndarray]:
        """Return mean, standard deviation, minimum and maximum, each of shape (variable,), float64."""
        assert self._shift is not None
        mean = self._sum / self.count
        variance = np.maximum(self._squares / self.count - mean**2, 0.0)
        flat = self.low == self.high
        return {
            "mean": np.where(flat, self.low, self._shift + mean),
            "stdev": np.where(flat, 0.0, np.sqrt(variance)),
            "minimum": self.low.astype(np.float64),
            "maximum": self.high.astype(np.float64),
        }


def sample_dates(n: int, wanted: int, without: Sequence[int] = ()) -> list[int]:
    """Return up to ``wanted`` of ``n`` dates, spread evenly and over the four hours of the day in turn.

    >>> sample_dates(1000, 4)
    [0, 333, 666, 999]
    """
    if wanted >= n:
        return sorted(set(range(n)) - set(without))
    places = np.linspace(0, n - 1, wanted)
    found = {min(n - 1, int(p) - int(p) % 4 + k % 4) for k, p in enumerate(places)}
    return sorted(found - set(without))


def check_values(
    extremes: Extremes, ranges: Mapping[str, tuple[float, float]], store: str, *, few: bool = False
) -> None:
    """Refuse values over the land that contradict the unit, sign or accumulation that a mapping declares.

    ``ranges`` are those of the mapping, which replace :data:`LARGEST`. ``few`` dates tell whether values are too large
    only.

    Raises
    ------
    ValueError
        The message lists all contradictions.
    """
    known = {**LARGEST, **ranges}
    telling = extremes.count >= _ENOUGH
    found, mean = [], extremes.statistics()["mean"]
    for i, name in enumerate(extremes.names):
        row = VARIABLES[name]
        largest = float(max(abs(extremes.low[i]), abs(extremes.high[i])))
        low, high = known.get(name, (0.0, np.inf))
        least, most = row.bounds
        if largest > high:
            found.append(f"'{name}' reaches {largest:.3g} {row.units}, more than {high:g}")
        elif name == "snowc" and telling and 0.0 < largest < low:
            found.append(f"'{name}' reaches {largest:.3g} only, as a fraction that is taken for percent")
        elif row.time is not Time.CONSTANT and not few and telling and 0.0 < largest < low:
            found.append(f"'{name}' reaches {largest:.3g} {row.units} only, less than {low:g}")
        elif name in SIGN and not few and telling and SIGN[name] * mean[i] < 0.0:
            found.append(f"'{name}' has a mean of {mean[i]:.3g} {row.units}, of the wrong sign")
        elif _outside(extremes.low[i], extremes.high[i], least, most):
            found.append(
                f"'{name}' is {extremes.low[i]:.4g} to {extremes.high[i]:.4g} {row.units}, outside {row.bounds}"
            )
    if found:
        raise ValueError(
            f"The values of '{store}' over land contradict the mapping: {'; '.join(found)}. Correct unit, sign or "
            "`over` in the mapping; if the values are right, widen `largest` of the variable."
        )


def _outside(low: float, high: float, least: float | None, most: float | None) -> bool:
    """Return whether values leave the bounds of the table by more than rounding, a hundredth of their range."""
    room = 0.01 * max(abs(low), abs(high))
    return (least is not None and low < least - room) or (most is not None and high > most + room)


def check_related(fields: Mapping[str, np.ndarray], store: str) -> None:
    """Refuse fields (point,) of one date that contradict each other: depth and cover of snow.

    Raises
    ------
    ValueError
        Where snow covers the ground, it is thinner or thicker than snow can be.
    """
    if not {"sd", "rsn", "snowc"} <= set(fields):
        return
    covered = (fields["snowc"] > _COVERED) & (fields["rsn"] > 0.0)
    if covered.sum() < 10:
        return
    depth = float(np.median(fields["sd"][covered] / fields["rsn"][covered]))
    if not _DEPTH[0] <= depth <= _DEPTH[1]:
        raise ValueError(
            f"Snow that covers more than {_COVERED:g} of the ground in '{store}' is {depth:.2g} m deep (`sd` / `rsn`). "
            "Correct the unit of 'sd' or 'rsn' in the mapping."
        )

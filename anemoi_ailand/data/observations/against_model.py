# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations against a physical model of the same places and hours: mistakes that are larger than its errors.

A flux of the wrong sign, two that are exchanged, stamps of other hours, another unit and numbers in the place of gaps
are possible values. They show when a change that undoes the mistake brings observations much nearer to the model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np

from anemoi_ailand.constants import STEP_HOURS

LOG = logging.getLogger(__name__)

#: Values of a site, at least, that tell a mistake.
FEWEST = 100

#: Share of the mean square departure that a change leaves if it undoes a mistake.
_NEARER = 0.5

#: Ratio of the standard deviations of observations and model that another unit has.
_UNIT = 5.0

#: Share of a site's values that are one and the same number, which no measured flux or temperature has.
_SAME = 0.2

#: Offset of temperatures that no instrument has, nor a model with the weather of the site [K].
_OFFSET = {"2t": 2.5, "2d": 3.5}

_FLUXES, _PAIRS = ("slhf", "sshf"), (("slhf", "sshf"), ("2t", "2d"))

#: Variables with a daily cycle, whose clock can be told, and shifts that are tried [steps].
_DAILY, _SHIFTS = ("slhf", "sshf", "2t"), (-2, -1, 1, 2)

Fields = Mapping[str, np.ndarray]


def warn_of_contradictions(observed: Fields, model: Fields, where: str) -> list[str]:
    """Warn of observations that contradict a physical model as a mistake does; return the sentences.

    Parameters
    ----------
    observed, model : mapping of name to array, shape (time, point)
        Values in the units of the table at consecutive 6-hourly dates, NaN where nothing was measured. Variables that
        the model lacks are not compared.
    where : str
        Place of the observations, for the message.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.data.observations.against_model import warn_of_contradictions
    >>> model = -100.0 * np.sin(np.arange(200.0))[:, None] - 50.0
    >>> warn_of_contradictions({"sshf": -model}, {"sshf": model}, "towers.nc")[0][:48]
    "'sshf' is nearer to the model with the other sig"
    """
    found: list[str] = []
    names = [n for n in observed if n in model]
    _Sites(observed, model, [n for n in names if n in _FLUXES], found).compare(
        lambda name: -observed[name], "'{}' is nearer to the model with the other sign: fluxes are positive downward"
    )
    for one, other in _PAIRS:
        if one in names and other in names:
            exchanged = {one: observed[other], other: observed[one]}
            _Sites(observed, model, [one, other], found).compare_all(
                exchanged, f"'{one}' and '{other}' are nearer to the model if they are exchanged"
            )
    daily = [n for n in names if n in _DAILY]
    if daily and not found:
        sites = _Sites(observed, model, daily, found)
        moved = {k: {n: _moved(observed[n], k) for n in daily} for k in _SHIFTS}
        best = min(_SHIFTS, key=lambda k: sites.left(moved[k]))
        late = f"{abs(best) * STEP_HOURS} h {'earlier' if best < 0 else 'later'}"
        sites.compare_all(
            moved[best], f"Observations are nearer to the model {late}: stamps are UTC, at the end of the 6 h"
        )
    for name in names:
        found += _of_values(name, observed[name], model[name])
    for sentence in found:
        LOG.warning("Observations in %s: %s. Check them before results are used.", where, sentence)
    return found


class _Sites:
    """Comparison of the departures of observations, as they are and changed, site by site."""

    def __init__(self, observed: Fields, model: Fields, names: list[str], found: list[str]) -> None:
        self.observed, self.model, self.names, self.found = observed, model, names, found

    def compare(self, changed: Callable[[str], np.ndarray], words: str) -> None:
        """Compare each variable by itself."""
        for name in self.names:
            self._tell(*self._squares([name], {name: changed(name)}), words.format(name))

    def compare_all(self, changed: Fields, words: str) -> None:
        """Compare all variables together, each in units of the variability of the model."""
        self._tell(*self._squares(self.names, changed), words)

    def left(self, changed: Fields) -> float:
        """Return the mean square departure that changed observations have."""
        squares = self._squares(self.names, changed)[1]
        return float(np.nanmean(squares)) if np.isfinite(squares).any() else np.inf

    def _squares(self, names: list[str], changed: Fields) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean square departures (point,) as given and changed, of sites with enough values, else NaN."""
        both = []
        for name in names:
            model, seen, other = self.model[name], self.observed[name], changed[name]
            valid = np.isfinite(seen) & np.isfinite(other) & np.isfinite(model)
            number = valid.sum(axis=0)
            size = max(float(np.nanvar(model)), 1.0e-12)
            both.append([
                np.where(number >= FEWEST, np.where(valid, (x - model) ** 2, 0.0).sum(axis=0) / np.maximum(number, 1),
                         np.nan) / size for x in (seen, other)
            ])  # fmt: skip
        if not both:
            return np.empty(0), np.empty(0)
        total = np.sum(both, axis=0)
        return total[0], total[1]

    def _tell(self, given: np.ndarray, changed: np.ndarray, words: str) -> None:
        known = np.isfinite(given)
        at = known & (changed < _NEARER * given)
        if at.any():
            self.found.append(f"{words} ({_places(at, known)})")


def _of_values(name: str, seen: np.ndarray, model: np.ndarray) -> list[str]:
    """Describe values of one variable in another unit, with an offset, or that are one and the same number."""
    valid = np.isfinite(seen) & np.isfinite(model)
    enough = valid.sum(axis=0) >= FEWEST
    if not enough.any():
        return [f"no site has {FEWEST} values of '{name}', so that they cannot be compared"] if valid.any() else [
            f"'{name}' has no value at the dates and points of the run"]  # fmt: skip
    found = []
    ratio = np.std(seen[valid]) / max(float(np.std(model[valid])), 1.0e-12)
    if not 1.0 / _UNIT < ratio < _UNIT:
        found.append(f"the standard deviation of '{name}' is {ratio:.2g} times that of the model: check the unit")
    if name in _OFFSET:
        apart = np.where(valid, seen - model, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
        at = enough & (np.abs(apart) > _OFFSET[name])
        if at.any():
            worst = apart[np.argmax(np.where(at, np.abs(apart), 0.0))]
            found.append(f"'{name}' is {worst:+.1f} K from the model in the mean ({_places(at, enough)})")
    at = np.array([k and _share_of_one(seen[v, i]) > _SAME for i, (k, v) in enumerate(zip(enough, valid.T, strict=True))])
    if at.any() and not name.startswith("swvl"):
        found.append(f"more than {_SAME:.0%} of '{name}' is one and the same number ({_places(at, enough)}): gaps are "
                     "NaN, and a sensor that is stuck has to be left out")  # fmt: skip
    return found


def _share_of_one(values: np.ndarray) -> float:
    """Return the share of the most frequent number."""
    return float(np.unique(values, return_counts=True)[1].max() / values.size)


def _moved(values: np.ndarray, steps: int) -> np.ndarray:
    """Return values at other dates, NaN where there is none."""
    out = np.roll(values, steps, axis=0).astype(np.float64)
    out[slice(None, steps) if steps > 0 else slice(steps, None)] = np.nan
    return out


def _places(at: np.ndarray, known: np.ndarray) -> str:
    """Return the number of sites, and the first ones by position."""
    some = np.flatnonzero(at)
    named = ", ".join(map(str, some[:5])) + (" ..." if some.size > 5 else "")
    return f"{some.size} of {int(known.sum())} sites, by position {named}"

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations against a physical model of the same places and hours: mistakes that are larger than its errors.

A flux of the wrong sign, two that are exchanged, stamps of other hours, another unit and numbers in the place of gaps
are possible values. They show when a change that undoes the mistake brings observations much nearer to the model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

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

#: Shifts of the clock that are tried [steps].
_SHIFTS = (-2, -1, 1, 2)

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
    names = [n for n in observed if n in model]
    found, explained = _mistakes(observed, model, [n for n in names if n in (*_FLUXES, *_OFFSET)])
    for name in names:
        found += _of_values(name, observed[name], model[name], explained)
    for sentence in found:
        LOG.warning("Observations in %s: %s. Check them before results are used.", where, sentence)
    return found


def _mistakes(observed: Fields, model: Fields, names: list[str]) -> tuple[list[str], np.ndarray]:
    """Describe the mistake that explains most of the departures of each site, if one does; return these sites too."""
    if not names:
        return [], np.zeros(1, bool)
    given = np.stack([_square(observed[n], model[n], FEWEST) for n in names])
    known = np.isfinite(given)
    words, left = [], []
    for sentence, changed in _changes(observed, names):
        squares = np.stack([_square(changed[n], model[n], 1) if n in changed else given[i]
                            for i, n in enumerate(names)])  # fmt: skip
        words.append(sentence)
        left.append(np.where(known, squares, 0.0).sum(axis=0))
    best, total = np.argmin(left, axis=0), np.where(known, given, 0.0).sum(axis=0)
    explained = known.any(axis=0) & (np.min(left, axis=0) < _NEARER * total)
    return [
        f"{sentence} ({_places(explained & (best == k), known.any(axis=0))})"
        for k, sentence in enumerate(words)
        if (explained & (best == k)).any()
    ], explained


def _changes(observed: Fields, names: list[str]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield a sentence for each mistake, and the observations without it."""
    fluxes = [n for n in names if n in _FLUXES]
    for some in (*([n] for n in fluxes), *([fluxes] if len(fluxes) > 1 else [])):
        subject = " and ".join(f"'{n}'" for n in some) + (" are" if len(some) > 1 else " is")
        yield f"{subject} nearer to the model with the other sign: fluxes are positive downward", {
            n: -observed[n] for n in some}  # fmt: skip
    for one, other in _PAIRS:
        if one in names and other in names:
            words = f"'{one}' and '{other}' are nearer to the model if they are exchanged"
            yield words, {one: observed[other], other: observed[one]}
    for shift in _SHIFTS:
        late = f"{abs(shift) * STEP_HOURS} h {'earlier' if shift < 0 else 'later'}"
        words = f"Observations are nearer to the model {late}: stamps are UTC, at the end of the 6 h"
        yield words, {n: _moved(observed[n], shift) for n in names}


def _square(seen: np.ndarray, model: np.ndarray, fewest: int) -> np.ndarray:
    """Return the mean square departure (point,) over the variance of the model, NaN where there are few values."""
    valid = np.isfinite(seen) & np.isfinite(model)
    number = valid.sum(axis=0)
    total = np.where(valid, (np.where(valid, seen, 0.0) - model) ** 2, 0.0).sum(axis=0)
    return np.where(number >= fewest, total / np.maximum(number, 1), np.nan) / max(float(np.nanvar(model)), 1.0e-12)


def _of_values(name: str, seen: np.ndarray, model: np.ndarray, explained: np.ndarray) -> list[str]:
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
        at = enough & ~explained & (np.abs(apart) > _OFFSET[name])
        if at.any():
            worst = apart[np.argmax(np.where(at, np.abs(apart), 0.0))]
            found.append(f"'{name}' is {worst:+.1f} K from the model in the mean ({_places(at, enough)})")
    at = np.array([k and _share_of_one(x[v]) > _SAME for k, x, v in zip(enough, seen.T, valid.T, strict=True)])
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

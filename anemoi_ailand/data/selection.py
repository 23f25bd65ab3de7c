# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Selection and order of the points of a dataset, held-out points, and the check for missing values.

Training reads contiguous blocks, which a chunked store reads fast. In the order of a grid, a block would be one region;
in the fair order it contains every stratum (climate class) in proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from anemoi_ailand.data.reader import Reader

#: Land fraction from which a point is land [1]. IFS Documentation, Part IV: land-sea mask.
LAND = 0.5


def held_out(
    point_id: np.ndarray, rule: Mapping[str, Any] | None, label: Callable[[str], np.ndarray] | None = None
) -> np.ndarray:
    """Return a flag for each point that is never trained on, shape (point,).

    Rules: ``{every: 5}``, identity divisible by 5; ``{ids: [...]}``, these points; ``{where: never_trained}``, points
    at which this variable of the files is 1; ``{site: [FortPeck, Bondville]}``, points at which this variable of the
    files has one of these values. One of several rules suffices. None, no point is held out.

    ``label`` returns a variable of the files along the points by its name, if they can have any.
    """
    out = np.zeros(len(point_id), bool)
    if label is None:
        _check_keys(rule, {"every", "ids"}, "held_out")
    for key, value in (rule or {}).items():
        if key == "every":
            out |= point_id % int(value) == 0
        elif key == "ids":
            out |= np.isin(point_id, _known(value, point_id))
        elif label is not None:
            out |= _flags(value, label(value)) if key == "where" else _labelled(key, value, label(key))
    if rule and not (0 < out.sum() < len(out)):
        raise ValueError(
            f"`held_out: {dict(rule)}` holds out {out.sum()} of {len(out)} points. Change the rule so that some but "
            "not all are held out, or leave it out."
        )
    return out


def _flags(name: str, found: np.ndarray) -> np.ndarray:
    if found.dtype.kind == "U" or not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"`held_out.where` needs a variable of zeros and ones; '{name}' is {np.unique(found)[:20].tolist()}. Name "
            f"the values to hold out: `held_out: {{{name}: [...]}}`."
        )
    return np.asarray(found == 1)


def _labelled(name: str, wanted: Any, found: np.ndarray) -> np.ndarray:
    wanted, available = np.atleast_1d(wanted).tolist(), np.unique(found).tolist()
    if unknown := [v for v in wanted if v not in available]:
        raise ValueError(
            f"`held_out.{name}` has {unknown}, which no point of the files has. Available: {available[:50]}. Correct "
            "the recipe."
        )
    return np.isin(found, wanted)


def select(
    reader: Reader, points: Mapping[str, Any] | None, held: np.ndarray, order: Mapping[str, int] | None
) -> np.ndarray:
    """Return the indices of the points of the dataset, in its order.

    ``points`` is ``{held_out: exclude}`` or ``{held_out: only}``, ``{ids: [...]}``, or ``{land: true}`` (land-sea mask
    of at least 0.5). ``held`` (point,) is true for held-out points, which come last. ``order`` is ``{seed: 1}`` for the
    fair order; None keeps the order of the files.
    """
    if points is not None and not isinstance(points, Mapping):
        raise ValueError(f"`points` is {points!r}. Give a mapping with some of ['held_out', 'ids', 'land'].")
    points = dict(points or {})
    _check_keys(points, {"held_out", "ids", "land"}, "points")
    _check_keys(order, {"seed"}, "order")
    keep = np.ones(len(reader.point_id), bool)
    if (choice := points.get("held_out")) is not None:
        if choice not in ("exclude", "only"):
            raise ValueError(f"`points.held_out` is '{choice}'; it can be 'exclude' or 'only'.")
        keep &= held if choice == "only" else ~held
    if "ids" in points:
        keep &= np.isin(reader.point_id, _known(points["ids"], reader.point_id))
    if points.get("land"):
        keep &= _land(reader)
    chosen = np.flatnonzero(keep)
    if len(chosen) == 0:
        raise ValueError(
            f"The selection `points: {points}` leaves none of {len(keep)} points (point_id {reader.point_id.min()} to "
            f"{reader.point_id.max()}, {held.sum()} held out). Widen it."
        )
    if order is None:
        return chosen
    strata = None if reader.climate_class is None else reader.climate_class[chosen]
    return chosen[fair_order(len(chosen), int(order["seed"]), strata, held[chosen])]


def fair_order(
    n_points: int, seed: int, strata: np.ndarray | None = None, last: np.ndarray | None = None
) -> np.ndarray:
    r"""Return a permutation of points such that contiguous blocks are fair.

    Member :math:`k` (in random order) of a stratum of :math:`n_s` points gets the key :math:`(k + u_s) / n_s` with one
    random :math:`u_s \in [0, 1)` per stratum; points are sorted by key. A block of :math:`m` of :math:`n` points then
    contains :math:`m n_s / n` members of each stratum, to within about one. Without strata it is a random permutation.

    ``strata`` (integers) and ``last`` (bool) have the shape (point,). Points flagged by ``last``, those never trained
    on, follow all others and are ordered among themselves by the same rule. ``values[..., order]`` is in the new order.
    """
    rng = np.random.default_rng(seed)
    strata = np.zeros(n_points, int) if strata is None else np.asarray(strata)
    last = np.zeros(n_points, bool) if last is None else np.asarray(last)
    return np.concatenate([_interleave(np.flatnonzero(last == flag), strata, rng) for flag in (False, True)])


def _interleave(members: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    keys = np.empty(len(members))
    members = rng.permutation(members)
    for stratum in np.unique(strata[members]):
        mine = np.flatnonzero(strata[members] == stratum)
        keys[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    return members[np.argsort(keys, kind="stable")]


def check_finite(
    values: np.ndarray, names: Sequence[str], dates: Sequence[datetime], reader: Reader, points: np.ndarray
) -> None:
    """Refuse NaN and infinite ``values`` (name, date, point), which would spoil statistics and training silently."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    i, j, k = (int(x[0]) for x in np.nonzero(bad))
    where = points[k]
    raise ValueError(
        f"'{names[i]}' is missing (NaN) at point_id {reader.point_id[where]} (latitude {reader.latitudes[where]:.3f}, "
        f"longitude {reader.longitudes[where]:.3f}) on {dates[j]}, and at {bad.sum()} of {bad.size} values in all, in "
        f"{reader.name}. Repair the file, leave sea points out with `points: {{land: true}}`, or drop the variable."
    )


def _land(reader: Reader) -> np.ndarray:
    if "lsm" not in reader.variables:
        raise ValueError(
            f"`points.land` needs the land-sea mask 'lsm', which is not in {reader.name}. Add the file that holds it "
            "to `static`."
        )
    return reader.read(["lsm"], [reader.coverage.first])[0, 0] >= LAND


def _known(ids: Sequence[int], point_id: np.ndarray) -> np.ndarray:
    wanted = np.atleast_1d(ids)
    unknown = wanted[~np.isin(wanted, point_id)]
    if len(unknown):
        raise ValueError(
            f"Points {unknown.tolist()} do not exist; point_id is {point_id[:20].tolist()}... Correct `ids`."
        )
    return wanted


def _check_keys(rule: Mapping[str, Any] | None, known: set[str], option: str) -> None:
    if rule is not None and (unknown := set(rule) - known):
        raise ValueError(f"`{option}` has no option {sorted(unknown)}; it takes {sorted(known)}. Correct the recipe.")

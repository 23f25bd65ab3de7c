# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fair order of points: any contiguous block is a fair sample of all points.

Training reads contiguous blocks, which a chunked store reads fast. In the order of a grid, a block would be one region;
in the fair order it contains every stratum (climate class) in proportion.
"""

from __future__ import annotations

import numpy as np


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

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Exchange between different grids: its weights are computed once, kept in a file, and checked when used again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anemoi_ailand.constants import EARTH_RADIUS, GRAVITY, SAME_PLACE
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.coupling.weights import (
    Weights,
    bilinear,
    cell_areas,
    cell_overlaps,
    nearest_few,
    voronoi_areas,
)
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.rollout.outputs.grib.grid import AUTO, UNSTRUCTURED, Rows, check_grid, guess, rows_of
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.checksum import file_sha256, record_sha256, recorded_sha256
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.support.lock import InUse, exclusive
from anemoi_ailand.support.options import check_known, one_mapping
from anemoi_ailand.support.sphere import Coordinates, same_points

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LOG = logging.getLogger(__name__)

BILINEAR, NEAREST = "bilinear", "nearest"

#: Points of the inverse-distance interpolation of an atmosphere without rows.
_FEW = 4

#: Land-sea mask from which a point of the atmosphere is land in the interpolation of instants.
_LAND = 0.5

#: Lapse rate of the standard atmosphere [K m-1]. ISO 2533.
LAPSE_RATE = 0.0065

#: Rate of unstable air, and of the strongest inversions, as a mean over the height of hills [K m-1].
_STEEPEST = 0.035

#: Seconds between looks at a file that another process makes.
_WAIT = 0.2

_SIDE, _OPTIONS = ("cells", "dataset"), ("weights", "land", "atmosphere", "states", "lapse_rate")


@dataclass(frozen=True)
class Side:
    """Points of one side: coordinates [degrees], option ``cells``, share of land [1] and height [m], if known."""

    places: Coordinates
    cells: Any = AUTO
    land: NDArray[np.float64] | None = None
    height: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.size(self.places[0]))


@dataclass(frozen=True)
class Grids:
    """Weights of an exchange, as they are kept in a file.

    ``areas`` [sr], ``amounts`` and ``states`` have the points of the land as rows and those of the atmosphere as
    columns; ``share`` (point of the atmosphere,) is that of the land, ``rise`` (point of the land,) the height of the
    land above the atmosphere's orography [m], zero without a correction.
    """

    areas: Weights
    amounts: Weights
    states: Weights
    share: NDArray[np.float64]
    rise: NDArray[np.float64]

    def exchange(self) -> Exchange:
        """Return the exchange with these weights."""
        return Exchange(
            self.areas, self.rise.size, self.share.size, amounts=self.amounts, states=self.states, share=self.share
        )


@dataclass(frozen=True)
class GridOptions:
    """Options of ``points: {weights: FILE, ...}``, checked.

    Parameters
    ----------
    weights : Path
        File of the weights; made if it does not exist.
    land, atmosphere : mapping
        Of each side: ``cells``, the grid that its points belong to (``auto``, ``O96``, ``N320``, ``[0.25, 0.25]``,
        ``unstructured``), and ``dataset``, an Anemoi dataset on its points with ``lsm`` and ``z``.
    states : str or mapping, optional
        ``bilinear`` or ``{nearest: N}``, the N nearest points by inverse distance.
    lapse_rate : float, optional
        Lapse rate of the correction for height [K m-1]; None for no correction.
    """

    weights: Path
    land: Mapping[str, Any] = field(default_factory=dict)
    atmosphere: Mapping[str, Any] = field(default_factory=dict)
    states: Any = None
    lapse_rate: float | None = LAPSE_RATE

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> GridOptions:
        """Check the options of a configuration."""
        check_known(config, _OPTIONS, "`points`")
        sides = {}
        for name in ("land", "atmosphere"):
            given = one_mapping(config.get(name, {}), _SIDE, f"`points.{name}`")
            sides[name] = {**given, "cells": check_grid(given.get("cells", AUTO), 2)}
        states = config.get("states")
        few = isinstance(states, Mapping) and list(states) == [NEAREST] and states[NEAREST]
        if not (states in (None, BILINEAR) or (isinstance(few, int) and few > 0)):
            raise ValueError(f"`points.states` is {states!r}. Give bilinear or {{nearest: N}} with N of at least 1.")
        path = Path(str(config["weights"])).expanduser()
        if path.suffix != ".npz":
            raise ValueError(f"`points.weights` is '{path}'. Give a name that ends in .npz.")
        rate = config.get("lapse_rate", LAPSE_RATE)
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
            raise ValueError(f"`points.lapse_rate` is {rate!r}. Give a number [K m-1], or null for no correction.")
        if rate is not None and not -_STEEPEST <= rate <= _STEEPEST:
            raise ValueError(
                f"`points.lapse_rate` is {rate} K m-1, which no air has: 6.5 K km-1 are {LAPSE_RATE}. Correct it."
            )
        if rate is not None and rate < 0.0:
            LOG.warning("`points.lapse_rate` is %s K m-1: air would be warmer above. Usual is %s", rate, LAPSE_RATE)
        return cls(path, sides["land"], sides["atmosphere"], states, None if rate is None else float(rate))

    def text(self) -> str:
        """Return the options on which the weights depend, as JSON."""
        kept = {"land": self.land, "atmosphere": self.atmosphere, "states": self.states, "lapse": self.lapse_rate}
        return json.dumps(kept, sort_keys=True, default=str)


def open_grids(
    options: GridOptions, land: Coordinates, atmosphere: Coordinates, land_height: NDArray[np.float64] | None
) -> Grids:
    """Read the weights between these points, or compute and keep them.

    Raises
    ------
    ValueError
        The file is damaged, or was made for other points or with other options; a dataset has other points.
    """
    if options.weights.exists():
        return load(options.weights, land, atmosphere, options.text())
    check_folder(options.weights.parent)
    with _one_at_a_time(options.weights):  # members of an ensemble and ranks start together
        if options.weights.exists():
            return load(options.weights, land, atmosphere, options.text())
        return _made(options, land, atmosphere, land_height)


def _made(
    options: GridOptions, land: Coordinates, atmosphere: Coordinates, land_height: NDArray[np.float64] | None
) -> Grids:
    """Compute and keep the weights."""
    sides = (_side(land, options.land, "land", land_height), _side(atmosphere, options.atmosphere, "atmosphere", None))
    if options.lapse_rate is not None:
        for name, side in zip(("land", "atmosphere"), sides, strict=True):
            if side.height is None:
                raise ValueError(
                    f"The correction for height needs the orography of the {name}: give `points.{name}.dataset`, an "
                    "Anemoi dataset on its points with its surface geopotential `z`, or set `points.lapse_rate: null`."
                )
    grids = make(*sides, states=options.states, correct=options.lapse_rate is not None)
    save(options.weights, grids, land, atmosphere, options.text())
    return grids


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock of a file, after another process has given it back."""
    with ExitStack() as held:
        for waited in count():
            try:
                held.enter_context(exclusive(path))
                break
            except InUse as error:
                LOG.log(logging.DEBUG if waited else logging.INFO, "Waiting for '%s': %s", path, error)
                time.sleep(_WAIT)
        yield


def make(land: Side, atmosphere: Side, *, states: Any = None, correct: bool = False) -> Grids:
    """Compute the weights between two sets of points.

    Parameters
    ----------
    land, atmosphere : Side
        Both sides. Where both are on grids of rows, areas are the exact overlaps of their cells; otherwise each point
        of the land belongs to the nearest of the atmosphere, and those of one point have equal areas.
    states : str or mapping, optional
        ``bilinear`` (default on rows) or ``{nearest: N}``.
    correct : bool
        Compute the difference in height.
    """
    overlaps, cells = _overlaps(land, atmosphere)
    fraction = np.ones(land.size) if land.land is None else np.clip(land.land, 0.0, 1.0)
    mask = np.ones(atmosphere.size) if atmosphere.land is None else np.clip(atmosphere.land, 0.0, 1.0)
    of_land = overlaps._replace(values=overlaps.values * fraction[overlaps.rows])
    covered = np.bincount(of_land.columns, weights=of_land.values, minlength=atmosphere.size) / cells
    share = np.minimum(covered, mask)
    fit = np.where(covered > mask, mask / np.where(covered > 0.0, covered, 1.0), 1.0)
    areas = _positive(of_land._replace(values=of_land.values * fit[of_land.columns]))
    weights = _land_first(_interpolation(land, atmosphere, states), mask)
    rise = np.zeros(land.size)
    if correct and land.height is not None and atmosphere.height is not None:
        sums, values = (
            np.bincount(weights.rows, weights=w, minlength=land.size)
            for w in (weights.values, weights.values * atmosphere.height[weights.columns])
        )
        rise = land.height - values / sums
    found = areas.values.sum() / max(of_land.values.sum(), np.finfo(float).tiny)
    LOG.info(
        "%d points of land, %d of the atmosphere: %.2f %% of the land's area is land in the atmosphere; the land is "
        "%.0f m above its orography on average (absolute)", land.size, atmosphere.size, 100.0 * found,
        np.abs(rise).mean(),
    )  # fmt: skip
    return Grids(areas, _with_lonely(areas, overlaps, land.size), weights, share, rise)


def overlap_areas(
    targets: Coordinates, sources: Coordinates, *, cells: Any = AUTO, source_cells: Any = AUTO
) -> csr_array:
    r"""Compute the areas that cells of targets and sources have in common [m2], shape (target, source).

    The matrix :math:`A_{ij}` of first-order conservative regridding: :math:`y_i = \sum_j A_{ij} x_j / \sum_j A_{ij}` is
    the mean of a flux over the part of cell i that sources cover, and :math:`\sum_i y_i \sum_j A_{ij}` what they gave.

    Parameters
    ----------
    targets, sources : pair of arrays
        Latitudes and longitudes [degrees].
    cells, source_cells : str or list
        Grids of the points, as in :class:`GridOptions`. Sources on no known grid belong to the nearest target, and
        those of one target have equal areas.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand import overlap_areas
    >>> latitudes, longitudes = np.meshgrid(np.arange(90.0, -91.0, -10.0), np.arange(0.0, 360.0, 10.0), indexing="ij")
    >>> areas = overlap_areas((latitudes.ravel(), longitudes.ravel()), (np.array([50.0, 52.0]), np.array([7.0, 8.0])))
    >>> areas.shape, areas.nnz
    ((684, 2), 2)
    """
    from scipy.sparse import csr_array  # slow to import

    sides = Side(sources, check_grid(source_cells, 2)), Side(targets, check_grid(cells, 2))
    found, _ = _overlaps(*sides)
    square_metres = (1.0e3 * EARTH_RADIUS) ** 2
    shape = sides[1].size, sides[0].size
    return csr_array((found.values * square_metres, (found.columns, found.rows)), shape=shape)


def save(path: Path, grids: Grids, land: Coordinates, atmosphere: Coordinates, options: str) -> None:
    """Write weights and the points they belong to, with a checksum next to the file."""
    arrays: dict[str, Any] = {"options": np.array(options), "share": grids.share, "rise": grids.rise}
    for side, places in (("land", land), ("atmosphere", atmosphere)):
        arrays |= {f"{side}_latitudes": places[0], f"{side}_longitudes": places[1]}
    for name in ("areas", "amounts", "states"):
        arrays |= {f"{name}_{part}": values for part, values in getattr(grids, name)._asdict().items()}
    with complete_file(path) as partial:
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        record_sha256(path, partial)  # known before the file has its name
    LOG.info("Weights of the exchange written to %s", path)


def load(path: Path, land: Coordinates, atmosphere: Coordinates, options: str) -> Grids:
    """Read weights, and refuse a damaged file, and one for other points or options."""
    again = "Remove it, and it is computed again."
    if file_sha256(path) not in recorded_sha256(path):
        raise ValueError(f"The weights '{path}' are damaged, or '{path.name}.sha256' is missing or of others. {again}")
    with np.load(path, allow_pickle=False) as file:
        for side, places in (("land", land), ("atmosphere", atmosphere)):
            there = file[f"{side}_latitudes"], file[f"{side}_longitudes"]
            if not same_points(there, places):
                raise ValueError(
                    f"The weights '{path}' belong to another grid of the {side}: {there[0].size} points, while this "
                    f"run has {np.size(places[0])}, or the same number elsewhere. Give another name, or remove it."
                )
        if str(file["options"]) != options:
            raise ValueError(f"The weights '{path}' were made with {file['options']}, not {options}. {again}")
        areas, amounts, states = (
            Weights(*(file[f"{name}_{part}"] for part in Weights._fields)) for name in ("areas", "amounts", "states")
        )
        return Grids(areas, amounts, states, file["share"], file["rise"])


def _side(places: Coordinates, config: Mapping[str, Any], name: str, height: NDArray[np.float64] | None) -> Side:
    if "dataset" not in config:
        return Side(places, config["cells"], None, height)
    stored = AnemoiDataset(str(config["dataset"]))
    if not same_points((stored.latitudes, stored.longitudes), places):
        raise ValueError(
            f"`points.{name}.dataset` '{stored.path}' has {stored.latitudes.size} points, not the {places[0].size} of "
            f"the {name} in the same order. Give a dataset on its points."
        )
    constants = {n: stored.constant(n) for n in ("lsm", "z")}
    if missing := [n for n, values in constants.items() if values is None]:
        LOG.warning("%s of '%s' is absent or has gaps: it is not used", " and ".join(missing), stored.path)
    z = constants["z"]
    return Side(places, config["cells"], constants["lsm"], height if z is None else z.astype(np.float64) / GRAVITY)


def _rows(side: Side) -> tuple[Rows, NDArray[np.int64]] | None:
    """Return the grid of rows and the position of each point in it; None for unstructured points."""
    latitudes, longitudes = (np.asarray(v, dtype=np.float64) for v in side.places)
    cells = guess(latitudes, longitudes) if side.cells == AUTO else side.cells
    if cells == UNSTRUCTURED or isinstance(cells, Mapping):
        return None
    rows = rows_of(cells)
    index, apart = rows.places(latitudes, longitudes)
    if apart.max() > SAME_PLACE or np.unique(index).size < index.size:
        raise ValueError(
            f"{int((apart > SAME_PLACE).sum())} of {side.size} points are not on the grid {cells}, the farthest "
            f"{apart.max():.3g} degrees from it, or two are at one place. Name the true grid in `cells`."
        )
    return rows, index


def _overlaps(land: Side, atmosphere: Side) -> tuple[Weights, NDArray[np.float64]]:
    """Return areas that points share [sr], and the areas of the points of the atmosphere."""
    on, over = _rows(land), _rows(atmosphere)
    cells = voronoi_areas(atmosphere.places) if over is None else cell_areas(over[0])[over[1]]
    if on is None or over is None:
        nearest = nearest_few(atmosphere.places, land.places, 1)
        many = np.bincount(nearest.columns, minlength=atmosphere.size)
        return nearest._replace(values=cells[nearest.columns] / many[nearest.columns]), cells
    whole = cell_overlaps(on[0], over[0])
    places = []
    for (rows, index), numbers in ((on, whole.rows), (over, whole.columns)):
        position = np.full(rows.size, -1)
        position[index] = np.arange(index.size)
        places.append(position[numbers])
    keep = (places[0] >= 0) & (places[1] >= 0)
    found = Weights(places[0][keep], places[1][keep], whole.values[keep])
    return found.only(np.lexsort((found.columns, found.rows))), cells


def _interpolation(land: Side, atmosphere: Side, states: Any) -> Weights:
    over = _rows(atmosphere)
    if states == BILINEAR and over is None:
        raise ValueError("`points.states` is bilinear, but the atmosphere is on no known grid. Give {nearest: 4}.")
    if isinstance(states, Mapping) or over is None:
        n = int(states[NEAREST]) if isinstance(states, Mapping) else _FEW
        return nearest_few(atmosphere.places, land.places, n)
    rows, index = over
    found = bilinear(rows, land.places)
    position = np.full(rows.size, -1)
    position[index] = np.arange(index.size)
    columns = position[found.columns]
    whole = np.bincount(found.rows, weights=columns < 0, minlength=land.size) == 0
    if whole.all():
        return found._replace(columns=columns)
    keep = whole[found.rows]  # others lie at the rim of the atmosphere's points, or outside: the nearest one
    near = nearest_few(atmosphere.places, tuple(v[~whole] for v in land.places), 1)  # type: ignore[arg-type]
    return found._replace(columns=columns).only(keep).joined(near._replace(rows=np.flatnonzero(~whole)))


def _land_first(weights: Weights, mask: NDArray[np.float64]) -> Weights:
    """Leave out points of sea where a target has points of land as well."""
    land = mask[weights.columns] >= _LAND
    has_land = np.bincount(weights.rows, weights=land) > 0
    return weights.only(land | ~has_land[weights.rows])


def _with_lonely(areas: Weights, overlaps: Weights, n_land: int) -> Weights:
    """Add overlaps of points of land without land in the atmosphere, which are forced but give nothing back."""
    lonely = np.bincount(areas.rows, minlength=n_land) == 0
    if not lonely.any():
        return areas
    found = areas.joined(overlaps.only(lonely[overlaps.rows]))
    LOG.warning("%d points of the land have no land in the atmosphere: they give nothing back", int(lonely.sum()))
    if (outside := np.bincount(found.rows, minlength=n_land) == 0).any():
        raise ValueError(
            f"{int(outside.sum())} of {n_land} points of the land are outside the points of the atmosphere. "
            "Leave them out."
        )
    return found


def _positive(weights: Weights) -> Weights:
    return weights.only(weights.values > 0.0)

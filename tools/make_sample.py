# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Make the packaged sample from the full reference set and from native ecLand files.

    python tools/make_sample.py REFERENCE NATIVE_POINTS NATIVE_GRID OUTPUT

All choices follow from a seed: the same input gives the same sample.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

import netCDF4
import numpy as np

LOG = logging.getLogger("make_sample")

SEED = 2026
YEARS = (2020, 2021, 2022)
PER_CLASS = 4  #: points of each climate class, one of them held out
HELD_OUT_EVERY = 5  #: a point is held out when its point_id is divisible by this
TYPES = ("clim_sotype", "clim_tvl", "clim_tvh", "clim_ctype")
DRAWS = 20_000
NATIVE_POINTS = 4
NATIVE_DAYS = 21
NATIVE_YEAR = 2018
NATIVE_SKIPPED = {"o_eva.nc", "o_sus.nc"}  #: nothing in them is in the table


def choose_points(static: Path) -> np.ndarray:
    """Choose the points of the sample: one held out and three others per climate class.

    Among many random draws, the one is taken whose shares of soil and vegetation types are nearest to those of all
    points, for trained and held-out points, and in which every held-out type has at least two trained points. Only
    static fields decide, never a score.
    """
    rng = np.random.default_rng(SEED)
    with netCDF4.Dataset(static) as ds:
        classes, ids = np.asarray(ds["climate_class"][:]), np.asarray(ds["point_id"][:])
        types = np.stack([np.asarray(ds[name][:]) for name in TYPES])
    held = ids % HELD_OUT_EVERY == 0
    pools = [
        (np.flatnonzero((classes == c) & held), np.flatnonzero((classes == c) & ~held)) for c in np.unique(classes)
    ]
    best, chosen = np.inf, np.array([], int)
    for _ in range(DRAWS):
        out = np.array([rng.choice(few) for few, _ in pools])
        trained = np.concatenate([rng.choice(many, PER_CLASS - 1, replace=False) for _, many in pools])
        score = unfairness(types, trained, out)
        if score < best:
            best, chosen = score, np.concatenate([trained, out])
    return np.sort(chosen)


def unfairness(types: np.ndarray, trained: np.ndarray, out: np.ndarray) -> float:
    """Sum the differences in the share of each type, with a penalty for held-out types that are hardly trained.

    Parameters
    ----------
    types : numpy.ndarray, shape (kind, point)
        Soil and vegetation types of all points.
    trained, out : numpy.ndarray
        Indices of the points of a draw.
    """
    total = 0.0
    for kind in types:
        for value in np.unique(kind):
            share, n_trained = np.mean(kind == value), np.sum(kind[trained] == value)
            total += abs(n_trained / len(trained) - share) + abs(np.mean(kind[out] == value) - share)
            total += 1.0 * (n_trained < 2 and bool(np.any(kind[out] == value)))
    return total


def copy_points(source: Path, target: Path, points: np.ndarray, records: int | None = None) -> None:
    """Copy a file of the reference set at ``points``, values and attributes unchanged, packed tightly."""
    with netCDF4.Dataset(source) as a, netCDF4.Dataset(target, "w") as b:
        b.setncatts({k: a.getncattr(k) for k in a.ncattrs()})
        sizes = {n: len(d) for n, d in a.dimensions.items()} | {"point": len(points)}
        sizes |= {"time": records} if records else {}
        for name in a.dimensions:
            b.createDimension(name, sizes[name])
        for name, v in a.variables.items():
            v.set_auto_mask(False)
            shape = tuple(sizes[d] for d in v.dimensions)
            chunks = tuple(min(n, 366) if d == "time" else n for n, d in zip(shape, v.dimensions, strict=True))
            out = b.createVariable(name, v.dtype, v.dimensions, zlib=True, complevel=9, shuffle=True, chunksizes=chunks)
            out.setncatts({k: v.getncattr(k) for k in v.ncattrs() if k != "_FillValue"})
            data = v[:records] if v.dimensions[:1] == ("time",) else v[:]
            out[:] = data[..., points] if "point" in v.dimensions else data


def choose_native(folder: Path) -> np.ndarray:
    """Choose points of the native run that cover snow, lake, C4 grass and desert."""
    with netCDF4.Dataset(folder / "o_gg.nc") as ds:
        snow = np.asarray(ds["SWE"][: 4 * NATIVE_DAYS]).mean(axis=0)
    with netCDF4.Dataset(folder / "surfclim") as ds:
        lake, c4 = np.asarray(ds["CLAKE"][:]), np.asarray(ds["Ctype"][:]) == 4
        bare = np.asarray(ds["cvl"][:]) + np.asarray(ds["cvh"][:])
    picks = [int(np.argmax(snow)), int(np.argmax(lake)), int(np.argmin(bare)), *np.flatnonzero(c4)[:1].tolist()]
    rest = (i for i in range(len(snow)) if i not in picks)
    unique = list(dict.fromkeys(picks))
    while len(unique) < NATIVE_POINTS:
        unique.append(next(rest))
    return np.array(sorted(unique))


def copy_native(source: Path, target: Path, points: np.ndarray) -> None:
    """Cut one native file to ``points`` and the first days; format, attributes and oddities stay."""
    with netCDF4.Dataset(source) as a, netCDF4.Dataset(target, "w", format=a.data_model) as b:
        a.set_auto_mask(False)
        b.setncatts({k: a.getncattr(k) for k in a.ncattrs()})
        keep = {"x": points, "time": _first_records(a)}
        for name, dim in a.dimensions.items():
            size = len(keep[name]) if name in keep else len(dim)
            b.createDimension(name, None if dim.isunlimited() else size)
        for name, v in a.variables.items():
            fill = v.getncattr("_FillValue") if "_FillValue" in v.ncattrs() else None
            out = b.createVariable(name, v.dtype, v.dimensions, fill_value=fill)
            out.setncatts({k: v.getncattr(k) for k in v.ncattrs() if k != "_FillValue"})
            data = v[:]
            for axis, d in enumerate(v.dimensions):
                data = np.take(data, keep[d], axis=axis) if d in keep else data
            out[:] = data


def copy_expected(reference: Path, target: Path, ids: np.ndarray) -> None:
    """Write the native points and days as they are in the reference set: the same run, converted by other code."""
    with netCDF4.Dataset(reference / "static.nc") as ds:
        all_ids = np.asarray(ds["point_id"][:]).tolist()
    points = np.array([all_ids.index(i) for i in ids])
    copy_points(reference / f"ecland_{NATIVE_YEAR}.nc", target / "expected.nc", points, 4 * NATIVE_DAYS - 1)
    copy_points(reference / "static.nc", target / "expected_static.nc", points)


def _first_records(ds: netCDF4.Dataset) -> np.ndarray:
    """Return the indices of the records up to the end of the native sample, for any time reference of the file."""
    if "time" not in ds.variables:
        return np.arange(len(ds.dimensions["time"]) if "time" in ds.dimensions else 0)
    if " since " not in ds["time"].units:
        return np.arange(len(ds["time"]))
    stamps = netCDF4.num2date(ds["time"][:], ds["time"].units, only_use_cftime_datetimes=False)
    end = np.datetime64("2018-01-01") + np.timedelta64(NATIVE_DAYS, "D")
    return np.flatnonzero(np.array([np.datetime64(str(s)[:19].replace(" ", "T")) <= end for s in stamps]))


def main() -> None:
    """Parse, make, report sizes."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (
        ("reference", "folder of the reference set"), ("native_points", "folder of native files, point vector"),
        ("native_grid", "folder of native files, lat x lon"), ("output", "folder of the sample"),
    ):  # fmt: skip
        parser.add_argument(name, type=Path, help=text)
    args = parser.parse_args()
    points = choose_points(args.reference / "static.nc")
    args.output.mkdir(parents=True, exist_ok=True)
    for file in ("static.nc", *(f"ecland_{y}.nc" for y in YEARS)):
        copy_points(args.reference / file, args.output / file, points)
    vector, grid = args.output / "native" / "points", args.output / "native" / "grid"
    vector.mkdir(parents=True, exist_ok=True)
    grid.mkdir(parents=True, exist_ok=True)
    native = choose_native(args.native_points)
    for file in sorted(args.native_points.iterdir()):
        if file.suffix != ".txt" and file.name not in NATIVE_SKIPPED:
            copy_native(file, vector / file.name, native)
    ids = np.loadtxt(args.native_points / "point_index_in_main_run.txt", dtype=int)[native]
    np.savetxt(vector / "point_index_in_main_run.txt", ids, fmt="%d")
    copy_expected(args.reference, args.output / "native", ids)
    for file in sorted(args.native_grid.iterdir()):
        shutil.copyfile(file, grid / file.name)
    size = sum(p.stat().st_size for p in args.output.rglob("*") if p.is_file())
    LOG.info("%d points, native points %s, %.2f MB in all", len(points), ids.tolist(), size / 1e6)


if __name__ == "__main__":
    main()

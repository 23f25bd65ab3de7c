# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Products for land users as CF NetCDF: daily fields (time, point), days with snow by month and season."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from netCDF4 import Dataset

from anemoi_ailand import __version__
from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.evaluation.fields.climatology import Period, climatology_period
from anemoi_ailand.evaluation.fields.daily_means import daily_means, whole_days
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields, span
from anemoi_ailand.evaluation.fields.matching import match_points
from anemoi_ailand.evaluation.processes.snow_season import SNOW_LIMITS
from anemoi_ailand.evaluation.products import indices as pr
from anemoi_ailand.support.netcdf_writer import DAYS, add_coordinate, add_field, add_points, global_attributes, new_file

LOG = logging.getLogger(__name__)

#: Fewest years of percentiles, and years below which they are rough and a warning is logged.
LEAST_YEARS, GOOD_YEARS = 2, 10

#: Memory for the daily values of a block of points [bytes]; points and days of a compressed chunk.
MEMORY_BYTES, CHUNK_POINTS, CHUNK_DAYS = 2**29, 2**12, 64

_ROOT_ZONE = tuple(f"swvl{k + 1}" for k in range(pr.ROOT_ZONE_LAYERS))
_TEMPERATURES = tuple(f"stl{k + 1}" for k in range(len(SOIL_LAYER_THICKNESS)))
_MEAN = "time: mean"
_DAILY = ("time", "point")


@dataclass(frozen=True)
class _Product:
    """Variable of the file, and the variables of run and reference that it needs (``a|b``: either)."""

    name: str
    dimensions: tuple[str, ...]
    needs: tuple[str, ...]
    attributes: dict[str, Any]
    type: str = "f4"
    of_reference: tuple[str, ...] = ()


_CLASS = {
    "units": "1",
    "long_name": "drought class of root-zone soil moisture, US Drought Monitor",
    "flag_values": np.arange(-1, 5, dtype=np.int8),
    "flag_meanings": " ".join(pr.DROUGHT_MEANINGS),
    "comment": "percentile up to 30, 20, 10, 5, 2 %: D0, D1, D2, D3, D4",
    "references": "Svoboda et al. (2002), doi:10.1175/1520-0477-83.8.1181",
}
_PERCENTILE = {"units": "%", "cell_methods": _MEAN, "comment": "against the same time of the year, see climatology"}
_WETNESS = {
    "units": "1", "cell_methods": _MEAN, "comment": "0 at the permanent wilting point, 1 at field capacity; no limits",
}  # fmt: skip
_SNOW = {"units": "day", "comment": f"daily mean of sd above {SNOW_LIMITS['sd']:g} kg m-2, or of snowc above "
         f"{SNOW_LIMITS['snowc']:g} where there is no sd"}  # fmt: skip
_RANGE = ("theta_pwp", "theta_cap")

PRODUCTS = (
    _Product("soil_water_root_zone", _DAILY, _ROOT_ZONE, {
        "long_name": "water in the top metre of soil", "standard_name": "mass_content_of_water_in_soil_layer",
        "units": "kg m-2", "cell_methods": _MEAN, "coordinates": "latitude longitude root_zone_depth"}),
    _Product("soil_wetness_index", ("time", "depth", "point"), _ROOT_ZONE, {
        "long_name": "soil wetness index of each layer", **_WETNESS}, of_reference=_RANGE),
    _Product("soil_wetness_index_root_zone", _DAILY, _ROOT_ZONE, {
        "long_name": "soil wetness index of the root zone", **_WETNESS,
        "coordinates": "latitude longitude root_zone_depth"}, of_reference=_RANGE),
    _Product("soil_moisture_percentile_root_zone", _DAILY, _ROOT_ZONE, {
        "long_name": "percentile of root-zone soil moisture", **_PERCENTILE,
        "coordinates": "latitude longitude root_zone_depth"}, of_reference=_ROOT_ZONE),
    _Product("soil_moisture_percentile_layer1", _DAILY, _ROOT_ZONE, {
        "long_name": "percentile of soil moisture of the first layer", **_PERCENTILE}, of_reference=_ROOT_ZONE),
    _Product("drought_class", _DAILY, _ROOT_ZONE, {**_CLASS, "coordinates": "latitude longitude root_zone_depth"},
             type="i1", of_reference=_ROOT_ZONE),
    _Product("frost_depth", _DAILY, _TEMPERATURES, {
        "long_name": "depth of frozen soil, from the surface to the 0 degC isotherm", "units": "m",
        "comment": "from daily mean soil temperature; 1.945 m means at least that; 0 if the top layer is thawed"}),
    _Product("snow_days_month", ("month", "point"), ("sd|snowc",), {
        "long_name": "days with snow on the ground in the month", **_SNOW, "cell_methods": "month: sum"}, type="i2"),
    _Product("snow_days_season", ("season", "point"), ("sd|snowc",), {
        "long_name": "days with snow on the ground in the season (DJF, MAM, JJA, SON)", **_SNOW,
        "cell_methods": "season: sum"}, type="i2"),
)  # fmt: skip


@dataclass(frozen=True)
class _Job:
    run: Fields
    reference: Fields
    index: np.ndarray
    days: np.ndarray
    span: Period
    period: Period | None
    products: tuple[_Product, ...]
    left_out: dict[str, list[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [product.name for product in self.products]


def write_products(
    forecast: str | Path | Fields,
    reference: str | Path | Fields,
    output: str | Path,
    *,
    period: tuple[object, object] | None = None,
) -> Path:
    """Write the products of a run ``(time, point)`` as CF-1.11 NetCDF; the file appears when it is complete.

    The reference holds climatology, wilting point and field capacity; ``period`` are its years for the percentiles,
    both included, by default all before the forecast. Products without their variables are left out with a warning and
    listed in the attribute ``not_written``.

    Raises
    ------
    ValueError
        No product is possible, the period has less than two years or contains dates of the forecast, points do not
        match, a value is NaN.
    """
    run = forecast if isinstance(forecast, Fields) else open_fields(forecast)
    source = reference if isinstance(reference, Fields) else open_fields(reference)
    job, output = _job(run, source, period), Path(output).expanduser()
    with new_file(output) as file:
        _create(file, job)
        for points in _blocks(job):
            _write_block(file, job, points)
    LOG.info("Products %s written to %s: %d days, %d points", job.names, output, len(job.days), len(job.index))
    return output


def _job(run: Fields, reference: Fields, period: tuple[object, object] | None) -> _Job:
    first, last = run.times[0], run.times[-1]
    left_out = {p.name: lack for p in PRODUCTS if (lack := _lacking(p, run, reference))}
    made = tuple(p for p in PRODUCTS if p.name not in left_out)
    if left_out:
        LOG.warning("Products omitted, with their missing variables: %s", left_out)
    if not made:
        raise ValueError(f"No product of '{run.path}' is possible: {left_out}. Write more variables of the run.")
    known: Period | None = None
    if any("percentile" in p.name for p in made):
        known = climatology_period(reference, first, last, period)
        check_years(reference, known)
    index = match_points(run, reference)
    return _Job(run, reference, index, whole_days(run, first, last), (first, last), known, made, left_out)


def _lacking(product: _Product, run: Fields, reference: Fields) -> list[str]:
    lack = [name for name in product.needs if not any(n in run.variables for n in name.split("|"))]
    held = {*reference.variables, *reference.constants}
    return lack + [f"{name} (reference)" for name in product.of_reference if name not in held]


def check_years(reference: Fields, period: Period) -> None:
    """Refuse a climatology that is too short for percentiles; log a warning if it is short."""
    years = (period[1] - period[0]) / np.timedelta64(1, "D") / 365.25
    if years < LEAST_YEARS - 0.01:
        raise ValueError(
            f"Percentiles need at least {LEAST_YEARS} years of the reference, but {span(np.array(period))} "
            f"of '{reference.path}' has {years:.1f} (it covers {span(reference.times)}). Give a longer period or "
            "dataset, or leave the products out."
        )
    if years < GOOD_YEARS - 0.01:
        LOG.warning("Percentiles from %.1f years only: the driest 2 %% are uncertain below 10 years", years)


def _blocks(job: _Job) -> Iterator[np.ndarray]:
    """Blocks of points that fit into memory."""
    n_sample = 0 if job.period is None else len(whole_days(job.reference, *job.period))
    at_once = MEMORY_BYTES // (8 * (4 * n_sample + 24 * len(job.days)))
    size = max(1, at_once // CHUNK_POINTS) * CHUNK_POINTS
    for first in range(0, len(job.index), size):
        yield np.arange(first, min(first + size, len(job.index)))


def _write_block(file: Dataset, job: _Job, points: np.ndarray) -> None:
    part = slice(points[0], points[-1] + 1)
    for make in (_soil_products, _frost_products, _snow_products):
        for name, values in make(job, points):
            if name in job.names:
                file[name][..., part] = values


def _moisture(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    layers = dict(values)
    return {**layers, "root_zone": pr.root_zone_water(np.stack([layers[name] for name in _ROOT_ZONE]))}


def _soil_products(job: _Job, points: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if "soil_water_root_zone" not in job.names:
        return
    layers = _layers(job.run)
    _, soil = daily_means(job.run, layers, *job.span, points, _moisture)
    yield "soil_water_root_zone", soil["root_zone"]
    if "soil_wetness_index" in job.names:
        pwp, cap = (np.asarray(job.reference.constant(n), np.float64)[job.index[points]] for n in _RANGE)
        index = pr.wetness_index(np.stack([soil[name] for name in layers], axis=1), pwp, cap)
        yield "soil_wetness_index", index
        depth = np.asarray(SOIL_LAYER_THICKNESS[: pr.ROOT_ZONE_LAYERS])
        share = (depth / depth.sum())[:, None]
        yield "soil_wetness_index_root_zone", (index[:, : pr.ROOT_ZONE_LAYERS] * share).sum(axis=1)
    if job.period is not None:
        known, sample = daily_means(job.reference, _ROOT_ZONE, *job.period, job.index[points], _sampled)
        root_zone = pr.percentile(soil["root_zone"], job.days, sample["root_zone"], known)
        yield "soil_moisture_percentile_root_zone", root_zone
        yield "drought_class", pr.drought_class(root_zone)
        yield "soil_moisture_percentile_layer1", pr.percentile(soil["swvl1"], job.days, sample["swvl1"], known)


def _sampled(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    moisture = _moisture(values)
    return {name: moisture[name] for name in ("root_zone", "swvl1")}


def _frost_products(job: _Job, points: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if "frost_depth" in job.names:
        _, heat = daily_means(job.run, _TEMPERATURES, *job.span, points)
        yield "frost_depth", pr.frost_depth(np.stack([heat[name] for name in _TEMPERATURES]))


def _snow_products(job: _Job, points: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if "snow_days_month" in job.names:
        name = next(n for n in SNOW_LIMITS if n in job.run.variables)
        _, means = daily_means(job.run, [name], *job.span, points)
        snow = means[name] > SNOW_LIMITS[name]
        for kind, months in (("month", 1), ("season", 3)):
            yield f"snow_days_{kind}", pr.count_days(snow, job.days, months)[1]


def _layers(run: Fields) -> list[str]:
    names = [f"swvl{k + 1}" for k in range(len(SOIL_LAYER_THICKNESS))]
    return names if names[-1] in run.variables else names[: pr.ROOT_ZONE_LAYERS]


def _create(file: Dataset, job: _Job) -> None:
    file.setncatts(_global_attributes(job))
    file.createDimension("bnds", 2)
    add_points(file, job.run.latitude, job.run.longitude)
    _time_axis(file, "time", job.days, job.days + 1)
    if "snow_days_month" in job.names:
        for kind, months in (("month", 1), ("season", 3)):
            starts, _, given = pr.count_days(np.zeros((len(job.days), 1), bool), job.days, months)
            _time_axis(file, kind, starts, (starts.astype("datetime64[M]") + months).astype("datetime64[D]"))
            about = {"units": "day", "long_name": f"days of the {kind} that are in the run"}
            add_coordinate(file, f"days_in_{kind}", (kind,), given, "i2", about)
    if "soil_water_root_zone" in job.names:
        _depth_axes(file, len(_layers(job.run)))
    for product in job.products:
        _variable(file, product, len(job.index))


def _variable(file: Dataset, product: _Product, n_points: int) -> None:
    days = min(CHUNK_DAYS, file.dimensions[product.dimensions[0]].size)
    middle = tuple(file.dimensions[name].size for name in product.dimensions[1:-1])
    add_field(
        file,
        product.name,
        product.dimensions,
        {"coordinates": "latitude longitude", **product.attributes},
        product.type,
        chunks=(days, *middle, min(n_points, CHUNK_POINTS)),
    )


def _time_axis(file: Dataset, name: str, starts: np.ndarray, ends: np.ndarray) -> None:
    """Create a time axis with the start of each period and its bounds."""
    file.createDimension(name, len(starts))
    bounds = np.stack([starts, ends], axis=1).astype("datetime64[D]").astype(np.int32)
    about = {"standard_name": "time", **DAYS, "units_metadata": "leap_seconds: none", "bounds": f"{name}_bnds"}
    axis = {"axis": "T"} if name == "time" else {}
    add_coordinate(file, name, (name,), bounds[:, 0], "i4", {**about, **axis, "long_name": name})
    add_coordinate(file, f"{name}_bnds", (name, "bnds"), bounds, "i4", {})


def _depth_axes(file: Dataset, n_layers: int) -> None:
    """Create depths of the layers, and of the root zone as a scalar coordinate, with bounds."""
    edges = np.concatenate([[0.0], np.cumsum(SOIL_LAYER_THICKNESS)])
    about = {"standard_name": "depth", "units": "m", "positive": "down"}
    file.createDimension("depth", n_layers)
    bounds = np.stack([edges[:n_layers], edges[1 : n_layers + 1]], axis=1)
    layers = {**about, "axis": "Z", "bounds": "depth_bnds"}
    add_coordinate(file, "depth", ("depth",), bounds.mean(1), attributes=layers)
    add_coordinate(file, "depth_bnds", ("depth", "bnds"), bounds, attributes={})
    root = np.array([0.0, edges[pr.ROOT_ZONE_LAYERS]])
    of_root_zone = {**about, "bounds": "root_zone_depth_bnds"}
    add_coordinate(file, "root_zone_depth", (), root.mean(), attributes=of_root_zone)
    add_coordinate(file, "root_zone_depth_bnds", ("bnds",), root, attributes={})


def _global_attributes(job: _Job) -> dict[str, Any]:
    more = {}
    if job.period is not None:
        more["climatology"] = (
            f"{job.reference.path.name}, {span(np.array(job.period))}; each point on its own, 10-day slots of the "
            f"year, days within {pr.WINDOW_DAYS} of the middle of the slot, daily means"
        )
    if job.left_out:
        more["not_written"] = "; ".join(f"{name}: lacks {', '.join(lack)}" for name, lack in job.left_out.items())
    return global_attributes(
        "Products for the land user: soil moisture, drought, snow and frost",
        source=f"anemoi-ailand {__version__} from {job.run.path.name}",
        references="Svoboda et al. (2002), doi:10.1175/1520-0477-83.8.1181",
        **more,
    )

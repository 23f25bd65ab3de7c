# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on data assimilation: twin experiments at held-out points, with and without observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.text import plain_number
from anemoi_ailand.evaluation.figures.maps import scatter_map
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.support.atomic import complete_file
from tools.results.pages import Blocks, made_by, table
from tools.results.steps import ROOT, Inputs, checksum_of, once
from tools.results.twin import (
    DAYS,
    ROOTS,
    SOIL,
    Run,
    Settings,
    Twin,
    climatological,
    daily_growth,
    ensemble_run,
    extended_run,
    root_zone_error,
    single_run,
    static,
)
from tools.results.twin_experiments import (
    ALL,
    CARRIED,
    EXTENDED,
    FILTERS,
    OFTEN,
    OPEN,
    PAGE,
    SINGLE,
    STATIC,
    SYSTEMS,
    TRANSFORM,
    held_out_twin,
    twin_key,
    twin_result,
)

PART = "assimilation"

#: Realisations of background, errors and perturbations, each with all start dates: a year of the background each.
REALISATIONS = 4

#: Ways to the Jacobian, compared in the first realisation with all three observed, at every sixth held-out point.
EVERY, WAYS = 6, ("differences", "adjoint", "regression")

#: Resamples of points for intervals.
RESAMPLES = 1000


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make the experiments and return the blocks of the page; its figures are written."""
    assert inputs.reference is not None
    reference, found = inputs.reference, experiments(inputs)
    compared = twin_result(inputs.folder, "ways", reference, lambda path: ways(held_out_twin(path, every=EVERY)))
    for name, figure in (("errors", errors_figure(found)), ("signal", signal_figure(found))):
        with complete_file(ROOT / "docs" / "figures" / f"assimilation_{name}.png") as partial:
            style.save(figure, partial)
    return {
        PAGE: {
            "assimilation-origin": made_by(PART, {DEFAULT: (checksum_of(DEFAULT), str(found.execution))}),
            "assimilation-errors": errors_table(found),
            "assimilation-layers": layers_table(found),
            "assimilation-ways": ways_table(compared),
        }
    }


def experiments(inputs: Inputs) -> xr.Dataset:
    """Return the experiments of all realisations, each made once; see :func:`of_twin`."""
    assert inputs.reference is not None
    reference, parts = inputs.reference, []
    for number in range(REALISATIONS):
        result = inputs.folder / f"assimilation-{number}.nc"
        once(
            result, twin_key(reference), lambda path=result, k=number: _save(path, of_twin(held_out_twin(reference, k)))
        )
        with xr.open_dataset(result) as file:
            parts.append(file.load())
    return xr.concat(parts, "realisation", join="exact", combine_attrs="drop_conflicts")


def _save(path: Path, data: xr.Dataset) -> None:
    with complete_file(path) as partial:
        data.to_netcdf(partial)


def of_twin(twin: Twin) -> xr.Dataset:
    """Make the experiments of a twin.

    Variables: ``error`` of the root zone (experiment, day, row), and on the last day ``layer_error`` and ``spread``
    (experiment, row, layer), the root zone being the last layer; ``signal`` and ``used`` (experiment, row). ``seen``
    (row) counts the observations of soil water.
    """
    runs = {title: _fields(twin, run) for title, run in _runs(twin)}
    data = xr.concat(runs.values(), "experiment", join="exact").assign_coords(experiment=list(runs))
    lat, lon = twin.places
    of_row = np.tile(twin.points, lat.size // twin.points.size)
    where = {"latitude": ("row", lat), "longitude": ("row", lon), "point": ("row", of_row)}
    data["seen"] = ("row", twin.observed["swvl1"].isfinite().sum(0).numpy())
    return data.assign_coords(layer=[*SOIL, "root zone"], **where).assign_attrs(execution=twin.step.execution)


def ways(twin: Twin) -> dict[str, float]:
    """Return the root-zone RMSE after 30 days of the simplified filter by each way to the Jacobian."""
    b, names = climatological(twin, twin.settings.background), SYSTEMS[ALL]
    runs = {way: extended_run(twin, names, b, way=way) for way in WAYS}
    return {way: float(root_zone_error(twin, run)[-1].square().mean().sqrt()) for way, run in runs.items()}


def _runs(twin: Twin) -> Iterator[tuple[str, Run]]:
    """Yield the experiments of a realisation by title."""
    yield OPEN, ensemble_run(twin, ())
    yield SINGLE, single_run(twin)
    s = twin.settings
    simple, first, growth = (
        climatological(twin, s.background),
        climatological(twin, s.first),
        daily_growth(twin, s.growth),
    )
    for title, names in SYSTEMS.items():
        yield f"{TRANSFORM} {title}", ensemble_run(twin, names)
        yield f"{EXTENDED} {title}", extended_run(twin, names, simple)
        yield f"{STATIC} {title}", extended_run(twin, names, static(twin))
        yield f"{CARRIED} {title}", extended_run(twin, names, first, growth)


def _fields(twin: Twin, run: Run) -> xr.Dataset:
    error = root_zone_error(twin, run)
    by_layer = np.concatenate([(run.soil - twin.true_soil)[-1], error[-1][:, None]], axis=-1)
    return xr.Dataset(
        {
            "error": (("day", "row"), error.numpy()),
            "layer_error": (("row", "layer"), by_layer),
            "spread": (("row", "layer"), run.spread[-1].numpy()),
            "signal": ("row", run.signal.numpy()),
            "used": ("row", run.used.numpy()),
        }
    )


def rms(values: xr.DataArray) -> xr.DataArray:
    """Return the root mean square over realisations and rows."""
    found: xr.DataArray = np.sqrt((values**2).mean(["realisation", "row"]))
    return found


def last_errors(data: xr.Dataset, *, seen: bool) -> xr.DataArray:
    """Return the error of the root zone on the last day; with ``seen`` only where the soil is observed often enough."""
    error = data["error"].isel(day=-1)
    return error.where(data["seen"] >= OFTEN) if seen else error


def ratio(errors: xr.DataArray, experiment: str, against: str) -> tuple[float, float, float]:
    """Return the RMSE of an experiment over that of another one, with its 95 % interval.

    The interval is that of resampled points, with all their starts and realisations.
    """
    both = errors.sel(experiment=[experiment, against])
    squares = (both**2).sum("realisation").groupby("point").sum().transpose("experiment", "point").values
    rng, n = np.random.default_rng(1), squares.shape[1]
    drawn = squares[:, rng.integers(0, n, (RESAMPLES, n))].sum(-1)
    low, high = np.quantile(np.sqrt(drawn[0] / drawn[1]), (0.025, 0.975))
    return float(np.sqrt(squares[0].sum() / squares[1].sum())), float(low), float(high)


def spread_of_ratio(errors: xr.DataArray, experiment: str, against: str) -> float:
    """Return the standard deviation over realisations of the ratio of RMSE."""
    rmse = np.sqrt((errors.sel(experiment=[experiment, against]) ** 2).mean("row"))
    return float((rmse.isel(experiment=0) / rmse.isel(experiment=1)).std(ddof=1))


def errors_table(data: xr.Dataset) -> str:
    """Tabulate the root-zone RMSE after 30 days, its ratio to the ensemble without observations, and signal.

    The ratio of all realisations together has its deviation between them, and its interval over points.
    """
    heads = ["RMSE, all", "ratio", "RMSE, seen", "ratio"]
    rows = [["observed", "filter", *heads, "used", "signal a day"]]
    cases = [("none", OPEN), ("none", SINGLE), *((title, f) for title in SYSTEMS for f in FILTERS)]
    for title, filter_ in cases:
        name, cells = filter_ if title == "none" else f"{filter_} {title}", []
        for errors in (last_errors(data, seen=False), last_errors(data, seen=True)):
            value, low, high = ratio(errors, name, OPEN)
            between = spread_of_ratio(errors, name, OPEN)
            rmse = float(rms(errors.sel(experiment=name)))
            cells += [f"{rmse:.4f}", f"{value:.2f} ± {between:.2f} ({low:.2f}-{high:.2f})"]
        some = data[["used", "signal"]].sel(experiment=name).mean()
        rows.append([title, filter_, *cells, f"{float(some['used']):.0f}", plain_number(float(some["signal"]) / DAYS)])
    return table(rows)


def layers_table(data: xr.Dataset) -> str:
    """Tabulate the RMSE by layer, and the ratio of spread to error, after 30 days."""
    rows = [["observed", *(f"`{n}`" if n in SOIL else n for n in data["layer"].values)]]
    error, spread = rms(data["layer_error"]), rms(data["spread"])
    members = Settings().members
    for title in ("none", *SYSTEMS):
        name = OPEN if title == "none" else f"{TRANSFORM} {title}"
        mine, spread_of = error.sel(experiment=name), spread.sel(experiment=name) * np.sqrt((members + 1) / members)
        cells = [
            f"{float(mine.sel(layer=n)):.4f}, {float(spread_of.sel(layer=n) / mine.sel(layer=n)):.2f}"
            for n in data["layer"].values
        ]
        rows.append([title, *cells])
    return table(rows)


def ways_table(found: Mapping[str, float]) -> str:
    """Tabulate the root-zone RMSE of the simplified filter by way to the Jacobian."""
    expected = found[WAYS[0]]
    rows = [[way, f"{error:.5f}", f"{error / expected:.3f}"] for way, error in found.items()]
    return table([["Jacobian by", "RMSE [m3 m-3]", f"of {WAYS[0]}"], *rows])


def errors_figure(data: xr.Dataset) -> Figure:
    """Draw the root-zone RMSE with time, a panel for each filter."""
    figure, axes = style.panels(2, 2, 2.8, sharey=True)
    error = rms(data["error"])
    for ax, (filter_, without) in zip(axes, ((TRANSFORM, OPEN), (EXTENDED, SINGLE)), strict=True):
        lines = {"no observations": without, **{t.replace("`", ""): f"{filter_} {t}" for t in SYSTEMS}}
        for k, (label, name) in enumerate(lines.items()):
            colour = "#000000" if not k else style.FORECAST_COLOURS[k - 1]
            ax.plot(np.arange(1, DAYS + 1), error.sel(experiment=name), color=colour, label=label)
        ax.set_title(f"{filter_}; without observations: {without}", loc="left", fontsize=style.SMALL + 1)
        ax.set_xlabel("day")
        ax.grid(color=style.GRID, linewidth=0.5)
        ax.legend(frameon=False, fontsize=style.SMALL)
    axes[0].set_ylabel("RMSE of the root zone [m³ m⁻³]")
    axes[0].set_ylim(bottom=0.0)
    style.title(figure, f"Twin experiments, {data.sizes['row'] * data.sizes['realisation']} columns")
    return figure


def signal_figure(data: xr.Dataset) -> Figure:
    """Draw maps of the degrees of freedom for signal of a day's observations in the extended filter."""
    titles = list(SYSTEMS)[:2]
    figure, axes = style.panels(len(titles), len(titles), 2.7, sharex=True, sharey=True)
    for ax, title in zip(axes, titles, strict=True):
        mean = data["signal"].sel(experiment=f"{EXTENDED} {title}").mean("realisation") / DAYS
        mean = mean.groupby("point").mean()
        where = data[["latitude", "longitude"]].isel(row=slice(mean.size))
        top = max(float(mean.quantile(0.98)), 1e-6)
        dots = scatter_map(ax, where, mean.values, style.FIELD_MAP, (0.0, top))
        ax.set_title(title.replace("`", ""), loc="left")
        figure.colorbar(dots, ax=ax, location="bottom", aspect=30, extend="max")
    axes[0].set_ylabel("latitude [°N]")
    style.title(figure, f"Degrees of freedom for signal of {len(ROOTS)} soil layers, mean of a day")
    return figure

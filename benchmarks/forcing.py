# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Measure the error of a network that is given other forcing than it was trained with.

``python -m benchmarks.forcing --dataset reference.zarr`` makes roll-outs in a year that no training saw and prints one
table: errors against ecLand with the forcing as it is, and how much larger they are with each :data:`FORCINGS`.

With ``--write "2 m" low.zarr`` it writes the dataset with such forcing, to train on; a network trained so takes part by
``--trained "2 m" CHECKPOINT``, next to one of equal training on the dataset itself (``--checkpoint``).
"""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
import zarr

import anemoi_ailand as ail
from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.evaluation.display.text import aligned, plain_number
from anemoi_ailand.physics.air import moved_temperature, saturation_pressure, specific_humidity
from anemoi_ailand.support.atomic import publish_folder
from anemoi_ailand.variables import variable

#: Variables of the table.
VARIABLES = ("stl1", "stl2", "stl3", "swvl1", "swvl2", "swvl3", "snowc", "sd", "2t", "2d", "skt", "sshf", "slhf")

#: Days of a roll-out whose four steps are compared; the first step alone comes before them.
DAYS = (7, 90)

#: Hours between starts, of roll-outs and of single steps; not whole days, so that they begin at all hours.
EVERY, EVERY_STEP = 24 * 25 + STEP_HOURS, 24 * 5 + STEP_HOURS

#: Heights of the forcing of the reference set, and of ecLand's screen level [m].
_FORCING_LEVEL, _SCREEN = 10.0, 2.0


def at_two_metres(data: xr.Dataset) -> xr.Dataset:
    """Take ecLand's own temperature and humidity at 2 m; those of the step change by the mean of its ends."""
    humidity = specific_humidity(saturation_pressure(data["d2m"].values), data["avg_sp"].values)
    return _replaced(data, t=data["t2m"].values, q=humidity)


def moved_to_ten(data: xr.Dataset) -> xr.Dataset:
    """Move the temperature at 2 m to the forcing level by its profile above ecLand's skin, humidity as at 2 m."""
    low = at_two_metres(data)
    return _replaced(low, t=moved_temperature(low["t"].values, data["skt"].values, _SCREEN, _FORCING_LEVEL))


def from_instants(data: xr.Dataset) -> xr.Dataset:
    """Make the means of temperature and humidity over a step from their instants at its ends."""
    return data.assign({f"avg_{n}": data[f"avg_{n}"].copy(data=_ends(data[n].values)) for n in ("t", "q")})


#: Fields that other forcing may change.
CHANGED = ("t", "q", "avg_t", "avg_q")

#: Name of the forcing that the network was trained with.
AS_TRAINED = "as trained"

#: Forcing other than that of the training, by heading.
FORCINGS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "2 m": at_two_metres, "2 m, moved": moved_to_ten, "instants": from_instants,
}  # fmt: skip


def _ends(values: np.ndarray) -> np.ndarray:
    """Return the mean of the two ends of each step, shape (time, point); the first record has one end."""
    return 0.5 * (values + np.concatenate([values[:1], values[:-1]]))


def _replaced(data: xr.Dataset, **fields: np.ndarray) -> xr.Dataset:
    """Replace instants, and change the means over the step by the mean change at its ends."""
    new = fields | {f"avg_{n}": data[f"avg_{n}"].values + _ends(v - data[n].values) for n, v in fields.items()}
    return data.assign({n: data[n].copy(data=v) for n, v in new.items()})


def errors(
    land: ail.LandStepper, data: xr.Dataset, truth: xr.Dataset, starts: np.ndarray, leads: Sequence[slice]
) -> dict[str, np.ndarray]:
    """Return the RMSE (lead,) over points and roll-outs by variable; a lead is the range of its steps."""
    names = [n for n in VARIABLES if n in land.outputs]
    squares: dict[str, list[list[float]]] = {n: [] for n in names}
    for start in starts:
        last = start + (leads[-1].stop - 1) * np.timedelta64(STEP)
        made = land.run(data, names, start=start, end=last, progress=False)
        reference = truth.sel(time=made["time"])
        for name in names:
            key = variable(name).netcdf_name
            away = np.square(made[key].values.astype(np.float64) - reference[key].values)
            squares[name].append([away[lead].mean() for lead in leads])
    return {n: np.sqrt(np.mean(s, axis=0)) for n, s in squares.items()}


def write(dataset: str, forcing: str, path: Path) -> None:
    """Copy a dataset with other forcing, and with its statistics, to train on.

    Statistics of changes over a step are left as they are: no forcing is normalised by them.

    Raises
    ------
    FileExistsError
        ``path`` exists.
    """
    if path.exists():
        raise FileExistsError(f"'{path}' exists already. Remove it, or give another path.")
    fields = FORCINGS[forcing](ail.open_data(dataset).to_xarray())
    with TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        shutil.copytree(dataset, made)
        store = zarr.open(str(made), mode="r+")
        names, dates = list(store.attrs["variables"]), store["dates"][:]
        end = np.datetime64(store.attrs["statistics_end_date"])
        columns = [names.index(n) for n in CHANGED]
        values = np.stack([fields[n].values for n in CHANGED], axis=1).astype(np.float32)  # (date, variable, point)
        if len(values) != len(dates):
            raise ValueError(f"'{dataset}' has {len(dates)} dates, but {len(values)} could be read. Make it again.")
        for k, record in enumerate(values):
            whole = store["data"][k]
            whole[columns, 0] = record
            store["data"][k] = whole
        seen = values[dates <= end].astype(np.float64)
        for key in ("mean", "minimum", "maximum", "stdev"):
            of = {"minimum": seen.min, "maximum": seen.max, "mean": seen.mean, "stdev": seen.std}[key]
            store[key].set_orthogonal_selection(columns, of(axis=(0, 2)))
        publish_folder(made, path)


def benchmark(
    checkpoint: str, dataset: str, year: int, trained: Mapping[str, str] | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Return the RMSE of the first step and on :data:`DAYS` of a roll-out, by forcing and variable.

    ``trained`` has checkpoints that were trained with a forcing, by its name: what they reach with it is added.
    """
    land = ail.load(checkpoint, plausibility="off")  # other forcing may lead anywhere, which the errors show
    others = {name: ail.load(path, plausibility="off") for name, path in (trained or {}).items()}
    truth = ail.open_data(dataset).to_xarray(str(year))
    dates, hour, a_day = truth["time"].values, np.timedelta64(1, "h"), 24 // STEP_HOURS
    steps = np.arange(dates[0], dates[-1], EVERY_STEP * hour)
    starts = np.arange(dates[0], dates[-1] - np.timedelta64(DAYS[-1], "D"), EVERY * hour)
    days = [slice(a_day * (d - 1) + 1, a_day * d + 1) for d in DAYS]
    found = {}
    for name, change in {AS_TRAINED: lambda data: data, **FORCINGS}.items():
        data = change(truth).astype(np.float32, keep_attrs=True)
        networks = {name: land}
        if name in others:
            networks[f"{name}, trained"] = others[name]
        for label, each in networks.items():
            one, many = errors(each, data, truth, steps, [slice(1, 2)]), errors(each, data, truth, starts, days)
            found[label] = {n: np.concatenate([one[n], many[n]]) for n in one}
            sys.stderr.write(f"{label}: {len(steps)} steps and {len(starts)} roll-outs of {DAYS[-1]} days\n")
    return found


def table(found: dict[str, dict[str, np.ndarray]]) -> str:
    """Return the table in Markdown: RMSE with the forcing as trained, and how other forcing changes it [%]."""
    leads = " / ".join(["1 step", *(f"{day} d" for day in DAYS)])
    own, others = found[AS_TRAINED], [n for n in found if n != AS_TRAINED]
    rows = [["", f"RMSE, {leads}", *(f"{n} [%]" for n in others)]]
    ratios = {n: np.array([found[n][v] / own[v] for v in own]) for n in others}
    for i, (name, values) in enumerate(own.items()):
        cells = (" / ".join(f"{100.0 * (r - 1.0):+.0f}" for r in ratios[n][i]) for n in others)
        rows.append([f"`{name}`", " / ".join(plain_number(v) for v in values), *cells])
    together = (np.exp(np.log(ratios[n]).mean(axis=0)) for n in others)
    rows.append(["all, geometric mean", "", *(" / ".join(f"{100.0 * (r - 1.0):+.0f}" for r in t) for t in together)])
    return "\n".join(aligned(rows)) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table, or write a dataset."""
    args = create_parser().parse_args(arguments)
    asked = {name for name, _ in ([args.write] if args.write else []) + args.trained}
    if unknown := sorted(asked - set(FORCINGS)):
        raise SystemExit(f"There is no forcing {unknown}. Give some of {list(FORCINGS)}.")
    if args.write:
        write(args.dataset, args.write[0], Path(args.write[1]))
    else:
        sys.stdout.write(table(benchmark(args.checkpoint, args.dataset, args.year, dict(args.trained))))


def create_parser() -> ArgumentParser:
    """Make the parser of the command line."""
    parser = ArgumentParser("python -m benchmarks.forcing", description=__doc__)
    parser.add_argument("--dataset", required=True, help="dataset with `2t`, `2d` and `skt` of ecLand")
    parser.add_argument("--checkpoint", default="ailand", help="name or path (default: ailand)")
    add = parser.add_argument
    add("--write", nargs=2, metavar=("FORCING", "PATH"), help=f"write the dataset with one of {list(FORCINGS)} and end")
    add("--trained", nargs=2, metavar=("FORCING", "CHECKPOINT"), action="append", default=[],
        help="network that was trained with a forcing; may be repeated")  # fmt: skip
    parser.add_argument("--year", type=int, default=2021, help="year of the roll-outs (default: 2021)")
    return parser


if __name__ == "__main__":
    main()

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Run a network at sites: one roll-out at the nearest points of a dataset; series, figure and scores of each site.

A site is a place given by its coordinates. State and forcing are those of the nearest point of a dataset; the network
starts once from ecLand's state there and then runs on its own state.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand import __version__
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.points.point_writer import write_points
from anemoi_ailand.evaluation.display.text import DIGITS, json_text, records, stamp
from anemoi_ailand.evaluation.sites.places import WITHIN, Found, Place, find_points
from anemoi_ailand.evaluation.sites.site_series import (
    is_constant,
    site_properties,
    site_scores,
    site_sentence,
    site_series,
    site_table,
)
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.reforecast.period import period
from anemoi_ailand.rollout.reforecast.reforecast import forecast
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.netcdf_writer import versions, write_dataset
from anemoi_ailand.support.packaged import find
from anemoi_ailand.support.subprocesses import run_logged
from anemoi_ailand.variables import VARIABLES, Role, variable
from anemoi_ailand.workflows import created, record_header

LOG = logging.getLogger(__name__)

#: File that identifies an earlier result.
PROOF = "site.json"

#: Version of the layout of that file; changes when readers have to change.
SCHEMA = "anemoi-ailand/site/1"

#: Name of the dataset if it is made from the packaged sample.
SAMPLE = "the packaged sample"


@dataclass(frozen=True)
class Selection:
    """Points and dates of a dataset for a run.

    ``stored`` has all variables of the table in the dataset, named ``dataset_name`` in the results; ``found`` is the
    nearest point of each place, ``points`` their indices without repetition; ``first`` and ``last`` index the dates.
    """

    stored: StoredFields
    dataset_name: str
    found: tuple[Found, ...]
    points: np.ndarray
    first: int
    last: int

    @property
    def dates(self) -> np.ndarray:
        """Dates of the run, shape (date,)."""
        return self.stored.dates[self.first : self.last + 1]


def site(
    places: Sequence[Place],
    dataset: str | Path,
    output: str | Path,
    *,
    checkpoint: str | Path = DEFAULT,
    start: str | None = None,
    lead: str | None = None,
    end: str | None = None,
    within: float = WITHIN,
    dataset_name: str | None = None,
    device: str = "cpu",
    execution: str = "auto",
    precipitation: str = "mean",
    plausibility: str = "error",
    trust: bool | str = False,
    progress: bool = True,
) -> Path:
    """Run the network once for all places, and write series, figure, scores and a summary of each.

    Parameters
    ----------
    places : sequence of Place
        Places with different names.
    dataset, output : str or Path
        Anemoi dataset with state and forcing; folder of the result.
    checkpoint : str or Path
        Inference checkpoint, or the name of a pretrained network.
    start, lead, end : str, optional
        Initial date, and length or last date; as :func:`~anemoi_ailand.rollout.reforecast.period.period`.
    within : float
        Largest distance of a point from its place [km].
    dataset_name : str, optional
        Name of the dataset in the results; its path by default.
    device : str
        Device of torch.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step; see :func:`~anemoi_ailand.load`.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values; see :func:`~anemoi_ailand.load`.
    trust : bool or str
        Load a checkpoint of unknown checksum, or one of this SHA-256; see :func:`~anemoi_ailand.load`.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Path
        ``output``. For one place it holds ``site.nc``, ``series.csv``, ``series.png``, ``table.md`` and ``site.json``;
        for several, a folder of these for each place, and ``table.md`` and ``site.json`` for all.

    Raises
    ------
    FileExistsError, FileNotFoundError, ValueError
        ``output`` is not an earlier result; an input is missing, too far away, or does not fit. Raised before the
        roll-out.

    Examples
    --------
    >>> from anemoi_ailand import Place, site
    >>> place = Place("Lindenberg", 52.2, 14.1)
    >>> folder = site([place], "ecland.zarr", "lindenberg", start="2022", lead="364d")  # doctest: +SKIP
    """
    output = Path(output).expanduser()
    with complete_folder(output, PROOF) as folder:
        chosen = select(dataset, places, start, lead, end, within, dataset_name)
        n_steps = chosen.last - chosen.first
        step = open_step(checkpoint, device, execution, len(chosen.points) * n_steps, precipitation, trust or None)
        emulated = forecast(
            step, dataset, chosen.points, chosen.first, n_steps, progress=progress, plausibility=plausibility
        )
        header = _header(chosen, step)
        forcing = [n for n in step.inputs if variable(n).role is Role.FORCING and not variable(n).computed]
        _write_all(folder, chosen, emulated, [n for n in forcing if n not in emulated], header, progress)
    return output


def extract(
    places: Sequence[Place],
    dataset: str | Path,
    output: str | Path,
    *,
    start: str | None = None,
    lead: str | None = None,
    end: str | None = None,
    within: float = WITHIN,
    dataset_name: str | None = None,
    progress: bool = True,
) -> Path:
    """Write the variables of a dataset at the nearest points of places into one file in the reference layout.

    Parameters and errors are those of :func:`site`; ``output`` is the file, which must not exist. A point that is
    nearest to several places is written once.
    """
    path = Path(output).expanduser()
    if path.exists():
        raise FileExistsError(f"The output '{path}' exists. Give another name, or remove it yourself.")
    chosen = select(dataset, places, start, lead, end, within, dataset_name)
    values, where = read_series(chosen, progress), chosen.points
    attributes = {
        "title": "Forcing, state and static fields at sites",
        "source": "ecLand, as the dataset has it",
        "dataset": chosen.dataset_name,
        "sites": "; ".join(map(str, chosen.found)),
        "created": created(),
        "versions": f"anemoi-ailand {__version__}",
    }
    latitudes, longitudes = chosen.stored.latitudes[where], chosen.stored.longitudes[where]
    return write_points(path, values, chosen.stored.names, chosen.dates, latitudes, longitudes, attributes)


def select(
    dataset: str | Path,
    places: Sequence[Place],
    start: str | None,
    lead: str | None,
    end: str | None,
    within: float,
    dataset_name: str | None = None,
) -> Selection:
    """Open a dataset and find points and dates; arguments and errors are those of :func:`site`."""
    available = set(AnemoiDataset(dataset).variables)
    stored = StoredFields(dataset, [n for n in VARIABLES if n in available])
    found = find_points(places, stored.latitudes, stored.longitudes, within)
    first, last = period(stored.dates, start, lead, end)
    for one in found:
        LOG.info("%s", one)
    return Selection(
        stored, dataset_name or str(stored.path), tuple(found), np.unique([f.point for f in found]), first, last
    )


def read_series(chosen: Selection, progress: bool = True) -> np.ndarray:
    """Read all variables in whole blocks of dates; shape (date, point, variable)."""
    parts, date = [], chosen.first
    with Progress(chosen.last + 1 - date, progress, "Dataset", unit="date") as bar:
        while date <= chosen.last:
            after = min(chosen.stored.block(date)[1], chosen.last + 1)
            parts.append(chosen.stored.read(date, after, chosen.points))
            bar.add(after - date)
            date = after
    return np.concatenate(parts)


def _write_all(
    folder: Path,
    chosen: Selection,
    emulated: dict[str, np.ndarray],
    forcing: Sequence[str],
    header: dict[str, Any],
    progress: bool,
) -> None:
    """Write the files of every site and, for several, a summary of all."""
    stored = dict(zip(chosen.stored.names, np.moveaxis(read_series(chosen, progress), -1, 0), strict=True))
    several = len(chosen.found) > 1
    lines, summaries = [], []
    for found in chosen.found:
        here = folder / found.place.name if several else folder
        here.mkdir(exist_ok=True)
        at = int(np.searchsorted(chosen.points, found.point))
        emulated_here, stored_here = ({n: v[:, at] for n, v in fields.items()} for fields in (emulated, stored))
        summary, sentence = _write_one(here, found, chosen.dates, emulated_here, stored_here, forcing, header)
        lines.append(f"- {sentence} [{found.place.name}](<{found.place.name}/table.md>)")
        summaries.append(summary)
    if several:
        (folder / "table.md").write_text("\n".join([_run_sentence(header), "", *lines]) + "\n")
        (folder / PROOF).write_text(json_text(header | {"sites": summaries}))


def _write_one(
    folder: Path,
    found: Found,
    dates: np.ndarray,
    emulated: dict[str, np.ndarray],
    stored: dict[str, np.ndarray],
    forcing: Sequence[str],
    header: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Write the files of a site; return its entry in the summary of all sites, and one sentence about it."""
    properties = site_properties({n: float(v[0]) for n, v in stored.items() if is_constant(n)})
    reference = {n: stored[n][1:] for n in emulated if n in stored}
    sentence = site_sentence(found, properties)
    attributes = {k: str(v) for k, v in header.items() if k != "schema"}
    attributes |= {"title": sentence, "versions": versions()}
    series = site_series(dates[1:], emulated, reference, {n: stored[n][1:] for n in forcing}, found, attributes)
    scores = site_scores(series)
    summary = _summary(found, stored, properties)
    write_dataset(series, folder / "site.nc")
    table = series.drop_vars(["site", "latitude", "longitude"]).to_dataframe()
    table.to_csv(folder / "series.csv", float_format=f"%.{DIGITS + 1}g", date_format="%Y-%m-%dT%H:%M")
    from anemoi_ailand.evaluation.display.style import save  # Matplotlib is slow to import: not before the first step
    from anemoi_ailand.evaluation.sites.site_figure import site_figure

    save(site_figure(series, _title(found, header)), folder / "series.png")
    (folder / "table.md").write_text(site_table(f"{sentence} {_run_sentence(header)}", scores))
    (folder / PROOF).write_text(json_text(header | summary | {"scores": records(scores)}))
    return summary, sentence


def _summary(found: Found, stored: dict[str, np.ndarray], properties: dict[str, Any]) -> dict[str, Any]:
    """Return place, nearest point, distance and properties, as entries of ``site.json``."""
    point = {"index": found.point, "latitude": found.latitude, "longitude": found.longitude}
    if "point_id" in stored:
        point["point_id"] = int(stored["point_id"][0])
    return {
        "name": found.place.name,
        "latitude": found.place.latitude,
        "longitude": found.place.longitude,
        "point": point,
        "distance_km": round(found.distance, 3),
        **properties,
    }


def _header(chosen: Selection, step: LandStep) -> dict[str, Any]:
    """Return the header of ``site.json``, also written as attributes of ``site.nc``."""
    return {
        **record_header(SCHEMA),
        "checkpoint": str(step.path),
        "checkpoint_sha256": checkpoint_checksum(step.path),
        "execution": step.execution,
        "precipitation": step.precipitation,
        "dataset": chosen.dataset_name,
        "start": stamp(chosen.dates[0]),
        "end": stamp(chosen.dates[-1]),
        "steps": chosen.last - chosen.first,
    }


def _run_sentence(header: dict[str, Any]) -> str:
    return (
        f"The network '{Path(header['checkpoint']).name}' ran from {header['start']} to {header['end']}, "
        f"{header['steps']} steps from one initial state, with state and forcing of {header['dataset']}."
    )


def _title(found: Found, header: dict[str, Any]) -> str:
    days = f"{header['start'][:10]} to {header['end'][:10]}"
    return f"{found.place.name}: nearest point, {found.distance:.0f} km away, from one initial state, {days}"


@contextmanager
def sample_dataset() -> Iterator[Path]:
    """Build a dataset from the packaged sample in a temporary folder, in about ten seconds."""
    with tempfile.TemporaryDirectory(prefix="ailand-sample-") as folder:
        path = Path(folder) / "sample.zarr"
        recipe = str(find("recipes", "ecland-sample"))
        run_logged(Path(folder) / "create.log", ["anemoi.datasets", "create", recipe, str(path)], cwd=Path(folder))
        yield path

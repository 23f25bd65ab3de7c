# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Roll out a checkpoint over a century of repeated forcing, and judge whether it drifts.

The years of the run are kept in ``<output>-years``: an interrupted run resumes, a complete one is only judged. The
result appears under its name when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from anemoi_ailand.evaluation.display.style import Figure, save
from anemoi_ailand.evaluation.display.text import DIGITS, json_text
from anemoi_ailand.evaluation.figures.stability import storage_figure, temperature_figure
from anemoi_ailand.evaluation.processes.stability import Verdict, check_length, judge
from anemoi_ailand.evaluation.report.stability_table import SCHEMA, stability_record, stability_table
from anemoi_ailand.rollout.reforecast.cyclic_run import Setting, ecland_years, run_years, setting
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.workflows import record_header

#: File that identifies an earlier result.
PROOF = "stability.json"


def stability(
    checkpoint: str | Path,
    dataset: str | Path,
    output: str | Path,
    *,
    years: int = 100,
    start: str | None = None,
    end: str | None = None,
    device: str = "cpu",
    execution: str = "auto",
    trust: bool | str = False,
    progress: bool = True,
) -> Path:
    """Roll out over repeated years, judge the run, and write table, figures and summary.

    Parameters
    ----------
    checkpoint, dataset : str or Path
        Inference checkpoint, or the name of a pretrained network; Anemoi dataset whose years are repeated.
    output : str or Path
        Folder of the result.
    years : int
        Length of the run [years].
    start, end : str, optional
        First date of the forcing and its latest end; only whole years are used.
    device : str
        Device of torch.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    trust : bool or str
        Load a checkpoint of unknown checksum, or one of this SHA-256; see :func:`~anemoi_ailand.load`.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Path
        ``output``, with ``table.md``, ``points.csv``, ``storage.png``, ``temperature.png`` and ``stability.json``.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        An input is missing or does not fit, or ``output`` is not an earlier result. Checked before the roll-out where
        possible.

    Examples
    --------
    >>> from anemoi_ailand import stability
    >>> folder = stability("ailand", "ecland.zarr", "stability", years=100)  # doctest: +SKIP
    """
    output = Path(output).expanduser()
    run = setting(checkpoint, dataset, start, end, device, trust or None)
    check_length(years, run.cycle.n_years)
    kept = output.parent / f"{output.name}-years"
    run = run.executed(execution, years, kept / "emulator.nc")
    with complete_folder(output, PROOF) as folder:
        truth = ecland_years(run, kept / "ecland.nc")
        made = run_years(run, kept / "emulator.nc", years, progress=progress)
        with xr.open_dataset(made) as of_run, xr.open_dataset(truth) as of_ecland:
            write(folder, run, of_run.isel(year=slice(0, years)).load(), of_ecland.load())
    return output


def write(folder: Path, run: Setting, years: xr.Dataset, ecland: xr.Dataset) -> Verdict:
    """Judge the years of a run against those of ecLand and write the result into ``folder``."""
    verdict = judge(years, ecland)
    (folder / "table.md").write_text(stability_table(verdict, _heading(run, years)))
    verdict.points.to_csv(folder / "points.csv", float_format=f"%.{DIGITS}g")
    classes = list(verdict.points["climate_class"])
    figures: dict[str, tuple[Callable[..., Figure], str]] = {
        "storage": (storage_figure, "storage drift"), "temperature": (temperature_figure, "stl"),
    }  # fmt: skip
    for name, (draw, finding) in figures.items():
        drifting = verdict.findings.loc[verdict.findings["finding"].str.startswith(finding), "point"].unique()
        save(draw(years, ecland, classes, drifting), folder / f"{name}.png")
    (folder / PROOF).write_text(json_text(_header(run, years) | stability_record(verdict)))
    return verdict


def _heading(run: Setting, years: xr.Dataset) -> str:
    first, last = run.cycle.dates[[0, -1]].astype("datetime64[D]")
    return (
        f"{years.sizes['year']} years from one start at {years.sizes['point']} points, forcing of {first} to {last} "
        f"repeated, {int(years['steps'].sum())} steps."
    )


def _header(run: Setting, years: xr.Dataset) -> dict[str, object]:
    return {
        **record_header(SCHEMA),
        "checkpoint": str(run.step.path),
        **run.identity,
        "years": years.sizes["year"],
        "years_of_forcing": run.cycle.n_years,
        "points": years.sizes["point"],
        "steps": int(years["steps"].sum()),
    }

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables 4 and 5 of the publication of aiLand v1, of each forecast, line by line with the published numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.text import aligned
from anemoi_ailand.evaluation.display.variables import shown_scores, shown_units
from anemoi_ailand.evaluation.fields.matching import ALL

#: Name of the published row.
PUBLISHED = "aiLand v1"

#: Lead times of table 4 [d].
DAYS = (1.0, 7.0, 30.0, 60.0, 90.0)

#: RMSE at :data:`DAYS`. Source: Raoult et al. (2026), doi:10.5194/egusphere-2026-3620, table 4.
GROWTH = {
    "stl1": (0.92, 0.98, 1.06, 1.13, 1.19), "stl2": (0.17, 0.32, 0.52, 0.63, 0.71),
    "stl3": (0.03, 0.17, 0.45, 0.58, 0.65), "swvl1": (0.011, 0.012, 0.013, 0.014, 0.014),
    "swvl2": (0.004, 0.005, 0.007, 0.008, 0.008), "swvl3": (0.002, 0.005, 0.010, 0.012, 0.013),
    "snowc": (0.016, 0.028, 0.045, 0.046, 0.044), "2t": (0.69, 0.69, 0.70, 0.69, 0.69),
    "2d": (0.95, 0.95, 0.95, 0.95, 0.94), "skt": (1.06, 1.07, 1.08, 1.07, 1.06),
    "sshf": (11.67, 11.90, 12.31, 12.45, 12.50), "slhf": (10.05, 10.23, 10.65, 10.93, 11.06),
}  # fmt: skip

#: Metrics of table 5, each in the first year and in the whole run.
METRICS = {"rmse": "RMSE", "bias": "bias", "correlation": "correlation", "acc": "ACC"}

#: RMSE, bias, correlation and ACC of one run, in the order of :data:`METRICS`. Source: as above, table 5.
LONG_RUN = {
    "stl1": (1.47, 1.72, 0.35, 0.40, 0.994, 0.993, 0.970, 0.959),
    "stl2": (0.99, 1.32, 0.06, 0.14, 0.997, 0.995, 0.978, 0.962),
    "stl3": (0.94, 1.29, 0.07, 0.17, 0.997, 0.994, 0.963, 0.934),
    "swvl1": (0.014, 0.016, 0.000, 0.001, 0.996, 0.995, 0.963, 0.953),
    "swvl2": (0.010, 0.012, 0.001, 0.002, 0.998, 0.997, 0.973, 0.961),
    "swvl3": (0.015, 0.018, 0.003, 0.003, 0.995, 0.993, 0.888, 0.855),
    "snowc": (0.056, 0.058, -0.002, -0.001, 0.986, 0.985, 0.948, 0.945),
    "2t": (0.61, 0.63, -0.03, -0.03, 0.999, 0.999, 0.996, 0.996),
    "2d": (0.77, 0.80, -0.01, -0.01, 0.998, 0.998, 0.992, 0.992),
    "skt": (1.08, 1.12, -0.04, -0.04, 0.998, 0.998, 0.991, 0.991),
    "sshf": (11.76, 12.13, -0.05, -0.14, 0.990, 0.989, 0.979, 0.977),
    "slhf": (9.81, 10.42, -0.65, -0.65, 0.992, 0.991, 0.980, 0.977),
}


def v1_tables(scores: pd.DataFrame, labels: Sequence[str]) -> str:
    """Format both tables in Markdown; a score that was not computed is a dash.

    The numbers are comparable on the published dataset only, with its dates, points and climatology.
    """
    shown = shown_scores(scores)
    days = ["variable", "unit", "model", *(f"{day:g} d" for day in DAYS), "90 d / 1 d"]
    run = ["variable", "unit", "model", *(f"{text}, {of}" for text in METRICS.values() for of in ("1 yr", "all"))]
    return "\n".join([
        "RMSE by lead time: the form of table 4 of doi:10.5194/egusphere-2026-3620, whose numbers are those of "
        f"{PUBLISHED}, on its own data.", "",
        *aligned([days, *_growth(shown, labels)], (0, 1, 2)), "",
        "One run, in its first year and as a whole (published: four years): the form of table 5.", "",
        *aligned([run, *_long_run(shown, labels)], (0, 1, 2)),
    ]) + "\n"  # fmt: skip


def _growth(scores: pd.DataFrame, labels: Sequence[str]) -> Iterator[list[str]]:
    rows = scores.query("protocol == 'A' and cut == @ALL and metric == 'rmse'").set_index(["variable", "model", "lead"])
    for name, published in GROWTH.items():
        for label in labels:
            values = [_of(rows, (name, label, day)) for day in DAYS]
            yield _row(name, label, [*values, values[-1] / values[0]])
        yield _row(name, PUBLISHED, [*published, published[-1] / published[0]])


def _long_run(scores: pd.DataFrame, labels: Sequence[str]) -> Iterator[list[str]]:
    rows = scores.query("protocol == 'B' and lead != lead and group in ('year 1', @ALL)")
    rows = rows.set_index(["variable", "model", "metric", "group"])
    for name, published in LONG_RUN.items():
        for label in labels:
            yield _row(name, label, [_of(rows, (name, label, m, g)) for m in METRICS for g in ("year 1", ALL)])
        yield _row(name, PUBLISHED, published)


def _of(rows: pd.DataFrame, key: tuple[object, ...]) -> float:
    return float(rows["value"].get(key, float("nan")))


def _row(name: str, model: str, values: Sequence[float]) -> list[str]:
    return [name, shown_units(name), model, *("-" if np.isnan(v) else f"{v:.4g}" for v in values)]

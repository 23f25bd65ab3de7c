# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Report of a coupled run: what crossed, whether it arrives in time, and the shock of the first step."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.coupling.crossing import Feedback
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.coupling.exchange_budget import ExchangeBudget
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.support.units import AMOUNTS, HOUR
from anemoi_ailand.variables import variable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG = logging.getLogger(__name__)

#: Fluxes of the land that close its budgets with what it received.
FLUXES = ("evap", "sro", "ssro", "ssr", "str", "slhf", "sshf")

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:right}td:first-child,th:first-child"
    "{text-align:left}figure{margin:1.5em 0}img{max-width:100%}figcaption{color:#59636b}"
)


class CouplingReport:
    r"""Sums over the steps of the land of a coupled run, and the page made of them.

    The increment of a feedback field is :math:`i_k = y_k - x_k`, from the atmosphere's own value :math:`x` to the value
    with the land :math:`y`, in the units of the land's variable. How much of it arrives in the next step is the slope
    of the regression of :math:`x_{k+1} - x_k` on it over points and steps,

    .. math:: s = \frac{\mathrm{cov}(i_k, x_{k+1} - x_k)}{\mathrm{var}(i_k)}

    which is about one if the atmosphere continues from :math:`y`, and about zero if it does not use the field or
    answers later.
    """

    def __init__(self, path: Path, feedback: Sequence[Feedback], budget: ExchangeBudget, points: Exchange) -> None:
        self.path, self._feedback, self._budget, self._points = path, tuple(feedback), budget, points
        self.dates: list[datetime] = []
        #: Mean and root mean square of the increments of each step, by field.
        self.increments: dict[str, list[tuple[float, float]]] = {f.field: [] for f in feedback}
        #: Mean of each flux of the land over a step, times its length, by variable; and what crossed in each step.
        self.fluxes: dict[str, list[float]] = {}
        self.crossed: dict[str, list[tuple[float, float]]] = {name: [] for name in budget.given}
        self._before = dict.fromkeys(budget.given, (0.0, 0.0))
        self._last: dict[str, tuple[Tensor, Tensor]] = {}
        self._sums = {f.field: torch.zeros(5, dtype=torch.float64, device=points.device) for f in feedback}

    def add(self, land: LandState, own: Mapping[str, Tensor], changed: Mapping[str, Tensor]) -> None:
        """Add a step of the land: the atmosphere's own fields (point,), and these with the land in them."""
        points = self._points
        self.dates.append(land.date)
        for name in FLUXES:
            if name in land:
                mean = _mean(land[name].double(), points.land_areas)
                self.fluxes.setdefault(name, []).append(mean * STEP_HOURS * HOUR)
        for name, crossed in self.crossed.items():
            given, received = self._budget.given[name], self._budget.received[name]
            crossed.append((given - self._before[name][0], received - self._before[name][1]))
            self._before[name] = given, received
        for fed in self._feedback:
            before, after = (points.at_targets(f[fed.field]) / fed.factor for f in (own, changed))
            step = after - before
            size = _mean(step.square(), points.target_areas) ** 0.5
            self.increments[fed.field].append((_mean(step, points.target_areas), size))
            if fed.field in self._last:
                increment, value = self._last[fed.field]
                change, ones = before - value, torch.ones_like(value)
                pairs = (ones, ones), (ones, increment), (ones, change), (increment, change), (increment, increment)
                self._sums[fed.field] += torch.stack([a @ b for a, b in pairs])
            self._last[fed.field] = step, before

    def arrives(self, field: str) -> float | None:
        """Return the slope of a feedback field; None if its increments do not vary, and before the second step."""
        n, increments, changes, products, squares = self._sums[field].tolist()
        variance = n * squares - increments**2
        return (n * products - increments * changes) / variance if variance > 1e-12 * n * squares else None

    def write(self, about: Mapping[str, object]) -> None:
        """Write the page; ``about`` are its first lines."""
        hours = len(self.dates) * STEP_HOURS
        parts = [
            _table("Run", ("", ""), [*about.items(), ("steps of the land", len(self.dates)), ("last", self.dates[-1])]),
            "<p>Fluxes are means over the land's share and over the run. What the atmosphere gave and what the land "
            "received differ by rounding if the exchange conserves it.</p>",
            _table("What crossed", ("atmosphere to land", "given", "received", "units"), self._crossed(hours)),
            _table("What the land made of it", ("land", "", "units"), self._made(hours)),
        ]
        if self.crossed or self.fluxes:
            parts.append(_image(self._crossed_figure(), "What crossed in each step of the land, means over its share."))
        if self._feedback:
            parts += [
                "<p>Increment: value with the land minus the atmosphere's own, area mean and root mean square. The "
                "first step has the shock of the start. <i>Arrives</i>: share of an increment that the atmosphere's "
                "next value of the field contains; about 1 if it continues from the land's value, about 0 if it does "
                "not use the field, or only later.</p>",
                _table(
                    "Increments of the atmosphere",
                    ("field", "first, mean", "first, rms", "later, mean", "later, rms", "arrives", "units"),
                    self._shocks(),
                ),
                _image(self._increment_figure(), "Increments of the atmosphere over time; dots: the first step."),
            ]
        with complete_file(self.path) as partial:
            partial.write_text(
                f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Coupled run</title><style>{_STYLE}'
                f"</style><h1>Coupled run</h1>{''.join(parts)}</html>\n",
                encoding="utf-8",
            )
        LOG.info("Report of the coupling written to %s", self.path)

    def _crossed(self, hours: float) -> list[tuple[object, ...]]:
        given, received = self._budget.given, self._budget.received
        return [
            (f"{n}: {variable(n).long_name}", *(_rate(n, total, hours) for total in (given[n], received[n])), _unit(n))
            for n in given
        ]

    def _made(self, hours: float) -> list[tuple[object, ...]]:
        return [(f"{n}: {variable(n).long_name}", _rate(n, sum(v), hours), _unit(n)) for n, v in self.fluxes.items()]

    def _crossed_figure(self) -> Figure:
        from anemoi_ailand.coupling.coupling_figures import crossed_figure  # slow to import

        crossed = {
            n: [(_rate(n, a, STEP_HOURS), _rate(n, b, STEP_HOURS)) for a, b in v] for n, v in self.crossed.items()
        }
        made = {n: [_rate(n, v, STEP_HOURS) for v in values] for n, values in self.fluxes.items()}
        return crossed_figure(self.dates, crossed, made, {n: _unit(n) for n in (*crossed, *made)})

    def _increment_figure(self) -> Figure:
        from anemoi_ailand.coupling.coupling_figures import increment_figure  # slow to import

        units = {fed.field: variable(fed.name).units for fed in self._feedback}
        return increment_figure(self.dates, self.increments, units)

    def _shocks(self) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for fed in self._feedback:
            first, *later = self.increments[fed.field]
            means = [sum(values) / len(later) for values in zip(*later, strict=True)] if later else ["", ""]
            slope = self.arrives(fed.field)
            rows.append((fed.field, *first, *means, "" if slope is None else slope, variable(fed.name).units))
        return rows


def check_page(path: Path) -> Path:
    """Check the name and the folder of a page before the run."""
    check_folder(path.parent)
    if path.suffix != ".html":
        raise ValueError(f"`report` is '{path}'. Give a name that ends in .html.")
    return path


def _mean(values: Tensor, areas: Tensor) -> float:
    with torch.no_grad():
        return float((values * areas).sum() / areas.sum())


def _rate(name: str, total: float, hours: float) -> float:
    """Return a flux [W m-2], or an amount of water over one day [kg m-2]."""
    return total / (hours * HOUR) if variable(name).units == "W m-2" else total * 24.0 / hours


def _unit(name: str) -> str:
    units = variable(name).units
    return units if units == "W m-2" else f"{AMOUNTS[units]} per day"


def _table(title: str, head: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows]
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>{escape(title)}</h2><table><tr>{titles}</tr>{body}</table>"


def _image(figure: Figure, caption: str) -> str:
    """Return a figure that the page contains."""
    file = BytesIO()
    figure.savefig(file, format="png")
    source = f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _text(cell: object) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else escape(str(cell))

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Comparison of an exported graph with its checkpoint on real states.

With the graph's value a, the checkpoint's b and the standard deviation :math:`\sigma` of the normaliser,

.. math:: |a - b| \le \epsilon \max(|b|, \sigma), \qquad \epsilon = 10^{-5} \text{ single}, 10^{-10} \text{ double}.

Runoff is a small residual of large soil-water storage, and conductivity jumps at saturation: in a few rows the last
digit of the input decides more than that. For a row beyond the limit the checkpoint is therefore run with the same
input moved by one rounding; the row passes, and is counted, if the checkpoint moves as much as the graph is away, up to
a factor for the number of roundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.export.host_step import PLACE_TIME, HostStep
from anemoi_ailand.support.packaged import folder

#: Largest accepted relative difference.
LIMITS = {torch.float32: 1.0e-5, torch.float64: 1.0e-10}

#: Steps of the packaged sample to compare, at all points, spread over the year.
_YEAR, _N_STEPS = 2022, 48

#: Number of inputs, perturbed by one rounding, with which a row beyond the limit is compared; and the accepted multiple
#: of their largest effect: inputs are perturbed once, but soil water is rounded in each of twelve steps.
_MOVES, _MARGIN = 16, 12.0


@dataclass(frozen=True)
class Rows:
    """Arguments of :class:`~anemoi_ailand.export.host_step.HostStep` by name, and date and place of each row."""

    arguments: dict[str, np.ndarray]
    where: list[str]


@dataclass(frozen=True)
class Agreement:
    """Differences between a graph and its checkpoint over a number of ``rows``.

    ``largest`` is the largest relative difference of each variable. Rows beyond the limit whose value depends on
    rounding of the inputs are ``undecided``, and included in it.
    """

    rows: int
    largest: dict[str, float]
    undecided: int

    def __str__(self) -> str:
        name = max(self.largest, key=self.largest.__getitem__)
        beyond = f"; {self.undecided} rows exceed the limit, within the effect of rounding the inputs"
        return (
            f"Equal to the checkpoint at {self.rows} rows of the packaged sample: largest relative difference "
            f"{self.largest[name]:.1e} ('{name}'){beyond if self.undecided else ''}"
        )


def check_graph(path: Path, host: HostStep, dtype: torch.dtype) -> Agreement:
    """Run a graph with onnxruntime on one thread and compare it with its step at :func:`sample_rows`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rows = sample_rows(host, dtype)
    return compare(session.run(None, rows.arguments), host, rows, LIMITS[dtype])


def compare(got: Sequence[np.ndarray], host: HostStep, rows: Rows, limit: float) -> Agreement:
    """Compare new state and diagnostics of a graph, each (row, column), with those of the step.

    Raises
    ------
    ValueError
        A relative difference exceeds ``limit``; the message has variable, place and both values.
    """
    names = [n for columns in host.results.values() for n in columns]
    graph, want = np.concatenate(got, axis=-1).astype(np.float64), _run(host, rows.arguments)
    scale = np.maximum(np.abs(want), _scales(host, names))
    # a value that is missing is infinitely far away
    relative = np.nan_to_num(np.abs(graph - want) / scale, nan=np.inf)
    beyond = np.flatnonzero((relative > limit).any(axis=-1))
    if beyond.size:
        own = _own_change(host, rows.arguments, beyond, want[beyond]) / scale[beyond]
        wrong = relative[beyond] > np.maximum(limit, _MARGIN * own)
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            row = int(beyond[i])
            raise ValueError(
                f"The graph differs from the checkpoint in {int(wrong.any(-1).sum())} of {len(want)} rows by more than "
                f"{limit:g} (relative). The first is '{names[j]}' at {rows.where[row]}: {graph[row, j]:.9g} instead of "
                f"{want[row, j]:.9g}. The graph was removed. Try other versions of torch, onnxscript and onnxruntime, "
                "and report it."
            )
    largest = {n: float(v) for n, v in zip(names, relative.max(axis=0), strict=True)}
    return Agreement(len(want), largest, int(beyond.size))


def sample_rows(host: HostStep, dtype: torch.dtype) -> Rows:
    """Read real states and forcing: all points of the packaged sample at dates spread over a year."""
    reader = open_reader(str(folder("sample")))
    latitudes, longitudes = reader.latitudes, reader.longitudes
    dates = [d for d in reader.coverage.dates() if d.year == _YEAR]
    chosen = np.linspace(0, len(dates) - 2, _N_STEPS).astype(int)
    steps = [(dates[i], dates[i + 1]) for i in chosen]

    def fields(names: Sequence[str], end: int) -> np.ndarray:
        stored = [n for n in names if n not in COMPUTED]
        stamps = [step[end] for step in steps]
        # each (name, date, point)
        known = dict(zip(stored, reader.read(stored, stamps), strict=True)) if stored else {}
        sun = [n for n in names if n in COMPUTED]
        known |= dict(zip(sun, compute(sun, stamps, latitudes, longitudes), strict=True))
        return np.stack([known[n].ravel() for n in names], axis=-1).astype(torch.empty((), dtype=dtype).numpy().dtype)

    given = {n: c for n, c in host.columns.items() if n != PLACE_TIME}
    arguments = {n: fields(columns, end=int(n == "forcing_end")) for n, columns in given.items()}
    if PLACE_TIME in host.columns:
        arguments[PLACE_TIME] = np.concatenate([place_time(latitudes, longitudes, *step) for step in steps])
    n_points = range(len(latitudes))
    return Rows(arguments, [f"{start:%Y-%m-%d %H:%M}, point {p} of the sample" for start, _ in steps for p in n_points])


def place_time(latitudes: np.ndarray, longitudes: np.ndarray, start: datetime, end: datetime) -> np.ndarray:
    """Make the argument ``place_time`` of a step from ``start`` to ``end`` (UTC), shape (point, 4), double."""
    days = [np.full(len(latitudes), (d - datetime(d.year, 1, 1)) / timedelta(days=1)) for d in (start, end)]
    return np.stack([latitudes, longitudes, *days], axis=-1).astype(np.float64)


def _run(host: HostStep, arguments: dict[str, np.ndarray]) -> np.ndarray:
    """Join new state and diagnostics in double precision, (row, variable)."""
    with torch.inference_mode():
        parts = host(**{n: torch.from_numpy(v) for n, v in arguments.items()})
    return torch.cat(list(parts), dim=-1).double().numpy()


def _scales(host: HostStep, names: Sequence[str]) -> np.ndarray:
    """Return the standard deviations of the normaliser, shape (variable,)."""
    factor = dict(zip(host.step.outputs, (1.0 / host.step.output_factors).abs().tolist(), strict=True))
    return np.array([factor[n] for n in names])


def _own_change(host: HostStep, arguments: dict[str, np.ndarray], rows: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Compute the effect on the step of perturbing its arguments by one rounding, (row, variable)."""
    generator = np.random.default_rng(0)
    largest = np.zeros_like(want)
    for _ in range(_MOVES):
        moved = {}
        for name, values in arguments.items():
            chosen = values[rows]
            towards = generator.choice([-np.inf, np.inf], size=chosen.shape).astype(chosen.dtype)
            moved[name] = chosen if name == PLACE_TIME else np.nextafter(chosen, towards)
        largest = np.maximum(largest, np.abs(_run(host, moved) - want))
    return largest

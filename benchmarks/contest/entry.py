# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Entrants of a contest with their cost, as shown in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Entry:
    """Evaluated entrant of a contest; ``None`` means an unknown cost.

    ``origin`` is the configurations of its stages, or the checkpoint. ``flop`` are the operations for one step of one
    point, ``flop_linear`` those of linear layers or the comparisons of trees; ``microseconds`` is the processor time of
    it, by the ``execution`` of the evaluation. ``point_steps`` are the training samples: windows x points x roll-out
    steps, summed over batches.
    """

    label: str
    origin: str
    checkpoint: str
    checkpoint_sha256: str
    parameters: int
    flop_linear: float
    flop: float
    point_steps: float | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    device: str = "unknown"
    note: str = ""
    microseconds: float | None = None
    execution: str = "unknown"

    @property
    def wall_hours(self) -> float | None:
        """Wall-clock hours of training."""
        return None if self.wall_seconds is None else self.wall_seconds / SECONDS_PER_HOUR

    @property
    def cpu_hours(self) -> float | None:
        """Processor hours of training."""
        return None if self.cpu_seconds is None else self.cpu_seconds / SECONDS_PER_HOUR


def fairness(entries: Sequence[Entry], reference: str, budget: float | None) -> list[str]:
    """Describe the training samples: entrants below the budget, and whether the reference had the most."""
    known = {e.label: e.point_steps for e in entries if e.point_steps is not None}
    unknown = [e.label for e in entries if e.point_steps is None]
    out = []
    if budget is not None:
        short = {k: v for k, v in known.items() if v < budget}
        text = ", ".join(f"{k} {v / budget:.0%}" for k, v in short.items())
        out.append(
            f"Budget: {budget:.3g} point-steps. " + (f"Less than that: {text}." if short else "All have had it.")
            if known
            else f"Budget: {budget:.3g} point-steps; nobody's samples are known."
        )
    if reference in known:
        more = [k for k, v in known.items() if v > known[reference]]
        out.append(
            f"Samples of the reference {reference}: {known[reference]:.3g} point-steps; "
            + (f"**fewer than those of {', '.join(more)}**." if more else "nobody has had more.")
        )
    if unknown:
        out.append(f"Samples not known: {', '.join(unknown)}.")
    return out

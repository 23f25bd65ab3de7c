# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What an entrant of a contest is and what it has cost, as its table shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Entry:
    """An entrant that is evaluated.

    Attributes
    ----------
    label : str
        Its name in tables and figures.
    origin : str
        Configurations of its stages, or the checkpoint.
    checkpoint, checkpoint_sha256 : str
        What is rolled out.
    parameters : int
        Trained numbers.
    flop_linear, flop : float
        Operations of one step of one point: of linear layers (comparisons of trees), and all together.
    point_steps : float or None
        Samples that it was trained on: windows x points x roll-out steps, summed over batches; ``None`` if not known.
    wall_seconds, cpu_seconds : float or None
        Of its training, on the clock and of all processors together; ``None`` if not known.
    device : str
        Where it was trained.
    note : str
        What else there is to say.
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
    device: str = "not known"
    note: str = ""

    @property
    def wall_hours(self) -> float | None:
        """Hours of training on the clock."""
        return None if self.wall_seconds is None else self.wall_seconds / SECONDS_PER_HOUR

    @property
    def cpu_hours(self) -> float | None:
        """Hours of training of all processors together."""
        return None if self.cpu_seconds is None else self.cpu_seconds / SECONDS_PER_HOUR

    def record(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def fairness(entries: Sequence[Entry], reference: str, budget: float | None) -> list[str]:
    """Sentences about the samples: who has had less than the budget, and whether the reference has had the most.

    Parameters
    ----------
    entries : sequence of Entry
        All entrants.
    reference : str
        Label of the entrant that the others are compared with.
    budget : float, optional
        Point-steps that everyone should have had.
    """
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

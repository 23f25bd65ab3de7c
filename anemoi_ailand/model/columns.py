# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Columns of the network, from variable names and the table of variables alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from anemoi_ailand.variables import END, START, Role, taken_at, variable


@dataclass(frozen=True)
class StepColumns:
    """Columns of one step.

    Attributes
    ----------
    start, end : tuple of str
        Inputs taken at the start (t) and at the end (t + 6 h) of the step, in the order of the network's columns.
    prognostic, diagnostic : tuple of str
        Outputs of the two heads.
    outputs : tuple of str
        Output variables in the order of the output tensor.
    start_index, end_index, prognostic_in, prognostic_out, diagnostic_out : tuple of int
        Positions of those in the input and output tensors.
    """

    start: tuple[str, ...]
    end: tuple[str, ...]
    prognostic: tuple[str, ...]
    diagnostic: tuple[str, ...]
    outputs: tuple[str, ...]
    start_index: tuple[int, ...]
    end_index: tuple[int, ...]
    prognostic_in: tuple[int, ...]
    prognostic_out: tuple[int, ...]
    diagnostic_out: tuple[int, ...]

    @classmethod
    def from_names(
        cls,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        *,
        diagnostic: Sequence[str],
        forcing: Sequence[str],
        categories: Sequence[str] = (),
    ) -> StepColumns:
        """Lay out the columns from the positions of variables in the input and output tensors.

        ``diagnostic`` and ``forcing`` are the output-only and input-only variables of the configuration; ``categories``
        are allowed among the inputs because the closed step reads them. The network never does.

        Raises
        ------
        ValueError
            A variable is not in the table, or has a different role there than in the configuration.
        """
        predicted = tuple(sorted(outputs, key=outputs.__getitem__))
        prognostic = tuple(n for n in predicted if n not in set(diagnostic))
        _check_roles(prognostic, diagnostic, [n for n in forcing if n not in categories])
        ordered = sorted(inputs, key=inputs.__getitem__)
        read = [n for n in ordered if variable(n).role is not Role.CATEGORY]
        start, end = tuple(taken_at(START, read)), tuple(taken_at(END, read))
        return cls(
            start=start,
            end=end,
            prognostic=prognostic,
            diagnostic=tuple(diagnostic),
            outputs=predicted,
            start_index=tuple(inputs[n] for n in start),
            end_index=tuple(inputs[n] for n in end),
            prognostic_in=tuple(inputs[n] for n in prognostic),
            prognostic_out=tuple(outputs[n] for n in prognostic),
            diagnostic_out=tuple(outputs[n] for n in diagnostic),
        )

    @property
    def n_in(self) -> int:
        """Columns of the network's input."""
        return len(self.start) + len(self.end)

    def positions(self, names: Sequence[str]) -> dict[str, int]:
        """Look up the positions of output variables in the output tensor."""
        return {name: self.outputs.index(name) for name in names}

    def as_dict(self) -> dict[str, list]:
        """Return plain lists, for metadata."""
        return {name: list(value) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        return (
            f"{len(self.start)} inputs at the start, {len(self.end)} at the end of the step, "
            f"{len(self.prognostic)} prognostic and {len(self.diagnostic)} diagnostic outputs"
        )


def _check_roles(prognostic: Sequence[str], diagnostic: Sequence[str], forcing: Sequence[str]) -> None:
    state = [n for n in prognostic if variable(n).increment_scale is None]  # without a scale there is no increment
    allowed = {
        "prognostic": (state, {Role.PROGNOSTIC}),
        "diagnostic": (diagnostic, {Role.DIAGNOSTIC, Role.PROGNOSTIC}),
        "forcing": (forcing, {Role.FORCING, Role.STATIC}),
    }
    for role, (names, roles) in allowed.items():
        wrong = {n: variable(n).role.value for n in names if variable(n).role not in roles}
        if wrong:
            raise ValueError(
                f"The configuration uses {sorted(wrong)} as {role}, but the table of variables has {wrong}. "
                "Anemoi takes every selected variable that is neither in `data.datasets.data.forcing` nor in "
                "`.diagnostic` as prognostic: list it under `land.prognostic`, `land.forcing` or `land.diagnostic`, or "
                "leave it out. Categories (types) reach the model as the physical parameters derived from them."
            )

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Equivalents of observations in the outputs of the emulator: outputs themselves, or a function of some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from anemoi_ailand.constants import TETENS_WATER, TRIPLE_POINT
from anemoi_ailand.data.observations.rows import RELATIVE_HUMIDITY
from anemoi_ailand.variables import match_name


def relative_humidity(temperature: Tensor, dewpoint: Tensor) -> Tensor:
    r"""Compute the relative humidity over water [1] from temperature and dewpoint [K].

    .. math:: r = \frac{e_s(T_d)}{e_s(T)}, \qquad e_s(T) \propto \exp\left(17.502\,\frac{T - 273.16}{T - 32.19}\right)

    Over water at all temperatures, as stations report it. Shapes: all the same. Derivatives pass, and above saturation
    nothing is cut off.

    Source: Tetens; IFS Documentation CY49R1, Part IV.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import relative_humidity
    >>> relative_humidity(torch.tensor([293.15, 293.15]), torch.tensor([293.15, 283.15]))
    tensor([1.0000, 0.5252])
    """
    a, b = TETENS_WATER
    return torch.exp(
        a * ((dewpoint - TRIPLE_POINT) / (dewpoint - b) - (temperature - TRIPLE_POINT) / (temperature - b))
    )


#: Observed quantities that no network makes: the outputs that they are computed from, and the function.
COMPUTED: dict[str, tuple[tuple[str, ...], Callable[..., Tensor]]] = {
    RELATIVE_HUMIDITY: (("2t", "2d"), relative_humidity)
}


def needed_outputs(name: str) -> tuple[str, ...]:
    """Return the outputs that the equivalent of an observed quantity is computed from."""
    return COMPUTED[name][0] if name in COMPUTED else (name,)


def known_equivalents(outputs: Sequence[str]) -> list[str]:
    """Return what can be compared with these outputs: they themselves, and what is computed from them."""
    return [*outputs, *(n for n, (needed, _) in COMPUTED.items() if set(needed) <= set(outputs))]


class Equivalents:
    """Function of the outputs (..., output) of a step that returns the equivalents (..., name).

    Parameters
    ----------
    names : sequence of str
        Outputs, or quantities of :data:`COMPUTED`.
    outputs : sequence of str
        Names of the outputs in their order.
    device : torch.device or str
        Device of the outputs.

    Raises
    ------
    ValueError
        A name is neither an output nor computed from outputs.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand.assimilation.equivalents import Equivalents
    >>> of = Equivalents(["2r", "swvl1"], ["swvl1", "2t", "2d"])
    >>> [round(v, 2) for v in of(torch.tensor([0.2, 293.15, 283.15])).tolist()]
    [0.53, 0.2]
    """

    def __init__(self, names: Sequence[str], outputs: Sequence[str], device: torch.device | str = "cpu") -> None:
        known = known_equivalents(outputs)
        self.names = tuple(match_name(n, known, "the outputs of the emulator") for n in names)
        needed = tuple(dict.fromkeys(o for n in self.names for o in needed_outputs(n)))
        self._columns = torch.tensor([outputs.index(o) for o in needed], dtype=torch.long, device=device)
        self._plain = needed == self.names
        self._at = [[needed.index(o) for o in needed_outputs(n)] for n in self.names]

    def __call__(self, outputs: Tensor) -> Tensor:
        """Compute the equivalents."""
        found = outputs.index_select(-1, self._columns)
        if self._plain:
            return found
        parts = [[found[..., k] for k in at] for at in self._at]
        made = [COMPUTED[n][1](*part) if n in COMPUTED else part[0] for n, part in zip(self.names, parts, strict=True)]
        return torch.stack(made, -1)

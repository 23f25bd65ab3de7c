# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""State of the land between two steps, as a host keeps, passes on and saves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.rollout.step.state_file import read_restart, write_restart
from anemoi_ailand.support.atomic import check_replaceable
from anemoi_ailand.support.netcdf_writer import variable_attributes
from anemoi_ailand.support.object_display import as_html, as_text, places, with_units
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.variables import HOURLY_RAIN, is_model_error, match_name, variable

if TYPE_CHECKING:
    import xarray as xr

#: Kind of a file that holds a state.
KIND = "land-state"

#: Start of the names of a host's arrays in such a file.
_FURTHER = "further/"

#: Aliases, as the class below has a method `torch`.
_Dtype: TypeAlias = torch.dtype
_Device: TypeAlias = torch.device


@dataclass(frozen=True)
class LandState:
    """Inputs of the next step except its forcing, and diagnostics of the last step. Never changed in place.

    Made by :meth:`LandStepper.initial <anemoi_ailand.rollout.stepper.LandStepper.initial>` and ``step``. A variable is
    ``state[name]``, shape (point,), in the units of the table; all are :meth:`numpy`, :meth:`torch` or :meth:`xarray`.

    Attributes
    ----------
    date : datetime
        Time of the state, UTC.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Degrees.
    columns : Tensor, shape (point, input)
        Inputs of the model at ``date`` in physical units: state, static fields, forcing at the start of a step.
        Columns that the model reads only at the end of a step are zero.
    inputs, prognostic : tuple of str
        Names of the columns, and those of the state.
    diagnostics : Tensor, shape (point, diagnostic), optional
        Diagnostics of the last step; None at the start.
    diagnosed : tuple of str
        Names of the diagnostics.
    execution : str, optional
        Execution of the last step, such as ``plain``; None at the start, or if it is not known.
    checked : bool
        Whether values were compared with what is possible, as by ``initial`` or a step; else the next step does so.

    Examples
    --------
    >>> from datetime import datetime
    >>> import numpy as np
    >>> import torch
    >>> from anemoi_ailand import LandState
    >>> state = LandState(
    ...     datetime(2022, 1, 1), latitudes=np.array([52.2, 47.0]), longitudes=np.array([14.1, 8.0]),
    ...     columns=torch.tensor([[0.31, 3.0], [0.25, 2.0]]), inputs=("swvl1", "slt"), prognostic=("swvl1",),
    ... )
    >>> analysis = state.changed({"swvl1": state["swvl1"] + 0.01})  # m3 m-3
    >>> analysis.xarray()["swvl1"].dims, analysis["swvl1"]
    (('point',), tensor([0.3200, 0.2600]))
    """

    date: datetime
    latitudes: np.ndarray
    longitudes: np.ndarray
    columns: Tensor
    inputs: tuple[str, ...]
    prognostic: tuple[str, ...]
    diagnostics: Tensor | None = None
    diagnosed: tuple[str, ...] = ()
    execution: str | None = None
    checked: bool = False

    def __getitem__(self, name: str) -> Tensor:
        """Return a prognostic, diagnostic or static variable by its name in the table or in NetCDF, shape (point,).

        Raises
        ------
        KeyError
            The variable is not in the state; diagnostics exist after the first step only.
        """
        try:
            name = match_name(name, (*self.inputs, *self.diagnosed), f"the state of {self.date}")
        except ValueError as error:
            raise KeyError(str(error)) from None
        if name in self.inputs:
            return self.columns[:, self.inputs.index(name)]
        if self.diagnostics is None:
            raise KeyError(f"'{name}' is a diagnostic, and the state of {self.date} has none. Make a step first.")
        return self.diagnostics[:, self.diagnosed.index(name)]

    def with_inputs(self, inputs: tuple[str, ...]) -> LandState:
        """Return the state with the columns of the same network whose further inputs are read at no start."""
        known, own = (
            tuple(n for n in names if n not in HOURLY_RAIN and not is_model_error(n)) for names in (inputs, self.inputs)
        )
        if self.inputs == inputs or own != known:
            return self
        further = self.columns.new_zeros((len(self.columns), len(inputs) - len(known)))
        return replace(self, columns=torch.cat([self.columns[:, : len(known)], further], -1), inputs=inputs)

    def check_fits(self, inputs: tuple[str, ...], dtype: _Dtype) -> None:
        """Refuse a state of other inputs, of another precision, or whose columns have another shape."""
        n_places, shape = self.latitudes.size, tuple(self.columns.shape)
        if self.inputs == inputs and shape != (n_places, len(inputs)):
            raise ValueError(f"The state has {n_places} points and {len(inputs)} inputs, but columns of {shape}.")
        if self.inputs != inputs or self.columns.dtype is not dtype:
            raise ValueError(
                f"The state has {len(self.inputs)} inputs in {self.columns.dtype}, this stepper {len(inputs)} in "
                f"{dtype}, or in another order: it belongs to another checkpoint or precision. Make it with `initial` "
                "or `load` of this stepper."
            )

    def __contains__(self, name: str) -> bool:
        """Return whether the state has a variable of this name."""
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Iterate over :attr:`names`."""
        return iter(self.names)

    def __repr__(self) -> str:
        return as_text(f"LandState {self.date:%Y-%m-%d %H:%M}", self._rows())

    def _repr_html_(self) -> str:
        return as_html(f"LandState {self.date:%Y-%m-%d %H:%M}", self._rows())

    def _rows(self) -> dict[str, str]:
        diagnosed = with_units(self.diagnosed) if self.diagnostics is not None else "none before the first step"
        return {
            "points": places(self.latitudes, self.longitudes),
            "prognostic": with_units(self.prognostic),
            "diagnostic": diagnosed,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Prognostic variables, and after a step the diagnostic ones."""
        return (*self.prognostic, *(self.diagnosed if self.diagnostics is not None else ()))

    def torch(self) -> dict[str, Tensor]:
        """Return tensors (point,) by name."""
        return {name: self[name] for name in self.names}

    def numpy(self) -> dict[str, np.ndarray]:
        """Return copies as arrays (point,) by name, without gradients."""
        return {name: values.detach().cpu().numpy().copy() for name, values in self.torch().items()}

    def xarray(self) -> xr.Dataset:
        """Return a dataset with dimension ``point``; names, units and standard names are those of roll-out files."""
        import xarray as xr  # slow to import

        fields = {}
        for name, values in self.numpy().items():
            attributes = variable_attributes(name, cell_methods=None, short_name=None)
            fields[variable(name).netcdf_name] = ("point", values, attributes)
        place = {"latitude": ("point", self.latitudes), "longitude": ("point", self.longitudes)}
        return xr.Dataset(fields, coords={"time": np.datetime64(self.date, "ns"), **place})

    def to(self, dtype: _Dtype) -> LandState:
        """Convert to another precision."""
        diagnostics = None if self.diagnostics is None else self.diagnostics.to(dtype)
        return replace(self, columns=self.columns.to(dtype), diagnostics=diagnostics)

    def changed(self, fields: Mapping[str, Any]) -> LandState:
        """Replace some prognostic variables (tensors or arrays), as after an analysis; gradients pass.

        The next step checks the result as an initial state, and forgives 1e-5 of a range: finite differences of soil at
        its bounds.

        Raises
        ------
        ValueError
            A variable is not prognostic or has another number of points.
        TypeError
            Something else than fields by name is given.
        """
        if not isinstance(fields, Mapping):
            raise TypeError(f'Fields are given by name, as in `state.changed({{"swvl1": values}})`, not {fields!r}.')
        columns = list(self.columns.unbind(-1))
        for name, given in fields.items():
            values = torch.as_tensor(getattr(given, "values", given) if not isinstance(given, Tensor) else given)
            if name not in self.prognostic:
                raise ValueError(
                    f"'{name}' cannot be changed, as it is not a prognostic variable. "
                    f"{suggestion(name, self.prognostic)}."
                )
            if values.shape != columns[0].shape:
                raise ValueError(
                    f"'{name}' has shape {tuple(values.shape)}, but the state has {len(self.latitudes)} points. Give "
                    "one value per point."
                )
            columns[self.inputs.index(name)] = values.to(columns[0])
        return replace(self, columns=torch.stack(columns, dim=-1), diagnostics=None, checked=False)

    def save(self, path: str | Path, checkpoint_sha256: str, further: Mapping[str, np.ndarray] | None = None) -> Path:
        """Write the state atomically; :meth:`load` restores it bitwise.

        ``further`` are arrays of a host by names of its own, which :meth:`load_further` reads. A file that this package
        has not written is not replaced (FileExistsError).
        """
        arrays = {f"{_FURTHER}{name}": values for name, values in (further or {}).items()} | {
            "latitudes": self.latitudes, "longitudes": self.longitudes, "columns": self.columns.detach().cpu().numpy(),
        }  # fmt: skip
        if self.diagnostics is not None:
            arrays["diagnostics"] = self.diagnostics.detach().cpu().numpy()
        header = {
            "kind": KIND, "date": self.date.isoformat(), "checkpoint_sha256": checkpoint_sha256,
            "inputs": list(self.inputs), "prognostic": list(self.prognostic), "diagnosed": list(self.diagnosed),
            "execution": self.execution,
        }  # fmt: skip
        check_replaceable(Path(path))
        return write_restart(Path(path), header, arrays)

    @staticmethod
    def load_further(path: str | Path) -> dict[str, np.ndarray]:
        """Read the further arrays of a file written by :meth:`save`."""
        arrays = read_restart(Path(path), KIND, None)[1]
        return {n.removeprefix(_FURTHER): values for n, values in arrays.items() if n.startswith(_FURTHER)}

    @classmethod
    def load(cls, path: str | Path, checkpoint_sha256: str | None, device: _Device | str = "cpu") -> LandState:
        """Read a state written by :meth:`save`, of the given checkpoint or, if None, of any.

        Raises
        ------
        FileNotFoundError
            ``path`` does not exist.
        ValueError
            The file is damaged, of another kind, or of another checkpoint.
        """
        header, arrays = read_restart(Path(path), KIND, checkpoint_sha256)
        diagnostics = arrays.get("diagnostics")
        return cls(
            date=datetime.fromisoformat(header["date"]),
            latitudes=arrays["latitudes"],
            longitudes=arrays["longitudes"],
            columns=torch.from_numpy(arrays["columns"]).to(device),
            inputs=tuple(header["inputs"]),
            prognostic=tuple(header["prognostic"]),
            diagnostics=None if diagnostics is None else torch.from_numpy(diagnostics).to(device),
            diagnosed=tuple(header["diagnosed"]),
            execution=header.get("execution"),
        )

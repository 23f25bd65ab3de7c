# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The state of the land between two steps: what a host keeps, hands over and saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from anemoi_ailand.rollout.step.state_file import read_restart, write_restart
from anemoi_ailand.variables import variable

#: What the arrays of a saved state are, so that no other file is taken for one.
KIND = "land-state"

#: Names of their own, as the class below has a method `torch`.
_Dtype: TypeAlias = torch.dtype
_Device: TypeAlias = torch.device


@dataclass(frozen=True)
class LandState:
    """All that the next step needs besides its forcing, and what the last one has diagnosed. Never changed in place.

    Attributes
    ----------
    date : datetime
        Time of the state, UTC.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Degrees.
    columns : Tensor, shape (point, input)
        Inputs of the model at ``date`` in their units: state, static fields, forcing at the start of a step. What the
        model reads at the end of a step only is zero.
    inputs, prognostic : tuple of str
        Names of the columns, and those of them that are the state.
    diagnostics : Tensor, shape (point, diagnostic), optional
        Of the step that has led here; none at the start.
    diagnosed : tuple of str
        Their names.
    """

    date: datetime
    latitudes: np.ndarray
    longitudes: np.ndarray
    columns: Tensor
    inputs: tuple[str, ...]
    prognostic: tuple[str, ...]
    diagnostics: Tensor | None = None
    diagnosed: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Tensor:
        """Values of a prognostic, diagnostic or static variable, shape (point,).

        Raises
        ------
        KeyError
            It is not in the state; the message says what is.
        """
        if name in self.inputs:
            return self.columns[:, self.inputs.index(name)]
        if name in self.diagnosed and self.diagnostics is not None:
            return self.diagnostics[:, self.diagnosed.index(name)]
        there = [*self.prognostic, *(self.diagnosed if self.diagnostics is not None else ())]
        raise KeyError(f"The state of {self.date} has no '{name}'; it has {there}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Prognostic variables, and diagnostic ones if a step has been made."""
        return (*self.prognostic, *(self.diagnosed if self.diagnostics is not None else ()))

    def torch(self) -> dict[str, Tensor]:
        """Tensors (point,) by name."""
        return {name: self[name] for name in self.names}

    def numpy(self) -> dict[str, np.ndarray]:
        """Arrays (point,) by name; copies, without gradients."""
        return {name: values.detach().cpu().numpy().copy() for name, values in self.torch().items()}

    def xarray(self) -> xr.Dataset:
        """Dataset with dimension ``point``, names, units and standard names as in the files of a roll-out."""
        fields = {}
        for name, values in self.numpy().items():
            row = variable(name)
            attributes = {"units": row.units, "long_name": row.long_name, "standard_name": row.standard_name}
            fields[row.netcdf_name] = ("point", values, {k: v for k, v in attributes.items() if v is not None})
        place = {"latitude": ("point", self.latitudes), "longitude": ("point", self.longitudes)}
        return xr.Dataset(fields, coords={"time": np.datetime64(self.date, "ns"), **place})

    def to(self, dtype: _Dtype) -> LandState:
        """The same state in another precision."""
        diagnostics = None if self.diagnostics is None else self.diagnostics.to(dtype)
        return replace(self, columns=self.columns.to(dtype), diagnostics=diagnostics)

    def changed(self, fields: Mapping[str, Tensor]) -> LandState:
        """The same state with other values of some prognostic variables, as after an analysis; gradients pass.

        Raises
        ------
        ValueError
            A name that is not prognostic, or another number of points.
        """
        columns = list(self.columns.unbind(-1))
        for name, values in fields.items():
            if name not in self.prognostic or values.shape != columns[0].shape:
                raise ValueError(
                    f"'{name}' with shape {tuple(values.shape)} cannot be changed: the state has {self.prognostic} at "
                    f"{len(self.latitudes)} points. Give one of these at all points."
                )
            columns[self.inputs.index(name)] = values
        return replace(self, columns=torch.stack(columns, dim=-1), diagnostics=None)

    def save(self, path: str | Path, checkpoint_sha256: str) -> Path:
        """Write the state, whole or not at all; :meth:`load` gives the same bits."""
        arrays = {
            "latitudes": self.latitudes, "longitudes": self.longitudes, "columns": self.columns.detach().cpu().numpy(),
        }  # fmt: skip
        if self.diagnostics is not None:
            arrays["diagnostics"] = self.diagnostics.detach().cpu().numpy()
        header = {
            "kind": KIND, "date": self.date.isoformat(), "checkpoint_sha256": checkpoint_sha256,
            "inputs": list(self.inputs), "prognostic": list(self.prognostic), "diagnosed": list(self.diagnosed),
        }  # fmt: skip
        return write_restart(Path(path), header, arrays)

    @classmethod
    def load(cls, path: str | Path, checkpoint_sha256: str | None, device: _Device | str = "cpu") -> LandState:
        """Read a state that :meth:`save` has written, by the checkpoint given, or by any.

        Raises
        ------
        ValueError
            The file is damaged, is none of these, or is of another checkpoint.
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
        )

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapters to earthkit-data 0.x: fields on points without a grid.

Internal modules: ``core.fieldlist``, ``core.metadata``, ``indexing.fieldlist``, ``utils.metadata.dict``.
Private names: ``RawMetadata._d`` (read), ``Metadata._geography``, ``Field._metadata``, ``Field._values`` and
``FieldList._getitem`` (overridden). They can go with earthkit-data 1, whose fields are built of
public components; anemoi-datasets 0.5 needs the fields of earthkit-data 0.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Any

import numpy as np
from earthkit.data.core.fieldlist import Field, FieldList
from earthkit.data.core.metadata import RawMetadata
from earthkit.data.indexing.fieldlist import ClonedFieldCore
from earthkit.data.utils.metadata.dict import UserGeography

__all__ = ["PointField", "PointFieldList", "PointGeography", "PointMetadata"]


class PointGeography(UserGeography):
    """Points without a grid."""

    def mars_grid(self) -> None:
        """Return None: points have no grid."""


class PointMetadata(RawMetadata):
    """Name, units, time and place of one field."""

    def __init__(self, values: dict[str, Any], geography: PointGeography) -> None:
        super().__init__(values)
        self._geography = geography

    @property
    def geography(self) -> PointGeography:
        """Place of the points."""
        return self._geography

    def override(self, *args: Any, **kwargs: Any) -> PointMetadata:
        """Return a copy with other values."""
        return PointMetadata({**self._d, **dict(*args, **kwargs)}, self._geography)

    def namespaces(self) -> list[str]:
        """Return the namespaces that :meth:`as_namespace` knows."""
        return ["mars"]

    def as_namespace(self, namespace: str | None) -> dict[str, Any]:
        """Return the values of a namespace, or all; a variable that is not in ECMWF's archive has no keys of MARS."""
        if namespace == "mars":
            return {k: self._d[k] for k in ("param", "levtype")} if self._d["in_archive"] else {}
        return {} if namespace == "default" else dict(self._d)

    def valid_datetime(self) -> datetime:
        """Return the valid time."""
        return datetime.fromisoformat(self._d["valid_datetime"])

    def base_datetime(self) -> datetime:
        """Return the valid time, as the data are not a forecast."""
        return self.valid_datetime()

    def datetime(self) -> dict[str, datetime]:
        """Return base and valid time."""
        return {"base_time": self.base_datetime(), "valid_time": self.valid_datetime()}


class PointField(Field):
    """One variable at one date, at all points."""

    def __init__(self, values: np.ndarray, metadata: PointMetadata) -> None:
        self._array = values
        self.__metadata = metadata

    @property
    def _metadata(self) -> PointMetadata:
        return self.__metadata

    def _values(self, dtype: Any = None) -> np.ndarray:
        return self._array if dtype is None else self._array.astype(dtype, copy=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points."""
        return self._array.shape

    def clone(self, **kwargs: Any) -> PointField:
        """Return a field with other values or metadata, as filters of Anemoi need it."""
        return _ClonedPointField(self, **kwargs)

    def __repr__(self) -> str:
        return f"PointField({self._metadata.get('param')}, {self._metadata.get('valid_datetime')})"


class _ClonedPointField(ClonedFieldCore, PointField):
    def __init__(self, field: PointField, **kwargs: Any) -> None:
        ClonedFieldCore.__init__(self, field, **kwargs)
        self._array = field._array


class PointFieldList(FieldList):
    """List of fields that are made when asked for: subclasses define ``__len__`` and :meth:`at`."""

    @abstractmethod
    def at(self, n: int) -> PointField:
        """Return field ``n``, from 0 to the length less one."""

    def _getitem(self, n: int) -> PointField:
        if not -len(self) <= n < len(self):
            raise IndexError(n)
        return self.at(n % len(self))

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB of a roll-out: ``output: {land-grib: {path: ...}}``."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from anemoi_ailand.constants import STEP
from anemoi_ailand.data.grib.rows import UNSTRUCTURED
from anemoi_ailand.rollout.outputs.grib.grid import AUTO, check_grid, grid_of
from anemoi_ailand.rollout.outputs.grib.message import (
    ACCUMULATED,
    CCSDS,
    LAYERS,
    LEVELS,
    MEANS,
    SIMPLE,
    Encoder,
    Style,
    coordinates,
    is_flux,
    why_not,
)
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.output_columns import MEAN, Column
from anemoi_ailand.rollout.outputs.output_frame import Block
from anemoi_ailand.rollout.outputs.output_progress import KEPT, save_arrays
from anemoi_ailand.support.atomic import child, publish
from anemoi_ailand.support.eccodes import eccodes
from anemoi_ailand.support.netcdf_writer import add_points, new_file
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

FORECAST, VALID = "start", "valid"
#: Bits per value.
BITS = 16
#: Bits of variables with a wide range: snow on glaciers is four orders of magnitude deeper than the first flakes, and
#: an accumulation grows while its increments do not.
WIDE_BITS, WIDE = 24, ("sd", "slw")
#: Largest header of a message, without its bitmap [bytes].
_HEADER = 512
_DEFAULT = "default"
#: Keys of ecCodes that the run or another option decides, and beginnings of those of the grid.
_DECIDED = ("dataDate", "dataTime", "stepRange", "startStep", "endStep", "step", "bitsPerValue", "packingType",
            "missingValue", "bitmapPresent", "values")  # fmt: skip
_OF_GRID = ("latitude", "longitude", "numberOf", "iDirection", "jDirection", "iScans", "jScans", "gridType", "gridDef")
#: Longest interval of a mean by :attr:`LandOutput.means`.
_LONGEST = {None: STEP, "day": timedelta(days=1), "month": timedelta(days=31)}


class LandGribOutput(LandOutput):
    """Write prognostic and diagnostic variables as GRIB messages in the order of time.

    Parameters, levels and units are those that :mod:`anemoi_ailand.data.grib.parameters` reads, so that
    ``input: {ecland: {path: ...}}`` reads the file. Points of a known grid are written as the whole grid, with missing
    values elsewhere. A variable without a parameter in the edition is left out with a warning.

    Parameters
    ----------
    path : str
        The file. Its folder is created. Messages on an unstructured grid do not hold coordinates: these are written
        as fields ``lat`` and ``lon`` and into ``path`` + ``.points.nc``, which the input takes as ``static``.
    edition : int
        2, or 1 with ECMWF's earlier parameters (``swvl1``, ``sd`` in m), without ``snowc`` and ``slw``.
    grid : str, list or dict
        ``auto``, ``O96``, ``N320``, ``[0.25, 0.25]``, ``{template: file.grib}`` or ``unstructured``, see
        :func:`~anemoi_ailand.rollout.outputs.grib.grid.grid_of`.
    fluxes : str
        ``mean`` over the step, or ``accumulated`` since the start of the forecast, in double precision.
    dates : str
        ``start``: date of the start and a step. ``valid``: the date of an instant, and of the start of an interval.
    soil : str
        ``levels`` of ``vsw`` and ``sot``, or ``parameters`` such as ``swvl1`` (always so in GRIB1).
    bits : int or dict
        Bits per value, for all or by variable (``{default: 16, sd: 24}``). Default: 16; 24 for ``sd``, ``slw`` and
        accumulations.
    packing : str, optional
        ``ccsds`` (lossless compression of the packed values; default where available) or ``simple``.
    keys : dict, optional
        Further ecCodes keys of all messages, e.g. ``{class: rd, expver: abcd}``.
    **options
        See :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.

    Raises
    ------
    TypeError, ValueError
        An unknown option, an invalid value, options that exclude each other. On opening: points that are not on the
        grid, an interval that GRIB1 cannot encode, no variable left to write.
    FileNotFoundError
        The template of the grid does not exist.
    """

    suffixes = (".grib", ".grib2", ".grib1", ".grb", ".grb2")

    def __init__(
        self,
        context: Any,
        metadata: Any,
        path: str,
        *,
        edition: int = 2,
        grid: Any = AUTO,
        fluxes: str = MEANS,
        dates: str = FORECAST,
        soil: str = LEVELS,
        bits: int | dict[str, int] | None = None,
        packing: str | None = None,
        keys: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, path, **options)
        for name, given, known in (
            ("edition", edition, (1, 2)), ("fluxes", fluxes, (MEANS, ACCUMULATED)), ("dates", dates, (FORECAST, VALID)),
            ("soil", soil, (LEVELS, LAYERS)), ("packing", packing, (None, CCSDS, SIMPLE)),
        ):  # fmt: skip
            if given not in known:
                raise ValueError(f"`{name}` is {given!r}. Give one of {[k for k in known if k is not None]}.")
        self.grid, self.dates, self.bits = check_grid(grid, edition), dates, _checked_bits(bits)
        self.style = Style(edition, fluxes, soil, _packing(packing, edition), _checked_keys(keys))
        self._check_accumulation()
        self._file: BinaryIO | None = None
        self._sums: dict[str, np.ndarray] = {}

    def _check_accumulation(self) -> None:
        """Refuse options that have no meaning with amounts since the start of the forecast."""
        other = [s for s in self.statistics if s != MEAN]
        for wrong, what in (
            (self.means is not None, f"`means: {self.means}`"),
            (self.dates == VALID, f"`dates: {VALID}`"),
            (bool(other), f"`statistics: {other}`"),
        ):
            if wrong and self.style.fluxes == ACCUMULATED:
                raise ValueError(f"`fluxes: {ACCUMULATED}` since the start excludes {what}. Give one of them.")

    def _format_options(self) -> dict[str, Any]:
        style = self.style
        return {
            "edition": style.edition, "fluxes": style.fluxes, "soil": style.soil, "packing": style.packing,
            "keys": {k: str(v) for k, v in style.keys.items()}, "grid": self.grid, "dates": self.dates,
            "bits": self.bits, "every": str(self._interval),
        }  # fmt: skip

    @cached_property
    def output_frequency(self) -> timedelta | None:
        """Time between two outputs; None with accumulations, which need every step also if they are written less."""
        return None if self.means or self.style.fluxes == ACCUMULATED else self._interval

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space [bytes], bitmaps included; a tenth of a guessed grid is land."""
        points = self.points.count or n_rows // members
        messages = (super().required_bytes(n_states, n_rows, members) - 2**20) // (4 * points)
        if self.output_frequency is None and self._interval is not None and not self.means:
            messages = messages * STEP // self._interval + messages // n_states
        return messages * (4 * points + 10 * points // 8 + _HEADER) + 2**20

    def _create(self) -> None:
        try:
            self._prepare()
        except ValueError:
            self._progress.clear()
            raise
        for old in self.work.glob("sums-*.npz*"):
            old.unlink()
        self._sums = {
            c.netcdf_name: np.zeros(self.frame.shape(c)) for c, encoder in self._encoders if encoder.way.accumulated
        }
        self._file = self.partial.open("wb")
        if self._grid.name == UNSTRUCTURED:
            self._file.write(coordinates(self._grid, self.frame.latitudes, self.frame.longitudes, self.frame.date))

    def _prepare(self) -> None:
        """Find the grid and make the encoder of each column."""
        frame, style = self.frame, self.style
        self._grid = grid_of(self.grid, frame.latitudes, frame.longitudes, style.edition)
        without = {c.netcdf_name: why for c in frame.columns if (why := why_not(c, style))}
        columns = [c for c in frame.columns if c.netcdf_name not in without]
        if not columns:
            raise ValueError(f"{self} cannot write any variable: {without}. Choose other `variables`, or `edition: 2`.")
        if without:
            LOG.warning("Not written to %s: %s", self.path, "; ".join(f"{n}: {why}" for n, why in without.items()))
        self._encoders = [(c, self._encoder(c)) for c in columns]
        names = {c.netcdf_name: e.short_name for c, e in self._encoders if c.netcdf_name != e.short_name}
        LOG.info("GRIB%d on the grid %s; under other names: %s", style.edition, self._grid.name, names)
        if style.edition == 1:
            self._try_last_steps()

    def _encoder(self, column: Column) -> Encoder:
        accumulated = is_flux(column.name) and self.style.fluxes == ACCUMULATED
        default = self.bits.get(_DEFAULT, WIDE_BITS if column.name in WIDE or accumulated else BITS)
        instant = not is_flux(column.name) and column.means is None
        data_type = "pf" if column.members else "an" if self.dates == VALID and instant else "fc"
        ensemble = self.frame.n_members if column.members or column.statistic else None
        return Encoder(self._grid, column, self.style, self.bits.get(column.name, default), data_type, ensemble)

    def _try_last_steps(self) -> None:
        """Check the last steps in advance: GRIB1 encodes the ends of an interval in one octet each."""
        lead = getattr(self.context, "lead_time", None)
        if not isinstance(lead, timedelta):
            return
        nothing, start = np.zeros(self.frame.n_points), self.frame.date
        length, grain = _LONGEST[self.means], STEP if self.means is None else timedelta(days=1)
        for end in (lead // grain * grain, lead // grain * grain - grain):
            for _, encoder in self._encoders:
                if encoder.interval and end >= length:
                    encoder(nothing, *self._when(encoder, (start + end, start + end - length, start + end)))

    def _write(self, block: Block) -> None:
        assert self._file is not None
        for k, times in enumerate(block.times):
            started = times[2] > self.frame.date  # of a mean over a period, the stamp is its start
            if started:
                for name, total in self._sums.items():
                    total += block.rows(name)[k].astype(np.float64) * STEP.total_seconds()
            if self._interval is None or self.means or (times[0] - self.frame.date) % self._interval == timedelta(0):
                for column, encoder in self._encoders:
                    name = column.netcdf_name
                    values = self._sums[name] if name in self._sums else block.rows(name)[k]
                    if started or not (encoder.way.interval or np.isnan(values).all()):  # no diagnostics at the start
                        self._file.write(self._messages(column, encoder, values, times))

    def _messages(
        self, column: Column, encoder: Encoder, values: np.ndarray, times: tuple[datetime, datetime, datetime]
    ) -> bytes:
        """Return the message of a column at a time, or the messages of its members."""
        when = self._when(encoder, times)
        if not column.members:
            return encoder(values, *when)
        return b"".join(encoder(row, *when, number=m) for m, row in enumerate(values))

    def _when(
        self, encoder: Encoder, times: tuple[datetime, datetime, datetime]
    ) -> tuple[datetime, timedelta, timedelta]:
        """Return the date of a message, start and end of its step range."""
        stamp, begin, end = times
        start, nothing = self.frame.date, timedelta(0)
        if encoder.way.accumulated:
            return start, nothing, stamp - start
        if self.dates == VALID:
            return (begin, nothing, end - begin) if encoder.interval else (stamp, nothing, nothing)
        return (start, begin - start, end - start) if encoder.interval else (start, nothing, stamp - start)

    def _secure(self) -> dict[str, Any]:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        if not self._sums:
            return {"bytes": self._file.tell(), "sums": None}
        name = f"sums-{self._number:06d}.npz"
        save_arrays(self.work / name, self._sums)
        for old in sorted(self.work.glob("sums-*.npz"))[:-KEPT]:
            old.unlink()
        return {"bytes": self._file.tell(), "sums": name}

    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        size = self.partial.stat().st_size if self.partial.is_file() else None
        if size is None:
            raise FileNotFoundError(f"There is no '{self.partial}', which the stopped run wrote. Start a new run.")
        if size < secured["bytes"]:
            raise ValueError(
                f"'{self.partial}' has {size} bytes, fewer than the {secured['bytes']} with {n_times} times of the "
                "restart file. Use an older restart, or start a new run."
            )
        self._prepare()
        self._sums = {} if secured["sums"] is None else self._stored(child(self.work, secured["sums"]))
        self._file = self.partial.open("r+b")
        self._file.truncate(secured["bytes"])
        self._file.seek(secured["bytes"])

    def _stored(self, path: Path) -> dict[str, np.ndarray]:
        if not path.is_file():
            raise FileNotFoundError(f"There is no '{path}' with the accumulations of the stopped run. Start a new run.")
        for later in [p for p in self.work.glob("sums-*.npz*") if p.name > path.name]:
            later.unlink()  # belongs to dropped times, and only the newest files are kept
        with np.load(path) as found:
            return {name: found[name] for name in found.files}

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _finish(self) -> None:
        self._close()
        if self._grid.name == UNSTRUCTURED:
            with new_file(self.path.with_name(self.path.name + ".points.nc")) as file:
                add_points(file, self.frame.latitudes, self.frame.longitudes)
        publish(self.partial, self.path)
        for sums in self.work.glob("sums-*.npz*"):
            sums.unlink()


def _checked_bits(bits: Any) -> dict[str, int]:
    """Return bits by variable, ``default`` for all others."""
    given = bits if isinstance(bits, Mapping) else {} if bits is None else {_DEFAULT: bits}
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 32:
            raise ValueError(f"`bits` of {name} is {number!r}. Give a whole number from 1 to 32.")
    return {name if name == _DEFAULT else variable(name).name: number for name, number in given.items()}


def _checked_keys(keys: Any) -> dict[str, Any]:
    """Return keys of all messages, without those that the run or another option decides."""
    given = {} if keys is None else keys
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise ValueError(f"`keys` is {keys!r}. Give a mapping of ecCodes keys, such as {{class: rd, expver: abcd}}.")
    if decided := [key for key in given if key in _DECIDED or key.startswith(_OF_GRID)]:
        raise ValueError(
            f"`keys` has {decided}, which the run and the options `grid`, `dates`, `fluxes`, `bits` and `packing` "
            "decide. Leave them out, or set these options."
        )
    return dict(given)


def _packing(packing: str | None, edition: int) -> str:
    has_ccsds = edition == 2 and "AEC" in eccodes.codes_get_features().split()
    if packing == CCSDS and not has_ccsds:
        raise ValueError("`packing: ccsds` needs `edition: 2` and an ecCodes with libaec. Set `packing: simple`.")
    return packing or (CCSDS if has_ccsds else SIMPLE)

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Base class of outputs in formats with compressed chunks, NetCDF and zarr."""

from __future__ import annotations

from typing import Any

from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.output_chunks import Chunks, check_chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_frame import Frame


class ChunkedOutput(LandOutput):
    """Output with compressed chunks of variables (time, point) or (time, member, point).

    Parameters
    ----------
    compression : int
        Level from 0 (none) to 9.
    layout : str, optional
        ``map``: all points of few times in a chunk; ``series``: many times of few points. By default, some of both.
    chunks : mapping, optional
        Sizes ``time`` and ``point`` instead of ``layout``.
    **options
        See :class:`~anemoi_ailand.rollout.outputs.land_output.LandOutput`.
    """

    def __init__(
        self,
        context: Any,
        metadata: Any,
        path: str,
        *,
        compression: int = 4,
        layout: str | None = None,
        chunks: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, path, **options)
        if compression not in range(10):
            raise ValueError(f"`compression` is {compression}. Give a level from 0 to 9.")
        self.compression, self.layout = compression, layout
        self._given_chunks = check_chunks(layout, chunks)

    def _format_options(self) -> dict[str, Any]:
        return {"compression": self.compression, "layout": self.layout, "chunks": self._given_chunks}

    def _block_times(self, frame: Frame) -> int:
        self._chunks: Chunks = choose_chunks(frame, self.layout, self._given_chunks, self._times_between_restarts())
        return self._chunks.block

    def _times_between_restarts(self) -> int:
        """Return the number of times that the default chunks should divide; 0 if it does not matter."""
        return 0

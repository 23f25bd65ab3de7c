# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Workflows behind the commands, from roll-out to report: one module a command, and the header of their results."""

from __future__ import annotations

from datetime import UTC, datetime

from anemoi_ailand import __version__


def created() -> str:
    """Return the time of creation of a result: UTC, to the minute."""
    return datetime.now(UTC).isoformat(timespec="minutes")


def record_header(schema: str) -> dict[str, str]:
    """Return the first entries of a JSON result: version of its layout, version of the package, time of creation."""
    return {"schema": schema, "version": __version__, "created": created()}

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Objects as they print themselves: aligned text in a terminal, a small table in a notebook."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from html import escape

from anemoi_ailand.variables import variable

#: Width of text, in characters.
_WIDTH = 100
#: Units in brackets, and the character that keeps them on one line.
_WITHIN, _KEPT = re.compile(r"\[[^]]*\]"), "\N{NO-BREAK SPACE}"


def as_text(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and rows of a name and its text, aligned and wrapped."""
    width = max(map(len, rows), default=0)
    lines = [f"<{title}>"]
    for name, text in rows.items():
        first = f"  {name:{width}}  "
        text = _WITHIN.sub(lambda m: m[0].replace(" ", _KEPT), text)
        lines.append(
            textwrap.fill(
                text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
            )
        )
    return "\n".join(lines).replace(_KEPT, " ")


def as_html(title: str, rows: Mapping[str, str]) -> str:
    """Return the same as a table of HTML."""
    cell = '<td style="text-align:left;vertical-align:top">'
    body = "".join(f"<tr>{cell}<b>{escape(n)}</b></td>{cell}{escape(t)}</td></tr>" for n, t in rows.items())
    return f"<p>{escape(title)}</p><table>{body}</table>"


def with_units(names: Iterable[str]) -> str:
    """Return variables with their units, and the name in xarray where it differs: ``swvl1 [m3 m-3], 2t (t2m) [K]``."""
    return ", ".join(f"{display_name(name)} [{variable(name).units}]" for name in names)


def display_name(name: str) -> str:
    """Return a name of the table with that of NetCDF if it differs: ``2t (t2m)``."""
    other = variable(name).netcdf_name
    return name if other == name else f"{name} ({other})"


def places(latitudes: Iterable[float], longitudes: Iterable[float]) -> str:
    """Return the number of points and the range of their coordinates."""
    lat, lon = list(latitudes), list(longitudes)
    if len(lat) == 1:
        return f"1, latitude {lat[0]:.2f}, longitude {lon[0]:.2f}"
    return f"{len(lat)}, latitudes {min(lat):.2f} to {max(lat):.2f}, longitudes {min(lon):.2f} to {max(lon):.2f}"

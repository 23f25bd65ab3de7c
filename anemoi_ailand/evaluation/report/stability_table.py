# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Markdown table and JSON records of the stability of a century."""

from __future__ import annotations

from typing import Any

import pandas as pd

from anemoi_ailand.evaluation.display.text import aligned, plain_number, records
from anemoi_ailand.evaluation.processes.stability import Verdict, by_class

#: Version of the layout of the JSON file, which changes when readers must.
SCHEMA = "anemoi-ailand/stability/1"

#: Most listed findings of one kind; the JSON file has all.
_LISTED = 12

#: Columns of the table by climate class, and their titles.
_CLASS_COLUMNS = {
    "storage_start": "storage", "storage_change": "change", "storage_spread": "spread of ecLand",
    "storage_trend": "largest drift",
}  # fmt: skip


def stability_table(verdict: Verdict, heading: str) -> str:
    """Format criteria, climate classes and findings as Markdown below a heading."""
    passed = sum(c.passed for c in verdict.criteria)
    parts = [
        [heading, "", f"{passed} of {len(verdict.criteria)} criteria passed.", ""],
        aligned(_criteria(verdict)),
        ["", "By climate class; storage in kg m-2, drift per decade, temperature in K and K per decade. Shift: last "
         "cycle minus ecLand; drift: largest of all points.", ""],
        aligned(_classes(verdict.points)),
        ["", *_snow(verdict.points)],
        *([["", f"{name[:1].upper()}{name[1:]}:", "", *_listed(part, verdict.points)]
           for name, part in verdict.findings.groupby("finding", sort=False)]),
    ]  # fmt: skip
    return "\n".join(line for part in parts for line in part) + "\n"


def stability_record(verdict: Verdict) -> dict[str, Any]:
    """Return criteria, classes and findings as records."""
    named = ["point_id", "latitude", "longitude", "climate_class"]
    place = verdict.points[[c for c in named if c in verdict.points]]
    criteria = pd.DataFrame([vars(c) | {"passed": c.passed} for c in verdict.criteria])
    return {
        "passed": verdict.passed,
        "criteria": records(criteria),
        "classes": records(by_class(verdict.points)),
        "findings": records(verdict.findings.join(place, on="point")),
    }


def place_text(points: pd.DataFrame, point: int) -> str:
    """Describe a point: number, class, coordinates."""
    row = points.loc[point]
    name = f"{row['point_id']:.0f}" if "point_id" in points else f"no. {point}"
    held = ", held out" if "held_out" in points and row["held_out"] > 0.5 else ""
    return f"point {name} ({row['climate_class']}{held}, {row['latitude']:.2f}, {row['longitude']:.2f})"


def _criteria(verdict: Verdict) -> list[list[str]]:
    rows = [["criterion", "question", "limit", "worst", "unit", "points", "passed"]]
    for c in verdict.criteria:
        answer = "yes" if c.passed else "NO"
        rows.append([c.name, c.question, c.limit, plain_number(c.worst), c.units, str(c.points), answer])
    return rows


def _classes(points: pd.DataFrame) -> list[list[str]]:
    table = by_class(points)
    temperature = [str(c) for c in table if str(c).startswith("stl")]
    heads = [f"{c.partition('_')[0]} {'drift' if c.endswith('trend') else 'shift'}" for c in temperature]
    rows = [["class", "points", *_CLASS_COLUMNS.values(), *heads]]
    for _, row in table.iterrows():
        numbers = [plain_number(float(row[c])) for c in (*_CLASS_COLUMNS, *temperature)]
        rows.append([str(row["class"]), str(row["points"]), *numbers])
    return rows


def _snow(points: pd.DataFrame) -> list[str]:
    """List the points where ecLand keeps snow all year."""
    kept = points[points["ecland_keeps_snow"]]
    if kept.empty:
        return ["ecLand's snow melts everywhere in the repeated years."]
    lines = [
        "Where ecLand keeps snow all year, storage is judged without snow and temperature is not judged. Growth of the "
        "snow in kg m-2 per decade:",
        "",
    ]
    return lines + [
        f"- {place_text(points, int(i))}: emulator {row['snow_trend']:+.3g}, ecLand {row['ecland_snow_trend']:+.3g}"
        for i, row in kept.iterrows()
    ]


def _listed(part: pd.DataFrame, points: pd.DataFrame) -> list[str]:
    order = part["value"].abs().fillna(float("inf")).sort_values(ascending=False).index
    lines = []
    for _, row in part.loc[order].head(_LISTED).iterrows():
        unit = "" if row["units"] == "1" else f" {row['units']}"
        note = f"; {row['note']}" if row["note"] else ""
        lines.append(f"- {place_text(points, int(row['point']))}: {row['value']:.3g}{unit}{note}")
    more = len(part) - _LISTED
    return lines + ([f"- and {more} more, see stability.json"] if more > 0 else [])

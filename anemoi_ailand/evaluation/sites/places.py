# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Places chosen by a user, and the nearest points of a dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.support.sphere import nearest_points, wrap_longitude

#: Largest distance of a point from its place [km].
WITHIN = 100.0

#: Columns of a file of places.
COLUMNS = ("name", "lat", "lon")

_FOLDER = re.compile(r"\w[\w .+-]*")


@dataclass(frozen=True)
class Place:
    """A place on land.

    Attributes
    ----------
    name : str
        Title and folder name.
    latitude, longitude : float
        Coordinates [degrees]; longitude from -180 to 360.

    Raises
    ------
    ValueError
        A coordinate is out of range, or the name cannot be a folder name.

    Examples
    --------
    >>> from anemoi_ailand import Place
    >>> Place("Lindenberg", 52.2, 14.1)
    Place(name='Lindenberg', latitude=52.2, longitude=14.1)
    """

    name: str
    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not -90.0 <= self.latitude <= 90.0:
            raise ValueError(f"Latitude {self.latitude:g} of '{self.name}' is not from -90 to 90. Correct it.")
        if not -180.0 <= self.longitude <= 360.0:
            raise ValueError(f"Longitude {self.longitude:g} of '{self.name}' is not from -180 to 360. Correct it.")
        if not _FOLDER.fullmatch(self.name) or self.name != self.name.strip():
            raise ValueError(
                f"'{self.name}' cannot be the name of a folder. Use letters, digits, spaces, and _ . + - inside."
            )


@dataclass(frozen=True)
class Found:
    """Place, index and coordinates [degrees] of its nearest point, and the distance [km]."""

    place: Place
    point: int
    latitude: float
    longitude: float
    distance: float

    def __str__(self) -> str:
        return (
            f"{self.place.name} ({where(self.place.latitude, self.place.longitude)}): point {self.point} at "
            f"{where(self.latitude, self.longitude)}, {self.distance:.0f} km away"
        )


def where(latitude: float, longitude: float) -> str:
    """Format coordinates, e.g. ``50.7 N, 7.1 E``; longitudes in any convention."""
    longitude = float(wrap_longitude(longitude))
    return (
        f"{round(abs(latitude), 3):.10g} {'N' if latitude >= 0 else 'S'}, "
        f"{round(abs(longitude), 3):.10g} {'E' if longitude >= 0 else 'W'}"
    )


def places_given(
    latitudes: Sequence[float], longitudes: Sequence[float], names: Sequence[str] | None = None
) -> list[Place]:
    """Return places at pairs of coordinates; coordinates are the default names."""
    if not latitudes and not longitudes:
        raise ValueError("No place is given. Give `--lat` and `--lon`, or `--sites`.")
    if len(latitudes) != len(longitudes):
        raise ValueError(
            f"`--lat` and `--lon` differ in number ({len(latitudes)} and {len(longitudes)}). Give them in pairs, or a "
            "file of places with `--sites`."
        )
    if names and len(names) != len(latitudes):
        raise ValueError(
            f"`--name` and `--lat` differ in number ({len(names)} and {len(latitudes)}). Give `--name` for each place, "
            "or for none."
        )
    called = names or [
        where(a, b).replace(" ", "").replace(",", "_") for a, b in zip(latitudes, longitudes, strict=True)
    ]
    return _different([Place(*given) for given in zip(called, latitudes, longitudes, strict=True)])


def places_of_file(path: str | Path) -> list[Place]:
    """Read places from a CSV file with the columns ``name``, ``lat``, ``lon``."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"The file of places '{path}' does not exist. Correct the path.")
    try:
        table = pd.read_csv(path, dtype={"name": str}, skipinitialspace=True)
    except ValueError as error:  # raised by pandas for text that is not a table
        raise ValueError(
            f"'{path}' is not a CSV file ({error}). Its first line must be: {','.join(COLUMNS)}"
        ) from error
    missing = [c for c in COLUMNS if c not in table]
    if missing or table.empty:
        raise ValueError(
            f"'{path}' has {len(table)} places and the columns {list(table)}; {missing} are missing. Its first line "
            f"must be: {','.join(COLUMNS)}, and one line for each place follow."
        )
    numbers = table[["lat", "lon"]].apply(pd.to_numeric, errors="coerce")
    if (bad := (numbers.isna().any(axis=1) | table["name"].isna()).to_numpy()).any():
        raise ValueError(
            f"Line {int(np.argmax(bad)) + 2} of '{path}' lacks a name or a number: "
            f"{table.loc[bad, list(COLUMNS)].iloc[0].tolist()}. Correct it."
        )
    rows = zip(table["name"].str.strip(), numbers["lat"], numbers["lon"], strict=True)
    return _different([Place(name, float(a), float(b)) for name, a, b in rows])


def _different(places: list[Place]) -> list[Place]:
    names = [p.name.casefold() for p in places]
    twice = sorted({p.name for p in places if names.count(p.name.casefold()) > 1})
    if twice:
        raise ValueError(f"Several places are named {twice}, but each gets a folder of its own. Give other names.")
    return places


def find_points(
    places: Sequence[Place], latitudes: np.ndarray, longitudes: np.ndarray, within: float = WITHIN
) -> list[Found]:
    """Find the nearest point of each place, at most ``within`` km away on the great circle; places may share one."""
    if not within > 0:
        raise ValueError(f"`--within` is {within:g} km. Give a positive distance.")
    if not places:
        raise ValueError("No place is given. Give at least one.")
    found, far = [], []
    targets = np.array([p.latitude for p in places]), np.array([p.longitude for p in places])
    for place, point, degrees in zip(places, *nearest_points((latitudes, longitudes), targets), strict=True):
        distance = float(np.radians(degrees) * EARTH_RADIUS)
        longitude = float(wrap_longitude(longitudes[point]))
        found.append(Found(place, int(point), float(latitudes[point]), longitude, distance))
        if distance > within:
            far.append(found[-1])
    if far:
        furthest = max(f.distance for f in far)
        raise ValueError(
            f"The nearest of {len(latitudes)} points is more than {within:g} km away for {len(far)} of {len(places)} "
            f"places: {'; '.join(map(str, far[:5]))}. Give a dataset with points near them, other places, or, to "
            f"accept points so far away, `--within {int(furthest) + 1}`."
        )
    return found

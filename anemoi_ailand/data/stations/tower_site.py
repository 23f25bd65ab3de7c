# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Properties of a tower's site: place, clock, columns of its file, soil and vegetation; a small YAML or CSV table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from anemoi_ailand.constants import GRAVITY
from anemoi_ailand.data.derived import rules
from anemoi_ailand.physics.soil_types import SOIL_TYPES
from anemoi_ailand.physics.vegetation import (
    SUMMER_LEAF_AREA,
    VEGETATION_TYPES,
    background_albedo,
    seasonal_leaf_area,
)
from anemoi_ailand.support.configuration import Strict, checked
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import suggestion

#: Names of the types by variable, from type 0.
_TYPES = {"slt": ("water", *SOIL_TYPES), "tvl": VEGETATION_TYPES, "tvh": VEGETATION_TYPES}

#: Properties that have no default, and the defaults of others: lake and urban cover [1], lake depth [m] (not read
#: without a lake), C3 photosynthesis, and the deviation of orography in a gentle landscape [m].
NEEDED = ("slt", "tvl", "cvl", "tvh", "cvh")
DEFAULTS = {"cl": 0.0, "dl": 10.0, "cur": 0.0, "c4": 0.0, "sdor": 15.0}

#: Leaf area by the type of vegetation that it belongs to.
_LEAF_AREA = {"lai_lv": "tvl", "lai_hv": "tvh"}

#: Types and covers of vegetation by class of IGBP, which FLUXNET and PLUMBER2 state: ``tvl, cvl, tvh, cvh``. Covers
#: are the middle of the range that defines the class, Loveland et al. (2000), doi:10.1080/014311600210191.
IGBP: dict[str, tuple[str, float, str, float]] = {
    "ENF": ("short grass", 0.2, "evergreen needleleaf", 0.8),
    "EBF": ("tall grass", 0.2, "evergreen broadleaf", 0.8),
    "DNF": ("short grass", 0.2, "deciduous needleleaf", 0.8),
    "DBF": ("short grass", 0.2, "deciduous broadleaf", 0.8),
    "MF": ("short grass", 0.2, "mixed forest", 0.8),
    "CSH": ("evergreen shrubs", 0.8, "none", 0.0),
    "OSH": ("evergreen shrubs", 0.35, "none", 0.0),
    "WSA": ("tall grass", 0.45, "interrupted forest", 0.45),
    "SAV": ("tall grass", 0.7, "interrupted forest", 0.2),
    "GRA": ("short grass", 0.9, "none", 0.0),
    "WET": ("bogs and marshes", 0.9, "none", 0.0),
    "CRO": ("crops", 0.9, "none", 0.0),
    "CVM": ("crops", 0.6, "interrupted forest", 0.3),
    "BSV": ("semidesert", 0.1, "none", 0.0),
}

MONTHS = 12

#: Words in the rule of an albedo that nobody gave.
BY_COVER = "by the covers of vegetation"


class TowerSite(Strict):
    """Properties of a site, all optional; names are those of the table of variables.

    ``slt``, ``tvl`` and ``tvh`` are numbers or names of types; ``igbp`` is the class of the site (``ENF``), which gives
    those of ``tvl``, ``cvl``, ``tvh`` and ``cvh`` that are not given, see :data:`IGBP`; ``lai_lv`` and ``lai_hv`` are
    the leaf area index of the growing season or of the twelve months, ``al`` the albedo without snow, one number or of
    the months. ``columns`` are as for :func:`~anemoi_ailand.data.stations.tower_file.read_tower`.
    """

    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    elevation: float | None = None
    utc_offset: float | None = None
    stamp: str | None = None
    columns: dict[str, str] = {}
    igbp: str | None = None
    slt: int | str | None = None
    tvl: int | str | None = None
    tvh: int | str | None = None
    cvl: float | None = None
    cvh: float | None = None
    c4: float | None = None
    cl: float | None = None
    dl: float | None = None
    cur: float | None = None
    sdor: float | None = None
    lai_lv: float | list[float] | None = None
    lai_hv: float | list[float] | None = None
    al: float | list[float] | None = None

    def static(self) -> dict[str, float]:
        """Return the constants that are given, by name; types as numbers, elevation as geopotential ``z``."""
        given = self._of_igbp() | {n: v for n in (*NEEDED, *DEFAULTS) if (v := getattr(self, n)) is not None}
        found = {n: _type(n, v) if n in _TYPES else float(v) for n, v in given.items()}
        covers = found.get("cvl", 0.0) + found.get("cvh", 0.0)
        if any(not 0.0 <= found.get(n, 0.0) <= 1.0 for n in ("cvl", "cvh", "cl", "cur", "c4")) or covers > 1.0001:
            raise ValueError(
                f"Covers of the site are not fractions, or `cvl` and `cvh` exceed 1 together: {found}. Correct them."
            )
        return found | ({} if self.elevation is None else {"z": GRAVITY * self.elevation})

    def _of_igbp(self) -> dict[str, Any]:
        """Return types and covers of the class of IGBP, if it is given."""
        if self.igbp is None:
            return {}
        if (code := self.igbp.strip().upper()) not in IGBP:
            raise ValueError(f"`igbp` is '{self.igbp}' and names no vegetation of IGBP on land. "
                             f"{suggestion(code, IGBP)}.")  # fmt: skip
        return dict(zip(("tvl", "cvl", "tvh", "cvh"), IGBP[code], strict=True))

    def leaf_area(self, latitude: float, static: dict[str, float]) -> tuple[dict[str, np.ndarray], str]:
        """Return monthly leaf area (12,) by name, as given or by type and season, and the rule in words."""
        found, words = {}, []
        for name, kind in _LEAF_AREA.items():
            given = getattr(self, name)
            if isinstance(given, list):
                found[name], rule = _months(name, given), "monthly values as given"
            else:
                summer = SUMMER_LEAF_AREA[int(static[kind])] if given is None else float(given)
                found[name] = seasonal_leaf_area(summer, latitude, high=name == "lai_hv")
                rule = f"{summer:g} in the growing season ({'by type' if given is None else 'given'}), by season"
            words.append(f"{name}: {rule}")
        return found, "; ".join(words) + "; linear between the 15th of months"

    def albedo(self, static: dict[str, float]) -> tuple[np.ndarray, str]:
        """Return the monthly background albedo (12,), as given or by the covers, and the rule in words."""
        if isinstance(self.al, list):
            found, rule = _months("al", self.al), "monthly values as given; linear between the 15th of months"
        else:
            made = background_albedo(np.array(static["cvl"]), np.array(static["cvh"]))
            found = np.full(MONTHS, float(made) if self.al is None else self.al)
            rule = f"{found[0]:.3f} {BY_COVER if self.al is None else 'as given'}, in all months"
        if not ((found > 0.0) & (found < 1.0)).all():
            raise ValueError(f"The albedo `al` of the site is {self.al}. Give fractions between 0 and 1.")
        return found, rule


def site_of(site: str | Path | TowerSite | Mapping[str, Any] | None, name: str | None = None) -> TowerSite:
    """Return the properties of a site from a file (see :func:`read_site`), from a mapping, or none."""
    if isinstance(site, TowerSite):
        return site
    if site is None or isinstance(site, Mapping):
        return checked(site or {}, TowerSite, "`site`")
    return read_site(site, name)


def read_site(path: str | Path, name: str | None = None) -> TowerSite:
    """Read properties from a YAML file, or from the row called ``name`` of a CSV table (its only row by default).

    In a table, lists are separated by ``;``.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise not_found(path, "file of site properties")
    try:
        content: Any = _row(path, name) if path.suffix == ".csv" else yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"'{path}' is not YAML ({error}). Write lines such as `slt: medium`.") from error
    return checked(content or {}, TowerSite, f"The site '{path}'")


def complete(static: dict[str, float], where: str) -> tuple[dict[str, float], str]:
    """Add defaults and parameters of types; return all constants and the defaults in words.

    A property without a default that is missing is an error.
    """
    missing = [n for n in (*NEEDED, "z") if n not in static]
    if missing:
        raise ValueError(
            f"{where} lacks {['elevation' if n == 'z' else n for n in missing]} of the site. Give them in its file of "
            "properties, or a dataset whose nearest point has them."
        )
    assumed = {n: v for n, v in DEFAULTS.items() if n not in static}
    out = static | assumed
    arrays = {n: np.array([v]) for n, v in out.items()}
    out |= {n: float(make(*(arrays[i] for i in inputs))[0]) for n, (inputs, make) in rules(out).items()}
    return out, ", ".join(f"{n} = {v:g}" for n, v in assumed.items()) or "none"


def _months(name: str, given: list[float]) -> np.ndarray:
    if len(given) != MONTHS:
        raise ValueError(f"`{name}` has {len(given)} values. Give one for each month, or one number.")
    return np.array(given)


def _row(path: Path, name: str | None) -> dict[str, Any]:
    table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    rows = table if name is None or "name" not in table else table[table["name"] == name]
    if len(rows) != 1:
        raise ValueError(
            f"'{path}' has {len(rows)} rows for the site '{name}' (names: {list(table.get('name', []))[:20]}). Give "
            "the name of one."
        )
    row = {str(k): str(v).strip() for k, v in rows.iloc[0].items() if str(v).strip()}
    return {k: [part.strip() for part in v.split(";")] if ";" in v else v for k, v in row.items()}


def _type(name: str, value: int | str) -> float:
    """Return the number of a type given by number or name."""
    names = _TYPES[name]
    text = str(value).strip()
    number = int(text) if text.isdigit() else names.index(text) if text in names else None
    if number is None or number >= len(names) or (name == "slt" and number == 0):
        raise ValueError(
            f"`{name}` is '{value}'. Give a number up to {len(names) - 1}, or a name. "
            f"{suggestion(text, names[1:] if name == 'slt' else names)}."
        )
    return float(number)

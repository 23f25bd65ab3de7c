# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Groups of related variables, and their order in figures and tables."""

from __future__ import annotations

from collections.abc import Iterable

#: Variables of each group.
GROUPS = {
    "Soil moisture": ("swvl1", "swvl2", "swvl3", "swvl4"),
    "Soil temperature": ("stl1", "stl2", "stl3", "stl4"),
    "Snow and interception": ("snowc", "sd", "rsn", "tsn", "asn", "slw", "src"),
    "Surface and 2 m": ("skt", "2t", "2d"),
    "Energy fluxes": ("sshf", "slhf", "ssr", "str"),
    "Water fluxes": ("evap", "sro", "ssro", "smlt"),
    "Carbon fluxes": ("gpp", "nee"),
}

#: Groups of fluxes, which are means over the 6 h that end at the stamp.
FLUXES = ("Energy fluxes", "Water fluxes", "Carbon fluxes")

#: Group of all other variables.
OTHER = "Other variables"


def variable_groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Group ``names`` in the order of :data:`GROUPS`, without empty groups."""
    wanted = list(dict.fromkeys(names))
    found = {group: [n for n in members if n in wanted] for group, members in GROUPS.items()}
    known = {n for members in found.values() for n in members}
    found[OTHER] = [n for n in wanted if n not in known]
    return {group: members for group, members in found.items() if members}


def ordered(names: Iterable[str]) -> list[str]:
    """Sort names in the order of their groups."""
    return [n for members in variable_groups(names).values() for n in members]

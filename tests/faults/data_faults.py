# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Catalogue of faults in GRIB and in observations, as those in ``faults.py``."""

from __future__ import annotations

from tests.faults.faults import Fault

#: Observations of a diagnosis, and those that a network is tuned on; each is one of this name in
#: ``test_observations.py``.
_SEEN = (
    ("observations as they are", "fine", ""),
    ("latent heat positive upward", "warning", "'slhf' is nearer to the model with the other sign"),
    ("sensible heat positive upward at one site", "warning", "other sign.*1 of 44 sites, by position 3"),
    ("latent and sensible heat exchanged", "warning", "'slhf' and 'sshf' are nearer to the model if they are exch"),
    ("temperature and dewpoint exchanged", "warning", "'2t' and '2d' are nearer to the model if they are exchanged"),
    ("observations six hours late", "warning", "nearer to the model 6 h earlier"),
    ("observations twelve hours early", "warning", "nearer to the model 12 h later"),
    ("latent heat in mm a day", "warning", "standard deviation of 'slhf' is .* check the unit"),
    ("latent heat in MJ m-2 a day", "warning", "standard deviation of 'slhf' is .* check the unit"),
    ("temperature 4 K too warm at one site", "warning", r"'2t' is \+4.0 K from the model in the mean .1 of 44"),
    ("zeros in the place of gaps", "warning", "more than 20% of 'slhf' is one and the same number"),
    ("a sensor that is stuck", "warning", "more than 20% of 'sshf' is one and the same number .1 of"),
    ("too few values", "warning", "no site has 100 values of 'slhf'"),
    ("no values", "error", "have no value in the period|No observation of .* is at a date and point"),
    ("temperature in degC without a unit", "error", "temperatures look like degC"),
    ("soil water in percent without a unit", "error", "look like %"),
    ("fill values in half of the values", "error", "All of these are -9999, as a fill value is"),
    ("fill values in some", "warning", "the worst is -9999 W m-2.*They are left out"),
)  # fmt: skip

OBSERVATIONS = tuple(
    Fault(name, expected, words) for name, expected, words in (
        *(row for row in _SEEN if row[0] in (
            "observations as they are", "latent heat positive upward", "observations six hours late",
            "too few values", "no values", "temperature in degC without a unit", "fill values in some",
        )),
        ("observations of one site", "fine", ""),
        ("a variable without values", "warning", r"\['sshf'\] in .* have no value in the period, and are left out"),
        ("places of two sites exchanged", "warning", "nearer to the model"),
        ("latitude and longitude of a site exchanged", "error", "degrees from the nearest point|outside -90 to 90"),
        ("a site without latitude", "error", "outside -90 to 90|Site 0"),
        ("a site given twice", "error", "sites are at one point of"),
        ("observations without a site", "error", "There are 0 latitudes|no value"),
        ("stamps in another order", "error", "doubled or go back"),
        ("stamps given twice", "error", "doubled or go back"),
        ("stamps between the steps", "error", "at dates of the dataset"),
        ("numbers as stamps", "error", "are not dates"),
        ("text as observations", "error", "in place of numbers"),
        ("years of the error that the dataset has not", "error", r"`error_years` has \[2010, 2011\]. Give two or more"),
        ("a year of the error given twice", "error", r"`error_years` is \[2021, 2021\]. Give two or more different"),
        ("a year of the error that is observed", "warning", "`error_years` has the year of the observations"),
        ("a word as a year of the error", "error", r"`error_years` has \['last'\]"),
        ("no candidate", "error", "`candidates` is empty. Give some of"),
        ("a misspelt candidate", "error", "Nearest"),
        ("a word as the start of observations", "error", "soon"),
        ("a start after the observations", "error", "Give observations and a dataset of the same years"),
    )
)  # fmt: skip

TUNING = tuple(
    Fault(name, expected, words) for name, expected, words in (
        *_SEEN,
        ("observations of other places", "error", "0 of 44 points are the same, of 44 observed ones"),
        ("observations of another year", "error", "No observation of .* is at a date and point of the data"),
        ("observations that are not there", "error", "Correct `land.observed.dataset`"),
        ("a network that is tuned without observations", "warning", "tuned on the main dataset itself"),
        ("a base that is not validated", "warning", "`land.base` was not validated"),
    )
)  # fmt: skip

#: GRIB as the source of a dataset; each is one of this name in ``test_grib.py``.
GRIB = tuple(
    Fault(name, expected, words) for name, expected, words in (
        ("an archive as it is", "fine", ""),
        ("precipitation in mm under a parameter in m", "error", "'avg_tprate'.*divide millimetres over 6 h by 21,600"),
        ("radiation in W m-2 under an amount", "warning", "Net short-wave radiation above the downward one"),
        ("short-wave and long-wave radiation exchanged", "error", "decreases before|'avg_sdlwrf'"),
        ("net radiation exchanged", "error", "The accumulated ssr decreases"),
        ("sensible heat of the other sign", "warning", "Net radiation with sensible and latent heat .* signs"),
        ("evaporation of the other sign", "warning", "Latent heat flux and that of evaporation .*check their signs"),
        ("sensible and latent heat exchanged", "warning", "Latent heat flux and that of evaporation"),
        ("humidity in g kg-1 in a message", "error", "humidity"),
        ("the logarithm of pressure as pressure", "error", "'avg_sp'"),
        ("albedo in percent in a message", "error", "'al'"),
        ("forecasts six hours late", "error", "above that of the sun outside the atmosphere"),
        ("states of another year", "error", "have no date in common"),
        ("states six hours late", "warning", "Results may be of other hours or places than the forcing"),
        ("amounts of steps as those since the start", "error", "accumulated .* decreases .* `restart_hours`"),
        ("a number in the place of a missing value", "error", "'stl1' .* is 9999 K"),
        ("air of a level far above the surface", "error", "lowest model level in the files is 100 of 137"),
        ("an archive without precipitation", "error", "avg_tprate"),
        ("coordinates in another order", "error", "above that of the sun outside the atmosphere"),
        ("coordinates of fewer points", "error", "43"),
    )
)  # fmt: skip

#: All tables by the heading of each.
TABLES = {
    "GRIB": GRIB,
    "Observations of a diagnosis": OBSERVATIONS,
    "Observations of a fine-tuning": TUNING,
}

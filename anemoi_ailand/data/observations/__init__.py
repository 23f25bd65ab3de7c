# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations for data assimilation: one row an observation, from CSV, NetCDF, IODA, ODB-2 and BUFR."""

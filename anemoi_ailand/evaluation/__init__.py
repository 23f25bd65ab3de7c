# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Evaluation: from forecasts and a reference to scores, figures and a report. Works on xarray; no torch."""

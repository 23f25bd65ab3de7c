# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""From files to fields: readers of every layout, the dataset source `ecland`, the order of points. No torch."""

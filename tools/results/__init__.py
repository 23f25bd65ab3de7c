# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Renewal of the tables and figures of docs/results/ and of the numbers in README.md from the packaged networks."""

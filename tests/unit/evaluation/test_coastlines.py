# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coastlines come from what is installed, or there are none."""

from __future__ import annotations

import numpy as np

from anemoi_ailand.evaluation import coastlines as module


def test_coastlines_span_the_globe():
    """The file is where it is looked for; a new place in the other package is noticed here."""
    points = np.concatenate(module.coastlines())
    assert points.shape[1] == 2
    assert np.ptp(points[:, 0]) > 300
    assert np.ptp(points[:, 1]) > 100


def test_no_coastlines_where_the_file_is_absent(monkeypatch):
    """A map without them is still a map."""
    monkeypatch.setattr(module, "_FILE", "nowhere.json")
    assert module.coastlines.__wrapped__() == ()

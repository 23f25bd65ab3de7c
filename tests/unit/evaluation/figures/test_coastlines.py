# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coastlines come from the installation, or are empty."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from anemoi_ailand.evaluation.figures import coastlines as module


def test_coastlines_span_the_globe():
    """The file of anemoi-training exists and spans the globe."""
    points = np.concatenate(module.coastlines())
    assert points.shape[1] == 2
    assert np.ptp(points[:, 0]) > 300
    assert np.ptp(points[:, 1]) > 100


def test_no_coastlines_where_the_file_is_absent(monkeypatch):
    """A missing file gives no lines."""
    monkeypatch.setattr(module, "continents_file", lambda: None)
    assert module.coastlines.__wrapped__() == ()


def test_cartopy_comes_first_where_it_has_its_data(monkeypatch, tmp_path):
    """Cartopy's file takes precedence, and nothing is downloaded without it."""
    line = SimpleNamespace(coords=[(0.0, 1.0), (2.0, 3.0)])
    reader = SimpleNamespace(
        Reader=lambda path: SimpleNamespace(geometries=lambda: [line, SimpleNamespace(geoms=[line])])
    )
    cartopy = SimpleNamespace(config={"pre_existing_data_dir": "", "data_dir": tmp_path})
    found = {"cartopy": cartopy, "cartopy.io.shapereader": reader}
    monkeypatch.setattr(module, "find_spec", lambda name: object() if name == "cartopy" else None)
    monkeypatch.setattr(module, "import_module", found.__getitem__)
    monkeypatch.setattr(module, "continents_file", lambda: None)
    assert module.coastlines.__wrapped__() == ()
    file = tmp_path / module._SHAPES
    file.parent.mkdir(parents=True)
    file.touch()
    assert [each.tolist() for each in module.coastlines.__wrapped__()] == [[[0.0, 1.0], [2.0, 3.0]]] * 2

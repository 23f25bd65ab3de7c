# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapters to what Anemoi, earthkit and torch do not document: one module per host package.

Every private name and swapped attribute of a host is confined to this package, with the reason and the condition under
which it can go. Base classes and types with public names are imported where they are used, also from modules that the
host does not document. ``tests/unit/test_hosts.py`` lists all of them and names those that a new version
of a host has lost or changed. The modules import their host lazily, so that any room may import them; only
:mod:`~anemoi_ailand.hosts.earthkit` needs base classes of its host, and is imported by ``data`` alone.
"""

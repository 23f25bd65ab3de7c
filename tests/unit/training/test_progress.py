# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Length of an epoch."""

import pytest

from anemoi_ailand.training.progress import n_batches


@pytest.mark.parametrize(
    ("samples", "batch_size", "processes", "limit", "expected"),
    [
        (100, 32, 1, None, 4),
        (100, 32, 1, 1.0, 4),
        (100, 32, 1, 0.5, 2),
        (100, 32, 2, None, 2),
        (100, 32, 1, 3, 3),
        (5, 32, 1, 9, 1),
    ],
)
def test_batches_of_an_epoch(samples, batch_size, processes, limit, expected):
    """The last batch may be smaller; processes share the samples; the limit is a number or a fraction."""
    assert n_batches(samples, batch_size, processes, limit) == expected

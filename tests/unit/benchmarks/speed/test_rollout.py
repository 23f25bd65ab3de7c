# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table of the roll-out benchmark says what was measured."""

import numpy as np
import pytest

from benchmarks.speed import rollout as under_test
from benchmarks.speed.rollout import Size, Spent, table


def size(points=1000, steps=10, plain=(2.0, 2.2, 2.4)):
    """Runs that take a quarter longer than blocks; the network takes all but 0.1 s of a block."""
    blocks = (1.0, 1.1, 1.2)
    return Size(
        points=points,
        steps=steps,
        plain=tuple(Spent(w, w / 2) for w in plain),
        blocks=tuple(Spent(w, w / 2) for w in blocks),
        run=tuple(Spent(1.25 * w, w, 3 * 10**6, 1.25 * w - 0.1) for w in blocks),
        needed=10**6,
    )


def cells(text, row=-1):
    return [c.strip() for c in text.strip().splitlines()[row].strip("|").split("|")]


def test_ratios_and_overhead_are_of_the_same_round():
    """Medians over rounds of ratios, not ratios of medians; overhead is what is not in the network."""
    found = cells(table([size()], 1))
    assert found == ["1,000", "220 (110)", "110 (55)", "138 (110)", "1.25 (2.00)", "10.00", "7,273", "3.0"]


def test_a_size_too_large_for_one_call_has_a_dash():
    """The network at once is left out for many points."""
    assert cells(table([size(plain=())], 2))[1] == "-"


def test_peak_of_memory_is_of_the_run_alone():
    """The peak can be set back, so that an earlier one does not count."""
    big = np.ones(2**25)
    del big
    under_test._CLEAR.write_text("5")
    before = under_test._memory("VmHWM")
    big = np.ones(2**24)  # 128 MiB
    assert under_test._memory("VmHWM") - before == pytest.approx(big.nbytes, rel=0.1)

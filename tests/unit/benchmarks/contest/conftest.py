# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small contest: scores and costs of a few entrants in a small world."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.evaluation.scores.sums import collect
from benchmarks.contest.entry import Entry
from benchmarks.contest.scores import contest_scores
from tests.support import worlds as world


@pytest.fixture(scope="session")
def runs() -> dict[str, Reforecast]:
    """A reference, one with half its error, its twin, and one with few variables."""
    return {
        "base": world.reforecast(seed=1, size=0.2),
        "good": world.reforecast(seed=2, size=0.1),
        "twin": world.reforecast(seed=1, size=0.2),
        "few": world.reforecast(seed=3, size=0.3, names=("swvl1", "2t")),
    }


@pytest.fixture(scope="session")
def scores(runs: dict[str, Reforecast]) -> pd.DataFrame:
    """Scores of protocol A of all, and of one long run (protocol B) of the first two."""
    first, leads = np.array(["2021-01-02"], dtype="datetime64[ns]"), np.arange(6, 24 * 400, 6)
    long = {
        "base": world.reforecast(seed=1, size=0.2, first=first, leads=leads),
        "good": world.reforecast(seed=2, size=0.1, first=first, leads=leads),
    }
    tables = []
    for protocol, of, last in (("A", runs, "2021"), ("B", long, "2020")):
        sums = collect(of, world.reference(), protocol=protocol, period=("2020", last), biases=True)
        tables.append(contest_scores(sums, "base"))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="session")
def entries() -> list[Entry]:
    """Costs of the three."""
    return [
        Entry("base", "one + two", "a.ckpt", "0", 1_000_000, 2.0e6, 2.1e6, 2e7, 7200.0, 3600.0, "CPU"),
        Entry("good", "three", "b.ckpt", "1", 100_000, 2.0e5, 2.2e5, 1e7, 3600.0, 3600.0, "CPU", note="ours"),
        Entry("few", "d.ckpt", "d.ckpt", "2", 10, 20.0, 25.0),
    ]

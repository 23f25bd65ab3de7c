# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Pool of random windows of a dataset larger than memory."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anemoi_ailand.support.memory import GIB, available_memory, total_memory
from anemoi_ailand.training.point_blocks import BlockReader
from anemoi_ailand.training.stores import KeptStore, PooledStore
from anemoi_ailand.training.window_pool import (
    FIRST,
    IN_FLIGHT,
    PoolOptions,
    PoolPlan,
    Rotation,
    WindowPool,
    check_memory,
    default_memory,
    plan_pool,
    spread_points,
)

N_DATES, N_POINTS = 200, 60
PLAN = PoolPlan(windows=32, loaders=1, length=5, members=1, points=24, variables=3)


class Data:
    """Dataset whose values are point + 1000 date, and 0 and 1 in two further variables; it counts the reads."""

    def __init__(self, broken=None):
        self.shape, self.dates, self.broken, self.reads = (N_DATES, 3, 1, N_POINTS), np.arange(N_DATES), broken, []

    def __getitem__(self, date):
        self.reads.append(date)
        if date == self.broken or self.broken == "all":
            raise OSError("chunk 7.0.0.0 is damaged")
        fields = np.zeros((3, 1, N_POINTS), dtype=np.float32)
        fields[0], fields[2] = np.arange(N_POINTS) + 1000 * date, 1.0
        return fields


@pytest.fixture
def opened():
    """Pools made in a test, closed at its end."""
    pools = []

    def make(plan=PLAN, data=None, total=N_POINTS, rank=0, readers=1, start=True):
        pool = WindowPool(plan, data or Data(), np.arange(N_DATES - plan.length + 1), total, rank)
        pools.append(pool)
        if start:
            pool.start(readers)
        return pool

    yield make
    for pool in pools:
        pool.close()


def draw(pool, n, steps=2, block=8, loader=0, seed=1):
    """First date and points of ``n`` samples."""
    drawn = []
    for _ in range(n):
        sample = pool.sample(steps, block, loader, seed)[:, 0]
        values = sample[..., 0].astype(int)
        assert np.array_equal(values // 1000, values[0, 0] // 1000 + np.repeat(np.arange(steps + 1)[:, None], block, 1))
        assert (sample[..., 1:] == [0.0, 1.0]).all()
        drawn.append((int(values[0, 0] // 1000), tuple(int(p) for p in values[0] % 1000)))
    return drawn


def test_samples_are_windows_of_the_dataset_at_points_spread_over_it(opened):
    """Consecutive dates, every point at its place; held-out points are never drawn."""
    drawn = draw(opened(total=40), 100)
    assert {p for _, points in drawn for p in points} == set(range(40))
    assert all(len(set(points)) == 8 for _, points in drawn)
    assert len({date for date, _ in drawn}) > 40


def test_draws_follow_from_the_seed_and_not_from_the_time_of_reading(opened):
    """Two reading processes give the same samples as one; another seed, rank or loader gives others."""
    plan = PoolPlan(**{**vars(PLAN), "loaders": 2})
    first = draw(opened(plan), 200)
    assert draw(opened(plan, readers=2), 200) == first
    other = [draw(opened(plan), 20, seed=2), draw(opened(plan, rank=1), 20), draw(opened(plan), 20, loader=1)]
    assert len({tuple(o) for o in [*other, first[:20]]}) == 4


def test_a_batch_has_as_many_independent_windows_as_a_pool_begins_with():
    """Consecutive draws are from different windows, also while the pool grows and when it is full."""
    rotation = Rotation(np.zeros(Rotation.SIZE, dtype=np.int64), 160, 16)
    assert rotation.begin() == range(FIRST + IN_FLIGHT) and rotation.begin() == range(0)
    tickets = [rotation.draw(2)[0] for _ in range(3000)]
    assert min(len(set(tickets[k : k + FIRST])) for k in range(len(tickets) - FIRST)) == FIRST
    assert rotation.serving == 160 - IN_FLIGHT
    small = Rotation(np.zeros(Rotation.SIZE, dtype=np.int64), 60, 16)
    assert small.begin() == range(60) and small.serving == 60 - IN_FLIGHT


def test_windows_are_replaced_when_their_samples_have_been_drawn():
    """In a full pool one window leaves for the point-steps of one; a growing one draws no window twice as often."""
    capacity, slots = 64, 160
    rotation = Rotation(np.zeros(Rotation.SIZE, dtype=np.int64), slots, capacity)
    requested, counts = list(rotation.begin()), np.zeros(4000)
    while rotation.serving < slots - IN_FLIGHT:
        ticket, more = rotation.draw(2)
        counts[ticket] += 2
        requested += more
    full = len(requested)
    for _ in range(240 * capacity // 2):
        ticket, more = rotation.draw(2)
        counts[ticket] += 2
        requested += more
    assert requested == list(range(full + 240))
    assert counts[: full + 240].max() <= 2 * capacity
    np.testing.assert_allclose(counts[slots:240], capacity, atol=4)


def test_each_part_of_a_window_is_used_once_before_any_is_repeated(opened):
    """Blocks of points and pieces of the dates, for the roll-out of the sample."""
    pool = opened()
    for steps, block in ((1, 8), (2, 8), (3, 12), (4, 24)):
        parts = (4 // steps) * (24 // block)
        places = {pool._place(5, 0, used, steps, block) for used in range(parts)}
        assert len(places) == parts
        later = {start % steps for start, _ in places}
        assert len(later) == 1 and all(start + steps <= 4 for start, _ in places)


def test_points_of_a_window_are_one_of_each_group_of_neighbours():
    """In random order, each point equally often."""
    rng = np.random.default_rng(1)
    counts = np.zeros(100)
    for _ in range(400):
        points = spread_points(100, 24, rng)
        apart = np.diff(np.sort(points))
        assert apart.min() >= 1 and apart.max() <= 9
        counts[points] += 1
    assert (np.abs(counts / 400 - 0.24) < 0.1).all()
    assert not np.array_equal(points, np.sort(points))


def test_a_reading_process_that_fails_ends_the_training_with_its_message(opened):
    """Instead of a loader that waits for ever; also one that was killed."""
    pool = opened(data=Data(broken="all"))
    with pytest.raises(RuntimeError, match=r"OSError: chunk 7.0.0.0 is damaged\. Correct this"):
        draw(pool, 1)
    pool = opened()
    os.kill(pool._readers[0].pid, signal.SIGKILL)
    pool._readers[0].join()
    with pytest.raises(RuntimeError, match="killed from outside, often for lack of memory"):
        draw(pool, 1)


def test_size_of_a_pool_follows_from_memory_and_dataset():
    """The points of a window are a multiple of those of a sample; all of a small dataset."""
    plan = plan_pool((65, 1, 171_039), 108, length=17, memory=6 * GIB, loaders=1)
    assert plan.points % 108 == 0 and 4000 < plan.points < 8000 and plan.windows == 240 and plan.nbytes <= 6 * GIB
    assert plan.readers_load(28_000.0, 0.027) < 0.2
    small = plan_pool((65, 1, 408), 54, length=17, memory=6 * GIB, loaders=1)
    assert (small.points, small.windows) == (378, 240) and small.nbytes < GIB
    both = plan_pool((65, 1, 171_039), 108, length=17, memory=6 * GIB, loaders=2)
    assert both.windows * both.loaders == 480 and both.nbytes <= 6 * GIB
    assert default_memory(2, False) <= 0.5 * total_memory() / GIB


def test_too_little_memory_is_refused_with_the_memory_that_is_needed():
    """For the windows of a batch, and on the machine; also points that no window can have."""
    options = {"length": 17, "loaders": 1}
    with pytest.raises(ValueError, match=r"28 windows of 17 dates x 108 points need 0\.01 GiB"):
        plan_pool((65, 1, 171_039), 108, memory=1e6, **options)
    with pytest.raises(ValueError, match=r"`land.pool.points` is 50"):
        plan_pool((65, 1, 171_039), 108, memory=GIB, points=50, **options)
    with pytest.raises(ValueError, match=r"`land.pool.memory_gb` is 9999.*Set `land.pool.memory_gb` to less"):
        check_memory(9999 * GIB, 9999)
    check_memory(1e6, None)
    assert 0 < available_memory() <= total_memory()


def inner_reader(data, stride=1):
    def anchors(relative, sampling=None):
        del sampling
        first = np.arange(0, N_DATES - max(relative), stride)
        return np.stack([np.zeros_like(first), first], axis=1)

    return SimpleNamespace(data=data, compute_anchors=anchors, num_sequences=1)


def test_the_reader_of_a_pool_has_as_many_samples_as_an_epoch(opened):
    """Serial numbers instead of dates, so that the loader draws a whole epoch and nothing beyond."""
    data = Data()
    store = PooledStore(inner_reader(data), N_POINTS, opened(data=data), lambda windows: 3 * windows)
    blocks = BlockReader(store, 8, True)
    anchors = blocks.compute_anchors([0, 1, 2])
    assert anchors.shape == (3 * 198, 2) and np.array_equal(anchors[:, 1], np.arange(594))
    torch.manual_seed(1)
    sample = blocks.get_sample(0, slice(500, 503, 1))
    assert sample.shape == (3, 1, 8, 3)
    assert not data.reads, "the training process reads nothing"


def test_validation_samples_are_read_once(caplog):
    """They are the same in the next epoch, at points spread over the grid; too many are read again, with a warning."""
    data = Data()
    for limit, reads in ((1.0, 12), (0.0, 24)):
        data.reads.clear()
        store = KeptStore(inner_reader(data, stride=4), 40, length=4, points=8, limit_gb=limit)
        blocks = BlockReader(store, 8, False)
        first, again = ([blocks.get_sample(0, slice(k, k + 4)) for k in (0, 4, 8)] for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert [int(s[0, 0, 0, 0] // 1000) for s in first] == [0, 4, 8]
        assert all(np.diff(np.sort(s[0, 0, :, 0] % 1000)).max() < 10 for s in first)
        assert len(data.reads) == reads
    assert "read in every epoch" in caplog.text


def test_options_are_checked():
    """An unknown or negative option is refused."""
    for wrong in ({"memory": 3}, {"memory_gb": 0.0}, {"points": -1}):
        with pytest.raises(ValueError):
            PoolOptions(**wrong)

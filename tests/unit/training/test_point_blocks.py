# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Blocks of points."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from anemoi_ailand.training.point_blocks import BlockReader, PointBlocks, Store, noise_scale, resident_fields
from anemoi_ailand.variables import variable

N_POINTS = 50


def store(total=N_POINTS, resident=True, label=0, missing=()):
    """Store of 20 dates, whose values are point + 1000 date + 100,000 label."""
    fields = np.broadcast_to(np.arange(N_POINTS, dtype=np.float32), (20, 3, 1, N_POINTS)).copy()
    fields += 1000 * np.arange(20, dtype=np.float32)[:, None, None, None]
    fields += 100_000 * label
    inner = SimpleNamespace(grid_size=N_POINTS, data=fields, num_sequences=1)
    inner.compute_anchors = lambda offsets: np.array(
        [(0, i) for i in range(20) if all(i + o < 20 and i + o not in missing for o in offsets)]
    )
    return Store(inner, fields[..., :total].transpose(0, 2, 3, 1) if resident else None, total)


def reader(points=10, total=N_POINTS, shuffled=True, resident=True, noise=None, **others):
    return BlockReader(store(total, resident), points, shuffled, noise, **others)


def block(sample):
    return [int(v) for v in sample[0, 0, :, 0] % 1000]


@pytest.mark.parametrize("resident", [True, False])
def test_a_sample_is_a_block_of_consecutive_points_of_a_window(resident):
    """Dates as asked for, points consecutive, axes (date, ensemble, point, variable), at most the whole grid."""
    sample = reader(resident=resident).get_sample(0, slice(4, 7))
    assert sample.shape == (3, 1, 10, 3)
    assert [int(v) // 1000 for v in sample[:, 0, 0, 0]] == [4, 5, 6]
    first = block(sample)[0]
    assert block(sample) == [i % N_POINTS for i in range(first, first + 10)]
    for points in (1000, None):
        assert reader(points, resident=resident).get_sample(0, slice(0, 1)).shape == (1, 1, N_POINTS, 3)
    assert reader().num_sequences == 1, "the wrapper passes on what it does not change"


@pytest.mark.parametrize("resident", [True, False])
def test_every_point_is_drawn_equally_often(resident):
    """Blocks that reach the end continue at the first point: no allowed point is rare, and no other is read."""
    counts = np.zeros(N_POINTS, dtype=int)
    for epoch in range(100):
        torch.manual_seed(epoch)
        blocks = reader(total=40, resident=resident)
        for date in range(18):
            np.add.at(counts, block(blocks.get_sample(0, slice(date, date + 2))), 1)
    assert counts[40:].sum() == 0
    np.testing.assert_allclose(counts[:40] / counts[:40].mean(), 1.0, atol=0.25)


def test_blocks_differ_by_date_and_epoch_but_are_reproducible():
    """The block follows from seed and date alone, for any number of workers; that of validation from the date."""

    def blocks(seed, shuffled=True):
        torch.manual_seed(seed)
        r = reader(shuffled=shuffled)
        return [block(r.get_sample(0, slice(i, i + 2)))[0] for i in range(18)]

    assert blocks(1) == blocks(1)
    assert blocks(1) != blocks(2)
    assert len(set(blocks(1))) > 5
    assert blocks(1, shuffled=False) == blocks(2, shuffled=False)


def test_fields_in_memory_are_those_of_the_dataset():
    """Fields in memory have the order of a sample, without held-out points; larger ones stay on disk."""
    data = np.random.default_rng(1).random((300, 3, 1, 8), dtype=np.float32)
    np.testing.assert_array_equal(resident_fields(data, 5, 1.0), data[..., :5].transpose(0, 2, 3, 1))
    assert resident_fields(data, 5, 1e-6) is None


def test_a_sample_does_not_change_the_fields_in_memory():
    """Noise and normalisation work on a copy."""
    noise = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    noisy = reader(points=None, noise=noise)
    one = noisy.get_sample(0, slice(4, 9)).clone()
    noisy.get_sample(0, slice(4, 9)).mul_(2.0)
    assert torch.equal(noisy.get_sample(0, slice(4, 9)), one)


def test_held_out_points_are_never_read():
    """Blocks come from the first points only."""
    r = reader(points=7, total=30)
    assert max(max(block(r.get_sample(0, slice(i % 18, i % 18 + 1)))) for i in range(200)) < 30


def drawn(sample):
    """Label of the store, dates and points of a sample."""
    values = sample[:, 0, :, 0].numpy().astype(int)
    return values[0, 0] // 100_000, values[:, 0] // 1000 % 100, values[0] % 1000


@pytest.mark.parametrize("resident", [True, False])
def test_samples_come_from_all_datasets_in_their_shares(resident):
    """Each with its own dates and points: windows of the same length within its period, never a held-out point."""
    others = [store(30, resident, label=1, missing={9}), store(6, resident, label=2)]
    counts, points = np.zeros(3), [set(), set(), set()]
    starts = [set(), set(), set()]
    for epoch in range(150):
        torch.manual_seed(epoch)
        blocks = reader(total=40, resident=resident, others=others, shares=[0.3, 0.1])
        for date in range(16):
            sample = blocks.get_sample(0, slice(date, date + 4, 1))
            assert sample.shape == (4, 1, 10, 3)
            label, dates, block = drawn(sample)
            counts[label] += 1
            points[label] |= set(block)
            starts[label].add(dates[0])
            np.testing.assert_array_equal(dates, dates[0] + np.arange(4))
    np.testing.assert_allclose(counts / counts.sum(), [0.6, 0.3, 0.1], atol=0.03)
    assert points == [set(range(40)), set(range(30)), set(range(6))]
    assert starts == [set(range(16)), {0, 1, 2, 3, 4, 5, *range(10, 17)}, set(range(17))]


def test_draws_from_several_datasets_are_reproducible():
    """They follow from seed and date; other seeds give others, and dates as a list those of a slice."""

    def samples(seed, as_list=False):
        torch.manual_seed(seed)
        blocks = reader(others=[store(30, label=1)], shares=[0.5])
        windows = [[i, i + 1] if as_list else slice(i, i + 2, 1) for i in range(18)]
        return torch.stack([blocks.get_sample(0, window) for window in windows])

    assert torch.equal(samples(1), samples(1))
    assert torch.equal(samples(1), samples(1, as_list=True))
    assert not torch.equal(samples(1), samples(2))


def test_a_dataset_with_fewer_points_than_a_block_repeats_them():
    """All equally often, to within one."""
    torch.manual_seed(1)
    block = drawn(reader(points=10, others=[store(4, label=1)], shares=[1.0]).get_sample(0, slice(3, 5)))[2]
    assert sorted(np.bincount(block)) == [2, 2, 3, 3]


def disturbance(noise, dates):
    """Change by noise of the samples of some dates, each shape (date, point, variable)."""
    noisy, clean = reader(points=None, noise=np.array(noise, dtype=np.float32)), reader(points=None)
    return [(noisy.get_sample(0, d) - clean.get_sample(0, d))[:, 0] for d in dates]


def test_static_noise_is_one_draw_per_point_and_sample():
    """Constant over the dates of a sample, different between samples, of the given size, on static fields only."""
    torch.manual_seed(1)
    change, other = disturbance([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]], [slice(4, 9), slice(5, 9)])
    assert change[..., [0, 2]].abs().max() == 0
    torch.testing.assert_close(change[0], change[4], atol=1e-2, rtol=0)
    assert 2.0 < change[0, :, 1].std() < 4.0
    assert (other[0, :, 1] - change[0, :, 1]).abs().max() > 1.0


def test_state_noise_is_on_the_first_date_alone():
    """The state that a sample begins with is disturbed, its targets are not."""
    (change,) = disturbance([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [slice(4, 9)])
    assert 1.3 < change[0, :, 0].std() < 2.7
    assert change[1:].abs().max() == 0
    assert change[..., 1:].abs().max() == 0


def test_noise_has_the_units_of_the_variables():
    """Static fields by their spread, the state by its change in 6 h, forcing not at all."""
    given = ["stl1", "z", "t"], [12.0, 2000.0, 14.0]
    expected = [[0.0, 1000.0, 0.0], [0.3 * variable("stl1").increment_scale, 0.0, 0.0]]
    np.testing.assert_allclose(noise_scale(*given, 0.5, 0.3), expected, rtol=1e-6)
    assert noise_scale(*given, 0.0, 0.0) is None


def test_wrong_options_are_refused():
    """Also a model on several GPUs, and processes of the loader that keep their seed."""
    for options, message in (
        ({"points": 0}, "`points` is 0"),
        ({"held_out": "no"}, "`held_out`"),
        ({"static_noise": -1.0}, "`static_noise` is -1.0"),
        ({"validation_points": "sites"}, "`land.validation_points` is 'sites'"),
    ):
        with pytest.raises(ValueError, match=message):
            PointBlocks(**options)
    task = SimpleNamespace(rollout=SimpleNamespace(epoch_increment=0))
    for gpus, persistent, message in ((2, False, "num_gpus_per_model"), (1, True, "persistent_workers: false")):
        sections = {
            "system": {"hardware": {"num_gpus_per_model": gpus}},
            "dataloader": {"persistent_workers": persistent},
        }
        with pytest.raises(ValueError, match=message):
            PointBlocks().setup(None, SimpleNamespace(config=OmegaConf.create(sections), task=task), "fit")

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Blocks of points."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from anemoi_ailand.training.point_blocks import BlockReader, PointBlocks, noise_scale, resident_fields
from anemoi_ailand.variables import variable

N_POINTS = 50


def reader(points=10, total=N_POINTS, shuffled=True, resident=True, noise=None):
    fields = np.broadcast_to(np.arange(N_POINTS, dtype=np.float32), (20, 3, 1, N_POINTS)).copy()
    fields += 1000 * np.arange(20, dtype=np.float32)[:, None, None, None]
    inner = SimpleNamespace(grid_size=N_POINTS, data=fields, num_sequences=1)
    kept = fields[..., :total].transpose(0, 2, 3, 1) if resident else None
    return BlockReader(inner, kept, total, points, shuffled, noise)


def block(sample):
    return [int(v) for v in sample[0, 0, :, 0] % 1000]


@pytest.mark.parametrize("resident", [True, False])
def test_a_sample_is_a_contiguous_block_of_a_window(resident):
    """Dates as asked for, points consecutive, axes (date, ensemble, point, variable)."""
    sample = reader(resident=resident).get_sample(0, slice(4, 7))
    assert sample.shape == (3, 1, 10, 3)
    assert [int(v) // 1000 for v in sample[:, 0, 0, 0]] == [4, 5, 6]
    first = block(sample)[0]
    assert block(sample) == list(range(first, first + 10))


def test_blocks_differ_by_date_and_epoch_but_are_reproducible():
    """The block follows from seed and date alone, so the number of workers does not matter."""
    r = reader()

    def blocks(seed):
        torch.manual_seed(seed)
        return [block(r.get_sample(0, slice(i, i + 2)))[0] for i in range(18)]

    assert blocks(1) == blocks(1)
    assert blocks(1) != blocks(2)
    assert len(set(blocks(1))) > 5


def test_validation_blocks_are_the_same_in_every_epoch():
    """Validation samples are the same in every epoch."""
    r = reader(shuffled=False)
    torch.manual_seed(1)
    one = block(r.get_sample(0, slice(3, 5)))
    torch.manual_seed(2)
    assert block(r.get_sample(0, slice(3, 5))) == one


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


def test_all_points_if_there_are_fewer():
    """A block is never larger than the grid."""
    assert reader(points=1000).get_sample(0, slice(0, 1)).shape == (1, 1, N_POINTS, 3)
    assert reader(points=None).get_sample(0, slice(0, 1)).shape == (1, 1, N_POINTS, 3)


def test_everything_else_is_the_readers_own():
    """The wrapper passes on what it does not change."""
    assert reader().num_sequences == 1


def test_static_noise_is_one_draw_per_point_and_sample():
    """Constant over the dates of a sample, different between samples, of the given size, on static fields only."""
    noise = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    torch.manual_seed(1)
    noisy, clean = reader(points=None, noise=noise), reader(points=None)
    change = (noisy.get_sample(0, slice(4, 9)) - clean.get_sample(0, slice(4, 9)))[:, 0]
    assert change[..., [0, 2]].abs().max() == 0
    torch.testing.assert_close(change[0], change[4], atol=1e-2, rtol=0)
    assert 2.0 < change[0, :, 1].std() < 4.0
    other = (noisy.get_sample(0, slice(5, 9)) - clean.get_sample(0, slice(5, 9)))[0, 0]
    assert (other[:, 1] - change[0, :, 1]).abs().max() > 1.0


def test_state_noise_is_on_the_first_date_alone():
    """The state that a sample begins with is disturbed, its targets are not."""
    noise = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], dtype=np.float32)
    noisy, clean = reader(points=None, noise=noise), reader(points=None)
    change = (noisy.get_sample(0, slice(4, 9)) - clean.get_sample(0, slice(4, 9)))[:, 0]
    assert 1.3 < change[0, :, 0].std() < 2.7
    assert change[1:].abs().max() == 0
    assert change[..., 1:].abs().max() == 0


def test_noise_has_the_units_of_the_variables():
    """Static fields by their spread, the state by its change in 6 h, forcing not at all."""
    inner = SimpleNamespace(variables=["stl1", "z", "t"], statistics={"stdev": [12.0, 2000.0, 14.0]})
    expected = [[0.0, 1000.0, 0.0], [0.3 * variable("stl1").increment_scale, 0.0, 0.0]]
    np.testing.assert_allclose(noise_scale(inner, 0.5, 0.3), expected, rtol=1e-6)
    assert noise_scale(inner, 0.0, 0.0) is None


@pytest.mark.parametrize(
    ("gpus", "persistent", "increment", "message"),
    [(2, False, 0, "num_gpus_per_model"), (1, True, 0, "persistent_workers: false")],
)
def test_settings_in_which_blocks_make_no_sense_are_refused(gpus, persistent, increment, message):
    """A model on several GPUs; processes that keep their seed."""
    config = {"system": {"hardware": {"num_gpus_per_model": gpus}}, "dataloader": {"persistent_workers": persistent}}
    task = SimpleNamespace(rollout=SimpleNamespace(epoch_increment=increment))
    with pytest.raises(ValueError, match=message):
        PointBlocks().setup(None, SimpleNamespace(config=OmegaConf.create(config), task=task), "fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 0}, "`points` is 0"),
        ({"held_out": "no"}, "`held_out`"),
        ({"static_noise": -1.0}, "`static_noise` is -1.0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    """The error names the option."""
    with pytest.raises(ValueError, match=message):
        PointBlocks(**options)

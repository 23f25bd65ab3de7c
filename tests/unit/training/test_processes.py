# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Data-parallel training of several processes."""

import pytest
import torch
import torch.distributed as dist

from tests.support.commands import SERVER
from tests.support.land import OPEN
from tests.support.training import training_config, training_module

#: Updates that are compared; rounding grows with their number.
UPDATES = 3


def weights_after_updates(batches, rank=0, ranks=1):
    """Weights and measured errors after an update by each of the batches; a rank has its part of the windows.

    Gradients are averaged over the ranks, as the data-parallel strategy does.
    """
    full = training_config()
    full.training.training_loss.datasets.data._target_ = "anemoi_ailand.training.balanced_loss.BalancedLoss"
    module = training_module(n_steps=2, full=full)
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for batch in batches:
        own = {name: fields.tensor_split(ranks)[rank] for name, fields in batch.items()}
        optimizer.zero_grad()
        module._step(own).loss.sum().backward()
        for p in parameters if ranks > 1 else []:
            dist.all_reduce(p.grad)
            p.grad /= ranks
        optimizer.step()
    running = next(b for name, b in module.loss.named_buffers() if name.endswith("running"))
    return torch.cat([p.detach().flatten() for p in parameters]), running


def batches():
    """Batches of six windows, shape (window, date, ensemble, point, variable)."""
    torch.manual_seed(7)
    found = []
    for _ in range(UPDATES):
        fields = next(iter(OPEN.batch(3).values()))[:1]
        windows = fields * (1.0 + 0.02 * torch.randn(6, *fields.shape[1:]))
        found.append({"data": windows})
    return found


def run_rank(rank, ranks, place, results):
    """Train one rank and send its weights; a function of the module, so that it can be started in a process."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=ranks)
    weights, running = weights_after_updates(batches(), rank, ranks)
    results.put((rank, weights.numpy(), running.numpy()))
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_learn_what_one_learns_from_the_larger_batch(ranks, tmp_path):
    """Fed the same windows: same weights to rounding, and the errors by which the loss weighs are those of all."""
    results = SERVER.Queue()  # imports take longer than learning
    processes = [
        SERVER.Process(target=run_rank, args=(rank, ranks, tmp_path / "meeting", results)) for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    found = sorted((results.get(timeout=1800) for _ in processes), key=lambda result: result[0])
    for process in processes:
        process.join()
    weights, running = weights_after_updates(batches())
    before = torch.cat([p.detach().flatten() for p in training_module(n_steps=2).parameters()])
    assert (weights - before).abs().max() > 1e-3, "the updates change nothing"
    for _, of_rank, errors in found:
        torch.testing.assert_close(torch.from_numpy(of_rank), weights, rtol=0.0, atol=2e-5)
        torch.testing.assert_close(torch.from_numpy(errors), running, rtol=1e-4, atol=1e-9)

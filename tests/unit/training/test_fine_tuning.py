# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fine-tuning: losses of observations with gaps, their place among the fields, frozen weights, the base."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

from anemoi_ailand.training.balanced_loss import BalancedLoss
from anemoi_ailand.training.callbacks import VALIDATION_LOSS, early_stop
from anemoi_ailand.training.fine_tuning import FineTuning, start_from, take_weights
from anemoi_ailand.training.increment_loss import IncrementLoss, PointScaler
from anemoi_ailand.training.observations import open_observed, targets_of
from tests.support.dataset import FakeDataset
from tests.support.land import OPEN
from tests.support.training import training_module

SHAPE = (3, 2, 1, 5, 2)


def loss(cls, **options):
    out = cls(ignore_nans=True, **options)
    out.add_scaler(*PointScaler().get_scaling(), name="points")
    out.add_scaler(4, torch.tensor([10.0, 0.5]), name="increment")
    return out.train()


def pair(seed=0):
    """Prediction with a gradient, and a target with gaps: half of the first variable, most of the second."""
    generator = torch.Generator().manual_seed(seed)
    pred, target = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    gaps = torch.rand(SHAPE, generator=generator) < torch.tensor([0.5, 0.7])
    return pred.requires_grad_(), target.masked_fill(gaps, torch.nan), gaps


@pytest.mark.parametrize(("cls", "options"), [(IncrementLoss, {}), (IncrementLoss, {"delta": 1.0}), (BalancedLoss, {})])
def test_loss_is_that_of_valid_values_only(cls, options):
    """Value and gradient are those of each variable on its valid values alone; in gaps the gradient is zero."""
    pred, target, gaps = pair()
    found = loss(cls, **options)(pred, target).sum()
    (gradient,) = torch.autograd.grad(found, pred)
    total = torch.zeros(())
    for v, scale in enumerate((10.0, 0.5)):
        kept = ~gaps[..., v]
        single = cls(**options)
        single.add_scaler(*PointScaler().get_scaling(), name="points")
        single.add_scaler(4, torch.tensor([scale]), name="increment")
        a, b = (x[..., v][kept].reshape(1, 1, 1, -1, 1) for x in (pred, target))
        total = total + single.train()(a, b).sum() * SHAPE[1] / 2  # mean of two variables; upstream sums over time
    torch.testing.assert_close(found, total)
    torch.testing.assert_close(gradient, torch.autograd.grad(total, pred)[0])
    assert gradient[gaps].abs().max() == 0.0 < gradient[~gaps].abs().min()


def test_a_variable_without_observations_in_a_batch_keeps_its_measured_error():
    """Its loss is zero, and the running error of both variables is the mean over batches with observations."""
    measured = loss(BalancedLoss)
    batches = [pair(seed) for seed in range(3)]
    batches[1][1][..., 1] = torch.nan
    for pred, target, _ in batches:
        value = measured(pred, target)
        assert value.isfinite().all()
    alone = [((p - t) * torch.tensor([10.0, 0.5])).square().nanmean(dim=(0, 1, 2, 3)).detach() for p, t, _ in batches]
    expected = torch.stack([(alone[0] + alone[1] + alone[2])[0] / 3, (alone[0] + alone[2])[1] / 2])
    torch.testing.assert_close(measured.running, expected)


def test_a_base_is_validated_in_units_of_its_own_errors():
    """Before the first step there is no running error: the base has a loss of a half a variable, a better one less."""
    measured = loss(BalancedLoss).eval()
    pred, target, _ = pair()
    torch.testing.assert_close(measured(pred, target).sum(), torch.tensor(0.5 * SHAPE[1]))
    assert measured(target.nan_to_num(0.0), target).sum() == 0.0
    measured.train()(pred, target)
    torch.testing.assert_close(measured.eval()(pred, target).sum(), torch.tensor(0.5 * SHAPE[1]))


def test_a_training_that_does_not_beat_its_base_ends_with_a_warning(caplog):
    """The loss before the first step counts as that of the base; a resumed training keeps it."""
    trainer = SimpleNamespace(sanity_checking=True, is_global_zero=True, callback_metrics={VALIDATION_LOSS: 0.5})
    callback = FineTuning("all")
    callback.on_validation_end(trainer, None)
    resumed = FineTuning("all")
    resumed.load_state_dict(callback.state_dict())
    trainer.callback_metrics[VALIDATION_LOSS] = 0.6
    resumed.on_validation_end(trainer, None)  # the sanity check of the resumed training
    trainer.sanity_checking = False
    resumed.on_validation_end(trainer, None)
    resumed.on_fit_end(trainer, None)
    assert "No epoch is better than the base: the lowest validation loss is 0.6, that of `land.base` 0.5" in caplog.text
    caplog.clear()
    trainer.callback_metrics[VALIDATION_LOSS] = 0.4
    resumed.on_validation_end(trainer, None)
    resumed.on_fit_end(trainer, None)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


def test_patience_ends_a_training():
    """After so many epochs without a lower loss of validation; none without patience."""
    stop = early_stop(2)
    assert (stop.monitor, stop.patience, stop.mode) == (VALIDATION_LOSS, 2, "min")
    assert type(early_stop(None)) is Callback


def observed(names, n_points=5, missing=()):
    """Observations of some variables at the places of :class:`FakeDataset`, the last point unobserved."""
    data = FakeDataset(names)
    data.variables, data.missing = list(names), set(missing)
    data.values = data.values[:, : len(names), :, :n_points]
    for i, name in enumerate(names):  # possible values
        lowest, spread = (270.0, 20.0) if name.startswith("stl") else (0.1, 0.3)
        drawn = np.random.default_rng(i).random(data.values[:, i].shape)
        data.values[:, i] = (lowest + spread * drawn).astype(data.values.dtype)
    data.latitudes, data.longitudes = data.latitudes[:n_points], data.longitudes[:n_points]
    return data


def test_targets_are_observations_and_the_first_state_is_not():
    """Predicted variables of later dates are observations or missing; forcing and first date are the dataset's."""
    main, names = FakeDataset(), ("swvl1", "stl1")
    columns, outputs = main.name_to_index, OPEN.prognostic
    seen = observed(names, n_points=4, missing=[2])
    targets = targets_of(seen, main, slice(1, 5), outputs, columns)
    fields = np.ascontiguousarray(main.values[..., 1:5].transpose(0, 2, 3, 1))
    sample = targets.set_in(targets.behind(fields)[1:5, :, 1:])
    before = fields[1:5, :, 1:]
    assert sample.shape == before.shape
    np.testing.assert_array_equal(sample[0], before[0])
    forcing = [i for n, i in columns.items() if n not in outputs]
    np.testing.assert_array_equal(sample[..., forcing], before[..., forcing])
    others = [columns[n] for n in outputs if n not in names]
    assert np.isnan(sample[1:, ..., others]).all()
    taken = sample[1:, 0][..., [columns[n] for n in names]]
    assert np.isnan(taken[0]).all(), "a missing date"
    assert np.isnan(taken[:, 2]).all(), "a point without observations"
    np.testing.assert_array_equal(taken[1:, :2], seen.values[3:5, :, 0, 2:4].transpose(0, 2, 1))


def test_observations_that_cannot_be_used_are_refused():
    """Variables that are not predicted, places elsewhere, unknown options."""
    main = FakeDataset()
    with pytest.raises(ValueError, match="The observed \\['swvl1'\\] are not predicted"):
        targets_of(observed(["swvl1"]), main, slice(0, 5), ["stl1"], main.name_to_index)
    elsewhere = observed(["swvl1"], n_points=4)
    elsewhere.latitudes = elsewhere.latitudes + 5.0
    with pytest.raises(ValueError, match="0 of 5 points are the same, of 4 observed ones"):
        targets_of(elsewhere, main, slice(0, 5), OPEN.prognostic, main.name_to_index)
    config = SimpleNamespace(training=SimpleNamespace(method={"observed": {"path": "x"}}))
    with pytest.raises(ValueError, match=r"land\.observed"):
        open_observed(config)


def tuned(tune, epoch=0, epochs=6, world=1, execution="plain"):
    """Weights of the trunk and of the heads before and after one step of the optimiser in an epoch."""
    module, trainer = (
        training_module(execution=execution),
        SimpleNamespace(world_size=world, max_epochs=epochs, current_epoch=epoch),
    )
    callback = FineTuning(tune)
    callback.setup(trainer, module, "fit")
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-2)
    callback.on_train_epoch_start(trainer, module)
    network = module.model.model.network
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    sum(p.square().sum() for p in network.parameters() if p.requires_grad).backward()
    optimiser.step()
    changed = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    return {n.split(".")[0] for n in changed}, {n.split(".")[0] for n in before}


@pytest.mark.parametrize(
    ("tune", "epoch", "trunk_changes"),
    [("heads", 5, False), ("heads-then-all", 1, False), ("heads-then-all", 2, True), ("all", 0, True), (None, 0, True)],
)
def test_frozen_weights_stay_bitwise(tune, epoch, trunk_changes):
    """The trunk is kept by heads in all epochs, by heads-then-all in the first third; heads always change."""
    changed, names = tuned(tune, epoch)
    assert ("trunk" in changed) == trunk_changes
    assert "trunk" in names and "diagnostic_head" in changed


def test_wrong_presets_are_refused():
    """Unknown ones, networks without a trunk, a compiled step, heads first by several processes."""
    with pytest.raises(ValueError, match=r"`land.tune` is 'head'. Give one of heads, all"):
        FineTuning("head")
    with pytest.raises(ValueError, match="which is for one process"):
        tuned("heads-then-all", world=2)
    with pytest.raises(ValueError, match=r"Set `land\.execution=plain`"):
        tuned("heads", execution="auto")
    module = SimpleNamespace(model=SimpleNamespace(model=SimpleNamespace(network=torch.nn.Linear(1, 1))))
    with pytest.raises(ValueError, match="the network Linear has no module `trunk`"):
        FineTuning("heads").setup(SimpleNamespace(world_size=1), module, "fit")


def test_a_base_gives_weights_and_statistics(monkeypatch):
    """Both are those of the checkpoint; other variables or another network are refused."""
    module = training_module()
    base = SimpleNamespace(model=module.model.model, data_indices=module.data_indices, statistics={"data": "theirs"})
    monkeypatch.setattr("anemoi_ailand.training.fine_tuning.load_model", lambda path, device: base)
    runtime = {"data_indices": module.data_indices, "statistics": {"data": "ours"}}
    model = start_from("base.ckpt", runtime)
    assert runtime["statistics"] == {"data": "theirs"}
    other = training_module().model.model
    for p in other.parameters():
        p.data.zero_()
    take_weights(other, model, "base.ckpt")
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), model.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"another shape than `model\.model`"):
        take_weights(torch.nn.Linear(2, 2), model, "base.ckpt")
    runtime["data_indices"] = {"data": SimpleNamespace(name_to_index={"swvl1": 0})}
    with pytest.raises(ValueError, match=r"has other variables than the training"):
        start_from("base.ckpt", runtime)

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Comparison of trainings from a pool with random sampling: its table, and what is repeated."""

from benchmarks import pool_error
from benchmarks.pool_error import BATCHES, BUDGET, ROLLOUT, SOURCES, log_of, main
from benchmarks.speed.training import Setting, compose_config


def write_log(folder, seed, source, *, epochs=(3, 7), factor=1.0):
    log = log_of(folder, seed, source)
    log.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{epoch},0.5,{2.0 * factor},{4.0 / factor**0.5}" for epoch in epochs]
    log.write_text("\n".join(["epoch,val_loss,rmse_sd,rmse_stl1", *rows]) + "\n")


def test_only_what_is_missing_is_trained_and_the_table_has_means_of_ratios(tmp_path, monkeypatch, capsys):
    """Ratios of 4 and 1/2 have the geometric mean 1.41; an interrupted training leaves no rows."""
    trained = []

    def train(dataset, folder, seed, source):
        trained.append((source, seed))
        assert not log_of(tmp_path, seed, source).exists()
        write_log(tmp_path, seed, source, factor=4.0)

    monkeypatch.setattr(pool_error, "train", train)
    for seed in (1, 2):
        write_log(tmp_path, seed, "memory")
    write_log(tmp_path, 1, "pool", factor=4.0)
    write_log(tmp_path, 2, "pool", epochs=(3,))
    main(["--dataset", "d.zarr", "--folder", str(tmp_path), "--seeds", "1", "2"])
    assert trained == [("pool", 2)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert rows[2] == ["1", "1.414", "1.414", "4.00 (`sd`)"]
    assert rows[4] == ["all", "1.414", "1.414", ""]


def test_options_exist(tmp_path):
    """Both trainings have the same budget, whose learning rate ends with it, and differ in where samples come from."""
    found = [compose_config(Setting("ailand-small", ("system.input.dataset=d.zarr",)), (*BUDGET, *options), tmp_path)
             for options in SOURCES.values()]  # fmt: skip
    assert {config.training.max_steps for config in found} == {BATCHES * len(ROLLOUT)}
    assert [config.land.resident_gb for config in found] == [4, 0]

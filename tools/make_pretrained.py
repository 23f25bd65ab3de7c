# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Make the pretrained network of the package from a checkpoint and its evaluation.

    python tools/make_pretrained.py training/best/inference-best.ckpt evaluation-reference --config ailand

The evaluation is the folder that ``anemoi-ailand evaluate`` wrote with ``configs/evaluation/reference.yaml`` for the
same checkpoint; its roll-outs and dataset are read for the intervals. The tool writes ``anemoi_ailand/pretrained/``
(cleaned checkpoint, record with checksum and scores, model card; files of other networks stay) atomically, and then the
reference numbers of ``tests/integration/test_pretrained.py`` into ``tests/reference/pretrained/NAME.json``.
"""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pretrained_card
import sample_scores
from anemoi.utils.checkpoints import load_metadata
from clean_checkpoint import clean_checkpoint

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.scores.bootstrap import resamples, rmse_interval
from anemoi_ailand.evaluation.scores.difference_table import START_BLOCK_DAYS
from anemoi_ailand.evaluation.scores.sums import collect
from anemoi_ailand.rollout.step.pretrained import DEFAULT, SCHEMA
from anemoi_ailand.support.atomic import complete_file, complete_folder
from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.packaged import listing
from anemoi_ailand.training.datasets import RECORD

LOG = logging.getLogger("make_pretrained")

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 20_000_000  #: [bytes]
LEADS = (1, 7, 30, 90)  #: of protocol A [d]
SEED = 1  #: of the bootstrap
DIGITS = 6
SHORT = 5  #: shorter names of users and machines may be words of any text

#: Packages whose version affects the results of a checkpoint.
PACKAGES = ("anemoi_ailand", "anemoi.models", "anemoi.training", "anemoi.datasets", "torch", "numpy")


def label_of(metrics: dict[str, Any], checksum: str) -> str:
    """Return the label of the checkpoint in its evaluation.

    Raises
    ------
    ValueError
        The evaluation is that of other checkpoints.
    """
    checksums = {label: each.get("checkpoint_sha256") for label, each in metrics["inputs"]["forecasts"].items()}
    for label, found in checksums.items():
        if found == checksum:
            return label
    raise ValueError(
        f"The evaluation is of {checksums}, not of the checkpoint with SHA-256 {checksum}. Evaluate this one."
    )


def scores_a(metrics: dict[str, Any], label: str, evaluation: Path) -> list[dict[str, Any]]:
    """Return RMSE of protocol A with 95 % interval over points and starts, bias, ACC and RMSE of the climatology."""
    forecast = open_reforecast(evaluation.with_name(f"{evaluation.name}-reforecasts") / f"A-{label}.nc")
    days = -(-forecast.leads // 24)
    wanted = forecast.select(leads=np.flatnonzero(np.isin(days, LEADS)))
    period = metrics["climatology"]["first"], metrics["climatology"]["last"]
    years = tuple(np.datetime64(date) for date in period)
    reference = open_fields(metrics["inputs"]["reference"]["path"])
    sums = collect({label: wanted}, reference, protocol="A", strata=["points"], period=years, overlap=True)
    cut = sums.static["points"]
    spacing = np.median(np.diff(wanted.starts)) / np.timedelta64(1, "D")
    rows = []
    for g, group in enumerate(cut.groups):
        members = np.unique(sums.units[cut.labels == g])
        of_point = np.bincount(sums.units)[members].astype(np.float64)
        block = max(1, int(START_BLOCK_DAYS / spacing))
        draws = resamples(len(wanted.starts), len(members), seed=SEED, start_block=block)
        for name in sums.alignment.variables:
            for b, day in enumerate(sums.bins.days):
                squares = sums.start_squares[name, label][b][:, members]
                counts = np.full(len(wanted.starts), float(sums.bins.sizes[b])), of_point
                numbers = zip(("rmse", "low", "high"), rmse_interval(squares, counts, draws), strict=True)
                rows.append({"variable": name, "group": group, "lead": int(day), **dict(numbers)})
    return [with_other_metrics(row, metrics, label) for row in rows]


def with_other_metrics(row: dict[str, Any], metrics: dict[str, Any], label: str) -> dict[str, Any]:
    """Add bias, ACC and RMSE of the climatology to a row, whose RMSE must agree with the evaluation."""
    if "_index" not in metrics:
        keys = ("protocol", "model", "variable", "cut", "group", "lead", "metric")
        metrics["_index"] = {tuple(r[k] for k in keys): r["value"] for r in metrics["scores"]}
    where = (row["variable"], "points", row["group"], float(row["lead"]))
    found = {m: metrics["_index"].get(("A", label, *where, m)) for m in ("rmse", "bias", "acc")}
    if not np.isclose(found["rmse"], row["rmse"], rtol=1e-4):
        raise ValueError(f"RMSE of {where}: {row['rmse']} here and {found['rmse']} in the evaluation. Evaluate again.")
    climatology = metrics["_index"].get(("A", "climatology", *where, "rmse"))
    more = {"bias": found["bias"], "acc": found["acc"], "climatology": climatology}
    return {k: rounded(v) for k, v in (row | more).items()}


def scores_b(metrics: dict[str, Any], label: str) -> list[dict[str, Any]]:
    """Return the scores of the whole long run, by variable and group."""
    out: dict[tuple[str, str], dict[str, Any]] = {}
    for r in metrics["scores"]:
        if (r["protocol"], r["model"], r["cut"], r["lead"]) == ("B", label, "points", None):
            row = out.setdefault((r["variable"], r["group"]), {"variable": r["variable"], "group": r["group"]})
            if r["metric"] in ("rmse", "bias", "acc", "correlation"):
                row[r["metric"]] = r["value"]
    return list(out.values())


def rounded(value: Any) -> Any:
    """Round a number to :data:`DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def record_of(checkpoint: Path, args: argparse.Namespace, metrics: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the record of the network; ``checkpoint`` is the cleaned copy."""
    meta = load_metadata(str(checkpoint))
    land, provenance = meta["metadata_inference"]["land"], meta["provenance_training"]
    loaders = meta["config"]["dataloader"]
    periods = {part: loaders[part]["datasets"]["data"] for part in ("training", "validation")}
    base = f"ANEMOI_BASE_SEED={meta['base_seed']} anemoi-training train --config-name {args.config}"
    command = f"{base} system.input.dataset=reference.zarr system.output.root=training"
    return {
        "schema": SCHEMA, "name": args.name, "file": f"{args.name}.ckpt", "card": card_of(args.name),
        "sha256": file_sha256(checkpoint), "size": checkpoint.stat().st_size,
        "source_sha256": file_sha256(args.checkpoint), "licence": "Apache-2.0",
        "parameters": meta["model"]["trainable_parameters"],
        "variables": {"state": land["prognostic"], "diagnostic": land["diagnostic"],
                      "input": sorted({*land["start"], *land["end"]} - {*land["prognostic"]})},
        "training": {
            "config": args.config, "commands": args.command or [command], "seed": meta["base_seed"],
            "date": provenance["time"][:19], "steps": meta["training"]["global_step"],
            "seconds": round(meta["training"]["elapsed_time"]), "commit": commit(provenance),
            "python": provenance["python"], "versions": versions(provenance),
        },
        "data": {
            "dataset": Path(metrics["inputs"]["reference"]["path"]).name, "recipe": args.recipe,
            "trained": [str(periods["training"][k]) for k in ("start", "end")],
            "chosen": [str(periods["validation"][k]) for k in ("start", "end")],
            "points": {k: metrics["points"][k] for k in (TRAINED, HELD_OUT)},
            **others_of(meta),
        },
        "evaluation": {k: metrics[k] for k in ("created", "version", "climatology")}
        | {"protocols": {k: described(metrics["protocols"][k]) for k in ("A", "B") if k in metrics["protocols"]}},
        "scores": scores_a(metrics, label, args.evaluation),
        "long_run": scores_b(metrics, label),
    }  # fmt: skip


def with_origin(record: dict[str, Any], output: Path) -> dict[str, Any]:
    """Return the record; if the network is packaged already and only its scores are renewed, with its origin."""
    path = output / f"{record['name']}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if earlier.get("sha256") != record["sha256"]:
        return record
    return record | {k: earlier[k] for k in ("source_sha256", "training")}


def others_of(meta: dict[str, Any]) -> dict[str, Any]:
    """Return the further datasets of the training, ``{}`` without any."""
    kept = ("dataset", "uuid", "start", "end", "points", "share")
    found = [{k: other[k] for k in kept} | {"dataset": Path(other["dataset"]).name} for other in meta.get(RECORD, [])]
    return {"others": found} if found else {}


def described(protocol: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a protocol without paths."""
    return {k: protocol[k] for k in ("starts", "first", "last", "longest_lead_days")}


def commit(provenance: dict[str, Any]) -> str | None:
    """Return the commit of anemoi-ailand, marked if files were changed; None without a repository."""
    git = provenance.get("git_versions", {}).get("anemoi_ailand", {}).get("git", {})
    changed = git.get("modified_files") or 0
    count = len(changed) if isinstance(changed, list) else int(changed)
    return git["sha1"] + (f" with {count} changed files" if count else "") if "sha1" in git else None


def versions(provenance: dict[str, Any]) -> dict[str, str]:
    """Return the versions of :data:`PACKAGES` at training."""
    found = provenance["module_versions"]
    return {name: found[name]["version"] for name in PACKAGES if name in found}


def check_no_names(folder: Path) -> None:
    """Refuse files that contain the name of this machine or user."""
    names = [n for n in (socket.gethostname(), getpass.getuser()) if len(n) >= SHORT]
    for path in folder.iterdir():
        if found := [n for n in names if re.search(rb"\b" + re.escape(n.encode()) + rb"\b", path.read_bytes())]:
            raise ValueError(f"'{path.name}' holds {found}, a name of this machine or user.")


def make(args: argparse.Namespace) -> None:
    """Write the folder of the package, then the reference numbers."""
    if f"training/{args.config}" not in listing("configs"):
        LOG.warning("The package has no configuration '%s': its users cannot repeat the training", args.config)
    metrics = json.loads((args.evaluation / "metrics.json").read_text())
    label = label_of(metrics, file_sha256(args.checkpoint))
    with tempfile.TemporaryDirectory() as work:
        clean = Path(work) / f"{args.name}.ckpt"
        clean_checkpoint(args.checkpoint, clean)
        if clean.stat().st_size > LARGEST:
            raise ValueError(f"The checkpoint has {clean.stat().st_size} bytes, allowed are {LARGEST}.")
        record = with_origin(record_of(clean, args, metrics, label), args.output)
        sample = sample_scores.sample_scores(clean)
        write_folder(args.output, clean, record)
    how = "python tools/make_pretrained.py; definition of the scores: tools/sample_scores.py"
    reference = args.reference / f"{args.name}.json"
    reference.parent.mkdir(parents=True, exist_ok=True)
    scores = {g: {n: {k: rounded(v) for k, v in row.items()} for n, row in rows.items()}
              for g, rows in sample["scores"].items()}  # fmt: skip
    write_json(reference, {"made_by": how, "sha256": record["sha256"], **sample, "scores": scores})
    LOG.info("%s: %.2f MB, SHA-256 %s", args.output / clean.name, record["size"] / 1e6, record["sha256"])


def card_of(name: str) -> str:
    """Return the file name of a model card."""
    return "model_card.md" if name == DEFAULT else f"model_card-{name}.md"


def write_folder(output: Path, checkpoint: Path, record: dict[str, Any]) -> None:
    """Replace the files of one network in the folder of the packaged ones, all at once; those of others stay."""
    own = {checkpoint.name, f"{record['name']}.json", record["card"]}
    earlier = sorted(output.iterdir()) if output.is_dir() else []
    proof = next((path.name for path in earlier if path.suffix == ".json"), f"{record['name']}.json")
    with complete_folder(output, proof=proof) as folder:
        for path in earlier:
            if path.name not in own:
                shutil.copy2(path, folder)
        shutil.copyfile(checkpoint, folder / checkpoint.name)
        write_json(folder / f"{record['name']}.json", record)
        (folder / record["card"]).write_text(pretrained_card.card(record), encoding="utf-8")
        check_no_names(folder)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, with innermost lists and objects on one line."""
    text = json.dumps(content, indent=1, allow_nan=False)
    text = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda inner: re.sub(r"\s*\n\s*", " ", inner[0]), text)
    with complete_file(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    """Parse and make."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="inference-best.ckpt of the training")
    parser.add_argument("evaluation", type=Path, help="folder of its evaluation on the reference set")
    parser.add_argument("--name", default="ailand", help="of the network")
    parser.add_argument("--config", default="ailand", help="name of the training configuration")
    parser.add_argument("--command", action="append", help="command of the training, once for each stage, if not one")
    parser.add_argument("--recipe", default="ecland-reference", help="of the dataset")
    parser.add_argument("--output", type=Path, default=ROOT / "anemoi_ailand" / "pretrained")
    parser.add_argument("--reference", type=Path, default=ROOT / "tests" / "reference" / "pretrained")
    make(parser.parse_args())


if __name__ == "__main__":
    main()

# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on the reference set, and the table of README.md: protocols A and B, and systematic errors."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import anemoi_ailand as ail
from anemoi_ailand.evaluation.display.text import enumeration, plain_number
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED, held_out_points
from anemoi_ailand.evaluation.report.tables import CORE
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.evaluation.scores.sums import collect
from anemoi_ailand.rollout.reforecast.reforecast import lead_hours_of_days, protocol_a_starts
from anemoi_ailand.rollout.step.pretrained import DEFAULT, pretrained_checkpoint, pretrained_record
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.variables import variable
from tools.results.pages import Blocks, made_by, paragraph, table
from tools.results.steps import ROOT, Inputs, checksum_of, copy_figure, key_of, once

PART = "reference-set"
PAGE = "docs/results/reference-set.md"

#: Variables of the tables of both protocols.
SHOWN = (
    "swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "stl4", "snowc", "sd", "2t", "2d", "skt", "sshf",
    "slhf", "evap", "sro", "ssro", "gpp", "nee",
)  # fmt: skip

#: Variables of the table of the points with the largest errors, of the table by snow, and of that by class.
CONCENTRATED = ("sd", "snowc", "stl1", "stl2", "stl3", "swvl1", "swvl3", "ssro")
WITH_SNOW = ("stl1", "stl2", "stl3")
BY_CLASS = ("swvl1", "swvl3", "stl1", "stl3", "snowc", "skt", "sshf", "slhf")

#: Number of points with the largest errors that are taken out.
LARGEST = 2

#: Year of protocol A, days from start to start in it, and the leads of its table [d]; start of protocol B.
YEAR, EVERY_DAYS, LEADS = 2022, 6, (1, 7, 30, 90)
START = "2018-01-02"

#: Years of the climatology, which are those of the training.
TRAINING = ("2018-01-01", "2020-12-31")

#: RMSE that the authors of aiLand v1 report for 30 and 90 days and four years (doi:10.5194/egusphere-2026-3620).
PAPER = {
    "swvl1": ("0.013", "0.014", "0.016"), "swvl2": ("0.007", "0.008", "0.012"), "swvl3": ("0.010", "0.013", "0.018"),
    "stl1": ("1.06", "1.19", "1.72"), "stl2": ("0.52", "0.71", "1.32"), "stl3": ("0.45", "0.65", "1.29"),
    "snowc": ("0.045", "0.044", "0.058"), "2t": ("0.70", "0.69", "0.63"), "2d": ("0.95", "0.94", "0.80"),
    "skt": ("1.08", "1.06", "1.12"), "sshf": ("12.31", "12.50", "12.13"), "slhf": ("10.65", "11.06", "10.42"),
}  # fmt: skip

#: Page of the contest, and the row of it with the errors of aiLand v1's recipe.
CONTEST, RECIPE = "docs/results/contest.md", "| ailand-v1 [RMSE] |"


class Scores:
    """Scores of a network in one table, with the columns of ``metrics.csv``."""

    def __init__(self, rows: pd.DataFrame, model: str, execution: str, folder: Path) -> None:
        rows = rows.assign(lead=rows["lead"].fillna(np.inf))
        keys = ["model", "variable", "metric", "protocol", "cut", "group", "lead"]
        self._values = rows.set_index(keys)["value"].to_dict()
        self.model, self.execution, self.folder = model, execution, folder

    def __call__(
        self, variable: str, metric: str = "rmse", protocol: str = "A", lead: float = np.inf, *,
        cut: str = "points", group: str = HELD_OUT, model: str | None = None,
    ) -> float:  # fmt: skip
        """Return one score, of the held-out points by default and over the whole run without a lead."""
        return float(self._values[model or self.model, variable, metric, protocol, cut, group, lead])

    @property
    def budgets(self) -> pd.DataFrame:
        """Terms of the budgets over the whole run."""
        return pd.DataFrame(json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))["budgets"]["terms"])


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Evaluate the networks on the reference set and return the blocks of the pages; figures are written."""
    main = evaluated(inputs, DEFAULT)
    found = {name: main if name == DEFAULT else scored(inputs, name, "AB") for name in inputs.networks}
    years = {name: scored(inputs, name, "year") for name in inputs.networks}
    copy_figure(main.folder / "figures" / "error_growth_a_core.png", "reference_error_growth.png")
    blocks = {
        "reference-origin": made_by(PART, {name: (checksum_of(name), s.execution) for name, s in found.items()}),
        "reference-training": training_text(DEFAULT),
        "reference-a": table_a(main),
        "reference-b": table_b(main),
        "reference-bias": bias_table(found, years),
        "reference-classes": class_table(kept_class_scores(inputs, main)),
        "reference-water": water_table(main),
        "reference-points": points_table(inputs, main),
        "reference-snow": snow_table(main),
    }
    contest = (ROOT / CONTEST).read_text(encoding="utf-8")
    return {PAGE: blocks, "README.md": {"readme-scores": readme_table(main, contest)}}


def evaluated(inputs: Inputs, network: str) -> Scores:
    """Evaluate a network by both protocols at all points, with figures and budgets."""
    assert inputs.reference is not None
    output = inputs.folder / f"reference-{network}"
    options: dict[str, Any] = {
        "dataset": inputs.reference, "output": output, "checkpoints": {network: str(pretrained_checkpoint(network))},
        "climatology": {"start": TRAINING[0], "end": TRAINING[1], "overlap": True},
        "protocol_a": {"year": YEAR, "every_days": EVERY_DAYS}, "protocol_b": {"start": START},
    }  # fmt: skip
    once(output, key_of(network, inputs.reference, every_days=EVERY_DAYS), lambda: ail.evaluate(options))
    header = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    execution = enumeration(header["inputs"]["forecasts"][network]["execution"])
    return Scores(pd.read_csv(output / "metrics.csv"), network, execution, output)


def scored(inputs: Inputs, network: str, what: str) -> Scores:
    """Score a network at the held-out points only: ``AB`` by both protocols, ``year`` in one run over a year."""
    assert inputs.reference is not None
    kept = inputs.folder / f"held-out-{network}"
    reference = ail.open_fields(inputs.reference)
    last, tables = reference.times[-1], []
    for protocol in ("A", "B") if what == "AB" else ("year",):
        start = np.datetime64(START if protocol == "B" else f"{YEAR}-01-01", "ns")
        starts, leads = np.array([start]), np.arange(6, int((last - start) / np.timedelta64(1, "h")) + 1, 6)
        if protocol == "A":
            starts, leads = protocol_a_starts(reference.times, YEAR, EVERY_DAYS, LEADS[-1]), lead_hours_of_days(LEADS)
        path = kept / f"{protocol}.csv"
        key = key_of(network, inputs.reference, protocol=protocol, variables=CORE)
        once(path, key, partial(write_scores, path, network, inputs.reference, starts, leads))
        tables.append(pd.read_csv(path))
    rows = pd.concat(tables, ignore_index=True)
    return Scores(rows, network, str(rows["execution"].iloc[0]), kept)


def write_scores(path: Path, network: str, dataset: Path, starts: np.ndarray, leads: np.ndarray) -> None:
    """Roll out at the held-out points and write the scores of the core variables."""
    reference = ail.open_fields(dataset)
    held = held_out_points(reference)
    assert held is not None
    rollout = path.with_suffix(".nc")
    rollout.parent.mkdir(parents=True, exist_ok=True)
    ail.reforecast(
        pretrained_checkpoint(network), dataset, rollout, starts=starts, leads=leads, points=np.flatnonzero(held),
        label=network, overwrite=True,
    )  # fmt: skip
    forecast = ail.open_reforecast(rollout)
    protocol = "A" if len(starts) > 1 else "B"
    scores = ail.score(
        {network: forecast}, reference, protocol=protocol, period=TRAINING, strata=["points"], variables=list(CORE),
        overlap=True,
    )  # fmt: skip
    execution = str(forecast.attributes["execution"])
    with complete_file(path) as partly:
        scores.assign(execution=execution).to_csv(partly, index=False, float_format="%.6g")


def training_text(network: str) -> str:
    """Describe the training of a network from its record."""
    record = pretrained_record(network)
    training, data = record["training"], record["data"]
    of = {k: data["points"][k] for k in (TRAINED, HELD_OUT)}
    chosen = enumeration(list(dict.fromkeys(data["chosen"])))
    steps, stages = f"{training['steps']:,} steps", len(training["commands"])
    steps = steps if stages == 1 else f"{stages} stages, the last of {steps},"
    return paragraph(
        f"{sum(of.values())} points, 2018 to 2022; {of[HELD_OUT]} points are held out. `{network}` was trained with "
        f"the configuration `{training['config']}` in {steps} on {of[TRAINED]} points in "
        f"{' to '.join(data['trained'])}, and selected by the validation in {chosen}; the [command and all "
        f"details](../guide/pretrained.md) are in its model card (`anemoi-ailand pretrained`)."
    )


def table_a(s: Scores) -> str:
    """Tabulate protocol A at the held-out points."""
    head = ["held-out points", *(f"{lead} d" for lead in LEADS), "climatology 90 d", "bias 90 d", "ACC 30 d",
            "ACC 90 d"]  # fmt: skip
    rows = [head]
    for name in SHOWN:
        values = [s(name, lead=lead) for lead in LEADS]
        values += [s(name, lead=90, model="climatology"), s(name, "bias", lead=90)]
        values += [s(name, "acc", lead=lead) for lead in (30, 90)]
        rows.append([f"`{name}`", *map(number, values)])
    return table(rows)


def table_b(s: Scores) -> str:
    """Tabulate protocol B at the held-out points; years are those of all points."""
    head = ["one run, 2018-2022", "held-out RMSE", "trained RMSE", "climatology", "bias", "correlation", "ACC",
            "RMSE year 2", "RMSE year 5", "drift per year"]  # fmt: skip
    rows = [head]
    for name in SHOWN:
        values = [s(name, protocol="B"), s(name, protocol="B", group=TRAINED)]
        values += [s(name, protocol="B", model="climatology")]
        values += [s(name, metric, "B") for metric in ("bias", "correlation", "acc")]
        values += [s(name, protocol="B", cut="year", group=f"year {year}") for year in (2, 5)]
        rows.append([f"`{name}`", *map(number, [*values, s(name, "drift_per_year", "B")])])
    return table(rows)


def number(value: float) -> str:
    """Format three significant digits; water and carbon fluxes are small numbers in their units."""
    return f"{value:.2e}" if 0 < abs(value) < 1e-4 else plain_number(value)


def bias_table(found: dict[str, Scores], years: dict[str, Scores]) -> str:
    """Tabulate errors at 90 days, the biases of the points in one run over 2022, and those in year 5 of another."""
    head = ["variable", "unit", "network", "RMSE 90 d", "bias 2022", "spread over points 2022", "90 % of points 2022",
            "bias year 5", "spread over points year 5", "90 % of points year 5"]  # fmt: skip
    rows = [head]
    for name in CORE:
        for network, s in found.items():
            year = years[network]
            values = [s(name, lead=90), *(year(name, m, "B") for m in ("bias", "bias_spread", "bias_most"))]
            values += [s(name, f"last_year_{m}", "B") for m in ("bias", "bias_spread", "bias_most")]
            rows.append([f"`{name}`", variable(name).units, f"`{network}`", *map(number, values)])
    return table(rows)


def class_table(scores: pd.DataFrame) -> str:
    """Tabulate the RMSE after 90 days by climate class, at the held-out points and at those of the training."""
    values = scores.set_index(["points", "variable", "metric", "group"])["value"].to_dict()
    numbers = scores.groupby(["points", "group"])["of_points"].max()
    rows = [["climate class", "points", *(f"`{name}`" for name in BY_CLASS), "bias of `stl1`"]]
    for group in BIOMES:
        of = " / ".join(str(numbers[part, group]) for part in (HELD_OUT, TRAINED))
        cells = [" / ".join(number(values[part, name, "rmse", group]) for part in (HELD_OUT, TRAINED))
                 for name in BY_CLASS]  # fmt: skip
        bias = " / ".join(f"{values[part, 'stl1', 'bias', group]:+.2f}" for part in (HELD_OUT, TRAINED))
        rows.append([group, of, *cells, bias])
    return table(rows)


def kept_class_scores(inputs: Inputs, s: Scores) -> pd.DataFrame:
    """Return the scores on day 90 by climate class, at the held-out points and at those of the training, made once.

    Columns: ``points``, ``variable``, ``metric`` (``rmse``, ``bias``), ``group``, ``value``, ``of_points``.
    """
    path = inputs.folder / f"classes-{s.model}.csv"
    key = key_of(s.model, inputs.reference, names=BY_CLASS)
    once(path, key, lambda: class_scores(inputs, s).to_csv(path, index=False))
    return pd.read_csv(path)


def class_scores(inputs: Inputs, s: Scores) -> pd.DataFrame:
    """Score day 90 of protocol A by climate class and training."""
    reference = ail.open_fields(inputs.reference)
    held = held_out_points(reference)
    classes = reference.constant("climate_class")
    assert held is not None and classes is not None
    forecast = ail.open_reforecast(s.folder.with_name(f"{s.folder.name}-reforecasts") / f"A-{s.model}.nc")
    forecast = forecast.select(leads=np.flatnonzero(forecast.leads > 24 * (LEADS[-1] - 1)))
    parts = []
    for name, members in ((HELD_OUT, held), (TRAINED, ~held)):
        found = ail.score(
            {s.model: forecast.select(points=np.flatnonzero(members))}, reference, protocol="A", period=TRAINING,
            strata=["biome"], variables=list(BY_CLASS), overlap=True,
        )  # fmt: skip
        found = found[(found["model"] == s.model) & (found["cut"] == "biome") & found["metric"].isin(["rmse", "bias"])]
        found = found[found["lead"] == LEADS[-1]]
        counts = {group: int((members & (classes == k)).sum()) for k, group in enumerate(BIOMES)}
        parts.append(found.assign(points=name, of_points=found["group"].map(counts)))
    columns = ["points", "variable", "metric", "group", "value", "of_points"]
    return pd.concat(parts, ignore_index=True)[columns]


def water_table(s: Scores) -> str:
    """Tabulate the water budget of emulator and ecLand at the points without lake and urban cover."""
    terms = s.budgets
    terms = terms[(terms["budget"] == "water") & terms["year"].isna() & (terms["steps"] == "all")]
    group = terms["group"].iloc[0]
    terms = terms[(terms["group"] == group) & terms["units"].str.endswith("year-1")]
    wide = terms.pivot_table("value", "term", "model", sort=False)
    units = terms.set_index("term")["units"].to_dict()
    rows = [["water", "unit", f"`{s.model}`", "ecLand"]]
    for term, row in wide.iterrows():
        rows.append([str(term).replace("_", " "), units[term], plain_number(row[s.model]), plain_number(row["ecLand"])])
    return table(rows)


def snow_table(s: Scores) -> str:
    """Tabulate the RMSE of soil temperature after 90 days at points with and without snow."""
    rows = [["RMSE at 90 d, all points", "with snow", "without", "ratio"]]
    for name in WITH_SNOW:
        snow, free = (s(name, lead=90, cut="snow_regime", group=group) for group in ("snow", "snow-free"))
        rows.append([f"`{name}`", number(snow), number(free), f"{snow / free:.2f}"])
    return table(rows)


def points_table(inputs: Inputs, s: Scores) -> str:
    """Tabulate the share of the squared error at the points with the largest one, and the RMSE without them."""
    path = inputs.folder / f"points-{s.model}.csv"
    key = key_of(s.model, inputs.reference, names=CONCENTRATED)
    once(path, key, lambda: squares_by_point(inputs, s).to_csv(path, index=False))
    squares = pd.read_csv(path)
    rows = [
        ["held-out points", "protocol", "RMSE", f"share of {LARGEST} points", "their `point_id`", "RMSE without them"]
    ]
    for protocol, title in (("A", "A, 90 d"), ("B", "B, five years")):
        for name in CONCENTRATED:
            part = squares[(squares["protocol"] == protocol) & (squares["variable"] == name)]
            part = part.sort_values("mse", ascending=False)
            total = part["mse"].sum()
            rest = part.iloc[LARGEST:]
            ids = ", ".join(map(str, sorted(part["point_id"].iloc[:LARGEST])))
            share = f"{1 - rest['mse'].sum() / total:.0%}".replace("%", " %")
            with_all, without = (number(float(np.sqrt(each["mse"].mean()))) for each in (part, rest))
            rows.append([f"`{name}`", title, with_all, share, ids, without])
    return table(rows)


def squares_by_point(inputs: Inputs, s: Scores) -> pd.DataFrame:
    """Return the mean squared error of each held-out point, on day 90 of protocol A and over the run of protocol B."""
    reference = ail.open_fields(inputs.reference)
    held = held_out_points(reference)
    ids = reference.constant("point_id")
    assert held is not None and ids is not None
    parts = []
    for protocol in ("A", "B"):
        folder = s.folder.with_name(f"{s.folder.name}-reforecasts")
        forecast = ail.open_reforecast(folder / f"{protocol}-{s.model}.nc").select(points=np.flatnonzero(held))
        if protocol == "A":
            forecast = forecast.select(leads=np.flatnonzero(forecast.leads > 24 * (LEADS[-1] - 1)))
        sums = collect(
            {s.model: forecast}, reference, protocol=protocol, period=TRAINING, strata=["all"],
            variables=list(CONCENTRATED), overlap=True,
        )  # fmt: skip
        for name in CONCENTRATED:
            mse = sums.squares[name, s.model].sum(axis=0) / sums.values_per_point.sum()
            where = {"point_id": ids[sums.alignment.points].astype(int), "protocol": protocol, "variable": name}
            parts.append(pd.DataFrame({**where, "mse": mse}))
    return pd.concat(parts, ignore_index=True)


def recipe_errors(contest: str, day: int) -> dict[str, str]:
    """Return the RMSE of aiLand v1's recipe at the held-out points on a day, from the page of the contest."""
    part = contest.partition(f"Held-out points, day {day}:")[2]
    lines = part.strip().splitlines()
    names = [cell.strip() for cell in lines[0].strip("|").split("|")]
    row = next((line for line in lines if line.startswith(RECIPE)), None)
    if row is None:
        raise ValueError(f"'{CONTEST}' has no row '{RECIPE}' below 'Held-out points, day {day}:'. Restore its table.")
    cells = [cell.split()[0] for cell in row.strip("|").split("|")]
    return dict(zip(names[1:], cells[1:], strict=True))


def readme_table(s: Scores, contest: str) -> str:
    """Tabulate the headline errors with those of the recipe, the paper and climatology."""
    head = ["", "unit", "30 d", "recipe", "paper", "90 d", "recipe", "paper", "climatology", "5 years", "paper",
            "climatology"]  # fmt: skip
    rows, recipe = [head], {day: recipe_errors(contest, day) for day in (30, 90)}
    for name in CORE:
        paper = PAPER[name]
        cells = [f"**{number(s(name, lead=30))}**", recipe[30][name], paper[0]]
        cells += [f"**{number(s(name, lead=90))}**", recipe[90][name], paper[1]]
        cells += [number(s(name, lead=90, model="climatology"))]
        cells += [f"**{number(s(name, protocol='B'))}**", paper[2], number(s(name, protocol="B", model="climatology"))]
        rows.append([f"`{name}`", variable(name).units, *cells])
    return table(rows)

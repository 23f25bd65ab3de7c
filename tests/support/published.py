# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Small genuine Anemoi dataset with the schema of the published aiLand v1 sets, made from the packaged sample.

Names, units, accumulations, sea points and NaN are those that the paper and the public repository of aiLand v1 state.
Points are a thinned O96 grid; each land point has the values of one point of the sample, and half the sunshine
outside the atmosphere at its place.
"""

from functools import cache

import numpy as np
import zarr

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.data import sun
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.plausibility.sunshine import insolation_of_steps

#: Latitudes of every twelfth row of the O96 grid [degrees], and points of a row.
LATITUDES, ROW = np.linspace(78.0, -54.0, 12), 8

#: Every fourth point is sea.
SEA = 4

IS_SEA = np.arange(len(LATITUDES) * ROW) % SEA == SEA - 1

#: Number of the land point whose values a point has, counted on beyond the points of the sample.
WHICH = np.cumsum(~IS_SEA)

#: Land point where soil and low vegetation are undefined, as on a glacier.
UNDEFINED = int(np.flatnonzero(~IS_SEA)[3])

#: The stamps are so many days before those of the sample, within the period of the published sets.
EARLIER = np.timedelta64(4 * 365 + 1, "D")

_INSTANTS = {
    **{f"{n}{k}": f"{n}{k}" for n in ("swvl", "stl") for k in range(1, 5)},
    **{n: n for n in ("snowc", "rsn", "tsn", "asn", "2t", "2d", "skt", "lai_lv", "lai_hv")},
    "t": "t_ml_137", "q": "q_ml_137",
}  # fmt: skip
#: Instants that the sample lacks: the mean over the step stands for them.
_STANDING = {"avg_sp": "sp", "avg_u": "u_ml_137", "avg_v": "v_ml_137"}
_AMOUNTS = {
    "avg_sdswrf": ("ssrd", 1.0), "avg_sdlwrf": ("strd", 1.0), "avg_tprate": ("tp", 1e-3), "avg_tsrwe": ("sf", 1e-3),
    "slhf": ("slhf", 1.0), "sshf": ("sshf", 1.0), "evap": ("e", -1e-3), "sro": ("sro", 1e-3), "ssro": ("ssro", 1e-3),
    "gpp": ("aco2gpp", 1.0), "nee": ("aco2nee", -1.0),
}  # fmt: skip
_STATIC = {
    "cl": "cl", "dl": "dl", "cvl": "cvl_0", "cvh": "cvh_0", "tvl": "tvl_0", "tvh": "tvh_0", "veg_cov_hv": "hveg_cov_0",
    "veg_cov_lv": "lveg_cov_0", "veg_rsmin_hv": "hveg_rsmin_0", "veg_rsmin_lv": "lveg_rsmin_0",
    "veg_z0m_hv": "hveg_z0m_0", "veg_z0m_lv": "lveg_z0m_0", "theta_cap": "theta_cap_0", "theta_pwp": "theta_pwp_0",
    "sdor": "sdor_0", "z": "z", "c4": "c3_c4_0",
}  # fmt: skip


def published_store(path, *, start="2016-01-02", end="2016-01-12", change=None, drop=(), units=None):
    """Write the dataset as ``anemoi-datasets create`` lays it out, and return its path.

    All fields of the store have a time axis, as there; statistics are over all points without NaN. ``change(fields)``
    edits the fields (date, point) by name, ``drop`` leaves arrays such as ``mean`` out, ``units`` are stated by name.
    """
    fields, dates, lat, lon = published_fields(start, end)
    at = [date.astype(object) for date in dates]
    fields |= dict(zip(sun.COMPUTED, sun.compute(sun.COMPUTED, at, lat, lon), strict=True))
    if change is not None:
        change(fields)
    names = sorted(fields)
    data = np.stack([fields[n] for n in names], axis=1)[:, :, None].astype(np.float32)
    arrays = {"dates": dates, "latitudes": lat, "longitudes": lon}
    for prefix, values in (("", data), ("statistics_tendencies_6h_", np.diff(data, axis=0))):
        moments = {"mean": np.nanmean, "stdev": np.nanstd, "minimum": np.nanmin, "maximum": np.nanmax}
        arrays |= {prefix + k: f(values.astype(np.float64), axis=(0, 2, 3)) for k, f in moments.items()}
    group = zarr.open_group(str(path), mode="w")
    group.create_dataset("data", data=data, chunks=(1, *data.shape[1:]))
    for name, values in arrays.items():
        if name not in drop:
            group.create_dataset(name, data=values, chunks=values.shape, compressor=None)
    stated = {n: {"mars": {"param": n.removesuffix("_0"), "levtype": "sfc"}} for n in names}
    for name, unit in (units or {}).items():
        stated[name]["units"] = unit
    group.attrs.update(
        variables=names, variables_metadata=stated, frequency="6h", resolution="O96", field_shape=[len(lat)],
        missing_dates=[], start_date=str(dates[0]), end_date=str(dates[-1]), allow_nans=True, layout="gridded",
        uuid="00000000-0000-0000-0000-000000000018", description="replica of a published set", version="0.30",
    )  # fmt: skip
    return path


@cache
def _sample(start, end):
    return _published_fields(start, end)


def published_fields(start="2016-01-02", end="2016-01-12"):
    """Fields (date, point) in the names and units of the published sets, dates, latitudes and longitudes."""
    fields, *rest = _sample(start, end)
    return {name: values.copy() for name, values in fields.items()}, *rest


def _published_fields(start, end):
    sample = open_reader("$AILAND_SAMPLE")
    dates = np.arange(np.datetime64(start, "h"), np.datetime64(end, "h"), 6).astype("datetime64[s]") + EARLIER
    lat = np.repeat(LATITUDES, ROW)
    lon = np.tile(np.arange(ROW) * 360.0 / ROW, len(LATITUDES))
    which = WHICH % len(sample.point_id)

    def of(name):
        return sample.read([name], dates.astype(object).tolist())[0][:, which].astype(np.float64)

    fields = {theirs: of(ours) for ours, theirs in {**_INSTANTS, **_STANDING, **_STATIC}.items()}
    fields |= {theirs: STEP_SECONDS * scale * of(ours) for ours, (theirs, scale) in _AMOUNTS.items()}
    fields |= {"sd": 1e-3 * of("sd"), "src": 1e-3 * of("src")}
    at = (dates - EARLIER).astype(object).tolist()
    fields["ssrd"] = 0.5 * STEP_SECONDS * insolation_of_steps(at, (lat, lon)).astype(np.float64)  # the sun of the place
    fields["ro"] = fields["sro"] + fields["ssro"]
    fields["aco2rec"] = fields["aco2nee"] - fields["aco2gpp"]
    fields |= {n: np.zeros_like(fields["z"]) for n in ("isor_0", "anor_0", "slor_0")}
    fields["10u"], fields["10v"] = fields["u_ml_137"], fields["v_ml_137"]
    fields["lsm_0"] = np.broadcast_to(np.where(IS_SEA, 0.1, 0.9), fields["z"].shape)
    fields = {n: v.copy() for n, v in fields.items()}
    for name in ("hveg_cov_0", "lveg_cov_0", "hveg_rsmin_0", "lveg_rsmin_0", "hveg_z0m_0", "lveg_z0m_0"):
        kind = fields["tvh_0" if name.startswith("h") else "tvl_0"]
        fields[name][kind == 0.0] = np.nan
    for name in ("theta_cap_0", "theta_pwp_0", "tvl_0", "cvl_0"):
        fields[name][:, UNDEFINED] = np.nan
    for name in ("lveg_cov_0", "lveg_rsmin_0", "lveg_z0m_0"):
        fields[name][:, UNDEFINED] = np.nan
    for name in ("swvl1", "stl1", "theta_cap_0", "theta_pwp_0", "tvh_0", "tvl_0", "lai_hv", "lai_lv"):
        fields[name][:, IS_SEA] = np.nan
    return fields, dates - EARLIER, lat, lon

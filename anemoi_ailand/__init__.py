# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""anemoi-ailand: the land component of a machine-learned Earth system.

The names below are the public interface; modules may move between versions. They are imported at first use, so that
``import anemoi_ailand`` loads neither torch nor numpy nor xarray.

.. code-block:: python

    import anemoi_ailand as ail

    land = ail.load("ailand")                                    # the network in the package
    data = ail.open_data("$AILAND_SAMPLE").to_xarray("2020-05")  # ecLand's own output at 44 points
    run = land.run(data, variables=["swvl1", "stl1", "2t"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

#: Public names by the module that defines them; repeated below for type checkers and editors.
_PUBLIC = {
    "variables": ("VARIABLES", "names"),
    "support.packaged": ("folder",),
    "data.land_data": ("LandData", "open_data"),
    "physics.soil": ("soil_of", "soil_table"),
    "physics.soil_water": ("hydraulic_properties",),
    "model.pointwise_mlp": ("PointwiseMLP",),
    "rollout.step.land_state": ("LandState",),
    "rollout.stepper": ("LandStepper", "load"),
    "rollout.outputs.land_output": ("LandOutput",),
    "rollout.forcing.read_ahead": ("ReadAhead", "one_by_one"),
    "rollout.forcing.forcing_filter": ("ForcingFilter",),
    "rollout.reforecast.reforecast": ("reforecast",),
    "export.onnx_export": ("export_step",),
    "coupling.grids": ("overlap_areas",),
    "assimilation.window": ("AssimilationWindow", "ForcingFactor"),
    "assimilation.equivalents": ("relative_humidity",),
    "assimilation.regression": ("regression_jacobian", "unexplained"),
    "assimilation.extended_kalman_filter": ("extended_kalman_analysis",),
    "assimilation.ensemble_filter": ("ensemble_analysis",),
    "assimilation.variational": ("variational_analysis",),
    "assimilation.snow_depth": ("snow_depth", "snow_depth_analysis"),
    "assimilation.observations": (
        "observation_stamps",
        "on_open_ground",
        "at_model_height",
        "first_guess_check",
        "matched_mean",
        "matched_distribution",
    ),
    "assimilation.consistency": ("chi_square", "desroziers"),
    "evaluation.fields.fields": ("open_fields",),
    "evaluation.fields.reforecast": ("open_reforecast",),
    "evaluation.scores.score_table": ("score",),
    "evaluation.sites.places": ("Place",),
    "workflows.assimilate": ("assimilate",),
    "workflows.diagnose": ("diagnose",),
    "workflows.evaluate": ("evaluate",),
    "workflows.site": ("site",),
    "workflows.stability": ("stability",),
    "workflows.tower": ("tower",),
}
_MODULE = {name: module for module, found in _PUBLIC.items() for name in found}

__all__ = ["__version__", *_MODULE]

if TYPE_CHECKING:
    from anemoi_ailand.assimilation.consistency import chi_square as chi_square
    from anemoi_ailand.assimilation.consistency import desroziers as desroziers
    from anemoi_ailand.assimilation.ensemble_filter import ensemble_analysis as ensemble_analysis
    from anemoi_ailand.assimilation.equivalents import relative_humidity as relative_humidity
    from anemoi_ailand.assimilation.extended_kalman_filter import extended_kalman_analysis as extended_kalman_analysis
    from anemoi_ailand.assimilation.observations import at_model_height as at_model_height
    from anemoi_ailand.assimilation.observations import first_guess_check as first_guess_check
    from anemoi_ailand.assimilation.observations import matched_distribution as matched_distribution
    from anemoi_ailand.assimilation.observations import matched_mean as matched_mean
    from anemoi_ailand.assimilation.observations import observation_stamps as observation_stamps
    from anemoi_ailand.assimilation.observations import on_open_ground as on_open_ground
    from anemoi_ailand.assimilation.regression import regression_jacobian as regression_jacobian
    from anemoi_ailand.assimilation.regression import unexplained as unexplained
    from anemoi_ailand.assimilation.snow_depth import snow_depth as snow_depth
    from anemoi_ailand.assimilation.snow_depth import snow_depth_analysis as snow_depth_analysis
    from anemoi_ailand.assimilation.variational import variational_analysis as variational_analysis
    from anemoi_ailand.assimilation.window import AssimilationWindow as AssimilationWindow
    from anemoi_ailand.assimilation.window import ForcingFactor as ForcingFactor
    from anemoi_ailand.coupling.grids import overlap_areas as overlap_areas
    from anemoi_ailand.data.land_data import LandData as LandData
    from anemoi_ailand.data.land_data import open_data as open_data
    from anemoi_ailand.evaluation.fields.fields import open_fields as open_fields
    from anemoi_ailand.evaluation.fields.reforecast import open_reforecast as open_reforecast
    from anemoi_ailand.evaluation.scores.score_table import score as score
    from anemoi_ailand.evaluation.sites.places import Place as Place
    from anemoi_ailand.export.onnx_export import export_step as export_step
    from anemoi_ailand.model.pointwise_mlp import PointwiseMLP as PointwiseMLP
    from anemoi_ailand.physics.soil import soil_of as soil_of
    from anemoi_ailand.physics.soil import soil_table as soil_table
    from anemoi_ailand.physics.soil_water import hydraulic_properties as hydraulic_properties
    from anemoi_ailand.rollout.forcing.forcing_filter import ForcingFilter as ForcingFilter
    from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead as ReadAhead
    from anemoi_ailand.rollout.forcing.read_ahead import one_by_one as one_by_one
    from anemoi_ailand.rollout.outputs.land_output import LandOutput as LandOutput
    from anemoi_ailand.rollout.reforecast.reforecast import reforecast as reforecast
    from anemoi_ailand.rollout.step.land_state import LandState as LandState
    from anemoi_ailand.rollout.stepper import LandStepper as LandStepper
    from anemoi_ailand.rollout.stepper import load as load
    from anemoi_ailand.support.packaged import folder as folder
    from anemoi_ailand.variables import VARIABLES as VARIABLES
    from anemoi_ailand.variables import names as names
    from anemoi_ailand.workflows.assimilate import assimilate as assimilate
    from anemoi_ailand.workflows.diagnose import diagnose as diagnose
    from anemoi_ailand.workflows.evaluate import evaluate as evaluate
    from anemoi_ailand.workflows.site import site as site
    from anemoi_ailand.workflows.stability import stability as stability
    from anemoi_ailand.workflows.tower import tower as tower


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in _MODULE:
        from difflib import get_close_matches

        near = get_close_matches(name, _MODULE, n=1)
        hint = f". Did you mean '{near[0]}'?" if near else f"; it has {', '.join(_MODULE)}"
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'{hint}")
    found = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)

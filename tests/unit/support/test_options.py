# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of option names."""

import pytest

from anemoi_ailand.rollout.outputs.netcdf_output import LandNetCDFOutput
from anemoi_ailand.support.options import check_known, nearest, one_mapping, options_of


def test_nearest_names_come_first_or_all_of_them():
    """Best first, at most ``n``; all names where none is similar."""
    assert nearest("swlv1", ["sd", "swvl1", "swvl2"], n=1) == ["swvl1"]
    assert nearest("zzz", ["sd", "swvl1"]) == ["sd", "swvl1"]


def test_options_of_a_class_include_those_of_its_bases():
    """Options of the format, of all our outputs, and of anemoi-inference; not what Anemoi passes itself."""
    known = set(options_of(LandNetCDFOutput))
    assert {"path", "keep_parts", "means", "points", "variables", "output_frequency", "post_processors"} <= known
    assert not known & {"self", "context", "metadata", "options"}


def test_unknown_name_is_an_error():
    """The message gives the nearest name, if there is one, and all of them."""
    with pytest.raises(TypeError, match=r"x has no option 'pointss'. Did you mean 'points'\? It takes \['points'\]"):
        check_known(["pointss"], ["points"], "x")
    with pytest.raises(TypeError, match=r"x has no option 'zzz'. It takes"):
        check_known(["zzz"], ["points"], "x")
    check_known(["points"], ["points"], "x")


def test_other_value_than_a_mapping_is_an_error():
    """The message gives the value."""
    with pytest.raises(TypeError, match=r"`chunks` is 5. Give a mapping"):
        one_mapping(5, ["time"], "`chunks`")

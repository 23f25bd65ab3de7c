# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of outputs are checked."""

import pytest

from anemoi_ailand.rollout.outputs.netcdf_output import LandNetCDFOutput
from anemoi_ailand.support.options import check_known, one_mapping, options_of


def test_options_of_a_class_and_its_bases():
    """Those of the format, of all our outputs, and of anemoi-inference."""
    known = set(options_of(LandNetCDFOutput))
    assert {"path", "keep_parts", "means", "points", "variables", "output_frequency", "post_processors"} <= known
    assert not known & {"self", "context", "metadata", "options"}


def test_unknown_name_is_an_error():
    """With the nearest if one is near, and with all of them."""
    with pytest.raises(TypeError, match=r"x has no option 'pointss'. Did you mean 'points'\? It takes \['points'\]"):
        check_known(["pointss"], ["points"], "x")
    with pytest.raises(TypeError, match=r"x has no option 'zzz'. It takes"):
        check_known(["zzz"], ["points"], "x")
    check_known(["points"], ["points"], "x")


def test_what_is_no_mapping_is_an_error():
    """With what it is."""
    with pytest.raises(TypeError, match=r"`chunks` is 5. Give a mapping"):
        one_mapping(5, ["time"], "`chunks`")

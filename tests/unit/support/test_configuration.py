# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configurations and options are validated as a whole, with clear errors."""

import pytest
from pydantic import BaseModel, ValidationError

from anemoi_ailand.rollout.outputs.netcdf_output import LandNetCDFOutput
from anemoi_ailand.support.configuration import Strict, checked, mistakes, read_configuration
from anemoi_ailand.support.options import check_known, nearest, one_mapping, options_of, suggestion


class Inner(Strict):
    """Block with one option."""

    width: int = 1


class Whole(Strict):
    """Blocks in all places: single, by name, in a list."""

    one: Inner | None = None
    named: dict[str, Inner] = {}
    listed: tuple[Inner, ...] = ()
    number: float = 0.0


def read(tmp_path, text, *options):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    return read_configuration(path, options, Whole)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("numbr: 1", "'numbr' is not an option. Nearest: .'number'."),
        ("one: {widht: 1}", "'one.widht' is not an option. Nearest: .'width'."),
        ("named: {a: {widht: 1}}", "'named.a.widht' is not an option. Nearest: .'width'."),
        ("listed: [{width: 1}, {widht: 1}]", "'listed.1.widht' is not an option. Nearest: .'width'."),
        ("one: {x: 1}", "'one.x' is not an option. Available: .'width'."),
        ("one: no", "'one' is False. Give a mapping with some of .'width'."),
        ("named: {a: 3}", "'named.a' is 3. Give a mapping with some of .'width'."),
        ("named: 3", "'named' is 3. Give a mapping$"),
        ("number: many", "'number': .* .given: 'many'."),
        ("[1, 2", "cannot be read"),
    ],
)
def test_unknown_option_names_the_nearest(tmp_path, text, message):
    """In all kinds of blocks; a value of the wrong type is given in the error."""
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_options_override_the_file(tmp_path):
    """One value changes, its neighbours stay."""
    found = read(tmp_path, "number: 2\nnamed: {a: {width: 3}}", "named.b.width=4", "one={}")
    assert (found.number, found.named["a"].width, found.named["b"].width, found.one) == (2, 3, 4, Inner())


def test_missing_file_error_names_the_command(tmp_path):
    """The error has the command that copies a packaged one."""
    with pytest.raises(FileNotFoundError, match=r"anemoi-ailand configs --copy NAME"):
        read_configuration(tmp_path / "no.yaml", [], Whole)


def test_containers_become_a_block():
    """Otherwise the error begins with their description and lists all mistakes."""
    assert checked({"one": {"width": 2}}, Whole, "The thing") == Whole(one=Inner(width=2))
    with pytest.raises(
        ValueError, match=r"(?s)^The thing has 2 mistakes:\n  'one.widht' is not .*\n  'number': .*many"
    ):
        checked({"number": "many", "one": {"widht": 1}}, Whole, "The thing")
    with pytest.raises(
        ValueError, match=r"'the whole' is \['number'\]. Give a mapping with some of \['one', 'named', "
    ):
        checked(["number"], Whole, "The thing")


def test_mistakes_in_a_foreign_block():
    """A block without our base class and with unions, as in anemoi-inference."""

    class Foreign(BaseModel, extra="forbid"):
        date: str
        options: str | dict[str, Inner] = ""

    with pytest.raises(ValidationError) as caught:
        Foreign.model_validate({"dat": 1, "date": "x"})
    assert mistakes(caught.value, Foreign) == "has 1 mistake:\n  'dat' is not an option. Nearest: ['date']"
    with pytest.raises(ValidationError) as caught:
        Foreign.model_validate({"options": 3})
    assert mistakes(caught.value, Foreign).startswith("has 3 mistakes:\n  'date': Field required")


def test_names_are_suggested():
    """Best first, at most ``n``; all names where none is similar."""
    assert nearest("swlv1", ["sd", "swvl1", "swvl2"], n=1) == ["swvl1"]
    assert nearest("zzz", ["sd", "swvl1"]) == []
    assert suggestion("swlv1", ["sd", "swvl1", "swvl2"], n=1) == "Nearest: ['swvl1']"
    assert suggestion("zzz", ["sd", "swvl1"]) == "Available: ['sd', 'swvl1']"


def test_options_of_a_class_include_those_of_its_bases():
    """Options of the format, of all our outputs, and of anemoi-inference; not what Anemoi passes itself."""
    known = set(options_of(LandNetCDFOutput))
    assert {"path", "keep_parts", "means", "points", "variables", "output_frequency", "post_processors"} <= known
    assert not known & {"self", "context", "metadata", "options"}


def test_unknown_name_is_an_error():
    """The message gives the nearest names, or all of them; or a value other than a mapping."""
    with pytest.raises(TypeError, match=r"x has no option 'pointss'. Nearest: \['points'\]"):
        check_known(["pointss"], ["points", "sd"], "x")
    with pytest.raises(TypeError, match=r"x has no option 'zzz'. Available: \['points', 'sd'\]"):
        check_known(["zzz"], ["points", "sd"], "x")
    check_known(["points"], ["points"], "x")
    with pytest.raises(TypeError, match=r"`chunks` is 5. Give a mapping"):
        one_mapping(5, ["time"], "`chunks`")

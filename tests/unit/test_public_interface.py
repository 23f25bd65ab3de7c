# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The public interface ``anemoi_ailand``: names, lazy imports, version, runnable examples."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import anemoi_ailand

ROOT = Path(__file__).resolve().parents[2]

#: Public functions whose example needs a dataset or minutes, so that it is not run.
LONG = {"reforecast", "export_step", "assimilate", "evaluate", "site", "stability", "tower", "diagnose"}


#: The first lines of the guide, with the state and forcing of the last one.
FIVE_LINES = """\
import anemoi_ailand as ail
land = ail.load("ailand")
data = ail.open_data("$AILAND_SAMPLE").to_xarray("2020-05")
run = land.run(data, variables=["swvl1", "stl1", "2t"])
state, forcing = land.initial(data), data.isel(time=1)
jac = land.jacobian(state, forcing, to=["2t"], of=["swvl1"])
"""


def test_five_lines() -> None:
    """They run as printed; the results have dimensions, units and finite values."""
    found: dict[str, Any] = {}
    exec(FIVE_LINES, found)
    data, run, jac = found["data"], found["run"], found["jac"]
    assert dict(data.sizes) == dict(run.sizes) == {"time": 124, "point": 44}
    assert (data["swvl1"].units, run["t2m"].units, jac.units) == ("m3 m-3", "K", "K (m3 m-3)-1")
    assert list(run) == ["swvl1", "stl1", "t2m"]
    assert run["swvl1"].notnull().all() and run["t2m"][1:].notnull().all() and run["t2m"][0].isnull().all()
    assert jac.dims == ("point", "to", "of") and jac.notnull().all() and jac.any()
    assert "ailand" in repr(found["land"]) and found["ail"].VARIABLES["swvl1"].units == "m3 m-3"


def test_guide_begins_with_the_five_lines() -> None:
    """The guide and the module print the same lines, apart from comments."""
    guide = (ROOT / "docs" / "guide" / "python.md").read_text(encoding="utf-8")
    shown = guide.partition("```python\n")[2].partition("```")[0]
    assert without_comments(shown).startswith(without_comments(FIVE_LINES))
    lines = [line.strip() for line in without_comments(anemoi_ailand.__doc__ or "").splitlines()]
    assert set(without_comments(FIVE_LINES).splitlines()[:4]) <= set(lines)


def without_comments(code: str) -> str:
    """Return code without comments and empty lines."""
    lines = [re.sub(r"\s+# .*", "", line).rstrip() for line in code.splitlines()]
    return "\n".join(line for line in lines if line)


def test_import_is_light() -> None:
    """``import anemoi_ailand`` and its listing load none of the large libraries."""
    script = (
        "import sys, anemoi_ailand\n"
        "assert 'LandStepper' in dir(anemoi_ailand)\n"
        "print(*sorted({'torch', 'numpy', 'xarray', 'pandas', 'anemoi'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == ""


def test_every_public_name_is_defined() -> None:
    """Each name is defined in the module that the table says, and no name is that of a room."""
    rooms = {p.stem for p in (ROOT / "anemoi_ailand").iterdir()}
    assert not rooms & set(anemoi_ailand.__all__)
    assert len(anemoi_ailand.__all__) == len(set(anemoi_ailand.__all__))
    for module, names in anemoi_ailand._PUBLIC.items():
        for name in names:
            found = getattr(anemoi_ailand, name)
            assert getattr(found, "__module__", f"anemoi_ailand.{module}") == f"anemoi_ailand.{module}", name


def test_type_checkers_see_the_same_names() -> None:
    """The imports for type checkers are those of the table."""
    tree = ast.parse((ROOT / "anemoi_ailand" / "__init__.py").read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {(n.module, a.name, a.asname) for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert seen == {(f"anemoi_ailand.{m}", n, n) for m, names in anemoi_ailand._PUBLIC.items() for n in names}


def test_unknown_name_is_an_attribute_error() -> None:
    """The message gives the nearest name, or all of them."""
    with pytest.raises(AttributeError, match=r"no attribute 'LandSteper'. Did you mean 'LandStepper'\?"):
        anemoi_ailand.LandSteper  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'xyz'; it has .*LandStepper"):
        anemoi_ailand.xyz  # noqa: B018


def test_listing_is_that_of_the_public_names() -> None:
    """``dir`` gives the public names only: no imports, private names or rooms."""
    assert dir(anemoi_ailand) == sorted(anemoi_ailand.__all__)


def test_version_is_that_of_the_distribution() -> None:
    """``__version__`` and pyproject.toml agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert anemoi_ailand.__version__ == project["version"]


def test_every_public_name_has_an_example() -> None:
    """Each public class and function has a section of examples; only those of :data:`LONG` are not run."""
    lacking, skipped = [], set()
    for name, found in documented().items():
        examples = examples_of(name, found)
        if "\n\nExamples\n--------\n" not in (inspect.getdoc(found) or "") or examples is None:
            lacking.append(name)
        elif any(doctest.SKIP in example.options for example in examples.examples):
            skipped.add(name)
    assert lacking == []
    assert skipped == LONG


def test_examples_of_public_names_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example runs by itself, with its own imports and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    for name, found in documented().items():
        if examples := examples_of(name, found):
            doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert not report, "".join(report)


def test_examples_that_are_not_run_fit_the_signatures() -> None:
    """The calls in skipped examples give arguments that the functions take."""
    for name in sorted(LONG):
        function, n_calls = getattr(anemoi_ailand, name), 0
        for example in doctest.DocTestParser().get_examples(inspect.getdoc(function) or ""):
            for node in ast.walk(ast.parse(example.source)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    inspect.signature(function).bind(*node.args, **{str(k.arg): k.value for k in node.keywords})
                    n_calls += 1
        assert n_calls, name


def documented() -> dict[str, Any]:
    """Return the public classes and functions by name."""
    found = {name: getattr(anemoi_ailand, name) for name in anemoi_ailand._MODULE}
    return {name: each for name, each in found.items() if inspect.isclass(each) or inspect.isfunction(each)}


def examples_of(name: str, found: object) -> doctest.DocTest | None:
    """Return the examples in the docstring of an object, without those of its methods and of its module's names."""
    return next(iter(doctest.DocTestFinder(recurse=False).find(found, name, globs={})), None)

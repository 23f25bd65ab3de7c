# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Read a configuration file and options of the command line, checked as a whole by a tree of pydantic blocks."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from yaml import YAMLError

#: A path in which ``~`` is the home of the user.
HomePath = Annotated[Path, AfterValidator(Path.expanduser)]


class Strict(BaseModel):
    """A block of the configuration; an option that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Block = TypeVar("Block", bound=Strict)


def plain_name(text: str) -> str:
    """A label as a part of a file name."""
    return "".join(c if c.isalnum() else "-" for c in text)


def read_configuration(path: Path | None, overrides: Sequence[str], block: type[Block], packaged: str) -> Block:
    """Read a configuration file and options ``key=value`` that replace what it says.

    Parameters
    ----------
    path : Path, optional
        The file; only the options if not given.
    overrides : sequence of str
        Options with dotted keys.
    block : type
        What the whole is checked by.
    packaged : str
        Name of a packaged configuration of this kind, for messages.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not YAML, an option is not known (the nearest known one is named), or a value makes no sense.
    """
    if path is not None and not path.is_file():
        raise FileNotFoundError(
            f"There is no configuration '{path}'. Take a copy of the packaged one: "
            f"anemoi-ailand configs --copy {packaged} my-{packaged.partition('/')[0]}.yaml"
        )
    try:
        document = OmegaConf.merge(OmegaConf.load(path) if path else {}, OmegaConf.from_dotlist(list(overrides)))
        content = OmegaConf.to_container(document, resolve=True)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise ValueError(f"'{path}' cannot be read ({error}). Write it as the packaged one.") from error
    return checked(content, block, f"The configuration '{path}'")


def checked(content: Any, block: type[Block], what: str) -> Block:
    """Turn plain containers into a block.

    Parameters
    ----------
    content : mapping
        Options by name.
    block : type
        What they are checked by.
    what : str
        What they are, for messages.

    Raises
    ------
    ValueError
        An option is not known (the nearest known one is named), or a value makes no sense; all mistakes at once.
    """
    try:
        return block.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{what} {mistakes(error, block)}") from error


def mistakes(error: ValidationError, block: type[BaseModel]) -> str:
    """All that is wrong with what was to become a block, a line each, with the nearest option to an unknown one."""
    lines = "\n".join(f"  {_explain(each, block)}" for each in error.errors())
    return f"has {error.error_count()} mistake{'s' if error.error_count() > 1 else ''}:\n{lines}"


def _explain(mistake: Any, block: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in mistake["loc"]) or "the whole"
    if mistake["type"] == "extra_forbidden":
        known = _known(block, mistake["loc"][:-1])
        near = get_close_matches(str(mistake["loc"][-1]), known, n=1) or known
        return f"'{where}' is not an option. Nearest: {near}"
    return f"'{where}': {mistake['msg'].removeprefix('Value error, ')} (there is: {mistake['input']!r})"


def _known(block: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Options of the block at ``place``, keys and indices from the whole inwards."""
    kind: Any = block
    for key in place:
        found = _block_in(kind)
        kind = found.model_fields[key].annotation if found else typing.get_args(_plain(kind))[-1 if _maps(kind) else 0]
    found = _block_in(kind)
    return list(found.model_fields) if found else []


def _plain(kind: Any) -> Any:
    """A type without ``None`` and annotations."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _plain(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return _plain(next(k for k in typing.get_args(kind) if k is not type(None)))
    return kind


def _block_in(kind: Any) -> type[BaseModel] | None:
    plain = _plain(kind)
    return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None


def _maps(kind: Any) -> bool:
    return typing.get_origin(_plain(kind)) is dict

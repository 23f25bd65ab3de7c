# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configuration files and command-line options, validated as a whole by a tree of pydantic blocks."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from yaml import YAMLError

from anemoi_ailand.constants import Plausibility
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.support.packaged import file_or_packaged

#: Path with ``~`` expanded.
HomePath = Annotated[Path, AfterValidator(Path.expanduser)]

#: Treatment of impossible values; ``off`` without quotes is false in YAML.
PlausibilityOption = Annotated[Plausibility, BeforeValidator(lambda given: "off" if given is False else given)]


class Strict(BaseModel):
    """Block of a configuration; an unknown option is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Block = TypeVar("Block", bound=Strict)

#: Types of pydantic's errors for a value that is not a mapping, where a dictionary or a block is expected.
_NO_DICT, _NO_BLOCK = "dict_type", "model_type"


def plain_name(text: str) -> str:
    """Return a label with all characters but letters and digits replaced by ``-``, for file names."""
    return "".join(c if c.isalnum() else "-" for c in text)


def read_configuration(path: str | Path | None, overrides: Sequence[str], block: type[Block]) -> Block:
    """Read a YAML file, override it by options ``dotted.key=value`` and validate it as ``block``.

    ``path`` may be the name of a packaged configuration. Without a file, the options are the whole configuration.
    """
    path = None if path is None else file_or_packaged(path)
    try:
        document = OmegaConf.merge(OmegaConf.load(path) if path else {}, OmegaConf.from_dotlist(list(overrides)))
        content = OmegaConf.to_container(document, resolve=True)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise ValueError(f"'{path}' cannot be read ({error}). Compare it with the packaged one.") from error
    return checked(content, block, f"The configuration '{path}'")


def checked(content: Any, block: type[Block], what: str) -> Block:
    """Validate plain containers as a block; one ValueError gives all mistakes, with the nearest known options."""
    try:
        return block.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{what} {mistakes(error, block)}") from error


def mistakes(error: ValidationError, block: type[BaseModel]) -> str:
    """Return all mistakes in a block, one per line, with the nearest option to an unknown one."""
    lines = "\n".join(f"  {_explain(each, block)}" for each in error.errors())
    return f"has {error.error_count()} mistake{'s' if error.error_count() > 1 else ''}:\n{lines}"


def _explain(mistake: Any, block: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in mistake["loc"]) or "the whole"
    if mistake["type"] == "extra_forbidden":
        known = _known(block, mistake["loc"][:-1])
        return f"'{where}' is not an option. {suggestion(str(mistake['loc'][-1]), known, n=1)}"
    if mistake["type"] in (_NO_DICT, _NO_BLOCK):
        options = f" with some of {_known(block, mistake['loc'])}" if mistake["type"] == _NO_BLOCK else ""
        return f"'{where}' is {mistake['input']!r}. Give a mapping{options}"
    return f"'{where}': {mistake['msg'].removeprefix('Value error, ')} (given: {mistake['input']!r})"


def _known(block: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Return the options of the block at ``place``, a path of keys and indices."""
    kind: Any = block
    for key in place:
        found = _block_in(kind)
        kind = found.model_fields[key].annotation if found else typing.get_args(_plain(kind))[-1 if _maps(kind) else 0]
    found = _block_in(kind)
    return list(found.model_fields) if found else []


def _plain(kind: Any) -> Any:
    """Return a type without ``None`` and annotations."""
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

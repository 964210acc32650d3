"""Types shared by all inputs and views."""

import json
import types
import typing
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .json import is_object


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


type Id = Annotated[int, Field(ge=1, le=2**63 - 1), BeforeValidator(_not_a_boolean)]
"""A numeric PostHog identifier; `"136209"` is accepted for 136209."""
type ProjectId = Id | Literal["@current"]


class Input(BaseModel):
    """The arguments of one tool. Unknown ones are rejected, null means absent; fields are described by docstrings."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, value: Any) -> Any:
        """Drop nulls, and parse lists and objects that a client sent as JSON text, since they have only one meaning."""
        if not is_object(value):
            return value
        containers = _containers(cls)
        return {
            name: _from_text(item) if name in containers and isinstance(item, str) else item
            for name, item in value.items()
            if item is not None or name not in cls.model_fields
        }


class View(BaseModel):
    """The fields of an object that a tool shows. Unlisted and null fields are left out."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


class InAccount(Input):
    """The arguments of tools that act on the account behind a connection."""

    connection_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{8,64}$")


class InProject(InAccount):
    """The arguments of tools that act in one project."""

    project_id: ProjectId = "@current"


class Page(InProject):
    """The arguments of list tools. PostHog paginates by `limit` and `offset`."""

    limit: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=20, ge=1, le=100)
    offset: Annotated[int, BeforeValidator(_not_a_boolean)] = Field(default=0, ge=0, le=1_000_000)


class Person(View):
    """A user in fields such as `created_by`: PostHog's UserBasic."""

    first_name: str | None = None
    email: str | None = None


@cache
def _containers(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields that accept only a list or an object."""
    return frozenset(name for name, field in model.model_fields.items() if not _takes_text(field.annotation))


def _takes_text(annotation: Any) -> bool:
    if isinstance(annotation, typing.TypeAliasType):
        return _takes_text(annotation.__value__)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _takes_text(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_takes_text(part) for part in typing.get_args(annotation) if part is not types.NoneType)
    kind = origin or annotation
    return not (kind in (list, tuple, dict) or (isinstance(kind, type) and issubclass(kind, BaseModel)))


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from maton_posthog.schemas.base import Id, InAccount, InProject, Page
from maton_posthog.schemas.base.json_schema import input_schema


class Step(BaseModel):
    """A description of a nested model, which schemas leave out."""

    event: str = Field(min_length=1)
    title: str | None = None


class Tool(InProject):
    """A description of the input model, which schemas leave out."""

    name: str = Field(max_length=400)
    """The
    name."""
    steps: list[Step] | None = Field(default=None, min_length=1)
    first: Step | None = None
    kind: Literal["a", "b"] | None = None
    only: Literal["a"] | None = None
    either: int | str | None = None
    id_or_key: Id | str | None = None
    share: float = Field(default=50, ge=0, le=100)
    ids: list[Id] | None = None
    title: str | None = None
    flag: bool = False
    extras: dict[str, Any] | None = None
    free: list[dict[str, Any]] | None = Field(default=None, max_length=20)


FREE = {"type": "object", "additionalProperties": {"minLength": 0}}
STEP = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "title": {"type": "string"}},
    "required": ["event"],
}


def test_a_schema_contains_only_the_parts_a_caller_needs() -> None:
    assert input_schema(Tool) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The name."},
            "steps": {"type": "array", "items": STEP},
            "first": STEP,
            "kind": {"type": "string", "enum": ["a", "b"]},
            "only": {"type": "string", "enum": ["a"]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "id_or_key": {"type": "string"},
            "share": {"type": "number", "default": 50, "maximum": 100},
            "ids": {"type": "array", "items": {"type": "string"}},
            "title": {"type": "string"},
            "flag": {"type": "boolean"},
            "extras": FREE,
            "free": {"type": "array", "items": FREE},
            "project_id": {"type": "string"},
            "connection_id": {"type": "string"},
        },
        "required": ["name"],
    }


def test_project_and_connection_come_last() -> None:
    assert list(input_schema(Page)["properties"]) == ["limit", "offset", "project_id", "connection_id"]


def test_a_pinned_project_is_left_out() -> None:
    assert "project_id" not in input_schema(Tool, pinned_project=True)["properties"]
    assert list(input_schema(InAccount, pinned_project=True)["properties"]) == ["connection_id"]


def test_a_connection_id_with_a_description_keeps_it() -> None:
    class Target(InAccount):
        connection_id: str | None = None
        """With get and delete."""

    assert input_schema(Target)["properties"]["connection_id"] == {
        "type": "string",
        "description": "With get and delete.",
    }


@pytest.mark.parametrize("word", ["$ref", "$defs", "null", '"title":"'])
def test_references_nulls_and_titles_are_left_out(word: str) -> None:
    assert word not in json.dumps(input_schema(Tool), separators=(",", ":"))


def test_the_same_model_always_gives_the_same_bytes() -> None:
    assert json.dumps(input_schema(Tool)) == json.dumps(input_schema(Tool))

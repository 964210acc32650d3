import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from maton_posthog.schemas.base import Id, InAccount, InProject, Page
from maton_posthog.schemas.json_schema import input_schema


class Step(BaseModel):
    """Said once, in the field."""

    event: str = Field(min_length=1)
    title: str | None = None


class Tool(InProject):
    """Of no use to a model."""

    name: str = Field(max_length=400)
    """What it is
    called."""
    steps: list[Step] | None = Field(default=None, min_length=1)
    first: Step | None = None
    kind: Literal["a", "b"] | None = None
    either: int | str | None = None
    share: float = Field(default=50, ge=0, le=100)
    ids: list[Id] | None = None
    title: str | None = None
    flag: bool = False
    extras: dict[str, Any] | None = None


STEP = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "title": {"type": "string"}},
    "required": ["event"],
}


def test_a_schema_holds_what_a_caller_needs_and_nothing_else() -> None:
    assert input_schema(Tool) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "What it is called."},
            "steps": {"type": "array", "items": STEP},
            "first": STEP,
            "kind": {"type": "string", "enum": ["a", "b"]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "share": {"type": "number", "default": 50, "maximum": 100},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "title": {"type": "string"},
            "flag": {"type": "boolean"},
            "extras": {"type": "object"},
            "project_id": {"type": ["integer", "string"], "default": "@current"},
            "connection_id": {"type": "string"},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def test_project_and_connection_come_last() -> None:
    assert list(input_schema(Page)["properties"]) == ["limit", "offset", "project_id", "connection_id"]


def test_a_pinned_project_is_not_offered() -> None:
    assert "project_id" not in input_schema(Tool, pinned_project=True)["properties"]
    assert list(input_schema(InAccount, pinned_project=True)["properties"]) == ["connection_id"]


def test_a_connection_that_is_a_target_keeps_its_words() -> None:
    class Target(InAccount):
        connection_id: str | None = None
        """Of get and delete."""

    assert input_schema(Target)["properties"]["connection_id"] == {
        "type": "string",
        "description": "Of get and delete.",
    }


@pytest.mark.parametrize("word", ["$ref", "$defs", "null", '"title":"'])
def test_nothing_needs_a_second_look(word: str) -> None:
    assert word not in json.dumps(input_schema(Tool), separators=(",", ":"))


def test_the_same_model_always_gives_the_same_bytes() -> None:
    assert json.dumps(input_schema(Tool)) == json.dumps(input_schema(Tool))

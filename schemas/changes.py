"""What the inputs of update tools share."""

from typing import Any, Self

from pydantic import model_validator

from .base import InProject

_AIM = {"project_id", "connection_id"}


class Changes(InProject):
    """Arguments of an update tool: required ones name the object, of the others at least one is given."""

    @model_validator(mode="after")
    def _change_something(self) -> Self:
        names = [name for name, field in type(self).model_fields.items() if not field.is_required()]
        changeable = [name for name in names if name not in _AIM]
        if not self.model_fields_set.intersection(changeable):
            raise ValueError(f"name what to change: {', '.join(changeable[:-1])} or {changeable[-1]}")
        return self

    def given(self, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The fields to change, JSON-ready, as PostHog calls them."""
        target = {name for name, field in type(self).model_fields.items() if field.is_required()}
        return self.model_dump(mode="json", exclude=target | _AIM | leave_out, exclude_unset=True, exclude_none=True)

"""Types shared by the inputs of update tools."""

from typing import Any, Self

from pydantic import model_validator

from . import OF_THE_CALL, Write


class Changes(Write):
    """The arguments of an update tool: required ones name the object; at least one other must be set."""

    @model_validator(mode="after")
    def _change_something(self) -> Self:
        names = [name for name, field in type(self).model_fields.items() if not field.is_required()]
        changeable = [name for name in names if name not in OF_THE_CALL]
        if not self.model_fields_set.intersection(changeable):
            *others, last = (f"`{name}`" for name in changeable)
            raise ValueError(f"nothing to change; set {', '.join(others)} or {last}")
        return self

    def given(self, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the fields to change, JSON-ready, under PostHog's names."""
        target = {name for name, field in type(self).model_fields.items() if field.is_required()}
        return self.model_dump(
            mode="json", exclude=target | OF_THE_CALL | leave_out, exclude_unset=True, exclude_none=True
        )

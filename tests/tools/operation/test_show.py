from typing import Any

import pytest

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.base.shown import Whole
from maton_posthog.tools.operation import show


def test_a_whole_object_is_shown_without_its_null_fields_and_not_copied() -> None:
    result: dict[str, Any] = {"rows": [[1, None], {"a": None}]}
    shown = show(Whole, {"id": 1, "name": None, "result": result, "0": False})
    assert shown == {"id": 1, "result": {"rows": [[1, None], {"a": None}]}, "0": False}
    assert shown["result"]["rows"] is result["rows"]


@pytest.mark.parametrize("response", [None, [], "text", 1])
def test_what_is_no_object_cannot_be_shown_as_a_whole(response: Any) -> None:
    with pytest.raises(Failed, match="does not match Whole"):
        show(Whole, response)

"""The result of tools/call, in the words of the specification but without its models."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...tools.operation import Attachment, FileLink


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The text of a result with its attachments."""

    text: str
    attachments: Sequence[Attachment] = ()
    structured: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_error: bool = False

    def as_sent(self, era: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result, its fields in the order in which the SDK writes them.

        `era` is the `_meta` of all results in the protocol era without a handshake; None in the older one.
        """
        blocks = [{"text": self.text, "type": "text"}, *map(_block, self.attachments)]
        result: dict[str, Any] = {"_meta": dict(self.meta)} if self.meta else {}
        result |= {"content": blocks, "isError": self.is_error}
        if era is not None:
            result["resultType"] = "complete"
        if self.structured is not None:
            result["structuredContent"] = self.structured
        if era is not None:
            result["_meta"] = {**self.meta, **era}
        return result


def _block(attachment: Attachment) -> dict[str, Any]:
    match attachment:
        case FileLink(uri, name, mime_type, size):
            return {"mimeType": mime_type, "name": name, "size": size, "type": "resource_link", "uri": uri}
        case picture:
            return {"data": base64.b64encode(picture.png).decode(), "mimeType": "image/png", "type": "image"}

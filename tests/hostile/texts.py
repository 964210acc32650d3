"""A hundred hostile texts (texts.json), and what no result may do with them.

A stranger can write them into event names, properties, person names, survey responses and URLs, because PostHog's
ingest key is public; `{trap}` is the address of a server that nobody may call.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any, cast

_TEXTS: list[dict[str, str]] = json.loads(Path(__file__).with_name("texts.json").read_text("utf-8"))
_OWN = ("note", "notes", "hint", "how_to_continue", "next_step", "warnings", "reasons", "outcomes", "chart")
"""Fields that hold sentences of this server."""
_WINDOW = 16
"""A sentence must not repeat this many characters of a hostile text outside of quotes."""
_LONGEST_QUOTE = 200
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")
"""A name of a tool or an argument, which any sentence can use."""
_HIDDEN_KINDS = ("Cc", "Cf", "Cs", "Co", "Cn")
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
"""Characters that are no controls and show nothing."""
_STRUCTURE = re.compile(
    r"(?!start_url|distinct_id|value_type)(?:id|uuid|short_id|_at|key|kind|type|types|status|scope|operator|math|days|date|dates|interval|unit|timezone"
    r"|.*_(?:id|at|date|type|kind|token|order|level|field|mode)|date_.*|.*timestamp|(?:start|end|last|created)_.*"
    r"|level|stats_version|creation_.*|app|method|api_token|next|fill|calculation_.*|target|refresh|access_control)"
)
"""Fields whose values PostHog makes or checks itself."""
_FREE = ("properties", "payloads", "metadata", "tables", "variables", "person_properties", "stats")
"""Fields whose keys can be any text."""


HALF_A_PAIR = "\ud83d"
"""Half of a surrogate pair: a response with it is no JSON."""


def texts(trap: str = "trap.invalid") -> list[str]:
    """Return the hostile texts; addresses in them lead to `trap`."""
    return [each["text"].replace("{trap}", trap) for each in _TEXTS]


class Poison:
    """Replaces the texts of responses, one hostile text after the other."""

    def __init__(self, trap: str, start: int = 0) -> None:
        self._all = texts(trap)
        self._next = islice(cycle(self._all), start, None)
        self.used: set[str] = set()

    @property
    def is_used_up(self) -> bool:
        """Return whether every text was in a response."""
        return len(self.used) == len(self._all)

    def in_value(self, value: Any, name: str = "") -> Any:
        """Return a JSON value with hostile texts where a person can write."""
        if isinstance(value, str):
            return value if _STRUCTURE.fullmatch(name) else self._text()
        if isinstance(value, list):
            return [self.in_value(item, name) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        poisoned = {key: self.in_value(item, key) for key, item in fields.items()}
        if name in _FREE:
            example = next(iter(poisoned.values()), self._text())
            poisoned[self._text()] = example if isinstance(example, dict) else self._text()
        return poisoned

    def _text(self) -> str:
        text = next(self._next)
        self.used.add(text)
        return text


def hidden(text: str) -> list[str]:
    """Return the characters of a text that its reader would not see. Emoji and Indic joiners are seen by their word."""
    found: list[str] = []
    for at, character in enumerate(text):
        is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
        kind = unicodedata.category(character)
        if character in "\u200c\u200d\ufe0f" and at and ord(text[at - 1]) > 0x7F:
            continue
        if (kind in _HIDDEN_KINDS and character not in "\n\t") or is_selector or character in _BLANK:
            found.append(f"U+{ord(character):04X}")
    return found


def sentences(value: Any, name: str = "") -> Iterator[str]:
    """Return the sentences of this server in a result or an error."""
    if isinstance(value, str) and name in _OWN:
        yield value
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from sentences(item, name)
    elif isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        for key, item in fields.items():
            own = key if key in _OWN else name if name in ("warnings", "error") and key in ("message", "hint") else ""
            yield from sentences(item, "note" if own in ("message", "hint") else key)


def unquoted(sentence: str) -> list[str]:
    """Return what a sentence repeats of the hostile texts as if it were its own words, and quotes that are too long."""
    said = _NAME.sub("_", _QUOTED.sub('""', sentence))
    windows = (said[at : at + _WINDOW] for at in range(len(said) - _WINDOW + 1))
    return [
        *(window for window in windows if window in _windows()),
        *(quote for quote in _QUOTED.findall(sentence) if len(quote) > _LONGEST_QUOTE),
    ]


@cache
def _windows() -> frozenset[str]:
    """Return every piece of the hostile texts of the length that counts as repeated. One word is no instruction."""
    seen = [" ".join("".join(one for one in text if not hidden(one)).split()) for text in texts()]
    seen = [_NAME.sub("_", text) for text in seen if " " in text]
    return frozenset(text[at : at + _WINDOW] for text in seen for at in range(len(text) - _WINDOW + 1))

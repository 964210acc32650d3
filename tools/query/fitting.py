"""How many tokens the parts of a result take, estimated, so that a long one is cut where its parts matter least."""

import json
import re
from collections.abc import Iterable
from typing import Any

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\x00-\x7f]+|[^A-Za-z0-9]")
_LETTERS, _DIGITS = 6, 3
"""Characters of a token in words and in numbers."""
_RANDOM_LETTERS = 2
"""Letters of a token where they make no words, as in ids."""
_SHORT, _LONG, _FEWEST_VOWELS = 4, 16, 0.25
"""A run of letters makes no words if it is long, or if it is not short and has a smaller share of vowels."""
_OF_A_SIGN, _OF_A_SPACE = 0.45, 0.2
"""Signs of JSON are often one token together, and a space or underscore with the word after it."""
_BYTES = 1.6
"""Bytes of a token in other scripts."""


def weight(value: Any) -> float:
    """Return about the tokens of a JSON value, on the safe side."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return sum(_of_part(part) for part in _PARTS.findall(text))


def within[T](items: Iterable[T], room: float) -> list[T]:
    """Return the first items that fit."""
    kept: list[T] = []
    for item in items:
        room -= weight(item) + _OF_A_SIGN
        if room < 0:
            break
        kept.append(item)
    return kept


def _of_part(part: str) -> float:
    if not part.isascii():
        return len(part.encode("utf-8", "replace")) / _BYTES
    if part.isalpha():
        return -(-len(part) // (_LETTERS if _is_word(part) else _RANDOM_LETTERS))
    if part.isdigit():
        return -(-len(part) // _DIGITS)
    return _OF_A_SPACE if part in " _" else _OF_A_SIGN


def _is_word(part: str) -> bool:
    vowels = sum(letter in "aeiouyAEIOUY" for letter in part)
    return len(part) <= _SHORT or (len(part) <= _LONG and vowels >= _FEWEST_VOWELS * len(part))

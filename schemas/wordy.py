"""Names and values that look like instructions or markup instead of data.

PostHog's ingest key is public, so anyone can send an event whose name is an instruction to a model. This is best
effort: it recognizes the form of a sentence, of markup and of hidden text, and a few phrases. A name that looks like
data passes.
"""

import re

from .text import hides

_LONGEST_NAME = 100
_MOST_WORDS = 8
_MARKUP = re.compile(r"<[!/a-zA-Z]|\]\(|\{\{|\$\{|\{%|`|\\[nrtux\"]|\n|--\s|\*/")
_ADDRESS = re.compile(r"[a-z][a-z+]{1,9}://", re.IGNORECASE)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|previous|above|prior|rule|prompt|policy)"
    r"|\b(?:system|developer) (?:prompt|message)\b|^\s*\[?(?:system|assistant|user|human)\]?\s*:"
    r"|\byou (?:are now|must|should|have to)\b|\bas an? (?:ai|assistant|llm)\b|\b(?:api key|access token|password)s?\b"
    r"|\bdo as you are told\b|\btool[_ ](?:call|result)\b",
    re.IGNORECASE,
)


def is_wordy_name(name: str) -> bool:
    """Return whether the name of an event or property looks like an instruction or markup."""
    return len(name) > _LONGEST_NAME or _ADDRESS.search(name) is not None or '"' in name or is_wordy(name)


def is_wordy(value: object) -> bool:
    """Return whether a value looks like an instruction or markup."""
    if not isinstance(value, str):
        return False
    return (
        len(value.split(None, _MOST_WORDS)) > _MOST_WORDS
        or _MARKUP.search(value) is not None
        or _ORDER.search(value) is not None
        or hides(value)
    )

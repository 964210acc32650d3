"""Misspelled settings: a name that is almost one of ours, and a key that is only a placeholder."""

import re
from collections.abc import Iterable, Mapping

_OURS = "MATON_POSTHOG_"
_PREFIXES = (_OURS, "MATON_", "POSTHOG_")
_FOREIGN = ("POSTHOG_PROJECT_API_KEY", "POSTHOG_PROJECT_KEY", "POSTHOG_PROJECT_NAME", "POSTHOG_PROJECT_TOKEN")
"""Variables of other programs that read like ours."""
_SAFETY = ("READ_ONLY", "TOOLSETS")
"""Settings that are meant even without our prefix, because without them a server does more than its operator wants."""
_CLOSE = 0.8

_PLACEHOLDER = re.compile(
    r"[<\[({].*[>\])}]|\$\w*|\$\{.*\}|%\w*%|[x*.…_-]+"
    r"|(the|your|my|insert|enter|paste|put|replace|add|some)\b.*|(the|your|my|insert|replace)[_-].*"
    r"|(maton[_ -]?)?(api[_ -]?)?(key|token|secret)([_ -]?here)?|change[_ -]?(me|this|it)|placeholder|todo|none|null"
    r"|undefined|key123|abc123|example",
    re.IGNORECASE | re.DOTALL,
)


def wrong_name(environment: Mapping[str, str], known: Iterable[str]) -> str | None:
    """Return what is wrong with a variable that looks like a setting and is none; None without such a variable.

    Variables of other programs (`POSTHOG_API_KEY`) are left alone, unless they are almost ours.
    """
    names = tuple(known)
    for name, value in sorted(environment.items()):
        prefix = _prefix(name.upper())
        if not value or prefix is None or name in names or name in _FOREIGN:
            continue
        if meant := _meant(name.upper(), prefix, names):
            return f"{name} is not a setting; use {meant}."
        if prefix == _OURS:
            return f"{name} is not a setting; the settings are {', '.join(names)}."
    return None


def _meant(name: str, prefix: str, known: Iterable[str]) -> str | None:
    """Return the setting that a name is almost, compared without prefixes."""
    from difflib import SequenceMatcher

    end = name.removeprefix(prefix)
    near = {each: SequenceMatcher(None, _bare(end), _bare(_end(each))).ratio() for each in known}
    best = max((each for each in near if _prefix(each) == prefix or _end(each) in _SAFETY), key=near.__getitem__)
    return best if near[best] >= _CLOSE else None


def _prefix(name: str) -> str | None:
    return next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)


def _end(name: str) -> str:
    return name.removeprefix(_prefix(name) or "")


def _bare(name: str) -> str:
    return name.replace("_", "").removesuffix("ID")


def wrong_key(text: str) -> str | None:
    """Return the end of a sentence about a key that is a placeholder or more than a key; None for others."""
    text = text.strip()
    if re.match(r"bearer\b", text, re.IGNORECASE):
        return "must be the key alone, without `Bearer`"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return "must be the key alone, without quotes"
    if _PLACEHOLDER.fullmatch(text):
        return "is a placeholder; set the key that maton.ai/settings shows"
    return None

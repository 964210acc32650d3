"""The first source of a person: two computed columns of `persons`, based on its `$initial_...` properties.

A short list of well-known sites is used instead of PostHog's.
"""

from __future__ import annotations

_SITES = {
    "Search": "google|bing|duckduckgo|yahoo|baidu|yandex|ecosia|brave",
    "Social": "facebook|instagram|linkedin|reddit|twitter|tiktok|pinterest|threads|mastodon|quora",
    "Video": "youtube|vimeo|twitch|dailymotion",
    "Shopping": "amazon|ebay|etsy|alibaba",
}
_SHORT = {"x.com": "Social", "t.co": "Social", "lnkd.in": "Social", "youtu.be": "Video"}
_PAID = "^(?:cpc|cpm|cpv|cpa|ppc|retargeting|paid.*)$"


def _initial(name: str) -> str:
    return f"JSONExtractString({{table}}.`properties`, '$initial_{name}')"


def _lower(name: str) -> str:
    return f"lower({_initial(name)})"


_DOMAIN = _lower("referring_domain")
_SHORT_NAMES = ", ".join(f"'{name}'" for name in _SHORT)
_SHORT_TYPES = ", ".join(f"'{kind}'" for kind in _SHORT.values())
_BY_PATTERN = ", ".join(f"match({_DOMAIN}, '(^|[.])({names})[.][a-z.]+$'), '{kind}'" for kind, names in _SITES.items())
DOMAIN_TYPE = (
    f"multiIf({_DOMAIN} = '$direct', '$direct', {_BY_PATTERN}, "
    f"nullIf(transform({_DOMAIN}, [{_SHORT_NAMES}], [{_SHORT_TYPES}], ''), ''))"
)
"""`$direct`, `Search`, `Social`, `Video`, `Shopping`, or null."""

_PAID_VISIT = f"match({_lower('utm_medium')}, '{_PAID}') OR {_initial('gclid')} != ''"
_TYPE = f"ifNull({DOMAIN_TYPE}, '')"
_KIND = (
    f"if({_lower('utm_source')} = '', {_TYPE}, multiIf("
    + ", ".join(f"match({_lower('utm_source')}, '^({names})$'), '{kind}'" for kind, names in _SITES.items())
    + f", {_TYPE}))"
)
CHANNEL_TYPE = (
    f"multiIf({_lower('utm_campaign')} = 'cross-network', 'Cross Network', "
    f"({_PAID_VISIT}) AND {_KIND} IN ('Search', 'Social', 'Video', 'Shopping'), concat('Paid ', {_KIND}), "
    f"{_PAID_VISIT}, 'Paid Unknown', "
    f"match({_lower('utm_medium')}, '^(e-?mail)$') OR match({_lower('utm_source')}, '^(e-?mail)$'), 'Email', "
    f"{_lower('utm_medium')} = 'affiliate', 'Affiliate', {_lower('utm_medium')} = 'sms', 'SMS', "
    f"{_lower('utm_medium')} = 'push', 'Push', {_lower('utm_medium')} = 'audio', 'Audio', "
    f"{_KIND} IN ('Search', 'Social', 'Video', 'Shopping'), concat('Organic ', {_KIND}), "
    f"{_DOMAIN} IN ('$direct', '') AND {_initial('utm_source')} = '', 'Direct', "
    f"{_DOMAIN} NOT IN ('$direct', ''), 'Referral', 'Unknown')"
)
"""`Direct`, `Paid Search`, `Organic Social`, `Email`, `Referral` and others; `Unknown` without any clue."""

"""The templates of `macros`, one per line: `name(arguments) = HogQL`."""

from __future__ import annotations

SHOWN = """
sparkline(data) = tuple('__hx_tag', 'Sparkline', 'data', {data})
sparkline(data, labels) = tuple('__hx_tag', 'Sparkline', 'data', {data}, 'labels', {labels})
recordingButton(id) = tuple('__hx_tag', 'RecordingButton', 'sessionId', {id})
recordingButton(id, status) = tuple('__hx_tag', 'RecordingButton', 'sessionId', {id}, 'recordingStatus', {status})
recording_button(id) = recordingButton({id})
recording_button(id, status) = recordingButton({id}, {status})
explainCSPReport(data) = tuple('__hx_tag', 'ExplainCSPReport', 'properties', {data})
"""

POSTGRES = """
string_agg(value, separator) = arrayStringConcat(groupArray({value}), {separator})
json_agg(value) = toJSONString(groupArray({value}))
every(condition) = toBool(min({condition}))
split_part(text, separator, n) = arrayElement(splitByString({separator}, {text}), {n})
date_bin(step, moment, origin) = toStartOfInterval({moment}, {step}, {origin})
timezone(zone, moment) = toTimeZone({moment}, {zone})
to_timestamp(seconds) = toTimeZone(fromUnixTimestamp(toInt({seconds})))
make_timestamptz(y, mo, d, h, mi, s, zone) = make_timestamp({y}, {mo}, {d}, {h}, {mi}, {s}, {zone})
generateSeries(first, last) = range({first}, {last} + 1)
generateSeries(first, last, step) = range({first}, {last} + 1, {step})
"""
_PARTS = {
    "year": "toYear", "month": "toMonth", "day": "toDayOfMonth", "hour": "toHour", "minute": "toMinute",
    "second": "toSecond", "dow": "toDayOfWeek", "doy": "toDayOfYear", "quarter": "toQuarter",
}  # fmt: skip
_ARMS = ", ".join(f"{{part}} = '{part}', {function}({{moment}})" for part, function in _PARTS.items())
_UNITS = ("Year", "Month", "Day", "Hour", "Minute", "Second")
_SUM = " + ".join(f"toInterval{unit}({{{unit.lower()}}})" for unit in _UNITS)
_SEMVER = r"^\\s*v?((0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*))([-+]\\S*)?\\s*$"
COMPUTED = f"""
date_part(part, moment) = multiIf({_ARMS}, null)
make_interval({", ".join(unit.lower() for unit in _UNITS)}) = {_SUM}
sortableSemVer(version) = arrayMap(_n -> toInt64OrNull(_n), splitByChar('.', \
ifNull(nullIf(extract(ifNull(toString({{version}}), ''), '{_SEMVER}'), ''), '_')))
"""

_LANGUAGES = """
ar Arabic|bg Bulgarian|bn Bengali|ca Catalan|cs Czech|cy Welsh|da Danish|de German|el Greek|en English|es Spanish
et Estonian|eu Basque|fa Persian|fi Finnish|fr French|ga Irish|gl Galician|gu Gujarati|he Hebrew|hi Hindi|hr Croatian
hu Hungarian|hy Armenian|id Indonesian|is Icelandic|it Italian|ja Japanese|ka Georgian|kk Kazakh|kn Kannada|ko Korean
lt Lithuanian|lv Latvian|mk Macedonian|ml Malayalam|mn Mongolian|mr Marathi|ms Malay|nl Dutch|no Norwegian|pa Punjabi
pl Polish|pt Portuguese|ro Romanian|ru Russian|sk Slovak|sl Slovenian|sq Albanian|sr Serbian|sv Swedish|sw Swahili
ta Tamil|te Telugu|th Thai|tl Tagalog|tr Turkish|uk Ukrainian|ur Urdu|uz Uzbek|vi Vietnamese|zh Chinese
"""
_PAIRS = [entry.split() for entry in _LANGUAGES.strip().replace("\n", "|").split("|")]
_CODES, _NAMES = (", ".join(f"'{pair[index]}'" for pair in _PAIRS) for index in (0, 1))
LANGUAGES = f"languageCodeToName(code) = transform({{code}}, [{_CODES}], [{_NAMES}], 'Unknown')"
"""ISO 639-1 codes of the most common languages; other codes are `Unknown`."""

_BOTS = """
GPTBot|OpenAI|ai_crawler|AI Agent
OAI-SearchBot|OpenAI|ai_search|AI Agent
ChatGPT-User|OpenAI|ai_assistant|AI Agent
ClaudeBot|Anthropic|ai_crawler|AI Agent
Claude-User|Anthropic|ai_assistant|AI Agent
PerplexityBot|Perplexity|ai_search|AI Agent
CCBot|Common Crawl|ai_crawler|AI Agent
Googlebot|Google|search_crawler|Bot
bingbot|Microsoft|search_crawler|Bot
DuckDuckBot|DuckDuckGo|search_crawler|Bot
YandexBot|Yandex|search_crawler|Bot
Baiduspider|Baidu|search_crawler|Bot
AhrefsBot|Ahrefs|seo_crawler|Bot
SemrushBot|Semrush|seo_crawler|Bot
facebookexternalhit|Meta|social_crawler|Bot
Twitterbot|X|social_crawler|Bot
HeadlessChrome|Google|headless_browser|Automation
curl|curl|http_client|Automation
python-requests|Python|http_client|Automation
Go-http-client|Go|http_client|Automation
"""
_KNOWN = [line.split("|") for line in _BOTS.strip().splitlines()]


def _classified(column: int, otherwise: str, without_agent: str = "") -> str:
    """Return the label of a user agent: of a known bot, `without_agent` for a missing or empty one, or `otherwise`."""
    arms = ", ".join(f"match(ifNull({{agent}}, ''), '(?i){bot[0]}'), '{bot[column]}'" for bot in _KNOWN)
    return f"multiIf({arms}, ifNull({{agent}}, '') = '', '{without_agent}', '{otherwise}')"


TRAFFIC = f"""
getTrafficType(agent) = {_classified(3, "Regular", "Automation")}
getTrafficCategory(agent) = {_classified(2, "regular", "no_user_agent")}
getBotType(agent) = {_classified(2, "", "no_user_agent")}
getBotName(agent) = {_classified(0, "")}
getBotOperator(agent) = {_classified(1, "")}
isLikelyBot(agent) = getBotType({{agent}}) != ''
"""
"""A short list of well-known user agents instead of PostHog's."""

_SEARCH = "google|bing|duckduckgo|yahoo|baidu|yandex|ecosia|brave"
_SOCIAL = "facebook|instagram|linkedin|reddit|twitter|tiktok|pinterest|threads|mastodon|quora"
_VIDEO = "youtube|vimeo|twitch|dailymotion"
_SHOPS = "amazon|ebay|etsy|alibaba"


def _site(prefix: str) -> str:
    kinds = ((_SEARCH, "Search"), (_SOCIAL, "Social"), (_VIDEO, "Video"), (_SHOPS, "Shopping"))
    arms = ", ".join(
        f"match(ifNull({{site}}, ''), '(^|[.])({names})([.]|$)'), '{prefix}{kind}'" for names, kind in kinds
    )
    return f"multiIf({arms}, null)"


CHANNELS = f"""
lookupDomainType(site) = {_site("")}
lookupDomainType(site, kind) = lookupDomainType({{site}})
lookupPaidSourceType(site) = {_site("Paid ")}
lookupOrganicSourceType(site) = {_site("Organic ")}
lookupPaidMediumType(medium) = transform({{medium}}, ['paid_social', 'video'], ['Paid Social', 'Paid Video'], null)
lookupOrganicMediumType(medium) = transform({{medium}}, ['email', 'affiliate', 'sms', 'push', 'audio', 'social'], \
['Email', 'Affiliate', 'SMS', 'Push', 'Audio', 'Organic Social'], null)
"""
"""A short list of well-known sites instead of PostHog's."""

ALL = (SHOWN, POSTGRES, COMPUTED, LANGUAGES, TRAFFIC, CHANNELS)
AGGREGATES = frozenset({"string_agg", "json_agg", "every"})
"""Macros that aggregate rows."""

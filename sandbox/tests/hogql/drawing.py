"""Random HogQL that mostly compiles: expressions over events, and statements with them."""

from hypothesis import strategies as st

ATOMS = """
event|timestamp|distinct_id|person_id|uuid|`event`|properties.plan|properties.$browser|properties['a b']
person.properties.email|session.$session_duration|1|-2|2.5|1e3|null|true|[1, 2]|('a', 1)
'a'|'it\\'s'|'\\\\'|'; drop table events; --'|''
"""
CALLS = """
({})|not {}|-({})|toString({})|lower(toString({}))|coalesce({}, 'none')|[{}]|if({} = 1, 2, 3)|count({})|({}) is null
"""
PAIRS = """
{} = {}|{} != {}|({}) + ({})|{} and {}|{} or {}|({}, {})|concat(toString({}), toString({}))|{} like {}|{} in [{}, 1]
"""
TAILS = " | where event = 'a'| where timestamp > now() - interval 7 day| limit 5| order by 1| limit 3 offset 1"


def _choices(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.strip("\n").replace("\n", "|").split("|"))


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(str.format, _choices(CALLS), inner) | st.builds(str.format, _choices(PAIRS), inner, inner)


def _statement(columns: list[str], tail: str) -> str:
    return f"select {', '.join(columns)} from events{tail}"


expressions = st.recursive(_choices(ATOMS), _larger, max_leaves=6)
aliases = _choices("|| as b| as `two words`| as `; drop`| as `it's`")
statements = st.builds(
    _statement, st.lists(st.builds(str.__add__, expressions, aliases), min_size=1, max_size=3), _choices(TAILS)
)

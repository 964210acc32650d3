"""The tables and columns of a project, remembered for some minutes; reading them is not a HogQL query."""

from hogql_lang import Schema, SchemaError
from hogql_lang import read_schema as read_response

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.kept import Aged
from ..operation import unexpected_shape

SCHEMA_AGE_S = 600.0
"""Tables change rarely; a new column is known ten minutes later."""


async def schema_of(api: Call) -> Aged[Schema]:
    """Return the schema of the call's project, at most ten minutes old. Raises GatewayError."""
    async with api.remembered("schema", SCHEMA_AGE_S) as slot:
        return slot.found or slot.fill(await _ask(api))


async def _ask(api: Call) -> Schema:
    asking = api.counted_as(Budget.CRUD)
    response = await asking.query({"query": {"kind": "DatabaseSchemaQuery"}})
    return await asking.apart(lambda: read_schema(response))


def read_schema(response: object) -> Schema:
    """Return the schema in a response. Raises Failed (`bad_upstream_response`) for anything else."""
    try:
        return read_response(response)
    except SchemaError as error:
        raise unexpected_shape("DatabaseSchemaQuery", str(error)) from error

"""Print how many of the tools each schema converter takes; exit with 1 when one does not take them all.

Agent frameworks translate the JSON Schema of a tool for the model they call. Each is run here on a real connection to
this server over stdio, with a scripted model endpoint that records what would reach the model. A tool counts as taken
when everything its schema says arrives there: arguments, types, items, branches and words.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module, metadata
from typing import Any, cast

from .environments import ROOT, UnavailableError, python_environment

TOOL_LIST = ROOT / "server" / "tool_list.json"
SERVER = "HOSTS_SERVER_PYTHON"
"""Set for the inner run: the interpreter in which this server is installed."""
LISTED_WITH = {
    "MATON_API_KEY": "sandbox",
    "MATON_GATEWAY_URL": "http://127.0.0.1:9",
    "MATON_CONTROL_URL": "http://127.0.0.1:9",
}
"""Nothing is called: the tools are only listed."""
SECONDS = 120

type Schema = Mapping[str, Any]
type Sent = Mapping[str, Schema]
"""The schemas that reach a model, by the name of the tool."""


def main() -> int:
    """Run the converters, each in its environment, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--within", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.within:
        return asyncio.run(run_all(options.within))
    return max([run_in(name) for name in environments()])


def environments(*, quick: bool = False) -> Iterator[str]:
    """Yield the environments that have converters, or only those that install quickly."""
    for name in dict.fromkeys(converter.requirements for converter in CONVERTERS):
        if not quick or name in QUICK:
            yield name


def run_in(name: str) -> int:
    """Run the converters of one environment, or print why they are skipped."""
    try:
        python = python_environment(name)
    except UnavailableError as error:
        for converter in CONVERTERS:
            if converter.requirements == name:
                print(f"{converter.name}: skipped: {error}")
        return 0
    command = [str(python), "-m", "hosts.converters", "--within", name]
    return subprocess.run(command, env={**os.environ, SERVER: sys.executable}, cwd=ROOT, check=False).returncode


async def run_all(requirements: str) -> int:
    """Print a line for each converter of a requirement file, and return 1 unless each takes all tools."""
    logging.disable(logging.CRITICAL)  # the frameworks log that the endpoint rejects their requests
    published = {name: entry["inputSchema"] for name, entry in json.loads(TOOL_LIST.read_text("utf-8")).items()}
    for entry in published.values():
        entry["properties"].pop("export", None)  # only offered with an export directory
    status = 0
    for converter in CONVERTERS:
        if converter.requirements != requirements:
            continue
        label = f"{converter.name} {metadata.version(converter.distribution or converter.name)}"
        try:
            async with asyncio.timeout(SECONDS):
                faults, narrower = judged(published, await converter.run())
        except Exception as error:
            first = innermost(error).splitlines()[0]
            faults, narrower = dict.fromkeys(published, first[:200]), {}
        print(f"{label}: {len(published) - len(faults)} of {len(published)} tools", flush=True)
        for fault, tools in grouped(faults | narrower).items():
            print(f"    {fault} ({', '.join(tools[:5])}{', ...' if len(tools) > 5 else ''})")
        status = max(status, 1 if faults else 0)
    return status


def judged(published: Sent, sent: Sent) -> tuple[dict[str, str], dict[str, str]]:
    """Return the first fault of each tool that is not taken, and what is narrower in the others."""
    faults: dict[str, str] = {}
    narrower: dict[str, str] = {}
    for name, schema in published.items():
        lost = list(losses(schema, sent[name])) if name in sent else [Loss("the tool does not reach the model")]
        for loss in sorted(lost, key=lambda loss: loss.narrows)[:1]:
            (narrower if loss.narrows else faults)[name] = loss.text
    return faults, narrower


def innermost(error: Exception) -> str:
    """Return the first error of a group, with its kind."""
    inner: object = error
    while isinstance(inner, ExceptionGroup):
        inner = cast("ExceptionGroup[Exception]", inner).exceptions[0]
    return f"{type(inner).__name__}: {inner}"


def grouped(faults: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the tools by fault, so that one fault of all tools is one line."""
    found: dict[str, list[str]] = {}
    for name, fault in faults.items():
        found.setdefault(fault, []).append(name)
    return found


@dataclass(frozen=True, slots=True)
class Loss:
    """What a published schema says and the sent one does not."""

    text: str
    narrows: bool = False
    """The tool is still usable: one of several forms of an argument is left."""


def losses(published: Schema, sent: Any, place: str = "") -> Iterator[Loss]:
    """Yield what a published schema says and the sent one does not."""
    here = place or "the arguments"
    if not isinstance(sent, dict):
        yield Loss(f"{here}: the schema is gone")
        return
    found = {_SPELLINGS.get(key, key): value for key, value in cast("dict[str, Any]", sent).items()}
    if branches := published.get("anyOf"):
        if "anyOf" not in found and _kind(found) in [branch["type"] for branch in branches]:
            yield Loss(f"{here}: only {_kind(found)} is left", narrows=True)
            return
        kept: list[Any] = [branch for branch in found.get("anyOf", []) if branch != {"type": "null"}]
        if len(kept) != len(branches):
            yield Loss(f"{here}: {len(kept)} of {len(branches)} branches are left")
        for number, (branch, other) in enumerate(zip(branches, kept, strict=False)):
            yield from losses(branch, other, f"{place}|{number}")
        return
    if _kind(found) != published["type"]:
        yield Loss(f"{here}: {published['type']} became {found.get('type')}")
    if set(published.get("enum", ())) != set(found.get("enum") or ()):
        yield Loss(f"{here}: the words differ")
    if "items" in published:
        yield from losses(published["items"], found.get("items"), f"{place}[]")
    if (
        "additionalProperties" in published
        and "properties" not in published
        and found.get("additionalProperties") is False
    ):
        yield Loss(f"{here}: a free-form object accepts nothing but {{}}")
    properties: Mapping[str, Any] = found.get("properties") or {}
    for name, schema in published.get("properties", {}).items():
        yield from losses(schema, properties.get(name), f"{place}.{name}".lstrip("."))


def _kind(schema: Schema) -> str:
    return str(schema.get("type", "")).lower()


_SPELLINGS = {"any_of": "anyOf", "additional_properties": "additionalProperties"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model endpoint that records requests and rejects each of them."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools of the first request that has any."""
        return next(body["tools"] for body in self.bodies if body.get("tools"))


@asynccontextmanager
async def endpoint() -> AsyncGenerator[Endpoint]:
    """Serve a recording endpoint on loopback."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            text = b'{"error": {"code": 400, "message": "recorded", "status": "INVALID_ARGUMENT"}}'
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        try:
            yield Endpoint(f"http://127.0.0.1:{served.server_port}", bodies)
        finally:
            served.shutdown()


def command() -> dict[str, Any]:
    """Return how a client starts this server."""
    return {"command": os.environ[SERVER], "args": ["-m", "maton_posthog.server"], "env": LISTED_WITH}


@asynccontextmanager
async def session() -> AsyncGenerator[Any]:
    """Connect the SDK's client to this server."""
    mcp, stdio = import_module("mcp"), import_module("mcp.client.stdio")
    async with (
        stdio.stdio_client(mcp.StdioServerParameters(**command())) as (reading, writing),
        mcp.ClientSession(reading, writing) as connected,
    ):
        await connected.initialize()
        yield connected


async def sending(request: Awaitable[object], model: Endpoint) -> None:
    """Send a request, which the endpoint rejects. Raises what went wrong before it was sent."""
    try:
        await request
    except Exception:
        if not model.bodies:
            raise


async def google_genai() -> Sent:
    """Convert with Google's SDK, which takes an MCP session as a tool."""
    genai = import_module("google.genai")
    async with session() as connected, endpoint() as model:
        client = genai.Client(api_key="none", http_options={"base_url": model.url})
        config = {"tools": [connected], "automatic_function_calling": {"maximum_remote_calls": 1}}
        await sending(client.aio.models.generate_content(model="gemini-2.5-flash", contents="hi", config=config), model)
        return declared(model.tools)


async def langchain_google() -> Sent:
    """Convert with LangChain for Gemini."""
    load = import_module("langchain_mcp_adapters.tools").load_mcp_tools
    chat = import_module("langchain_google_genai").ChatGoogleGenerativeAI
    async with session() as connected, endpoint() as model:
        bound = chat(model="gemini-2.5-flash", api_key="none", base_url=model.url, max_retries=1)
        await sending(bound.bind_tools(await load(connected)).ainvoke("hi"), model)
        return declared(model.tools)


async def langchain_core() -> Sent:
    """Convert with LangChain to OpenAI's form."""
    load = import_module("langchain_mcp_adapters.tools").load_mcp_tools
    convert = import_module("langchain_core.utils.function_calling").convert_to_openai_tool
    async with session() as connected:
        functions = [convert(tool)["function"] for tool in await load(connected)]
    return {function["name"]: function["parameters"] for function in functions}


async def openai_agents() -> Sent:
    """Convert with OpenAI's Agents SDK in strict mode; it leaves tools with free-form objects as they are."""
    agents, mcp, openai = import_module("agents"), import_module("agents.mcp"), import_module("openai")
    agents.set_tracing_disabled(True)
    async with endpoint() as model, mcp.MCPServerStdio(params=command()) as server:
        client = openai.AsyncOpenAI(api_key="none", base_url=model.url, max_retries=0)
        agent = agents.Agent(
            name="tester",
            model=agents.OpenAIResponsesModel(model="gpt-5", openai_client=client),
            mcp_servers=[server],
            mcp_config={"convert_schemas_to_strict": True},
        )
        await sending(agents.Runner.run(agent, "hi"), model)
        return {tool["name"]: tool["parameters"] for tool in model.tools}


async def pydantic_ai() -> Sent:
    """Convert with Pydantic AI and its profile of OpenAI's models."""
    agent, mcp = import_module("pydantic_ai"), import_module("pydantic_ai.mcp")
    models, providers = import_module("pydantic_ai.models.openai"), import_module("pydantic_ai.providers.openai")
    openai = import_module("openai")
    async with endpoint() as model:
        client = openai.AsyncOpenAI(api_key="none", base_url=model.url, max_retries=0)
        chat = models.OpenAIChatModel("gpt-5", provider=providers.OpenAIProvider(openai_client=client))
        await sending(agent.Agent(chat, toolsets=[mcp.MCPToolset(mcp.StdioTransport(**command()))]).run("hi"), model)
        return {tool["function"]["name"]: tool["function"]["parameters"] for tool in model.tools}


async def dspy() -> Sent:
    """Convert with DSPy, which reads types into Python's."""
    tool_of = import_module("dspy").Tool.from_mcp_tool
    async with session() as connected:
        listed = (await connected.list_tools()).tools
        tools = [tool_of(connected, tool) for tool in listed]
    return {tool.name: {"type": "object", "properties": tool.args} for tool in tools}


def declared(tools: list[dict[str, Any]]) -> Sent:
    """Return the function declarations in Gemini's form."""
    functions = [function for tool in tools for function in tool.get("functionDeclarations", ())]
    return {
        function["name"]: function.get("parameters") or function.get("parametersJsonSchema") for function in functions
    }


@dataclass(frozen=True, slots=True)
class Converter:
    """A framework that translates schemas."""

    name: str
    run: Callable[[], Awaitable[Sent]]
    requirements: str
    distribution: str = ""


CONVERTERS = (
    Converter("openai-agents, strict", openai_agents, "openai-agents", "openai-agents"),
    Converter("pydantic-ai, OpenAI profile", pydantic_ai, "pydantic-ai", "pydantic-ai-slim"),
    Converter("google-genai", google_genai, "google-genai"),
    Converter("langchain-google-genai", langchain_google, "langchain"),
    Converter("langchain-core", langchain_core, "langchain"),
    Converter("dspy", dspy, "dspy"),
)
QUICK = ("openai-agents", "pydantic-ai")
"""The environments that install quickly."""

if __name__ == "__main__":
    sys.exit(main())

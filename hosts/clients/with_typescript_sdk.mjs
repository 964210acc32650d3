// The client of the TypeScript SDK, which agrees on the newest protocol version.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { cell, show, stdio } from "./cell.mjs";

const client = new Client({ name: "tester", version: "1" }, { versionNegotiation: { mode: "auto" } });
await client.connect(
  cell.transport === "stdio"
    ? new StdioClientTransport(stdio)
    : new StreamableHTTPClientTransport(new URL(cell.url)),
);
const { tools } = await client.listTools();
const called = ({ tool, arguments: given }) => client.callTool({ name: tool, arguments: given });
const good = await called(cell.good);
const mistake = await called(cell.mistake);
await client.close();
show({
  tools: tools.map((tool) => tool.name),
  answer: good.content[0].text,
  error: mistake.isError ? mistake.content[0].text : null,
  error_as: "`isError`",
});

// Vercel's AI SDK: a model that is a script makes the calls. Over stdio it also connects twenty times, five at a time,
// because its `server/discover` has one second before `initialize` follows on the same pipe.

import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, isStepCount } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { cell, show, stdio } from "./cell.mjs";

const transport = () => (cell.transport === "stdio" ? new StdioTransport(stdio) : { type: "http", url: cell.url });
const client = await createMCPClient({ transport: transport() });
const tools = await client.tools();

const calls = [cell.good, cell.mistake].map(({ tool, arguments: given }, number) => ({
  type: "tool-call",
  toolCallId: String(number),
  toolName: tool,
  input: JSON.stringify(given),
}));
const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
const model = new MockLanguageModelV4({
  doGenerate: async () => {
    const call = calls.shift();
    return call === undefined
      ? { content: [{ type: "text", text: "done" }], finishReason: { unified: "stop" }, usage, warnings: [] }
      : { content: [call], finishReason: { unified: "tool-calls" }, usage, warnings: [] };
  },
});
await generateText({ model, tools, prompt: "hi", stopWhen: isStepCount(3) });
await client.close();

const seen = model.doGenerateCalls.at(-1).prompt.filter(({ role }) => role === "tool").flatMap(({ content }) => content);
const [good, mistake] = seen.map(({ output }) => output);
const text = ({ value }) => (typeof value === "string" ? value : value.map((part) => part.text).join(""));

const notes = [];
if (cell.transport === "stdio") {
  let connected = 0;
  for (let round = 0; round < 4; round++) {
    const opened = await Promise.allSettled(Array.from({ length: 5 }, () => createMCPClient({ transport: transport() })));
    const clients = opened.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    connected += clients.length;
    await Promise.all(clients.map((one) => one.close()));
  }
  if (connected < 20) throw new Error(`${connected} of 20 connections succeeded`);
  notes.push(`${connected} of 20 connections succeeded, five at a time.`);
}

show({
  tools: Object.keys(tools),
  answer: text(good),
  error: text(mistake),
  error_as: mistake.type.startsWith("error") ? `\`${mistake.type}\`` : "text",
  notes,
});

// The part of a cell that runs in Node; `cell.py` explains the fields.

export const cell = JSON.parse(process.argv[2] ?? "{}");

export const stdio = { command: cell.command, args: cell.args, env: cell.env };

export function show({ tools, answer, error, error_as, notes = [] }) {
  console.log(JSON.stringify({ tools, answer, error, error_as, notes }));
}

"""HogQL judged in a Python program, without a server: prints what is wrong with a query."""

from hogql_lang import judge, read, read_schema

response = {"tables": {"events": {"fields": {"event": {"type": "string"}, "timestamp": {"type": "datetime"}}}}}

statement = read("SELECT evnt FROM events WHERE timestamp > {since}")
verdict = judge(statement, values={"since": "2026-11-01"}, schema=read_schema(response))
for problem in verdict.errors:
    print(problem.message, problem.place, problem.fixes)

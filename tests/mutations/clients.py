"""Protections against clients, web pages and other machines, and of the settings."""

from .mutation import against, mutation

_HTTP = "tests/server/transports/test_http.py::"
_LIMITS = "tests/server/transports/test_limits.py::"

MUTATIONS = (
    *against(
        "an agent writes when it should only read",
        mutation(
            "tiles-of-a-tool-that-is-off",
            "server/calling.py",
            "if other not in runtime.offered and",
            "if False and",
            "tests/server/settings/test_toolsets.py::"
            "test_a_dashboard_makes_and_deletes_no_insights_where_their_tools_are_off",
        ),
        mutation(
            "write-tools-of-a-read-only-server",
            "server/tool_list.py",
            "and (reads or not settings.read_only)",
            "",
            "tests/server/test_every_operation.py::"
            "test_a_write_names_its_connection_and_a_read_only_server_does_not_offer_it",
        ),
        mutation(
            "requests-of-a-read-only-gateway",
            "gateway/client.py",
            "        if request.writes and self.config.read_only:\n            raise read_only()\n",
            "",
            "tests/gateway/test_client.py::test_a_read_only_gateway_sends_reads_and_queries_only",
        ),
        mutation(
            "writes-of-a-reading-call",
            "gateway/dispatcher.py",
            "        if not self.writes:\n",
            "        if False:\n",
            "tests/gateway/test_call.py::test_a_reading_operation_cannot_write",
        ),
        mutation(
            "all-toolsets",
            "server/tool_list.py",
            "else tool.toolset in settings.toolsets",
            "else True",
            "tests/server/test_app.py::test_a_tool_of_an_area_that_is_not_offered_names_the_setting",
        ),
        mutation(
            "restores-in-areas-that-are-off",
            "server/tool_list.py",
            "for name, area in RESTORED.items() if area in settings.toolsets]",
            "for name, area in RESTORED.items()]",
            "tests/server/settings/test_toolsets.py::test_only_resources_of_offered_areas_can_be_restored",
        ),
        mutation(
            "completions-of-areas-that-are-off",
            "server/features/completions.py",
            "or _TOOLS[params.argument.name] not in runtime.offered or",
            "or",
            "tests/server/features/test_completions.py::test_nothing_is_requested_from_an_area_that_is_off",
        ),
        mutation(
            "excluded-tools",
            "server/tool_list.py",
            "excluded = tool.name in settings.exclude_tools",
            "excluded = False",
            "tests/server/asking/test_approval.py::test_excluded_tools_are_neither_listed_nor_callable",
        ),
    ),
    *against(
        "a tool is announced as something else",
        mutation(
            "everything-only-reads",
            "server/tool_list.py",
            "read_only_hint=effect is Effect.READ,",
            "read_only_hint=True,",
            "tests/server/test_every_operation.py::test_its_hints_match_the_requests_it_sends",
        ),
        mutation(
            "an-argument-that-agrees",
            "schemas/base/__init__.py",
            "    dry_run: bool = False\n",
            "    dry_run: bool = False\n    confirm: bool = False\n",
            "tests/test_operations.py::test_only_a_token_of_this_server_authorizes",
        ),
    ),
    *against(
        "a misspelled setting",
        mutation(
            "misspelled-variables",
            "server/settings/__init__.py",
            "if wrong := wrong_name(os.environ, variables):",
            "if wrong := None:",
            "tests/server/settings/test_misspelled.py::test_a_misspelled_variable_is_named_with_the_right_one",
        ),
        mutation(
            "flags-without-effect",
            "server/settings/__init__.py",
            "if idle := sorted(str(DECLARATIONS[name].flag) for name in on_stdio):",
            "if idle := []:",
            "tests/server/settings/test_misspelled.py::test_a_flag_without_effect_is_an_error",
        ),
        mutation(
            "placeholders-as-keys",
            "server/settings/misspelled.py",
            "if _PLACEHOLDER.fullmatch(text):",
            "if False:",
            "tests/server/settings/test_misspelled.py::test_a_placeholder_is_no_key",
        ),
        mutation(
            "exports-over-http",
            "server/settings/__init__.py",
            "if settings.export_dir is not None:",
            "if False:",
            "tests/server/settings/test_loading.py::test_files_are_exported_over_stdio_only",
        ),
    ),
    *against(
        "a `.env` file",
        mutation(
            "dotenv",
            "server/settings/__init__.py",
            "    values: dict[str, Any] = {}\n",
            "    values: dict[str, Any] = {}\n"
            '    for line in Path(".env").read_text().splitlines() if Path(".env").exists() else ():\n'
            '        os.environ.setdefault(*line.split("=", 1))\n',
            "tests/server/settings/test_loading.py::test_a_dotenv_in_the_working_directory_is_not_read",
        ),
    ),
    *against(
        "another web page or machine uses the HTTP server",
        mutation(
            "any-host",
            "server/transports/http.py",
            "rejection = await self._hosts.validate_request(request) or await self._check_token(request)",
            "rejection = await self._check_token(request)",
            _HTTP + "test_an_unknown_host_is_rejected_at_every_endpoint",
            _HTTP + "test_an_unknown_origin_is_rejected_at_every_endpoint",
        ),
        mutation(
            "any-token",
            "server/transports/http.py",
            'hmac.compare_digest(given.strip().encode("latin-1"), self._token)',
            "True",
            _HTTP + "test_without_the_token_only_health_is_served",
        ),
        mutation(
            "tokens-byte-by-byte",
            "server/transports/http.py",
            'hmac.compare_digest(given.strip().encode("latin-1"), self._token)',
            'given.strip().encode("latin-1") == self._token',
            "tests/server/transports/test_doorkeeper.py::test_tokens_are_compared_in_constant_time",
        ),
        mutation(
            "no-token-for-other-machines",
            "server/settings/__init__.py",
            "if settings.token is None:",
            "if False:",
            "tests/server/settings/test_loading.py::test_a_non_loopback_address_needs_a_token_and_a_host_name",
        ),
        mutation(
            "short-tokens",
            "server/settings/__init__.py",
            "if len(settings.token.reveal()) < SHORTEST_TOKEN:",
            "if False:",
            "tests/server/settings/test_misspelled.py::test_a_token_for_other_machines_has_sixteen_characters",
        ),
        mutation(
            "guesses-at-any-speed",
            "server/transports/http.py",
            "if given and not await self._guesses.slow_down(",
            "if False and not await self._guesses.slow_down(",
            _LIMITS + "test_wrong_tokens_wait_few_at_a_time_and_the_right_one_never",
        ),
        mutation(
            "guesses-of-all-peers-together",
            "server/transports/guesses.py",
            "peer = peer_of(address)",
            'peer = ""',
            _LIMITS + "test_wrong_tokens_of_one_peer_take_no_place_of_another",
        ),
        mutation(
            "guesses-of-any-number-of-peers",
            "server/transports/guesses.py",
            "or (peer not in self._waiting and len(self._waiting) >= MOST_PEERS)",
            "",
            _LIMITS + "test_wrong_tokens_of_one_peer_take_no_place_of_another",
        ),
        mutation(
            "a-session-id-authorizes",
            "server/transports/http.py",
            "if self._token is None or request.url.path == HEALTH:",
            'if self._token is None or request.url.path == HEALTH or "mcp-session-id" in request.headers:',
            _HTTP + "test_a_session_id_alone_authorizes_nothing",
        ),
    ),
    *against(
        "one HTTP client",
        mutation(
            "tokens-are-passed-on",
            "server/transports/http.py",
            '_DROPPED = (b"authorization", b"last-event-id")',
            '_DROPPED = (b"last-event-id",)',
            "tests/server/transports/test_doorkeeper.py::"
            "test_the_token_of_a_request_does_not_reach_the_server_behind_it",
        ),
        mutation(
            "one-caller",
            "gateway/named.py",
            "known = self._known.get(caller)",
            "known = next(iter(self._known.values()), None)",
            "tests/gateway/test_named.py::test_what_one_caller_read_does_not_bind_another",
        ),
        mutation(
            "queries-of-another-place",
            "gateway/queries/background.py",
            "if query is None or query.place != place or query.age_s > KEPT_S:",
            "if query is None or query.age_s > KEPT_S:",
            "tests/gateway/queries/test_background.py::"
            "test_a_query_that_outlives_its_call_keeps_running_and_is_found_by_id_in_its_place",
        ),
    ),
    *against(
        "half-open connections",
        mutation(
            "heads-without-end",
            "server/transports/connections.py",
            "self._late = self.loop.call_later(HEAD_S, self.transport.abort)",
            "self._late = self.loop.call_later(10**6, self.transport.abort)",
            _LIMITS + "test_a_head_that_does_not_end_closes_its_connection",
        ),
        mutation(
            "any-number-of-connections",
            "server/transports/connections.py",
            "if len(self.connections) > most_connections():",
            "if False:",
            _LIMITS + "test_half_open_connections_make_room_for_whole_requests",
        ),
        mutation(
            "bodies-without-end",
            "server/transports/http.py",
            "with anyio.move_on_after(BODY_S) as waiting_for_body:",
            "with anyio.move_on_after(10**6) as waiting_for_body:",
            _LIMITS + "test_a_body_that_does_not_arrive_is_given_up",
        ),
        mutation(
            "any-number-of-sessions",
            "server/transports/sessions.py",
            "if opens and len(self._uses.by_id) >= self._most and not await self._make_room(scope):",
            "if False:",
            _LIMITS + "test_the_longest_idle_session_makes_room_for_a_new_one",
        ),
        mutation(
            "any-number-of-streams",
            "server/transports/sessions.py",
            "if len(self._uses.by_id) >= self._most and not self._make_room():",
            "if False:",
            _LIMITS + "test_the_longest_idle_stream_makes_room_for_a_new_one",
        ),
    ),
    *against(
        "another web page or machine uses the sandbox",
        mutation(
            "any-host-of-the-sandbox",
            "sandbox/src/posthog_sandbox/http/local.py",
            "if len(hosts) != 1 or not all(map(_is_local, hosts)):",
            "if False:",
            "sandbox/tests/test_local_only.py::test_another_host_is_rejected",
        ),
        mutation(
            "any-origin-of-the-sandbox",
            "sandbox/src/posthog_sandbox/http/local.py",
            "if not all(map(_is_local, origins)):",
            "if False:",
            "sandbox/tests/test_local_only.py::test_a_page_of_another_site_is_rejected",
        ),
        mutation(
            "any-address-of-the-sandbox",
            "sandbox/src/posthog_sandbox/__main__.py",
            "if not is_loopback(options.host):",
            "if False:",
            "sandbox/tests/test_local_only.py::test_an_address_for_other_machines_is_one_line",
        ),
    ),
)

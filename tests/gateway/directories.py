"""Directories that several gateways of one test can share."""

from maton_posthog.gateway.budget import Ledger
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.directory import Directory


def new_directory() -> Directory:
    """Return an empty directory without pins."""
    return Directory(GatewayConfig(api_key=None, gateway_urls=(), control_urls=()), Ledger())


def through(opened: Gateway, directory: Directory) -> Directory:
    """Return the directory as calls through `opened` see it: with its settings and its limits."""
    directory.config = opened.config
    directory.ledger = opened.ledger
    return directory

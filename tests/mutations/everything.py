"""All mutations."""

from . import calls, clients, requests, results, writes
from .mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *requests.MUTATIONS,
    *results.MUTATIONS,
    *writes.MUTATIONS,
    *clients.MUTATIONS,
    *calls.MUTATIONS,
)

"""All mutations."""

from . import agreement, calls, clients, requests, results, writes
from .mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *requests.MUTATIONS,
    *results.MUTATIONS,
    *agreement.MUTATIONS,
    *writes.MUTATIONS,
    *clients.MUTATIONS,
    *calls.MUTATIONS,
)

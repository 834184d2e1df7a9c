"""The attributes in which applications say whose call it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agents.otlp.values import text
from schemas.events import MAX_NAME


class AttributeNames(msgspec.Struct, frozen=True, gc=False):
    """Attribute names to look for, the first found counts: in the span, then in the spans around
    it from the inside out, then in the resource."""

    session: tuple[str, ...] = (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
        "ai.settings.context.sessionId",
        "metadata.session_id",
    )
    user: tuple[str, ...] = (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "ai.settings.context.userId",
        "metadata.user_api_key_end_user_id",
        "metadata.user_id",
        "gen_ai.user",
        "gen_ai.request.user",
        "llm.user",
    )
    tenant: tuple[str, ...] = (
        "tenant.id",
        "tenant",
        "traceloop.association.properties.tenant",
        "ai.telemetry.metadata.tenant",
        "ai.settings.context.tenant",
        "metadata.tenant",
        "metadata.user_api_key_team_id",
    )
    feature: tuple[str, ...] = (
        "feature",
        "traceloop.association.properties.feature",
        "ai.telemetry.metadata.feature",
        "ai.settings.context.feature",
        "metadata.feature",
        "ai.telemetry.functionId",
        "service.name",
    )
    environment: tuple[str, ...] = (
        "deployment.environment.name",
        "deployment.environment",
        "langfuse.environment",
    )
    prompt_name: tuple[str, ...] = (
        "gen_ai.prompt.name",
        "langfuse.observation.prompt.name",
        "traceloop.prompt.key",
    )
    prompt_sha: tuple[str, ...] = (
        "prompt.sha",
        "gen_ai.prompt.version",
        "langfuse.observation.prompt.version",
        "llm.prompt_template.version",
        "traceloop.prompt.version_hash",
        "traceloop.prompt.version",
    )

    def all(self) -> frozenset[str]:
        """Every attribute that is looked for."""
        return frozenset(name for names in msgspec.structs.astuple(self) for name in names)


DEFAULT = AttributeNames()

_UNNAMED = "unknown_service"
"""What SDKs write for a service that has no name, followed by that of the program."""


class Whose(msgspec.Struct, gc=False):
    """Whose call it was; empty means that nobody said it."""

    session: str = ""
    user: str = ""
    tenant: str = ""
    feature: str = ""
    environment: str = ""
    prompt_name: str = ""
    prompt_sha: str = ""

    def around(self, outer: Whose) -> Whose:
        """With what is missing from the span around it."""
        return Whose(
            self.session or outer.session,
            self.user or outer.user,
            self.tenant or outer.tenant,
            self.feature or outer.feature,
            self.environment or outer.environment,
            self.prompt_name or outer.prompt_name,
            self.prompt_sha or outer.prompt_sha,
        )


def whose(attributes: Mapping[str, Any], names: AttributeNames) -> Whose:
    """What these attributes say."""
    feature = text(attributes, *names.feature)
    return Whose(
        text(attributes, *names.session),
        text(attributes, *names.user),
        text(attributes, *names.tenant)[:MAX_NAME],
        "" if feature.startswith(_UNNAMED) else feature[:MAX_NAME],
        text(attributes, *names.environment)[:MAX_NAME],
        text(attributes, *names.prompt_name)[:MAX_NAME],
        text(attributes, *names.prompt_sha)[:MAX_NAME],
    )

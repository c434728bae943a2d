"""What events come from and look like: an entry of `topics.sources`, and the section `registry`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from connector.config_text.units import Duration, UnitError
from connector.model import Message
from connector.settings.section import Section, TopicName

MESSAGE_FIELDS = Message.__struct_fields__

_type_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*").fullmatch
_url = re.compile(r"https?://[^/?#\s@]+(/[^?#\s]*)?").fullmatch
_address = re.compile(r"https?://[^/?#\s@]+(/[^#\s]*)?").fullmatch


def expression(value: str) -> str:
    """A JMESPath expression over an event. Raises UnitError."""
    from connector.config_text.jmes_checks import STANDARD, slips  # few have one: what it imports waits until then
    from connector.config_text.jmes_parse import PathSyntaxError, parse

    try:
        tree = parse(value)
    except PathSyntaxError as error:
        raise UnitError(error.message, error.remedy) from None
    for slip in slips(tree, value, STANDARD, condition=False):
        if slip.certain:
            raise UnitError(f"an expression in which {slip.message}", slip.remedy)
    return value


def _field(value: str) -> str:
    if value not in MESSAGE_FIELDS:
        raise UnitError("no field of a message", f"there are: {', '.join(MESSAGE_FIELDS)}")
    return value


def _full_name(value: str) -> str:
    if not _type_name(value):
        raise UnitError("no name of a Protobuf message", "write it with its package, as in acme.events.SmsRequested")
    return value


def base_url(value: str) -> str:
    """A URL without query, as it is written in front of paths. Raises UnitError."""
    if not _url(value):
        raise UnitError("not a URL without user and query", "write https://registry.example.com, and the user apart")
    return value.rstrip("/")


def endpoint(value: str) -> str:
    """A URL that is asked as it is. Raises UnitError."""
    if not _address(value):
        raise UnitError("not a URL without user", "write https://login.example.com/oauth2/token")
    return value


class SourceTopic(Section):
    """One input topic."""

    topic: TopicName
    """Topic of message events."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of `memory` kept free for this topic: a backlog elsewhere cannot take it. 0 reserves nothing."""

    format: Literal["json", "json-schema", "avro", "protobuf"] = "json"
    """How its values are written. All but `json` begin with the id of a schema (Confluent's wire format); `avro`, and
    `protobuf` without `descriptors`, need `registry.url`."""

    cloudevents: bool = False
    """Events are CloudEvents 1.0, binary (headers `ce_…`) or structured. Without `message` their data is the message,
    and their id its `message_id` where it has none."""

    message: dict[Annotated[str, AfterValidator(_field)], Annotated[str, AfterValidator(expression)]] = Field(
        default_factory=dict
    )
    """Field of a message → JMESPath over the event, for events of another shape: `{to: recipient.msisdn, body: text}`.
    Fields that are not named are not taken. Of a CloudEvent its attributes and `data` are asked."""

    descriptors: str | None = None
    """With `protobuf`: file of a compiled FileDescriptorSet (`protoc --include_imports --descriptor_set_out`). Without
    it the registry is asked for one."""

    type: Annotated[str, AfterValidator(_full_name)] | None = None
    """With `descriptors`: the full name of the message in it."""

    @property
    def plain(self) -> bool:
        """Whether its events are messages in JSON, as they are."""
        return self.format == "json" and not self.cloudevents and not self.message

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As somebody would write it: without what it is by itself."""
        plain = {name for name, field in type(self).model_fields.items() if getattr(self, name) == field.get_default()}
        return {name: value for name, value in write(self).items() if name not in plain - {"share"} and value != {}}


def _source(value: Any) -> Any:
    return {"topic": value} if isinstance(value, str) else value


SourceEntry = Annotated[SourceTopic, BeforeValidator(_source, json_schema_input_type=str | SourceTopic)]


class Registry(Section):
    """The schema registry, by Confluent's API (Karapace, Apicurio's compatible one and others speak it)."""

    url: Annotated[str, AfterValidator(base_url)] | None = None
    """Where it is. A registry that does not answer holds the partitions whose events need a schema that is not known
    yet: nothing is lost, and `/health/ready` says so."""

    username: str | None = None
    """User, or API key."""

    password: SecretStr | None = None
    """Password, or API secret."""

    token: SecretStr | None = None
    """Bearer token, in place of user and password."""

    ssl_ca_location: str | None = None
    """PEM file of the authorities to trust, in place of those of the system."""

    timeout: Annotated[Duration, Field(gt=0, le=60)] = 10.0
    """How long one request may take."""

"""`sms-connector schemas`: what events, settings and definitions look like, for other programs and for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from connector.cli.schemas.asyncapi import asyncapi
from connector.cli.schemas.event_schemas import event_schema, strict
from connector.definition.schema import json_schema as definition_schema
from connector.errors import UsageError
from connector.model import Campaign, Message, ProviderState, Result
from connector.operating.audit_trail import AuditRecord
from connector.receipts.receipt_records import InboundRecord, ReceiptRecord
from connector.settings.schema import json_schema as settings_schema
from connector.suppressions.record import Suppression
from connector.web.openapi_document import openapi

__all__ = ["documents", "schemas"]


def documents() -> dict[str, dict[str, Any]]:
    """File name → document. Made from the types, never written by hand."""
    definition = {"$id": "urn:sms-connector:schema:provider", **definition_schema()}
    return {
        "message.schema.json": event_schema(Message),
        "message.strict.schema.json": strict(event_schema(Message)),
        "result.schema.json": event_schema(Result),
        "campaign.schema.json": event_schema(Campaign),
        "campaign.strict.schema.json": strict(event_schema(Campaign)),
        "providerstate.schema.json": event_schema(ProviderState),
        "receipt.schema.json": event_schema(ReceiptRecord),
        "inbound.schema.json": event_schema(InboundRecord),
        "suppression.schema.json": event_schema(Suppression),
        "connector.schema.json": settings_schema(),
        "provider.schema.json": definition,
        "asyncapi.json": asyncapi(),
        "console.openapi.json": openapi(),
        "audit.schema.json": event_schema(AuditRecord),
    }


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a file is missing or stale.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="schemas")
def schemas(check: bool, folder: Path) -> int:
    """Write the JSON Schemas and the AsyncAPI document into FOLDER (default: schemas), or check them.

    For an editor, begin connector.yaml or a definition with a line such as:

      # yaml-language-server: $schema=schemas/connector.schema.json

    Exit codes: 0 written, or up to date; 1 --check found a stale one, 2 usage.

    \b
    Examples:
      sms-connector schemas
      sms-connector schemas --check
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    texts = {folder / name: encode(document) for name, document in documents().items()}
    if check:
        stale = [file for file, text in texts.items() if not file.is_file() or file.read_bytes() != text]
        for file in stale:
            click.echo(f"{file} is {'stale' if file.exists() else 'missing'}; run `sms-connector schemas {folder}`")
        return 1 if stale else 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_bytes(text)
            click.echo(f"wrote {file}")
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; name a folder that can be written") from error
    return 0


def encode(document: dict[str, Any]) -> bytes:
    """The file's content: stable, readable, with a line break at its end."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

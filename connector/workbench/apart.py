"""Why the messages of one request did not go with those of another, in a sentence."""

from __future__ import annotations

from typing import Any, Final

from connector.delivery.queue.window_key import WindowKey
from connector.request.encoders import json_bytes
from connector.workbench.events import label
from connector.workbench.planning import RenderedRequest, RenderPlan

VALUE: Final = 60
"""Characters of a value that are shown."""


def apart(plan: RenderPlan, index: int) -> str:
    """Why the request at `index` was not joined with the one before it that is most like it; empty for the first."""
    request, before = plan.requests[index], plan.requests[:index]
    if not before:
        return ""
    nearest = min(before, key=lambda other: len(_differences(plan, other.key, request.key)))
    number = plan.requests.index(nearest) + 1
    differences = _differences(plan, nearest.key, request.key)
    who = _who(request)
    if differences:
        said = ", ".join(f"{name} is {_shown(own)}, there {_shown(other)}" for name, other, own in differences)
        return f"{who} cannot share request {number}: {said}."
    route = plan.routes[request.key.operation]
    most = route.renderer.max_records
    if most == 1:
        return f"{who} cannot share request {number}: `{request.operation}` takes one message in a request."
    if len(nearest.events) >= most:
        return f"Request {number} is full: {most:,} messages."
    batching = route.operation.batching
    if batching is not None and batching.max_bytes is not None:
        return f"{who} did not fit into request {number}: at most {batching.max_bytes:,} bytes, or a key stands there."
    return f"{who} cannot share request {number}: a key of a map or a value that is not joined stands there already."


def shared_values(plan: RenderPlan, operation: int) -> list[str]:
    """What messages of an operation must have equal to share a request, as the definition writes it."""
    parts = plan.routes[operation].renderer.key_parts
    return list(dict.fromkeys(name for part in parts for name in part.split(" ")))


def _who(request: RenderedRequest) -> str:
    first = label(request.events[0])
    more = len(request.events) - 1
    return first if not more else f"{first} and {more:,} more"


def _differences(plan: RenderPlan, one: WindowKey, other: WindowKey) -> list[tuple[str, Any, Any]]:
    """What differs: its name, and what either has."""
    if one.operation != other.operation:
        left, right = (plan.routes[key.operation].operation.name for key in (one, other))
        return [("the operation", left, right)]
    found: list[tuple[str, Any, Any]] = []
    if one.campaign != other.campaign:
        found.append(("the campaign", one.campaign, other.campaign))
    if one.high != other.high:
        found.append(("the priority", "high" if one.high else "normal", "high" if other.high else "normal"))
    parts = plan.routes[one.operation].renderer.key_parts
    found += [
        (f"`{name}`", left, right)
        for name, left, right in zip(parts, _values(one), _values(other), strict=False)
        if left != right
    ]
    return found


def _values(key: WindowKey) -> tuple[Any, ...]:
    return key.batch if isinstance(key.batch, tuple) else ()


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        text = value.decode(errors="replace")
    else:
        text = value if isinstance(value, str) else json_bytes(value).decode() if value else "nothing"
    return f"`{text}`" if len(text) <= VALUE else f"`{text[:VALUE]}…`"

"""Search attributes and retention that the hub needs in its Temporal namespace.

Call `await register(client)` once at set-up against any server: the development server, a
cluster, the time-skipping test server (where an unregistered attribute wedges a workflow task).
A second call changes nothing.
"""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from support.errors import RuntimeUnavailableError

RETENTION = timedelta(days=90)

SEARCH_ATTRIBUTES: dict[str, "IndexedValueType.ValueType"] = {
    "Tenant": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Lane": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Priority": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Owner": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "SlaState": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "NextDeadline": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}
"""Name and type of each; the workflows set them under these names."""


async def register(client: Client) -> None:
    """Register what is missing in the client's namespace.

    RuntimeUnavailableError when a name is taken by another type, which no call can mend.
    """
    known = await registered(client)
    for name, wanted in SEARCH_ATTRIBUTES.items():
        if name in known and known[name] != wanted:
            raise RuntimeUnavailableError(
                f"the search attribute {name} of namespace {client.namespace} has type "
                f"{_readable(known[name])} but the hub needs {_readable(wanted)}: "
                "use another namespace (FLOWHUB_TEMPORAL_NAMESPACE)"
            )
    missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in known}
    if not missing:
        return
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    except RPCError as error:
        # Another set-up was quicker, or the server cannot list what it has.
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise


async def registered(client: Client) -> dict[str, "IndexedValueType.ValueType"]:
    """Return the custom search attributes of the client's namespace.

    Empty on the time-skipping server, which registers but cannot list.
    """
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status == RPCStatusCode.UNIMPLEMENTED:
            return {}
        raise
    return dict(answer.custom_attributes)


async def retain(client: Client, retention: timedelta = RETENTION) -> None:
    """Keep closed workflow histories of the client's namespace for `retention`."""
    duration = Duration()
    duration.FromTimedelta(retention)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace,
            config=NamespaceConfig(workflow_execution_retention_ttl=duration),
        )
    )


def _readable(kind: "IndexedValueType.ValueType") -> str:
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title()

from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from embedded.search_attributes import RETENTION, SEARCH_ATTRIBUTES, register, registered

ALL_SIX = (
    SearchAttributeKey.for_keyword("Tenant").value_set("global"),
    SearchAttributeKey.for_keyword_list("Lane").value_set(["sla_breached"]),
    SearchAttributeKey.for_keyword("Priority").value_set("high"),
    SearchAttributeKey.for_keyword("Owner").value_set("kim"),
    SearchAttributeKey.for_keyword("SlaState").value_set("breached"),
    SearchAttributeKey.for_datetime("NextDeadline").value_set(datetime(2026, 1, 5, 8, tzinfo=UTC)),
)


@workflow.defn
class SetsAttributes:
    @workflow.run
    async def run(self) -> None:
        workflow.upsert_search_attributes(ALL_SIX)


async def set_in_a_workflow(client: Client, task_queue: str) -> None:
    async with Worker(client, task_queue=task_queue, workflows=[SetsAttributes]):
        await client.execute_workflow(
            SetsAttributes.run,
            id=task_queue,
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=30),
        )


async def test_dev_server_has_the_six_attributes_with_their_types(temporal_client: Client) -> None:
    assert await registered(temporal_client) == SEARCH_ATTRIBUTES


async def test_registering_twice_changes_nothing(temporal_client: Client) -> None:
    await register(temporal_client)
    assert await registered(temporal_client) == SEARCH_ATTRIBUTES


async def test_histories_are_kept_for_ninety_days(temporal_client: Client) -> None:
    answer = await temporal_client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=temporal_client.namespace)
    )
    assert answer.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION


async def test_workflow_sets_all_of_them_on_the_time_skipping_server(
    time_skipping: WorkflowEnvironment, task_queue: str
) -> None:
    await register(time_skipping.client)
    await set_in_a_workflow(time_skipping.client, task_queue)


async def test_workflow_sets_all_of_them_on_the_dev_server(
    temporal_client: Client, task_queue: str
) -> None:
    await set_in_a_workflow(temporal_client, task_queue)


def test_the_workflow_above_sets_every_attribute() -> None:
    assert {update.key.name for update in ALL_SIX} == set(SEARCH_ATTRIBUTES)

"""The SDK's sandbox, spared a question at every payload.

Before each payload is encoded, decoded or stored, the SDK enters the sandbox to ask which workflow
or activity it belongs to, for converters that work differently by that. Ours do not, and the
question was a tenth of the CPU time of a ticket's life. What runs inside the sandbox is untouched.
"""

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

_NO_TARGET = StorageDriverStoreContext(target=None)


class TicketSandbox(SandboxedWorkflowRunner):
    """Runs workflows in the SDK's sandbox, for data converters without contexts."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return a sandboxed instance."""
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: object) -> None:
        """Say that no payload has a context."""

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:  # noqa: ARG002  the SDK's signature
        """Say that no payload is kept elsewhere."""
        return _NO_TARGET

    def get_info(self) -> workflow.Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()

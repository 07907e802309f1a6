"""How a process connects to Temporal."""

from temporalio.client import Client
from temporalio.service import RPCError

from settings import Settings
from support.errors import RuntimeUnavailableError
from workflows.payloads import DATA_CONVERTER


async def connect(settings: Settings, address: str) -> Client:
    """Return a client of the namespace in `settings`.

    RuntimeUnavailableError names the address when nothing answers there.
    """
    key = settings.temporal_api_key
    try:
        return await Client.connect(
            address,
            namespace=settings.temporal_namespace,
            tls=settings.temporal_tls or key is not None,
            api_key=key.get_secret_value() if key else None,
            data_converter=DATA_CONVERTER,
        )
    except (RuntimeError, RPCError) as error:
        raise RuntimeUnavailableError(
            f"Temporal does not answer at {address}: start it with `make run`, "
            "or set FLOWHUB_TEMPORAL_ADDRESS"
        ) from error

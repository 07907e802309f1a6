"""What the sandbox is spared must not be needed: a converter of ours that has a context."""

from temporalio.converter import WithSerializationContext

from workflows.payloads import DATA_CONVERTER, MessageConverter


def test_no_part_of_our_converter_works_differently_by_context() -> None:
    assert not issubclass(MessageConverter, WithSerializationContext)
    assert not issubclass(DATA_CONVERTER.failure_converter_class, WithSerializationContext)
    assert DATA_CONVERTER.payload_codec is None
    assert DATA_CONVERTER.external_storage is None

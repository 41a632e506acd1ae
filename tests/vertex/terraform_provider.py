"""Terraform's provider protocol, version 6, as much as `validate` and `test` with mocks ask for: the schemas.

Its schemas have the form of `terraform providers schema -json`. TF_REATTACH_PROVIDERS leads Terraform to it.
"""

import json
import os
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "tfplugin6"
MESSAGES = {
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
    },
    "Block": {"version": (1, "int64"), "attributes": (2, "Attribute*"), "block_types": (3, "NestedBlock*")},
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "int32"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    # As a map goes over the wire.
    "NamedSchema": {"key": (1, "string"), "value": (2, "Schema")},
    "Schemas": {"provider": (1, "Schema"), "resource_schemas": (2, "NamedSchema*")},
}
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
EMPTY = ("ValidateProviderConfig", "ValidateResourceConfig", "StopProvider")
"""Calls whose empty answer says that all is well."""

Field = descriptor_pb2.FieldDescriptorProto


def messages() -> dict[str, Any]:
    """The protocol's messages, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="provider.proto", package=PACKAGE, syntax="proto3")
    for message, fields in MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            label = Field.LABEL_REPEATED if kind.endswith("*") else Field.LABEL_OPTIONAL
            field = made.field.add(name=name, number=number, label=label)
            if (kind := kind.removesuffix("*")) in MESSAGES:
                field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                field.type = getattr(Field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{PACKAGE}.{name}")) for name in MESSAGES}


def block(document: dict[str, Any], kinds: dict[str, Any]) -> Any:
    """A block of a schema as a message."""
    made = kinds["Block"]()
    for name, attribute in document.get("attributes", {}).items():
        given = {key: attribute[key] for key in ("required", "optional", "computed") if key in attribute}
        made.attributes.add(name=name, type=json.dumps(attribute["type"]).encode(), **given)
    for name, nested in document.get("block_types", {}).items():
        bounds = {key: nested[key] for key in ("min_items", "max_items") if key in nested}
        inner = block(nested["block"], kinds)
        made.block_types.add(type_name=name, block=inner, nesting=NESTING[nested["nesting_mode"]], **bounds)
    return made


class Provider(grpc.GenericRpcHandler):
    """Answers with one schema."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        kinds = messages()
        answer = kinds["Schemas"]()
        answer.provider.block.CopyFrom(block(schemas["provider"]["block"], kinds))
        for name, schema in schemas["resource_schemas"].items():
            answer.resource_schemas.add(key=name).value.block.CopyFrom(block(schema["block"], kinds))
        self._answers = {"GetProviderSchema": answer.SerializeToString()} | dict.fromkeys(EMPTY, b"")

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        answer = self._answers.get(call.method.rpartition("/")[2])
        # None is UNIMPLEMENTED, which Terraform takes of all that it can do without.
        return None if answer is None else grpc.unary_unary_rpc_method_handler(lambda *_: answer)


@contextmanager
def serving(address: str, schemas: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Serve a provider on loopback; the variables by which Terraform finds it as `address`."""
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Provider(schemas)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    where = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    plugin = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": where}
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps({address: plugin}), "CHECKPOINT_DISABLE": "1"}
    finally:
        server.stop(None).wait()

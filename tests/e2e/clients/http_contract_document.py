"""docs/openapi.yaml, made ready for its test."""

import os

import yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# The tags of what is not on the gateway's listener.
OPERATIONS = "Operations"
CONTROL_SOCKET = "Control socket"
# What the document's examples call the user pool and its client.
EXAMPLE_POOL = "us-east-1_Ab3dE5gH7"
EXAMPLE_CLIENT = "81bpi9wia9w6kee9akzbuk7my5"
EXAMPLE_ORIGIN = "http://127.0.0.1:8080"
EXAMPLE_CONTROL_ORIGIN = "http://127.0.0.1:8081"


def operations_of(document):
    """`METHOD /path` of every operation, and the operation."""
    return {f"{method.upper()} {path}": operation
            for path, item in document["paths"].items()
            for method, operation in item.items() if method in METHODS}


def _with_real_names(node, names):
    if isinstance(node, dict):
        return {key: _with_real_names(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_real_names(value, names) for value in node]
    return names.get(node, node) if isinstance(node, str) else node


def _close(document, schema, seen):
    """A member that is not documented is a fault of the answer, or of the document."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in seen:
            seen.add(name)
            _close(document, document["components"]["schemas"][name], seen)
        return
    if schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    for inner in schema.get("properties", {}).values():
        _close(document, inner, seen)
    for key in ("items", "additionalProperties"):
        _close(document, schema.get(key), seen)
    for inner in schema.get("anyOf", []):
        _close(document, inner, seen)


def prepared(path, url, control_url):
    """The document with this gateway's names in its examples, and closed answers."""
    with open(path) as file:
        document = yaml.safe_load(file)
    document = _with_real_names(document, {
        EXAMPLE_POOL: os.environ["HOLDFAST_USER_POOL_ID"],
        EXAMPLE_CLIENT: os.environ["HOLDFAST_CLIENT_ID"],
        EXAMPLE_ORIGIN: url,
        EXAMPLE_CONTROL_ORIGIN: control_url})
    document["servers"] = [{"url": url}]
    seen = set()
    answers = list(document["components"]["responses"].values())
    for operation in operations_of(document).values():
        answers += [answer for answer in operation["responses"].values() if "$ref" not in answer]
    for item in document["paths"].values():
        item.pop("servers", None)
    for answer in answers:
        for content in answer.get("content", {}).values():
            _close(document, content.get("schema"), seen)
    return document

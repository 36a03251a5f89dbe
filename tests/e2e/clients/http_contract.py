"""docs/openapi.yaml against a running gateway: every operation once with success, then generated
requests, valid and not.

usage: http_contract.py OPENAPI CONTROL_URL DATA_DIR CODE_FILE, where the gateway's code_command
leaves codes
environment: HOLDFAST_BINARY, HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables;
CONTRACT_SEED for other requests than the usual ones
Prints the seed and `passed`, or what was answered otherwise than documented, and ends with status 1.
"""

import os
import subprocess
import sys
import tempfile

import yaml

from http_contract_document import CONTROL_SOCKET, OPERATIONS, operations_of, prepared
from http_contract_socket import Forwarder
from http_contract_story import Story

SEED = os.environ.get("CONTRACT_SEED", "20261123")
# A minute or so in all. The coverage phase tries each parameter's bounds besides.
EXAMPLES = {OPERATIONS: "40", CONTROL_SOCKET: "10", None: "40"}
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    "ignored_auth", "unsupported_method"])
SETTINGS = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
[checks.negative_data_rejection]
expected-statuses = ["4xx", 503]
# What a request is made of must not hang on the answers before it.
[phases.examples.extra-data-sources]
responses = false
[phases.coverage.extra-data-sources]
responses = false
[phases.fuzzing.extra-data-sources]
responses = false
[phases.fuzzing.error-feedback]
enabled = false
"""


def succeed_everywhere(document, urls, data_dir, code_file):
    story = Story(document, urls, data_dir, code_file)
    story.play()
    missing = sorted(set(operations_of(document)) - story.succeeded)
    if missing:
        raise SystemExit("without a success: " + ", ".join(missing))
    return story


def generate(document, listener, tags, story):
    """Runs Schemathesis on the operations of one listener."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "openapi.yaml")
        with open(path, "w") as file:
            yaml.safe_dump(document, file)
        with open(os.path.join(folder, "schemathesis.toml"), "w") as file:
            file.write(SETTINGS)
        clients = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"),
             "--config-file", os.path.join(folder, "schemathesis.toml"), "run", path,
             "--url", story.urls[listener], "--seed", SEED, "--generation-database", "none",
             "--checks", CHECKS,
             "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES[listener],
             "--request-timeout", "30", "--warnings", "off", "--no-color", "--continue-on-failure",
             *tags],
            cwd=folder, text=True, capture_output=True, check=False,
            env={**os.environ, **story.environment(), "PYTHONPATH": clients,
                 "SCHEMATHESIS_HOOKS": "http_contract_hooks"})
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        raise SystemExit("\n".join(line[:400] for line in lines[-400:]))
    print(*(line.strip() for line in done.stdout.splitlines() if " generated, " in line))


def main():
    openapi, control_url, data_dir, code_file = sys.argv[1:]
    print("seed", SEED)
    document = prepared(openapi, os.environ["HOLDFAST_URL"], control_url)
    socket = Forwarder(os.path.join(data_dir, "control.sock"))
    urls = {None: os.environ["HOLDFAST_URL"], OPERATIONS: control_url, CONTROL_SOCKET: socket.url}
    with succeed_everywhere(document, urls, data_dir, code_file) as story:
        for tag in (OPERATIONS, CONTROL_SOCKET):
            generate(document, tag, ["--include-tag", tag], story)
        generate(document, None, ["--exclude-tag", OPERATIONS, "--exclude-tag", CONTROL_SOCKET],
                 story)
    socket.close()
    print("passed")


main()

"""What Schemathesis's generated requests need to come further than the door: a signature, and now
and then names that exist. What is changed follows from the request alone, so a seed says all."""

import json
import os
import re
import zlib

import schemathesis

from http_contract_wire import Signer, is_signed

CONNECTION = os.environ["CONTRACT_CONNECTION_ID"]
# What may stand in for a value of this form.
KNOWN = {"UserPoolId": (r"[\w-]{1,50}_[0-9a-zA-Z]{1,4}", os.environ["HOLDFAST_USER_POOL_ID"]),
         "ClientId": (r"[\w+]{1,128}", os.environ["HOLDFAST_CLIENT_ID"]),
         "Username": (r"(?s).{1,128}", "fuzzed"),
         "AccessToken": (r"(?s).*", os.environ["CONTRACT_ACCESS_TOKEN"])}

signed = schemathesis.auth.set_from_requests(Signer(os.environ["CONTRACT_ID_TOKEN"]))


@signed.apply_to
def needs_signature(context):
    return is_signed(context.operation)


def dice(value):
    """0 to 3; the same for the same request to another gateway."""
    text = json.dumps(value, sort_keys=True, default=str)
    for form, known in KNOWN.values():
        text = text.replace(known, form)
    return zlib.crc32(text.encode()) % 4


@schemathesis.hook
def map_case(context, case):
    if isinstance(case.body, dict):
        rolled = dice(case.body)
        for number, (name, (form, known)) in enumerate(KNOWN.items()):
            value = case.body.get(name)
            if isinstance(value, str) and re.fullmatch(form, value) and (rolled + number) % 4:
                case.body[name] = known
    parameters = case.path_parameters
    if isinstance(parameters, dict) and "connectionId" in parameters and dice(parameters) == 0:
        parameters["connectionId"] = CONNECTION
    return case


def has_null(value):
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(has_null, value)) if isinstance(value, list) else value is None


def name_of(response):
    return response.headers.get("x-amzn-errortype", [""])[0].rstrip(":")


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False for what Schemathesis expects of other APIs, and the document says is otherwise here."""
    operation = case.operation.path
    pool = operation.startswith("/user-pool/")
    if failure.code == "ST401" and pool:
        # As in Cognito, faults of a signature are 400.
        return "got `400" not in failure.message
    if failure.code == "ST204" and pool:
        # The path is no route, the header alone is, and only of a POST.
        return name_of(response) != "MissingAuthenticationTokenException"
    if failure.code == "ST204" and operation in ("/", "/ws"):
        # RFC 6455 section 4.2.1: an upgrade by another method; and `/` is a route of upgrades alone.
        return response.status_code not in (403, 426)
    if failure.code == "ST201":
        # It was signed again after its signature had been taken away.
        resigned = "in header" in failure.message and "Authorization" in failure.message
        # In AWS's JSON, a member that is null is one that is not there.
        return not (resigned or (pool and has_null(case.body)))
    return True

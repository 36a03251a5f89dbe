"""What Schemathesis does not know of AWS: its JSON, and its signatures."""

import os
import urllib.parse

import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase

JSON11 = "application/x-amz-json-1.1"
schemathesis.serializer.alias(JSON11, "application/json")
schemathesis.deserializer(JSON11)(lambda context, response: response.json())
KEY = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
REGION = os.environ["AWS_REGION"]


def service_of(path, target):
    if path.startswith("/user-pool/") or target:
        return "cognito-idp"
    return "cloudformation" if path == "/" else "execute-api"


def is_signed(operation):
    security = operation.definition.raw.get("security")
    return any("sigv4" in one or "idToken" in one for one in security or [])


class Signer(AuthBase):
    """AWS Signature Version 4; an ID token where that is asked for."""

    def __init__(self, id_token):
        self.id_token = id_token

    def __call__(self, request):
        path = urllib.parse.urlsplit(request.url).path
        if path == "/tokens" and request.method == "GET":
            request.headers["Authorization"] = self.id_token
            return request
        body = request.body if request.body is not None else b""
        signed = AWSRequest(request.method, request.url,
                            data=body.encode() if isinstance(body, str) else body)
        for name, value in request.headers.items():
            name = name.decode() if isinstance(name, bytes) else name
            if name.lower().startswith("x-amz-") and name.lower() != "x-amz-date":
                signed.headers[name] = value.decode() if isinstance(value, bytes) else value
        target = signed.headers.get("X-Amz-Target")
        SigV4Auth(KEY, service_of(path, target), REGION).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date"):
            request.headers[name] = signed.headers[name]
        return request

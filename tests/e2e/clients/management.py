"""Manages a connection and looks the stack up as botocore's own clients do.

usage: management.py CONNECTION_ID
environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables
Prints `passed`, or what was answered otherwise than expected, and ends with status 1.
"""

import os
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["HOLDFAST_URL"]
CONFIG = Config(retries={"max_attempts": 0})
SESSION = botocore.session.get_session()


def client(service, url=URL):
    return SESSION.create_client(service, endpoint_url=url, config=CONFIG)


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "none", 0


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


def manage(connection):
    for url in (URL, URL + "/prod"):
        gateway = client("apigatewaymanagementapi", url)
        gateway.post_to_connection(ConnectionId=connection, Data="posted €".encode())
        known = gateway.get_connection(ConnectionId=connection)
        expect("source", known["Identity"]["SourceIp"], "127.0.0.1")
        expect("times", known["ConnectedAt"] <= known["LastActiveAt"], True)
        # An id of API Gateway's own, whose `=` goes percent-encoded.
        expect("gone", code_of(gateway.get_connection, ConnectionId="L0SM9cOFvHcCIhw="),
               ("GoneException", 410))
        expect("long", code_of(gateway.post_to_connection, ConnectionId=connection,
                               Data=b"x" * (128 * 1024 + 1)), ("PayloadTooLargeException", 413))
    gateway.delete_connection(ConnectionId=connection)
    expect("closed", code_of(gateway.post_to_connection, ConnectionId=connection, Data=b"x"),
           ("GoneException", 410))


def describe():
    name = "ServerlessAsyncMessagingGatewayStack"
    for url in (URL, URL + "/cfn"):
        formation = client("cloudformation", url)
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        expect("name", stack["StackName"], name)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        expect("outputs", outputs, {
            "AuthenticationUserPoolId": os.environ["HOLDFAST_USER_POOL_ID"],
            "AuthenticationUserPoolClientId": os.environ["HOLDFAST_CLIENT_ID"],
            "AuthenticationTokenApiUrl": URL + "/tokens",
            "GatewayWebsocketUrl": URL.replace("http", "ws", 1) + "/ws",
            "SampleAppApiUrl": "http://127.0.0.1:8090",
        })
        expect("other", code_of(formation.describe_stacks, StackName="Other"),
               ("ValidationError", 400))
        expect("by id", formation.describe_stacks(StackName=stack["StackId"])["Stacks"][0], stack)
    wrong = SESSION.create_client("cloudformation", endpoint_url=URL, config=CONFIG,
                                  aws_secret_access_key="x" * 40,
                                  aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
    expect("wrong key", code_of(wrong.describe_stacks), ("SignatureDoesNotMatch", 403))


describe()
manage(sys.argv[1])
print("passed")

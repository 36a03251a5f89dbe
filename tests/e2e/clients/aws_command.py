"""The user pool, a connection and the stack, as the aws command line calls them.

usage: aws_command.py CONNECTION_ID
environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables
Prints `passed`, or what was answered otherwise than expected, and ends with status 1.
"""

import json
import os
import subprocess
import sys

AWS = os.path.join(os.path.dirname(sys.executable), "aws")
URL = os.environ["HOLDFAST_URL"]
POOL = ["--user-pool-id", os.environ["HOLDFAST_USER_POOL_ID"]]
CLIENT = ["--client-id", os.environ["HOLDFAST_CLIENT_ID"]]


def aws(*arguments, url=URL):
    return subprocess.run([AWS, "--endpoint-url", url, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=90)


def answer(*arguments, **more):
    done = aws(*arguments, **more)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def refused(wanted, *arguments, **more):
    done = aws(*arguments, **more)
    if done.returncode == 0 or wanted not in done.stderr:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}, not {wanted}")


def check(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


def pool():
    user = answer("cognito-idp", "admin-create-user", *POOL, "--username", "Heidi",
                  "--temporary-password", "temporary one", "--user-attributes",
                  "Name=email,Value=heidi@example.com")["User"]
    check("status", user["UserStatus"], "FORCE_CHANGE_PASSWORD")
    answer("cognito-idp", "admin-set-user-password", *POOL, "--username", "heidi", "--password",
           "password of heidi", "--permanent")
    tokens = answer("cognito-idp", "initiate-auth", *CLIENT, "--auth-flow", "USER_PASSWORD_AUTH",
                    "--auth-parameters", "USERNAME=heidi,PASSWORD=password of heidi")
    check("token type", tokens["AuthenticationResult"]["TokenType"], "Bearer")
    refused("An error occurred (NotAuthorizedException) when calling the InitiateAuth operation: "
            "Incorrect username or password.",
            "cognito-idp", "initiate-auth", *CLIENT, "--auth-flow", "USER_PASSWORD_AUTH",
            "--auth-parameters", "USERNAME=heidi,PASSWORD=wrong one")
    names = answer("cognito-idp", "list-users", *POOL, "--page-size", "1", "--query",
                   "Users[?Username=='Heidi'].Username")
    check("listed", names, ["Heidi"])
    refused("(UserNotFoundException)", "cognito-idp", "admin-get-user", *POOL, "--username", "nobody")


def management(connection):
    gateway = ["apigatewaymanagementapi"]
    one = ["--connection-id", connection]
    answer(*gateway, "post-to-connection", *one, "--data", "posted \u20ac", url=URL + "/prod")
    known = answer(*gateway, "get-connection", *one, url=URL + "/prod")
    check("source", known["Identity"]["SourceIp"], "127.0.0.1")
    refused("(GoneException)", *gateway, "get-connection", "--connection-id", "L0SM9cOFvHcCIhw=")
    answer(*gateway, "delete-connection", *one)


def stack():
    name = "ServerlessAsyncMessagingGatewayStack"
    output = "Stacks[0].Outputs[?OutputKey=='AuthenticationUserPoolId'].OutputValue"
    check("pool", answer("cloudformation", "describe-stacks", "--stack-name", name, "--query",
                         output), POOL[1:])
    refused("An error occurred (ValidationError) when calling the DescribeStacks operation: Stack "
            "with id Other does not exist",
            "cloudformation", "describe-stacks", "--stack-name", "Other")


pool()
management(sys.argv[1])
stack()
print("passed")

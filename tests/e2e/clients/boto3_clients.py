"""The user pool, a connection and the stack, as boto3's clients call them.

usage: boto3_clients.py CONNECTION_ID CODE_FILE, where the gateway's code_command leaves each code
environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables
Prints `passed`, or what was answered otherwise than expected, and ends with status 1.
"""

import datetime
import json
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["HOLDFAST_URL"]
POOL = {"UserPoolId": os.environ["HOLDFAST_USER_POOL_ID"]}
CLIENT = {"ClientId": os.environ["HOLDFAST_CLIENT_ID"]}
WRONG_PASSWORD = "Incorrect username or password."
NOBODY = "User does not exist."


def client(service, url=URL, **more):
    return boto3.client(service, endpoint_url=url, config=Config(retries={"max_attempts": 0}),
                        **more)


def check(what, got, wanted=True):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


def refused(call, code, message, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        answered = error.response["Error"]
        check(call.__name__, (answered["Code"], answered["Message"]), (code, message))
        return
    raise SystemExit(f"{call.__name__}: not refused, though {code} was expected")


def code_sent(path):
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        check("a code came", time.monotonic() < deadline)
        time.sleep(0.01)
    with open(path) as file:
        code = json.load(file)["code"]
    os.unlink(path)
    return code


def administration(idp):
    erin = {**POOL, "Username": "erin"}
    made = idp.admin_create_user(**POOL, Username="Erin", TemporaryPassword="temporary one",
                                 UserAttributes=[{"Name": "email", "Value": "erin@example.com"}])
    age = datetime.datetime.now(datetime.timezone.utc) - made["User"]["UserCreateDate"]
    check("created just now", abs(age.total_seconds()) < 60)
    refused(idp.admin_create_user, "UsernameExistsException", "User account already exists", **erin)
    idp.admin_set_user_password(**erin, Password="password of erin", Permanent=True)
    refused(idp.admin_set_user_password, "UserNotFoundException", NOBODY, **POOL,
            Username="nobody", Password="password of erin", Permanent=True)
    idp.admin_update_user_attributes(**erin, UserAttributes=[{"Name": "nickname", "Value": "Ä"}])
    user = idp.admin_get_user(**{**erin, "Username": "ERIN"})
    check("status", user["UserStatus"], "CONFIRMED")
    check("nickname", {"Name": "nickname", "Value": "Ä"} in user["UserAttributes"])
    refused(idp.admin_get_user, "UserNotFoundException", NOBODY, **POOL, Username="nobody")
    idp.admin_create_user(**POOL, Username="Frank", TemporaryPassword="temporary one")
    pages = list(idp.get_paginator("list_users").paginate(**POOL, PaginationConfig={"PageSize": 1}))
    names = {user["Username"] for page in pages for user in page["Users"]}
    check("pages hold one user each", all(len(page["Users"]) <= 1 for page in pages))
    check("all are listed", {"Erin", "Frank"} <= names)
    found = idp.list_users(**POOL, Filter='email ^= "erin@"')["Users"]
    check("filter", [user["Username"] for user in found], ["Erin"])
    idp.admin_disable_user(**erin)
    refused(idp.initiate_auth, "NotAuthorizedException", "User is disabled.", **CLIENT,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "erin", "PASSWORD": "password of erin"})
    idp.admin_enable_user(**erin)
    check("policy", idp.describe_user_pool(**POOL)["UserPool"]["Policies"]["PasswordPolicy"]
          ["MinimumLength"], 8)
    flows = idp.describe_user_pool_client(**POOL, **CLIENT)["UserPoolClient"]["ExplicitAuthFlows"]
    check("flows", "ALLOW_USER_PASSWORD_AUTH" in flows)


def logins(idp):
    def login(username, password):
        return idp.initiate_auth(**CLIENT, AuthFlow="USER_PASSWORD_AUTH",
                                 AuthParameters={"USERNAME": username, "PASSWORD": password})

    refused(idp.initiate_auth, "NotAuthorizedException", WRONG_PASSWORD, **CLIENT,
            AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "erin", "PASSWORD": "wrong"})
    asked = idp.admin_initiate_auth(
        **POOL, **CLIENT, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "frank", "PASSWORD": "temporary one"})
    check("challenge", asked["ChallengeName"], "NEW_PASSWORD_REQUIRED")
    idp.admin_respond_to_auth_challenge(
        **POOL, **CLIENT, ChallengeName=asked["ChallengeName"], Session=asked["Session"],
        ChallengeResponses={"USERNAME": "frank", "NEW_PASSWORD": "password of frank"})
    tokens = login("FRANK", "password of frank")["AuthenticationResult"]
    access = {"AccessToken": tokens["AccessToken"]}
    check("user", idp.get_user(**access)["Username"], "Frank")
    fresh = idp.admin_initiate_auth(**POOL, **CLIENT, AuthFlow="REFRESH_TOKEN_AUTH",
                                    AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]})
    check("no second refresh token", "RefreshToken" not in fresh["AuthenticationResult"])
    idp.change_password(**access, PreviousPassword="password of frank",
                        ProposedPassword="password two")
    idp.revoke_token(**CLIENT, Token=tokens["RefreshToken"])
    refused(idp.get_user, "NotAuthorizedException", "Access Token has been revoked", **access)
    for end in (lambda access: idp.admin_user_global_sign_out(**POOL, Username="frank"),
                lambda access: idp.global_sign_out(**access)):
        access = {"AccessToken": login("frank", "password two")["AuthenticationResult"]["AccessToken"]}
        end(access)
        refused(idp.get_user, "NotAuthorizedException", "Access Token has been revoked", **access)
    access = {"AccessToken": login("frank", "password two")["AuthenticationResult"]["AccessToken"]}
    idp.delete_user(**access)
    idp.admin_delete_user(**POOL, Username="erin")
    # The very same call within the same second bears the same signature: it is the first one's.
    refused(idp.admin_delete_user, "UserNotFoundException", NOBODY, **POOL, Username="ERIN")


def sign_up(idp, code_file):
    grace = {**CLIENT, "Username": "Grace"}
    made = idp.sign_up(**grace, Password="password of grace",
                       UserAttributes=[{"Name": "email", "Value": "grace@example.com"}])
    check("unconfirmed", made["UserConfirmed"], False)
    code_sent(code_file)
    idp.resend_confirmation_code(**grace)
    code = code_sent(code_file)
    refused(idp.confirm_sign_up, "CodeMismatchException",
            "Invalid verification code provided, please try again.", **grace,
            ConfirmationCode="000000" if code != "000000" else "000001")
    idp.confirm_sign_up(**grace, ConfirmationCode=code)
    idp.forgot_password(**grace)
    idp.confirm_forgot_password(**grace, ConfirmationCode=code_sent(code_file),
                                Password="password two")
    refused(idp.confirm_forgot_password, "CodeMismatchException",
            "Invalid verification code provided, please try again.", **grace,
            ConfirmationCode="123456", Password="password three")


def management(connection):
    for url in (URL, URL + "/prod"):
        gateway = client("apigatewaymanagementapi", url)
        gateway.post_to_connection(ConnectionId=connection, Data="posted €")
        known = gateway.get_connection(ConnectionId=connection)
        check("source", known["Identity"]["SourceIp"], "127.0.0.1")
        gone = getattr(gateway.exceptions, "GoneException")
        for call in (gateway.get_connection, gateway.delete_connection):
            try:
                call(ConnectionId="L0SM9cOFvHcCIhw=")
            except gone as error:
                check("gone", error.response["ResponseMetadata"]["HTTPStatusCode"], 410)
            else:
                raise SystemExit(f"{call.__name__}: not gone")
    gateway.delete_connection(ConnectionId=connection)
    try:
        gateway.post_to_connection(ConnectionId=connection, Data=b"x")
    except gateway.exceptions.GoneException:
        return
    raise SystemExit("closed, and not gone")


def stack():
    formation = client("cloudformation")
    name = "ServerlessAsyncMessagingGatewayStack"
    found = formation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    check("pool", outputs["AuthenticationUserPoolId"], POOL["UserPoolId"])
    check("resource", boto3.resource("cloudformation", endpoint_url=URL).Stack(name).stack_id,
          found["StackId"])
    pages = list(formation.get_paginator("describe_stacks").paginate())
    check("pages", [page["Stacks"] for page in pages], [[found]])
    refused(formation.describe_stacks, "ValidationError", "Stack with id Other does not exist",
            StackName="Other")


idp = client("cognito-idp")
administration(idp)
logins(idp)
sign_up(idp, sys.argv[2])
management(sys.argv[1])
stack()
print("passed")

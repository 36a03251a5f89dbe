// The route of CloudFormation's DescribeStacks.

#include "cloud_formation.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <holdfast/base/ascii.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/ids.hpp>
#include <holdfast/base/url.hpp>

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "paths.hpp"
#include "signed_call.hpp"
#include "text.hpp"

namespace holdfast::api {
namespace {

constexpr std::string_view kXml = "text/xml";
constexpr std::string_view kNamespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
constexpr std::string_view kOperation = "DescribeStacks";
constexpr std::string_view kDescribeStacks = "cloudformation:DescribeStacks";
constexpr std::size_t kNameBytesMax = 1600;  // of an ARN
constexpr std::size_t kReasonBytes = 256;    // in the access line

// Appends text to XML. Writes a question mark for characters that XML 1.0 section 2.2 forbids.
void append_xml(std::string& out, std::string_view text) {
  const bool readable = is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !readable)) {
      out += '?';
    } else {
      out += c;
    }
  }
}

void append_element(std::string& out, std::string_view name, std::string_view text) {
  out += '<';
  out += name;
  out += '>';
  append_xml(out, text);
  out += "</";
  out += name;
  out += '>';
}

void append_root(std::string& out, std::string_view name) {
  out += '<';
  out += name;
  out += " xmlns=\"";
  out += kNamespace;
  out += "\">";
}

net::Response xml_answer(int status, const std::string& request_id, std::string body) {
  net::Response out;
  out.status = status;
  out.headers.emplace_back("Content-Type", kXml);
  add_request_id(out, request_id);
  out.body = std::move(body);
  return out;
}

net::Response xml_error(int status, std::string_view code, std::string_view message) {
  const std::string request_id = generate_uuid();
  std::string body;
  append_root(body, "ErrorResponse");
  body += "<Error><Type>Sender</Type>";
  append_element(body, "Code", code);
  append_element(body, "Message", message);
  body += "</Error>";
  append_element(body, "RequestId", request_id);
  body += "</ErrorResponse>";
  net::Response out = xml_answer(status, request_id, std::move(body));
  out.refused = code;
  out.refused += ": ";
  append_printable(out.refused, message.substr(0, kReasonBytes));
  return out;
}

std::string_view code_of(iam::SignatureErrc code) noexcept {
  switch (code) {
    case iam::SignatureErrc::missing_authentication_token:
      return "MissingAuthenticationToken";
    case iam::SignatureErrc::incomplete_signature:
      return "IncompleteSignature";
    case iam::SignatureErrc::unrecognized_client:
      return "InvalidClientTokenId";
    case iam::SignatureErrc::expired_token:
      return "ExpiredToken";
    case iam::SignatureErrc::invalid_signature:
      break;
  }
  return "SignatureDoesNotMatch";
}

// A member of the form; nullopt when it is missing. Twice, or with a broken escape, it is empty,
// which no member may be.
std::optional<std::string> member_of(std::string_view form, std::string_view name) {
  std::optional<std::string> found;
  while (const auto parameter = take_parameter(form)) {
    if (parameter->name != name) continue;
    if (found) return std::string();
    std::string value(parameter->value);
    std::ranges::replace(value, '+', ' ');
    found = percent_decode(value).value_or(std::string());
  }
  return found;
}

bool is_stack_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return ascii::is_alphanumeric(c) || std::string_view("-:/._+").contains(c);
  });
}

// A scheme and the rest of it for WebSockets.
std::string websocket_of(std::string_view url) {
  return url.starts_with("https:") ? "wss:" + std::string(url.substr(6))
                                   : "ws:" + std::string(url.substr(url.find(':') + 1));
}

void append_output(std::string& out, std::string_view key, std::string_view value) {
  out += "<member>";
  append_element(out, "OutputKey", key);
  append_element(out, "OutputValue", value);
  out += "</member>";
}

net::Response stack_answer(const Context& context) {
  const GatewayOptions& options = context.options;
  const std::string request_id = generate_uuid();
  std::string body;
  append_root(body, "DescribeStacksResponse");
  body += "<DescribeStacksResult><Stacks><member>";
  append_element(body, "StackId", context.stack_arn);
  append_element(body, "StackName", options.aws.stack_name);
  append_element(body, "CreationTime", format_iso8601(options.instance.created_at));
  append_element(body, "StackStatus", "CREATE_COMPLETE");
  append_element(body, "DisableRollback", "false");
  body += "<Outputs>";
  append_output(body, "AuthenticationUserPoolId", options.instance.pool_id);
  append_output(body, "AuthenticationUserPoolClientId", options.instance.client_id);
  append_output(body, "AuthenticationTokenApiUrl", options.instance.url + "/tokens");
  append_output(body, "GatewayWebsocketUrl", websocket_of(options.instance.url) + "/ws");
  append_output(body, "SampleAppApiUrl", options.aws.sample_app_url);
  body += "</Outputs></member></Stacks></DescribeStacksResult><ResponseMetadata>";
  append_element(body, "RequestId", request_id);
  body += "</ResponseMetadata></DescribeStacksResponse>";
  return xml_answer(200, request_id, std::move(body));
}

// Returns the ARN under which policies know the requested stack. An unknown stack's id is `*`.
std::string resource_of(const Context& context, const std::optional<std::string>& name) {
  if (!name || *name == context.options.aws.stack_name || *name == context.stack_arn) {
    return context.stack_arn;
  }
  return name->starts_with("arn:") ? *name : context.stack_arn_of(*name) + "/*";
}

std::optional<net::Response> refuse_by_policy(const Context& context, const iam::Signer& signer,
                                              const net::RequestHead& head,
                                              const std::string& resource) {
  const iam::Decision decision = decide(context, signer, head, kDescribeStacks, resource);
  if (decision == iam::Decision::allow) return std::nullopt;
  net::Response denied = xml_error(
      403, "AccessDenied",
      access_denied_words(signer.key->arn, kDescribeStacks, resource, denial_of(decision)));
  denied.refused = denied_reason("AccessDenied", kDescribeStacks, resource);
  return denied;
}

// The answer to a call whose signature is good.
net::Response answer_signed(const Context& context, const net::Request& request,
                            const std::string& action, const iam::Signer& signer) {
  if (action != kOperation) {
    return xml_error(400, "InvalidAction",
                     "Could not find operation " + action + " for version 2010-05-15");
  }
  const auto name = member_of(request.body, "StackName");
  if (name && !is_stack_name(*name)) {
    return xml_error(400, "ValidationError",
                     "1 validation error detected: Value at 'stackName' failed to satisfy "
                     "constraint: Member must satisfy regular expression pattern: "
                     "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*");
  }
  const std::string resource = resource_of(context, name);
  if (auto refused = refuse_by_policy(context, signer, request.head, resource)) return *refused;
  if (!keeps_to_rate(context, *signer.key, request.head.shard)) {
    return xml_error(400, "Throttling", "Rate exceeded");
  }
  if (resource != context.stack_arn) {
    return xml_error(400, "ValidationError", "Stack with id " + *name + " does not exist");
  }
  return stack_answer(context);
}

}  // namespace

void handle_cloud_formation(const Context& context, const net::Request& request,
                            net::Responder respond) {
  const auto action = member_of(request.body, "Action");
  if (!action) {
    net::Response unknown = missing_authentication_token();
    unknown.refused = "no route has this path here, and the form has no Action";
    return respond(std::move(unknown));
  }
  if (has_odd_segments(request.head.path())) {
    return respond(xml_error(400, "ValidationError", kOddPath));
  }
  const auto signer = verify_signature(context, request, "cloudformation");
  if (!signer) {
    net::Response refused = xml_error(403, code_of(signer.error().code), signer.error().message);
    note_refusal(refused, signer.error());
    return respond(std::move(refused));
  }
  net::Response out = signed_by(answer_signed(context, request, *action, *signer), *signer->key);
  if (*action == kOperation) out.log_fields.set(kLogOperation, kOperation);
  respond(std::move(out));
}

}  // namespace holdfast::api

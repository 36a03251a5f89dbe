// A client of the sample application.

#include <utility>

#include <holdfast/client/sample_app_client.hpp>

#include "answer.hpp"

namespace holdfast::client {

CallResult<void> ask_sample_app(const std::string& url, const std::string& ca_file,
                                const std::string& id_token, const SampleAppRequest& request) {
  auto base = net::parse_url(url);
  if (!base) return std::unexpected(CallError{400, {}, base.error().message, std::nullopt});
  auto text = dump(
      Json{{"wait", request.wait.count()}, {"userId", request.user_id}, {"message", request.text}});
  if (!text) return std::unexpected(text.error());
  net::ClientRequest call;
  call.method = "POST";
  call.target = base->target;
  call.headers.emplace_back("Authorization", id_token);
  call.headers.emplace_back("Content-Type", "application/json");
  call.body = std::move(*text);
  const auto response = net::make_http_client(std::move(*base), {ca_file})->request(call);
  if (!response) return no_answer(response.error());
  if (response->status < 200 || response->status > 299) return std::unexpected(error_of(*response));
  return {};
}

}  // namespace holdfast::client

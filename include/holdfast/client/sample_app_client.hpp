#pragma once

#include <string>

#include <holdfast/client/gateway_client.hpp>

namespace holdfast::client {

/// A request to the sample application: send `text` to `user_id` after `wait`.
struct SampleAppRequest {
  std::string user_id;
  std::string text;
  Seconds wait{10};
};

/// `POST` to the sample application at `url` with an ID token. Success means that it has accepted
/// the message, not yet sent it. Blocking; any thread.
[[nodiscard]] CallResult<void> ask_sample_app(const std::string& url, const std::string& ca_file,
                                              const std::string& id_token,
                                              const SampleAppRequest& request);

}  // namespace holdfast::client

// Signature Version 4: the client's signing against the gateway's verifying, and both against a
// canonical form that is made another way.

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <holdfast/base/encoding.hpp>
#include <holdfast/iam/sigv4.hpp>

#include "fuzz/oracle.hpp"
#include "support/base/manual_clock.hpp"
#include "support/iam/fixed_access_keys.hpp"

namespace holdfast::fuzz {
namespace {

const iam::Credentials kCredentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      constexpr std::string_view kDigits = "0123456789abcdef";
      if (i + 2 >= text.size()) return std::nullopt;
      int value = 0;
      for (const char c : text.substr(i + 1, 2)) {
        const std::size_t digit =
            kDigits.find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
        if (digit == std::string_view::npos) return std::nullopt;
        value = value * 16 + static_cast<int>(digit);
      }
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

/// The parameters that a query stands for; nullopt when an escape is broken.
std::optional<std::multimap<std::string, std::string>> parameters(std::string_view query,
                                                                  bool plus_is_space) {
  std::multimap<std::string, std::string> out;
  std::string piece;
  for (std::size_t i = 0; i <= query.size(); ++i) {
    if (i < query.size() && query[i] != '&') {
      piece += query[i];
      continue;
    }
    const std::size_t equals = piece.find('=');
    const auto name = decoded(std::string_view(piece).substr(0, equals), plus_is_space);
    const auto value = equals == std::string::npos
                           ? std::optional<std::string>("")
                           : decoded(std::string_view(piece).substr(equals + 1), plus_is_space);
    if (!name || !value) return std::nullopt;
    out.emplace(*name, *value);
    piece.clear();
  }
  return out;
}

std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> out;
  std::string segment;
  for (const char c : std::string(path) + "/") {
    if (c != '/') {
      segment += c;
      continue;
    }
    if (segment == "..") {
      if (!out.empty()) out.pop_back();
    } else if (!segment.empty() && segment != ".") {
      out.push_back(segment);
    }
    segment.clear();
  }
  if (!out.empty() && path.ends_with('/')) out.emplace_back();
  return out;
}

/// Whether a signature on one of the targets may be taken for the other.
bool may_be_taken(std::string_view one, std::string_view other) {
  if (one == other) return true;
  const auto path = [](std::string_view target) { return target.substr(0, target.find('?')); };
  const auto query = [](std::string_view target) {
    const std::size_t mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  };
  if (segments(path(one)) != segments(path(other))) return false;
  for (const bool first : {false, true}) {
    for (const bool second : {false, true}) {
      const auto a = parameters(query(one), first);
      const auto b = parameters(query(other), second);
      if (!a || !b) return true;  // such a query is signed as it was sent
      using Set = std::multiset<std::pair<std::string, std::string>>;
      if (Set(a->begin(), a->end()) == Set(b->begin(), b->end())) return true;
    }
  }
  return false;
}

bool is_target(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

class Gateway {
 public:
  Gateway() : keys_(std::make_shared<test::FixedAccessKeys>()) {
    keys_->set(kCredentials.access_key_id, kCredentials.secret_access_key);
    verifier_ = std::make_unique<iam::SigV4Verifier>(iam::SigV4Options{}, clock_, keys_);
  }

  struct Sent {
    std::string method;
    std::string target;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  [[nodiscard]] Sent sign(Sent sent) const {
    with(sent, [&](const iam::SignedRequest& request) {
      for (auto& header :
           iam::sign(request, kCredentials, "us-east-1", "execute-api", clock_.wall_now())) {
        sent.headers.push_back(std::move(header));
      }
    });
    return sent;
  }
  [[nodiscard]] bool takes(const Sent& sent) {
    bool out = false;
    with(sent, [&](const iam::SignedRequest& request) {
      out = verifier_->verify(request, "execute-api").has_value();
    });
    return out;
  }

 private:
  template <class Use>
  static void with(const Sent& sent, Use use) {
    const Sent copy = sent;
    std::vector<iam::Header> headers;
    for (const auto& [name, value] : copy.headers) headers.emplace_back(name, value);
    use(iam::SignedRequest{
        .method = copy.method, .target = copy.target, .headers = headers, .body = copy.body});
  }

  test::ManualClock clock_;
  std::shared_ptr<test::FixedAccessKeys> keys_;
  std::unique_ptr<iam::SigV4Verifier> verifier_;
};

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::fuzz;
  static Gateway gateway;
  Input input(data, size);
  const std::string target(input.line());
  const std::string other_target(input.line());
  const std::string header(input.line());
  const std::string authorization(input.line());
  const std::string body(input.rest());
  if (!is_target(target) || !is_target(other_target)) return 0;
  // A query may bring a signature of its own.
  for (const std::string& each : {target, other_target}) {
    if (decoded(each, false).value_or("Amz").contains("Amz")) return 0;
  }

  // What a stranger writes as his signature is none.
  Gateway::Sent forged{
      .method = "POST",
      .target = target,
      .body = body,
      .headers = {
          {"Host", "h"}, {"X-Amz-Date", "20150830T123600Z"}, {"Authorization", authorization}}};
  require(!gateway.takes(forged), "a signature that nobody made is refused");

  const Gateway::Sent sent = gateway.sign({.method = "POST",
                                           .target = target,
                                           .body = body,
                                           .headers = {{"Host", "h"}, {"X-Amz-Meta", header}}});
  require(gateway.takes(sent), "what a client signs is taken");
  Gateway::Sent changed = sent;
  changed.body += 'x';
  require(!gateway.takes(changed), "another body is refused");
  changed = sent;
  changed.method = "PUT";
  require(!gateway.takes(changed), "another method is refused");
  changed = sent;
  changed.headers[1].second += "x";
  require(!gateway.takes(changed), "another header is refused");
  changed = sent;
  changed.target = other_target;
  require(!gateway.takes(changed) || may_be_taken(target, other_target),
          "another target is refused");
  return 0;
}

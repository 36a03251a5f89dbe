// Shows that rules of the user pool are in force.

#include <string>

#include "integration/live_keys.hpp"

namespace holdfast::test {
namespace {

std::string refresh_token_of(ReloadedGateway& gateway, const std::string& name) {
  return gateway.log_in(name).body["AuthenticationResult"].value("RefreshToken", "");
}

bool refreshes(ReloadedGateway& gateway, const std::string& token) {
  return gateway
             .of_client("InitiateAuth", {{"AuthFlow", "REFRESH_TOKEN_AUTH"},
                                         {"AuthParameters", {{"REFRESH_TOKEN", token}}}})
             .status == 200;
}

// By the call that may replace the refresh token.
ReloadedGateway::Answer renewed(ReloadedGateway& gateway, const std::string& token) {
  return gateway.of_client("GetTokensFromRefreshToken", {{"RefreshToken", token}});
}

bool keeps_one_login(ReloadedGateway& gateway) {
  (void)gateway.gateway().make_user();
  const std::string first = refresh_token_of(gateway, "alice");
  const std::string second = refresh_token_of(gateway, "alice");
  return !refreshes(gateway, first) && refreshes(gateway, second);
}

bool refuses_a_replaced_token(ReloadedGateway& gateway) {
  (void)gateway.gateway().make_user();
  const std::string token = refresh_token_of(gateway, "alice");
  return renewed(gateway, token).status == 200 && renewed(gateway, token).status != 200;
}

bool refuses_an_old_refresh_token(ReloadedGateway& gateway) {
  (void)gateway.gateway().make_user();
  const std::string token = refresh_token_of(gateway, "alice");
  gateway.advance(Seconds(2 * 3600));
  return !refreshes(gateway, token);
}

bool refuses_a_late_response(ReloadedGateway& gateway) {
  client::GatewayClient& root = gateway.gateway().root();
  (void)root.admin_create_user("bob", "temporary password");
  const auto first = root.admin_initiate_auth("bob", "temporary password");
  gateway.advance(Seconds(90));
  return !root.admin_respond_new_password("bob", TestGateway::kPassword,
                                          std::get<client::Challenge>(first.value()).session);
}

bool refuses_a_late_temporary_password(ReloadedGateway& gateway) {
  (void)gateway.gateway().root().admin_create_user("bob", "temporary password");
  gateway.advance(Seconds(90));
  return gateway.log_in("bob", "temporary password").status != 200;
}

bool refuses_srp(ReloadedGateway& gateway) {
  (void)gateway.gateway().make_user();
  return gateway
             .of_client("InitiateAuth", {{"AuthFlow", "USER_SRP_AUTH"},
                                         {"AuthParameters",
                                          {{"USERNAME", "alice"}, {"SRP_A", "abcdef0123456789"}}}})
             .status != 200;
}

bool refuses_a_second_sign_up(ReloadedGateway& gateway) {
  return gateway.sign_up("one").status == 200 &&
         gateway.sign_up("two").error() == "LimitExceededException";
}

bool refuses_a_late_code(ReloadedGateway& gateway) {
  (void)gateway.sign_up("carol");
  const std::string code = gateway.sent_code();
  gateway.advance(Seconds(90));
  return gateway.confirm_sign_up("carol", code).status != 200;
}

bool refuses_after_one_wrong_code(ReloadedGateway& gateway) {
  (void)gateway.sign_up("carol");
  const std::string code = gateway.sent_code();
  (void)gateway.confirm_sign_up("carol", code == "000000" ? "111111" : "000000");
  return gateway.confirm_sign_up("carol", code).status != 200;
}

void leave_a_sign_up(ReloadedGateway& gateway) {
  (void)gateway.sign_up("carol");
  gateway.advance(Seconds(2 * 3600));
}

bool has_removed_the_sign_up(ReloadedGateway& gateway) {
  return eventually(
      [&] { return gateway.admin("AdminGetUser", {{"Username", "carol"}}).status == 400; },
      ReloadedGateway::kSoon);
}

const std::string kOpen = "user_pool.self_sign_up=true";

std::vector<LiveKey> keys_of_tokens() {
  return {
      {"user_pool.id_token_lifetime_seconds", "300",
       [](ReloadedGateway& gateway) {
         (void)gateway.gateway().make_user();
         return gateway.log_in("alice").body["AuthenticationResult"]["ExpiresIn"] == 300;
       }},
      {"user_pool.refresh_token_lifetime_seconds",
       "3600",
       refuses_an_old_refresh_token,
       {},
       {},
       /*by_manual_clock=*/true},
      {"user_pool.refresh_tokens_per_user", "1", keeps_one_login},
      {"user_pool.refresh_token_rotation", "true",
       [](ReloadedGateway& gateway) {
         (void)gateway.gateway().make_user();
         return renewed(gateway, refresh_token_of(gateway, "alice"))
             .body["AuthenticationResult"]
             .contains("RefreshToken");
       }},
      {"user_pool.refresh_token_grace_seconds",
       "0",
       refuses_a_replaced_token,
       {},
       {"user_pool.refresh_token_rotation=true"}},
      {"user_pool.session_lifetime_seconds",
       "60",
       refuses_a_late_response,
       {},
       {},
       /*by_manual_clock=*/true},
      {"user_pool.temporary_password_lifetime_seconds",
       "60",
       refuses_a_late_temporary_password,
       {},
       {},
       /*by_manual_clock=*/true},
      {"user_pool.srp_enabled", "false", refuses_srp},
      {"user_pool.password_auth_enabled", "false",
       [](ReloadedGateway& gateway) {
         (void)gateway.gateway().make_user();
         return gateway.log_in("alice").status != 200;
       }},
      {"user_pool.prevent_user_existence_errors", "false",
       [](ReloadedGateway& gateway) {
         return gateway.log_in("nobody").error() == "UserNotFoundException";
       }},
  };
}

std::vector<LiveKey> keys_of_sign_ups() {
  return {
      {"user_pool.self_sign_up", "true",
       [](ReloadedGateway& gateway) { return gateway.sign_up("carol").status == 200; }},
      {"user_pool.sign_ups_per_minute", "1", refuses_a_second_sign_up, {}, {kOpen}},
      {"user_pool.unconfirmed_lifetime_seconds",
       "3600",
       has_removed_the_sign_up,
       {},
       {kOpen},
       /*by_manual_clock=*/true,
       leave_a_sign_up},
      {"user_pool.code_lifetime_seconds",
       "60",
       refuses_a_late_code,
       {},
       {kOpen},
       /*by_manual_clock=*/true},
      {"user_pool.code_attempts", "1", refuses_after_one_wrong_code, {}, {kOpen}},
  };
}

template <char First>
bool refuses_without(ReloadedGateway& gateway) {
  const char* const password = First == 'a'   ? "ALL CAPITALS 19!"
                               : First == 'A' ? "no capitals 19!"
                               : First == '1' ? "No Digits at all!"
                                              : "noSymbols19here";
  return gateway.refusal_of_password(password) == "InvalidPasswordException";
}

std::vector<LiveKey> keys_of_passwords() {
  return {
      {"user_pool.password_min_length", "30",
       [](ReloadedGateway& gateway) {
         return gateway.refusal_of_password("not thirty characters") == "InvalidPasswordException";
       }},
      {"user_pool.password_require_lowercase", "true", refuses_without<'a'>},
      {"user_pool.password_require_uppercase", "true", refuses_without<'A'>},
      {"user_pool.password_require_numbers", "true", refuses_without<'1'>},
      {"user_pool.password_require_symbols", "true", refuses_without<'!'>},
      {"user_pool.password_refuse_common", "false",
       [](ReloadedGateway& gateway) { return gateway.refusal_of_password("password123").empty(); }},
  };
}

}  // namespace

std::vector<LiveKey> live_keys_of_users() {
  return joined({keys_of_tokens(), keys_of_sign_ups(), keys_of_passwords()});
}

}  // namespace holdfast::test

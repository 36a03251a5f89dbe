// Keys of WebSocket clients and their temporary tokens.

#include "setting_rows.hpp"

namespace holdfast::app {

void add_clients(std::vector<Setting>& t) {
  t.push_back(choice("websocket.frame", HOLDFAST_FIELD(websocket.frame),
                     "Frame of a message for clients without a subprotocol: `{\"Payload\":\"…\"}` "
                     "or the bare text.",
                     Live::yes));
  t.push_back(
      texts("websocket.allowed_origins", HOLDFAST_FIELD(websocket.allowed_origins), kOrigin,
            "Origins of web pages that may log in, get tokens and connect, besides the gateway's "
            "own: `https://app.example.com`. Any scheme works (`capacitor://localhost`, or "
            "`file://` for pages of Cordova and Electron). `*` allows every page.",
            Live::yes));
  t.push_back(
      integer("websocket.connection_seconds_max", HOLDFAST_FIELD(delivery.connection_age), 0,
              365 * kDaySeconds,
              "Maximum age of a connection. In the last tenth of it, the connection is closed with "
              "1001, and the client reconnects with a new token. 0 means unlimited.",
              Live::yes));
  t.push_back(text("tokens.service_name", HOLDFAST_FIELD(tokens.service_name), kServiceName,
                   "Issuer and audience of temporary tokens."));
  t.push_back(integer("tokens.lifetime_seconds", HOLDFAST_FIELD(tokens.lifetime), 1, 3'600,
                      "Lifetime of a temporary token."));
  t.push_back(
      integer("tokens.drift_seconds", HOLDFAST_FIELD(tokens.drift), 0, 300,
              "Time after its expiry for which it is still accepted, because clocks may differ."));
  t.push_back(integer("tokens.max_outstanding", HOLDFAST_FIELD(tokens.max_outstanding), 1, 1'000,
                      "Maximum of unused temporary tokens of one user. Further ones get 429."));
}

}  // namespace holdfast::app

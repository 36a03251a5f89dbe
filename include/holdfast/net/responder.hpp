#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>

#include <holdfast/base/assert.hpp>
#include <holdfast/net/response.hpp>
#include <holdfast/net/response_writer.hpp>

namespace holdfast::net {

/// An answer: whole, or written bit by bit.
using Answer = std::variant<Response, StreamAccepted>;
[[nodiscard]] inline Headers& headers_of(Answer& answer) noexcept {
  return std::visit([](auto& one) -> Headers& { return one.headers; }, answer);
}

/// The reason why a parked request is no longer waited for.
enum class ParkEnd : std::uint8_t {
  gone,      ///< the client has left; a late answer is dropped
  draining,  ///< the listener stops taking requests; answer now, or the client gets 503
};

/// A request that is being answered, as its listener sees it.
class PendingRequest {
 public:
  using Told = std::move_only_function<void(ParkEnd)>;
  virtual void park(Told told) = 0;

 protected:
  ~PendingRequest() = default;
};

/// Answers one request. Called once, on the request's shard, also inside the handler. Dropping it
/// uncalled ends the connection.
class Responder {
 public:
  using Take = std::move_only_function<void(Answer&&)>;

  Responder() = default;
  /// Makes the responder of a listener. `request` lives as long as `take` does.
  Responder(Take take, PendingRequest& request) : Responder(std::move(take), &request) {}
  /// Makes a responder for a caller without a listener. A function of a `Response` takes no
  /// streams.
  template <class Function>
    requires(!std::same_as<Function, Responder>) && std::invocable<Function&, Response>
  Responder(Function function) : Responder(take_by(std::move(function)), nullptr) {}

  void operator()(Response response) { answer(std::move(response)); }
  template <std::same_as<StreamAccepted> Stream>  // so that braces make a response
  void operator()(Stream stream) {
    answer(std::move(stream));
  }

  /// Lets the answer take its time: no deadline ends the request any more. `told` is called once,
  /// in a turn of its own, when the client leaves or the listener drains. It is not called after an
  /// answer. The service limits how many requests are parked.
  void park(PendingRequest::Told told) {
    if (request_ != nullptr) request_->park(std::move(told));
  }

  /// Returns a responder of the same request. `change` gets each answer first, as an `Answer&`, or
  /// as a `Response&`, which leaves streams out.
  template <class Change>
  [[nodiscard]] Responder with(Change change) && {
    return {[change = std::move(change), take = std::move(take_)](Answer&& answer) mutable {
              if constexpr (std::invocable<Change&, Answer&>) {
                change(answer);
              } else if (auto* const response = std::get_if<Response>(&answer)) {
                change(*response);
              }
              take(std::move(answer));
            },
            std::exchange(request_, nullptr)};
  }

 private:
  Responder(Take take, PendingRequest* request) : take_(std::move(take)), request_(request) {}

  template <class Function>
  static Take take_by(Function function) {
    return [function = std::move(function)](Answer&& answer) mutable {
      if constexpr (std::invocable<Function&, Answer>) {
        function(std::move(answer));
      } else {
        auto* const response = std::get_if<Response>(&answer);
        HOLDFAST_ASSERT(response != nullptr, "responder.takes_streams");
        function(std::move(*response));
      }
    };
  }
  void answer(Answer&& answer) {
    request_ = nullptr;
    take_(std::move(answer));
  }

  Take take_;
  PendingRequest* request_ = nullptr;  ///< until it is answered
};

}  // namespace holdfast::net

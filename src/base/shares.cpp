// Limits for all clients together with a share for each.

#include <algorithm>
#include <optional>

#include <arpa/inet.h>

#include <holdfast/base/assert.hpp>
#include <holdfast/base/metrics.hpp>
#include <holdfast/base/shares.hpp>

namespace holdfast {

const char* to_string(Bound bound) noexcept {
  switch (bound) {
    case Bound::password_work:
      return "password_work";
    case Bound::codes:
      return "codes";
    case Bound::sign_ups:
      return "sign_ups";
    case Bound::deduplication:
      return "deduplication";
    case Bound::replays:
      return "replays";
    case Bound::header_bytes:
      return "header_bytes";
    case Bound::body_bytes:
      return "body_bytes";
    case Bound::connections:
      return "connections";
    case Bound::pending_bytes:
      return "pending_bytes";
    case Bound::store_slots:
      return "store_slots";
    case Bound::store_bytes:
      return "store_bytes";
    case Bound::failed_logins:
      return "failed_logins";
    case Bound::failed_refreshes:
      return "failed_refreshes";
    case Bound::signatures:
      return "signatures";
  }
  return "unknown";
}

const char* to_string(BoundScope scope) noexcept {
  return scope == BoundScope::all ? "all" : "share";
}

void BoundRefusals::collect(MetricCollector& out) const {
  static constexpr MetricFamily kRefusals{
      "holdfast_bound_refusals_total",
      "Refusals because a limit was reached: by all together (scope all), or the share of one "
      "client, key or user (share).",
      {"bound", "scope"}};
  for (std::size_t i = 0; i < kBounds; ++i) {
    const auto bound = static_cast<Bound>(i);
    for (const BoundScope scope : {BoundScope::all, BoundScope::share}) {
      out.add(kRefusals, MetricType::counter,
              {{"bound", to_string(bound)}, {"scope", to_string(scope)}},
              static_cast<double>(read(bound, scope)));
    }
  }
}

std::string client_share_key(std::string_view address) {
  // A zone (`fe80::1%eth0`) names this machine's interface, not the client.
  std::string text(address.substr(0, address.find('%')));
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    char four[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &six.s6_addr[12], four, sizeof four);
    return four;
  }
  std::fill(std::begin(six.s6_addr) + 8, std::end(six.s6_addr), std::uint8_t{0});
  char network[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &six, network, sizeof network);
  return std::string(network) + "/64";
}

// ---- Shares

struct Shares::State {
  State(Options initial, std::shared_ptr<BoundRefusals> counts)
      : options(initial), refusals(std::move(counts)) {}

  std::expected<void, BoundScope> take(const std::string& holder, std::size_t amount) {
    const std::lock_guard lock(mutex);
    const auto found = holders.find(holder);
    const std::size_t mine = found == holders.end() ? 0 : found->second;
    const auto over = [amount](std::size_t used, std::size_t bound) {
      return bound != 0 && (used > bound || amount > bound - used);
    };
    std::optional<BoundScope> refused;
    if (over(mine, options.share)) {
      refused = BoundScope::share;
    } else if (over(taken, options.capacity)) {
      refused = BoundScope::all;
    }
    if (refused) {
      if (refusals) refusals->add(options.bound, *refused);
      return std::unexpected(*refused);
    }
    taken += amount;
    if (found != holders.end()) {
      found->second += amount;
    } else {
      holders.emplace(holder, amount);
    }
    return {};
  }

  void keep(const std::string& holder, std::size_t amount) {
    const std::lock_guard lock(mutex);
    taken += amount;
    holders[holder] += amount;
  }

  void give_back(const std::string& holder, std::size_t amount) noexcept {
    const std::lock_guard lock(mutex);
    const auto found = holders.find(holder);
    HOLDFAST_ASSERT(found != holders.end() && found->second >= amount && taken >= amount,
                    "shares.gives_back_what_was_taken");
    taken -= amount;
    found->second -= amount;
    if (found->second == 0) holders.erase(found);
  }

  mutable std::mutex mutex;
  Options options;
  std::shared_ptr<BoundRefusals> refusals;
  std::size_t taken = 0;
  std::unordered_map<std::string, std::size_t> holders;
};

Shares::Shares(Options options, std::shared_ptr<BoundRefusals> refusals)
    : state_(std::make_shared<State>(options, std::move(refusals))) {}

std::expected<Shares::Hold, BoundScope> Shares::take(std::string_view holder, std::size_t amount) {
  std::string name(holder);
  // An amount of 0 has no entry to give back.
  if (amount == 0) return Hold();
  if (auto taken = state_->take(name, amount); !taken) return std::unexpected(taken.error());
  return Hold(state_, std::move(name), amount);
}

Shares::Hold Shares::keep(std::string_view holder, std::size_t amount) {
  if (amount == 0) return Hold();
  std::string name(holder);
  state_->keep(name, amount);
  return Hold(state_, std::move(name), amount);
}

void Shares::change(std::size_t capacity, std::size_t share) {
  const std::lock_guard lock(state_->mutex);
  state_->options.capacity = capacity;
  state_->options.share = share;
}

std::size_t Shares::taken() const {
  const std::lock_guard lock(state_->mutex);
  return state_->taken;
}

std::size_t Shares::taken_by(std::string_view holder) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->holders.find(std::string(holder));
  return found == state_->holders.end() ? 0 : found->second;
}

Shares::Hold& Shares::Hold::operator=(Hold&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
    holder_ = std::move(other.holder_);
    amount_ = std::exchange(other.amount_, 0);
  }
  return *this;
}

std::expected<void, BoundScope> Shares::Hold::add(std::size_t amount) {
  HOLDFAST_ASSERT(state_ != nullptr, "shares.adds_to_a_holder");
  auto taken = state_->take(holder_, amount);
  if (taken) amount_ += amount;
  return taken;
}

void Shares::Hold::merge(Hold&& other) noexcept {
  if (amount_ == 0) {
    *this = std::move(other);
    return;
  }
  HOLDFAST_ASSERT(other.amount_ == 0 || (other.state_ == state_ && other.holder_ == holder_),
                  "shares.merges_one_holder");
  amount_ += std::exchange(other.amount_, 0);
}

void Shares::Hold::remove(std::size_t amount) noexcept {
  HOLDFAST_ASSERT(amount <= amount_, "shares.removes_what_was_taken");
  if (amount == 0) return;
  state_->give_back(holder_, amount);
  amount_ -= amount;
}

void Shares::Hold::reset() noexcept {
  if (const auto state = std::exchange(state_, nullptr); state && amount_ != 0) {
    state->give_back(holder_, std::exchange(amount_, 0));
  }
}

// ---- RateShares

RateShares::RateShares(Options options, std::shared_ptr<BoundRefusals> refusals)
    : options_(options), refusals_(std::move(refusals)) {}

std::expected<void, BoundScope> RateShares::take(std::string_view client, std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  const auto refuse = [this](BoundScope scope) -> std::expected<void, BoundScope> {
    if (refusals_) refusals_->add(options_.bound, scope);
    return std::unexpected(scope);
  };
  const std::string key(client);
  const auto found = clients_.find(key);
  RateLimiter mine = found == clients_.end() ? RateLimiter() : found->second;
  if (options_.share != 0 && !mine.try_take(rate_of(options_.share), now_us)) {
    return refuse(BoundScope::share);
  }
  if (options_.capacity != 0 && !all_.try_take(rate_of(options_.capacity), now_us)) {
    return refuse(BoundScope::all);
  }
  if (options_.share == 0) return {};
  if (found != clients_.end()) {
    found->second = mine;
    return {};
  }
  if (clients_.size() >= options_.clients_max) make_room(now_us);
  clients_.emplace(key, mine);
  return {};
}

void RateShares::give_back(std::string_view client) {
  const std::lock_guard lock(mutex_);
  if (options_.capacity != 0) all_.give_back(rate_of(options_.capacity));
  const auto found = clients_.find(std::string(client));
  if (options_.share != 0 && found != clients_.end()) {
    found->second.give_back(rate_of(options_.share));
  }
}

std::size_t RateShares::clients() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

void RateShares::make_room(std::int64_t now_us) {
  std::erase_if(clients_,
                [now_us](const auto& client) { return client.second.due_us() <= now_us; });
  if (clients_.size() < options_.clients_max || clients_.empty()) return;
  clients_.erase(std::ranges::min_element(
      clients_, {}, [](const auto& client) { return client.second.due_us(); }));
}

Rate RateShares::rate_of(std::uint32_t count) const {
  return Rate::per_period(options_.period_us, count);
}

void RateShares::change(std::uint32_t capacity, std::uint32_t share) {
  const std::lock_guard lock(mutex_);
  options_.capacity = capacity;
  options_.share = share;
}

}  // namespace holdfast

#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>
#include <holdfast/identity/stores.hpp>

namespace holdfast::identity {

/// Keeps counts by name, up to a limit, and remembers the changes to write. An `Entry` has `rank()`
/// (the lowest is forgotten first when the book is full), `forgotten_at()`, and `text()` and
/// `read()` for its stored form. Needs a lock around it.
template <class Entry>
class AttemptBook {
 public:
  using Row = AttemptStore::Row;

  AttemptBook(const Clock& clock, std::size_t capacity, std::string secret)
      : clock_(clock), capacity_(std::max<std::size_t>(capacity, 1)), secret_(std::move(secret)) {}

  /// Returns the key of a name, which does not reveal the name.
  [[nodiscard]] std::string key_of(const std::string& name) const {
    return std::string(view(hmac_sha256(secret_, name)));
  }
  [[nodiscard]] SteadyTime now() const { return clock_.steady_now(); }

  /// Returns the entry; nullptr if there is none or it has expired.
  [[nodiscard]] Entry* find(const std::string& key) {
    const auto found = nodes_.find(key);
    if (found == nodes_.end()) return nullptr;
    if (found->second.entry.forgotten_at() > now()) return &found->second.entry;
    forget(key);
    return nullptr;
  }
  /// Adds an entry. The key must be new.
  Entry& make(const std::string& key, Entry entry) {
    if (nodes_.size() >= capacity_) forget(std::string(*std::get<2>(*order_.begin())));
    const auto made = nodes_.emplace(key, Node{.entry = std::move(entry), .place = {}}).first;
    place(*made);
    return made->second.entry;
  }
  /// Updates an entry's place after a change, and marks it to be written.
  void changed(const std::string& key) {
    const auto found = nodes_.find(key);
    if (found == nodes_.end()) return;
    order_.erase(found->second.place);
    place(*found);
    changes_.insert(key);
  }
  void forget(const std::string& key) {
    const auto found = nodes_.find(key);
    if (found == nodes_.end()) return;
    order_.erase(found->second.place);
    nodes_.erase(found);
    changes_.insert(key);
  }
  void forget_idle() {
    std::vector<std::string> idle;
    for (const auto& [key, node] : nodes_) {
      if (node.entry.forgotten_at() <= now()) idle.push_back(key);
    }
    for (const std::string& key : idle) forget(key);
  }

  void restore(const Row& row) {
    const Times times = this->times();
    std::optional<Entry> entry = Entry::read(row.state, times);
    if (!entry || entry->forgotten_at() <= now() || nodes_.contains(row.name)) return;
    make(row.name, std::move(*entry));
  }
  [[nodiscard]] std::vector<Row> take_changes(std::size_t max) {
    std::vector<Row> out;
    const Times times = this->times();
    while (!changes_.empty() && out.size() < max) {
      const std::string key = *changes_.begin();
      changes_.erase(changes_.begin());
      Row row{.list = 0, .name = key, .state = {}, .forgotten_at = {}};
      if (const auto found = nodes_.find(key); found != nodes_.end()) {
        row.state = found->second.entry.text(times);
        row.forgotten_at = times.wall(found->second.entry.forgotten_at());
      }
      out.push_back(std::move(row));
    }
    return out;
  }
  void put_back(const Row& row) { changes_.insert(row.name); }

  /// Converts times between the wall clock, which stored entries use, and the steady clock, which
  /// does not survive the process.
  struct Times {
    SteadyTime steady_now;
    WallTime wall_now;
    [[nodiscard]] WallTime wall(SteadyTime t) const {
      return wall_now + std::chrono::duration_cast<WallTime::duration>(t - steady_now);
    }
    [[nodiscard]] std::int64_t micros(SteadyTime t) const { return unix_micros(wall(t)); }
    /// Converts a stored time. Treats times in the future as now.
    [[nodiscard]] SteadyTime steady(std::int64_t micros) const {
      const auto ago = std::max(wall_now - wall_from_micros(micros), WallTime::duration(0));
      return steady_now - std::chrono::duration_cast<SteadyTime::duration>(ago);
    }
  };

 private:
  using Place = std::tuple<std::size_t, SteadyTime, const std::string*>;
  struct Node {
    Entry entry;
    Place place;
  };

  [[nodiscard]] Times times() const {
    return {.steady_now = clock_.steady_now(), .wall_now = clock_.wall_now()};
  }
  void place(std::pair<const std::string, Node>& node) {
    const Entry& entry = node.second.entry;
    node.second.place = {entry.rank(), entry.forgotten_at(), &node.first};
    order_.insert(node.second.place);
  }

  const Clock& clock_;
  const std::size_t capacity_;
  const std::string secret_;
  std::unordered_map<std::string, Node> nodes_;
  std::set<Place> order_;
  std::unordered_set<std::string> changes_;
};

}  // namespace holdfast::identity

// Declares the numbers that are sums of the mailboxes' counters.

#include <holdfast/delivery/mailbox_metrics.hpp>

namespace holdfast::delivery {

// The reasons of dead letters are counted; two outcomes follow from them.
MailboxMetrics::MailboxMetrics() {
  add(MetricType::counter, kOutcomes, {"expired"},
      [this] { return static_cast<double>(expired.read()); });
  add(MetricType::counter, kOutcomes, {"dead"}, [this] {
    return static_cast<double>(expired.read() + buried.read() + deleted.read() +
                               undeliverable.read());
  });
}

}  // namespace holdfast::delivery

#pragma once

#include <holdfast/base/metrics.hpp>

namespace holdfast::storage {

/// Counts what a store does. Written on the store's thread, read by any thread.
struct alignas(64) StoreMetrics : MetricSet {
  static constexpr MetricFamily kTransactions{
      "holdfast_store_transactions_total", "Transactions by outcome.", {"outcome"}};

  /// A store can be written until a commit fails.
  StoreMetrics() { writable.set(1); }

  Counter transactions{*this, kTransactions, {"committed"}};
  Counter failed_transactions{*this, kTransactions, {"failed"}};
  Counter operations{*this,
                     {"holdfast_store_operations_total", "Operations in committed transactions."}};
  /// Only of transactions that wrote and were committed.
  BatchHistogram batch{*this,
                       {"holdfast_store_batch_size", "Operations in each writing transaction."}};
  LatencyHistogram commit{*this,
                          {"holdfast_store_commit_seconds",
                           "Time of a writing transaction, its sync to disk included."}};
  Gauge writable{
      *this,
      {"holdfast_store_writable", "1 if the last writing transaction was committed, else 0."}};
  Gauge dead_letters{*this, {"holdfast_dead_letters", "Dead letters in the database."}};
  Gauge dead_letter_bytes{
      *this, {"holdfast_dead_letters_bytes", "Size of the texts of the dead letters."}};
};

/// Numbers of a database's files and their disk. Written on the store's thread, read by any thread.
struct alignas(64) FileMetrics : MetricSet {
  Gauge database_bytes{*this, {"holdfast_store_database_bytes", "Size of the database file."}};
  /// Without free pages: the limit holds for these.
  Gauge used_bytes{*this, {"holdfast_store_used_bytes", "Used bytes of the database file."}};
  Gauge log_bytes{*this,
                  {"holdfast_store_wal_bytes", "Size of the used part of the write-ahead log."}};
  Gauge disk_free_min{
      *this,
      {"holdfast_store_disk_free_min_bytes",
       "Space that messages leave free on the disk of the data directory; 0 means no limit."}};
  Gauge disk_low{
      *this,
      {"holdfast_store_disk_low",
       "1 while the disk has little more room than messages leave free, or none, else 0."}};
  Gauge disk_full{*this,
                  {"holdfast_store_disk_full",
                   "1 while messages are refused because the disk has no room for them, else 0."}};
  Counter damaged{
      *this,
      {"holdfast_store_damaged_messages_total",
       "Messages whose checksum differed when they were read; they are dead letters now."}};
  Gauge missing{
      *this,
      {"holdfast_store_missing_messages",
       "Pending messages that were missing when their user's messages were last read to the "
       "end."}};
};

}  // namespace holdfast::storage

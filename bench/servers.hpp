#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

/// A server's processes and what they have used.
class Server {
 public:
  virtual ~Server() = default;
  [[nodiscard]] virtual const char* name() const = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Process ids, children included.
  [[nodiscard]] virtual std::vector<pid_t> processes() const = 0;

  /// User and system time so far, in seconds.
  [[nodiscard]] double cpu_s() const;
  /// Proportional set size, in bytes: memory shared by workers counts once.
  [[nodiscard]] std::int64_t memory_bytes() const;
};

/// `holdfast serve` on a data folder of its own, with users that can log in at once.
class Holdfast final : public Server {
 public:
  /// `users`: how many the pool has. `workers`: 0 is one per core, as by default.
  Holdfast(const std::filesystem::path& folder, std::size_t users, int workers = 0);
  ~Holdfast() override;
  Holdfast(const Holdfast&) = delete;
  Holdfast& operator=(const Holdfast&) = delete;

  const char* name() const override { return "holdfast"; }
  std::uint16_t port() const override { return port_; }
  std::vector<pid_t> processes() const override { return {pid_}; }

  [[nodiscard]] const std::string& access_key_id() const { return access_key_id_; }
  [[nodiscard]] const std::string& secret() const { return secret_; }
  [[nodiscard]] const std::vector<std::string>& user_ids() const { return user_ids_; }
  /// An ID token of each user.
  [[nodiscard]] const std::vector<std::string>& id_tokens() const { return id_tokens_; }

 private:
  void start(const std::filesystem::path& folder);
  void stop();
  void read_credentials(const std::filesystem::path& folder);
  void add_users(const std::filesystem::path& folder, std::size_t users);

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string access_key_id_;
  std::string secret_;
  std::string pool_id_;
  std::string client_id_;
  std::vector<std::string> user_ids_;
  std::vector<std::string> id_tokens_;
};

/// nginx with the Nchan module: `POST /pub?id=`, `GET /sub?id=`.
class Nchan final : public Server {
 public:
  Nchan(const std::filesystem::path& folder, int workers);
  ~Nchan() override;
  Nchan(const Nchan&) = delete;
  Nchan& operator=(const Nchan&) = delete;

  [[nodiscard]] static bool available();
  const char* name() const override { return "nchan"; }
  std::uint16_t port() const override { return port_; }
  std::vector<pid_t> processes() const override;

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// Mosquitto, which keeps everything in memory: MQTT on one thread.
class Mosquitto final : public Server {
 public:
  explicit Mosquitto(const std::filesystem::path& folder);
  ~Mosquitto() override;
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;

  [[nodiscard]] static bool available();
  const char* name() const override { return "mosquitto"; }
  std::uint16_t port() const override { return port_; }
  std::vector<pid_t> processes() const override { return {pid_}; }

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// Centrifugo with its engine in memory, from `build/bench/centrifugo`.
class Centrifugo final : public Server {
 public:
  /// `workers`: how many threads run its program at a time.
  Centrifugo(const std::filesystem::path& folder, int workers);
  ~Centrifugo() override;
  Centrifugo(const Centrifugo&) = delete;
  Centrifugo& operator=(const Centrifugo&) = delete;

  [[nodiscard]] static bool available();
  const char* name() const override { return "centrifugo"; }
  std::uint16_t port() const override { return port_; }
  std::vector<pid_t> processes() const override { return {pid_}; }

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace bench

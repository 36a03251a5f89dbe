#include "servers.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/identity/id_token.hpp>
#include <holdfast/identity/user.hpp>
#include <holdfast/sqlite/store.hpp>

#include "clients.hpp"

namespace bench {
namespace fs = std::filesystem;
namespace {

// Blocks for the answer of an asynchronous call.
class WaitingExecutor final : public holdfast::Executor {
 public:
  void post(holdfast::Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ready_.notify_one();
  }
  void run_one() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return !tasks_.empty(); });
    holdfast::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<holdfast::Task> tasks_;
};

// Starts `start`, which takes a completion, and waits for what it brings.
template <class T, class Start>
T wait_for(WaitingExecutor& executor, Start start) {
  std::optional<holdfast::Result<T>> result;
  start([&result](holdfast::Result<T> r) { result.emplace(std::move(r)); });
  while (!result) executor.run_one();
  if (!*result) throw std::runtime_error(result->error().message);
  return std::move(**result);
}

// Returns a port that is free, and below those that the system gives to clients meanwhile.
std::uint16_t free_port() {
  constexpr std::uint64_t kFirst = 10'000;
  constexpr std::uint64_t kCount = 20'000;
  for (;;) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(kFirst + holdfast::random_u64() % kCount));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) throw std::runtime_error("no socket");
    const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (is_free) return ntohs(address.sin_port);
  }
}

pid_t spawn(const std::vector<std::string>& arguments, const fs::path& output) {
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) _exit(126);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

void terminate(pid_t& pid) {
  if (pid <= 0) return;
  kill(pid, SIGTERM);
  waitpid(pid, nullptr, 0);
  pid = -1;
}

void await_port(std::uint16_t port, pid_t pid, const fs::path& output) {
  const double deadline = now_s() + 20;
  while (now_s() < deadline) {
    try {
      Loop loop;
      const HttpConnection probe(loop, port);
      return;
    } catch (const std::exception&) {
      if (waitpid(pid, nullptr, WNOHANG) != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  std::ifstream log(output);
  throw std::runtime_error("a server did not start: " +
                           std::string(std::istreambuf_iterator<char>(log), {}));
}

std::int64_t field_of(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return std::stoll(line.substr(name.size()));
  }
  return 0;
}

}  // namespace

double Server::cpu_s() const {
  double total = 0;
  for (const pid_t pid : processes()) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    // The name in parentheses may hold anything: count the fields behind it.
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    total += (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  return total;
}

std::int64_t Server::memory_bytes() const {
  std::int64_t total = 0;
  for (const pid_t pid : processes()) {
    total += field_of("/proc/" + std::to_string(pid) + "/smaps_rollup", "Pss:") * 1024;
  }
  return total;
}

Holdfast::Holdfast(const fs::path& folder, std::size_t users, int workers) : port_(free_port()) {
  fs::create_directories(folder);
  // All of its clients come from one address.
  std::ofstream(folder / "holdfast.json")
      << R"({"limits": {"connections_per_address": 65536}, "server": {"workers": )" << workers
      << "}}";
  start(folder);
  stop();
  read_credentials(folder);
  add_users(folder, users);
  start(folder);
}

Holdfast::~Holdfast() { stop(); }

void Holdfast::start(const fs::path& folder) {
  pid_ = spawn({HOLDFAST_BINARY, "serve", "--config", (folder / "holdfast.json").string(),
                "--data-dir", (folder / "data").string(), "--listen",
                "127.0.0.1:" + std::to_string(port_), "--control-listen", "127.0.0.1:0"},
               folder / "log");
  await_port(port_, pid_, folder / "log");
}

void Holdfast::stop() { terminate(pid_); }

void Holdfast::read_credentials(const fs::path& folder) {
  std::ifstream in(folder / "data" / "credentials");
  const auto value = [](const std::string& line) {
    std::string text = line.substr(line.find('=') + 1);
    std::erase_if(text, [](char c) { return c == '"' || c == '\''; });
    return text;
  };
  for (std::string line; std::getline(in, line);) {
    if (line.contains("AWS_ACCESS_KEY_ID=")) access_key_id_ = value(line);
    if (line.contains("AWS_SECRET_ACCESS_KEY=")) secret_ = value(line);
    if (line.contains("HOLDFAST_USER_POOL_ID=")) pool_id_ = value(line);
    if (line.contains("HOLDFAST_CLIENT_ID=")) client_id_ = value(line);
  }
  if (access_key_id_.empty() || client_id_.empty()) throw std::runtime_error("no credentials");
}

// Thousands of logins would measure Argon2. The users and a login of each are put into the stopped
// gateway's store, and their ID tokens are signed with its key, as a login would have.
void Holdfast::add_users(const fs::path& folder, std::size_t users) {
  using namespace holdfast;
  WaitingExecutor executor;
  sqlite::Options options;
  options.path = (folder / "data" / "holdfast.db").string();
  auto store = sqlite::open_store(std::move(options), system_clock());
  if (!store) throw std::runtime_error(store.error().message);
  storage::StoreHandles& handles = (*store)->handles(executor);
  auto master = identity::MasterKey::load((folder / "data" / "master.key").string(), nullptr,
                                          identity::MasterKey::Missing::fail);
  if (!master) throw std::runtime_error(master.error().message);
  const auto ring = wait_for<std::shared_ptr<identity::KeyRing>>(executor, [&](auto done) {
    identity::open_key_ring(std::move(*master), {}, system_clock(), *handles.keys, std::move(done));
  });
  const auto signer = wait_for<std::shared_ptr<identity::TokenSigner>>(executor, [&](auto done) {
    identity::open_token_signer(ring, {}, system_clock(), *handles.keys, std::move(done));
  });
  const std::int64_t now = unix_seconds(system_clock().wall_now());
  const std::string issuer = "http://127.0.0.1:" + std::to_string(port_) + "/" + pool_id_;
  std::size_t created = 0;
  for (std::size_t i = 0; i < users; ++i) {
    identity::User user;
    user.sub = UserId(generate_uuid());
    user.username = "bench" + std::to_string(i);
    user.created_at = user.modified_at = system_clock().wall_now();
    user_ids_.push_back(user.sub.str());
    identity::RefreshTokenStore::Row login;
    login.sub = user.sub;
    login.origin = generate_uuid();
    login.token_hash = sha256(login.origin);
    login.issued_at = user.created_at;
    login.expires_at = login.issued_at + Seconds(24 * 3600);
    id_tokens_.push_back(signer->sign(
        R"({"sub":")" + user.sub.str() + R"(","cognito:username":")" + user.username +
        R"(","token_use":"id","aud":")" + client_id_ + R"(","iss":")" + issuer +
        R"(","auth_time":)" + std::to_string(now) + R"(,"iat":)" + std::to_string(now) +
        R"(,"exp":)" + std::to_string(now + 3600) + R"(,"origin_jti":")" + login.origin +
        R"(","jti":")" + generate_uuid() + R"("})"));
    const std::int64_t revision = user.revision;
    std::string folded = identity::fold_username(user.username);
    handles.users->create(std::move(user), std::move(folded), [](const Result<void>& result) {
      if (!result) throw std::runtime_error(result.error().message);
    });
    handles.refresh_tokens->add(std::move(login), revision, 1,
                                [&created](const Result<std::vector<std::string>>& result) {
                                  if (!result) throw std::runtime_error(result.error().message);
                                  ++created;
                                });
  }
  while (created < users) executor.run_one();
  (*store)->stop();
}

bool Nchan::available() {
  return fs::exists("/usr/sbin/nginx") && fs::exists("/usr/lib/nginx/modules/ngx_nchan_module.so");
}

Nchan::Nchan(const fs::path& folder, int workers) : port_(free_port()) {
  fs::create_directories(folder);
  std::ofstream(folder / "nginx.conf")
      << "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n"
      << "daemon off; user root; worker_processes " << workers << "; pid "
      << (folder / "pid").string() << ";\nerror_log " << (folder / "error.log").string()
      << " error;\n"
      << "worker_rlimit_nofile 20000; events { worker_connections 19000; }\n"
      << "http { access_log " << (folder / "access.log").string()
      << " combined buffer=64k flush=1s;\n"
      << "  keepalive_requests 100000000; keepalive_timeout 600s; nchan_max_reserved_memory 512M;\n"
      << "  client_body_temp_path " << folder.string() << "; proxy_temp_path " << folder.string()
      << "; fastcgi_temp_path " << folder.string() << "; uwsgi_temp_path " << folder.string()
      << "; scgi_temp_path " << folder.string() << ";\n"
      << "  server { listen 127.0.0.1:" << port_ << ";\n"
      << "    location = /pub { nchan_publisher; nchan_channel_id $arg_id;"
      << " nchan_message_buffer_length 20000; nchan_message_timeout 1h; }\n"
      << "    location = /sub { nchan_subscriber websocket; nchan_channel_id $arg_id;"
      << " nchan_subscriber_first_message oldest; nchan_websocket_ping_interval 45; }\n"
      << "} }\n";
  pid_ = spawn({"/usr/sbin/nginx", "-c", (folder / "nginx.conf").string()}, folder / "log");
  await_port(port_, pid_, folder / "log");
}

Nchan::~Nchan() { terminate(pid_); }

std::vector<pid_t> Nchan::processes() const {
  std::vector<pid_t> all = {pid_};
  const std::string task = std::to_string(pid_);
  std::ifstream children("/proc/" + task + "/task/" + task + "/children");
  for (pid_t child = 0; children >> child;) all.push_back(child);
  return all;
}

bool Mosquitto::available() { return fs::exists("/usr/sbin/mosquitto"); }

Mosquitto::Mosquitto(const fs::path& folder) : port_(free_port()) {
  fs::create_directories(folder);
  std::ofstream(folder / "mosquitto.conf")
      << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\npersistence false\n"
      << "set_tcp_nodelay true\nlog_dest none\nuser root\n";
  pid_ = spawn({"/usr/sbin/mosquitto", "-c", (folder / "mosquitto.conf").string()}, folder / "log");
  await_port(port_, pid_, folder / "log");
}

Mosquitto::~Mosquitto() { terminate(pid_); }

namespace {
// Where ./dev bench puts it, below the working folder.
fs::path centrifugo_program() { return fs::current_path() / "build" / "bench" / "centrifugo"; }
}  // namespace

bool Centrifugo::available() { return fs::exists(centrifugo_program()); }

Centrifugo::Centrifugo(const fs::path& folder, int workers) : port_(free_port()) {
  fs::create_directories(folder);
  std::ofstream(folder / "config.json")
      << R"({"client":{"insecure":true},"http_api":{"insecure":true},"log":{"level":"error"},)"
      << R"("http_server":{"address":"127.0.0.1","port":)" << port_ << "}}";
  pid_ = spawn({"/usr/bin/env", "GOMAXPROCS=" + std::to_string(workers),
                centrifugo_program().string(), "-c", (folder / "config.json").string()},
               folder / "log");
  await_port(port_, pid_, folder / "log");
}

Centrifugo::~Centrifugo() { terminate(pid_); }

}  // namespace bench

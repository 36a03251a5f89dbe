#include "issuer_documents.hpp"

#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include <holdfast/base/process.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::app {
namespace {

class IssuerReaderImpl final : public IssuerReader {
 public:
  explicit IssuerReaderImpl(IssuerDocumentsOptions options)
      : options_(std::move(options)), thread_(start_thread("hf-issuer", [this] { work(); })) {}
  IssuerReaderImpl(const IssuerReaderImpl&) = delete;
  IssuerReaderImpl& operator=(const IssuerReaderImpl&) = delete;
  ~IssuerReaderImpl() override { end(); }

  void stop() override { end(); }

  void read(std::string address, Completion<Result<std::string>> done) override {
    {
      const std::lock_guard lock(mutex_);
      wanted_.emplace_back(std::move(address), std::move(done));
    }
    wake_.notify_all();
  }

 private:
  using Read = std::pair<std::string, Completion<Result<std::string>>>;

  void end() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    // What they hold may be the last that holds others.
    const std::deque<Read> dropped = std::exchange(wanted_, {});
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !wanted_.empty(); });
      if (stopping_) return;
      Read read = std::move(wanted_.front());
      wanted_.pop_front();
      lock.unlock();
      read.second(read_now(read.first));
      read.second = nullptr;
      lock.lock();
    }
  }

  [[nodiscard]] Result<std::string> read_now(const std::string& address) const {
    if (!address.starts_with("http://") && !address.starts_with("https://")) {
      return read_document_file(address, options_.bytes_max);
    }
    auto url = net::parse_url(address);
    if (!url) return std::unexpected(std::move(url.error()));
    net::ClientRequest request;
    request.target = url->target;
    request.headers = {{"Accept", "application/json"}, {"Connection", "close"}};
    request.response_bytes_max = options_.bytes_max;
    const auto client = net::make_http_client(std::move(*url), {.ca_file = options_.ca_file});
    auto answer = client->request(request, options_.timeout);
    if (!answer) return std::unexpected(std::move(answer.error()));
    if (answer->status != 200) {
      return fail(Errc::unavailable,
                  address + " is answered with status " + std::to_string(answer->status), address);
    }
    return std::move(answer->body);
  }

  const IssuerDocumentsOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Read> wanted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<IssuerReader> make_issuer_reader(IssuerDocumentsOptions options) {
  return std::make_shared<IssuerReaderImpl>(std::move(options));
}

Result<std::string> read_document_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) return fail(Errc::io, "cannot read " + path, path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) return fail(Errc::invalid_argument, path + " is too long", path);
  return text;
}

}  // namespace holdfast::app

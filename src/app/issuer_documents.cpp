// Reads the keys of other issuers.

#include "issuer_documents.hpp"

#include <fstream>
#include <utility>

#include <holdfast/base/worker_pool.hpp>
#include <holdfast/net/client.hpp>

namespace holdfast::app {
namespace {

// An issuer reads one at a time.
constexpr std::size_t kReadsMax = 4;

class IssuerReaderImpl final : public IssuerReader {
 public:
  explicit IssuerReaderImpl(IssuerDocumentsOptions options)
      : options_(std::move(options)), queue_(kReadsMax), pool_({.name = "hf-issuer"}, queue_) {}

  void stop() override { pool_.stop(); }

  void read(std::string address, Completion<Result<std::string>> done) override {
    pool_.submit(
        [this, address = std::move(address),
         done = std::move(done)](const Error* refusal) mutable -> Task {
          if (refusal == nullptr) done(read_now(address));
          return {};
        },
        [this](Work::Job& job) -> const Error* { return queue_.push(job) ? nullptr : &full_; });
  }

 private:
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
  const Error full_{Errc::too_many_requests, "too many documents are wanted"};
  FifoQueue queue_;
  WorkerPool pool_;
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

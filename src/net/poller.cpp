// The epoll of a shard's sockets.

#include "poller.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::net {
namespace {

int make_epoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

Poller::Poller(asio::io_context& context)
    : context_(context), epoll_(context.get_executor(), make_epoll()) {}

void Poller::start() { wait(); }

void Poller::wait() {
  epoll_.async_wait(asio::posix::descriptor_base::wait_read, [this](ErrorCode ec) {
    if (ec) return;
    dispatch();
    wait();
  });
}

// Dispatches one batch. The next call reports the rest, because the events are levels, not edges.
void Poller::dispatch() {
  const int count =
      epoll_wait(epoll_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
  fetched_ = static_cast<std::size_t>(std::max(count, 0));
  for (next_ = 0; next_ < fetched_; ++next_) {
    epoll_event& event = events_[next_];
    if (event.data.ptr == nullptr) continue;
    auto* const socket = static_cast<PolledSocket*>(event.data.ptr);
    const PolledSocket::Due due = socket->take(event.events);
    if (due.receive) socket->events_.on_receive_ready();
    // The socket may have been closed inside.
    if (due.send && event.data.ptr != nullptr) socket->events_.on_send_ready();
  }
  next_ = fetched_ = 0;
}

bool Poller::watch(PolledSocket& socket, std::uint32_t events) {
  const int operation = events == 0            ? EPOLL_CTL_DEL
                        : socket.watched_ == 0 ? EPOLL_CTL_ADD
                                               : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &socket;
  if (epoll_ctl(epoll_.native_handle(), operation, socket.descriptor(), &event) != 0) return false;
  socket.watched_ = events;
  return true;
}

void Poller::report_failure(PolledSocket& socket) {
  failed_.push_back(&socket);
  asio::post(context_, [this] {
    if (failed_.empty()) return;
    PolledSocket* const socket = failed_.back();
    failed_.pop_back();
    socket->events_.on_wait_failed();
  });
}

void Poller::forget(PolledSocket& socket) {
  for (std::size_t i = next_; i < fetched_; ++i) {
    if (events_[i].data.ptr == &socket) events_[i].data.ptr = nullptr;
  }
  std::erase(failed_, &socket);
}

void PolledSocket::await(std::uint32_t& purpose, Wait wait) {
  purpose = static_cast<std::uint32_t>(wait);
  if ((watched_ & purpose) != 0) return;
  if (!poller_.watch(*this, watched_ | purpose)) poller_.report_failure(*this);
}

// Stops watching an event that nobody waits for, or the loop would spin. The kernel always reports
// hang-ups, so every waiter gets them.
PolledSocket::Due PolledSocket::take(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) events |= EPOLLIN | EPOLLOUT | EPOLLRDHUP;
  const std::uint32_t awaited = receive_ | send_;
  // Removing an open descriptor does not fail.
  if (awaited == 0 || (events & watched_ & ~awaited) != 0) {
    (void)poller_.watch(*this, watched_ & awaited);
  }
  const Due due{.receive = (receive_ & events) != 0, .send = (send_ & events) != 0};
  if (due.receive) receive_ = 0;
  if (due.send) send_ = 0;
  return due;
}

void PolledSocket::shutdown_send() noexcept { ::shutdown(fd_.get(), SHUT_WR); }

UniqueFd PolledSocket::release() noexcept {
  if (fd_) {
    if (watched_ != 0) (void)poller_.watch(*this, 0);
    poller_.forget(*this);
    receive_ = send_ = 0;
  }
  return std::move(fd_);
}

}  // namespace holdfast::net

// Shared memory and descriptor passing for the service: what Node cannot do itself. No decoding happens here.
//
// Contract: all functions run on the JavaScript thread and never block longer than the time-out they are
// given. Sockets are made non-blocking. Errors are thrown as Error with `code` (an errno name) set. Memory
// handed to JavaScript is mapped read-only and stays mapped until the ArrayBuffer is collected; writing to it
// is a fault. Reading rules of the telemetry area: docs/protocol.md, "Telemetry area".
#include <napi.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared.h"

namespace {

[[noreturn]] void fail(Napi::Env env, int error, const char *what) {
  Napi::Error thrown = Napi::Error::New(env, std::string(what) + ": " + strerror(error));
  const char *name = strerrorname_np(error);
  thrown.Set("code", Napi::String::New(env, name ? name : "EIO"));
  throw thrown;
}

int descriptor(const Napi::CallbackInfo &info) { return info[0].As<Napi::Number>().Int32Value(); }

// connectUnix(path) → descriptor
Napi::Value connect_unix(const Napi::CallbackInfo &info) {
  std::string path = info[0].As<Napi::String>();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail(info.Env(), ENAMETOOLONG, "connect");
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail(info.Env(), errno, "socket");
  if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
    int error = errno;
    close(fd);
    fail(info.Env(), error, "connect");
  }
  return Napi::Number::New(info.Env(), fd);
}

// closeDescriptor(descriptor)
void close_descriptor(const Napi::CallbackInfo &info) { close(descriptor(info)); }

// Waits until the descriptor is ready; false after timeout_us.
bool wait_for(int fd, short events, int64_t timeout_us) {
  pollfd entry{fd, events, 0};
  timespec limit{static_cast<time_t>(timeout_us / 1000000), static_cast<long>(timeout_us % 1000000 * 1000)};
  return ppoll(&entry, 1, &limit, nullptr) > 0;
}

// send(descriptor, bytes, timeoutMicroseconds): all bytes, or throws (ETIMEDOUT when the peer does not take
// them)
void send_all(const Napi::CallbackInfo &info) {
  auto bytes = info[1].As<Napi::Uint8Array>();
  int64_t timeout = info[2].As<Napi::Number>().Int64Value();
  size_t done = 0;
  while (done < bytes.ByteLength()) {
    ssize_t sent =
        send(descriptor(info), bytes.Data() + done, bytes.ByteLength() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      done += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      if (!wait_for(descriptor(info), POLLOUT, timeout)) fail(info.Env(), ETIMEDOUT, "send");
    } else if (errno != EINTR) {
      fail(info.Env(), errno, "send");
    }
  }
}

// Descriptors that came with a message; what the caller has no use for is closed.
Napi::Array take_descriptors(Napi::Env env, msghdr *message) {
  Napi::Array out = Napi::Array::New(env);
  uint32_t count = 0;
  for (cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < fds; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      out.Set(count++, Napi::Number::New(env, fd));
    }
  }
  return out;
}

// receive(descriptor, buffer, offset, timeoutMicroseconds, descriptors?: number[]) → bytes; 0 at the end of
// the stream, −1 when nothing came in time. Descriptors that arrive are appended to the array, or closed
// without one.
Napi::Value receive(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto buffer = info[1].As<Napi::Uint8Array>();
  size_t offset = info[2].As<Napi::Number>().Uint32Value();
  if (offset > buffer.ByteLength()) fail(env, EINVAL, "receive");
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
  iovec part{buffer.Data() + offset, buffer.ByteLength() - offset};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  int64_t timeout = info[3].As<Napi::Number>().Int64Value();
  if (timeout > 0 && !wait_for(descriptor(info), POLLIN, timeout)) return Napi::Number::New(env, -1);
  ssize_t got = recvmsg(descriptor(info), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return Napi::Number::New(env, -1);
    fail(env, errno, "receive");
  }
  Napi::Array fds = take_descriptors(env, &message);
  for (uint32_t i = 0; i < fds.Length(); i++) {
    Napi::Value fd = fds[i];
    if (info[4].IsArray()) {
      Napi::Array kept = info[4].As<Napi::Array>();
      kept.Set(kept.Length(), fd);
    } else {
      close(fd.As<Napi::Number>().Int32Value());
    }
  }
  return Napi::Number::New(env, static_cast<double>(got));
}

// peerUser(descriptor) → user id of the process at the other end
Napi::Value peer_user(const Napi::CallbackInfo &info) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor(info), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    fail(info.Env(), errno, "SO_PEERCRED");
  return Napi::Number::New(info.Env(), credentials.uid);
}

// lockFile(descriptor) → whether the exclusive lock is ours now; it lasts as long as the descriptor
Napi::Value lock_file(const Napi::CallbackInfo &info) {
  if (flock(descriptor(info), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno != EWOULDBLOCK) fail(info.Env(), errno, "lock");
  return Napi::Boolean::New(info.Env(), false);
}

// mapShared(descriptor, bytes) → ArrayBuffer over the whole of a memfd that can neither shrink nor grow
Napi::Value map_shared(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  int fd = descriptor(info);
  int64_t bytes = info[1].As<Napi::Number>().Int64Value();
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) fail(env, errno, "seals of shared memory");
  struct stat status;
  if (fstat(fd, &status) != 0) fail(env, errno, "size of shared memory");
  if (!(seals & F_SEAL_SHRINK) || bytes <= 0 || status.st_size != bytes) fail(env, EINVAL, "shared memory");
  void *memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail(env, errno, "map shared memory");
  return Napi::ArrayBuffer::New(env, memory, static_cast<size_t>(bytes),
                                [bytes](Napi::Env, void *data) { munmap(data, static_cast<size_t>(bytes)); });
}

// reserve(bytes) → zeroed ArrayBuffer that takes memory only where it is written
Napi::Value reserve(const Napi::CallbackInfo &info) {
  int64_t bytes = info[0].As<Napi::Number>().Int64Value();
  if (bytes <= 0) fail(info.Env(), EINVAL, "reserve");
  void *memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail(info.Env(), errno, "reserve");
  return Napi::ArrayBuffer::New(info.Env(), memory, static_cast<size_t>(bytes),
                                [bytes](Napi::Env, void *data) { munmap(data, static_cast<size_t>(bytes)); });
}

// discard(reserved): all of it is zero again, and its memory given back
void discard(const Napi::CallbackInfo &info) {
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  if (madvise(buffer.Data(), buffer.ByteLength(), MADV_DONTNEED) != 0) fail(info.Env(), errno, "discard");
}

// readViewPage(ram, views, out, page, place, epoch, stamp) → 1: out, an image of RAM, holds the page as the
// view sees it; 0: the view was lost; 2: the page is not loaded yet. stamp: the epoch out holds it for
// already, or 0.
Napi::Value read_view_page(const Napi::CallbackInfo &info) {
  auto ram = info[0].As<Napi::ArrayBuffer>(), area = info[1].As<Napi::ArrayBuffer>(),
       out = info[2].As<Napi::ArrayBuffer>();
  uint64_t page = info[3].As<Napi::Number>().Uint32Value();
  double epoch = info[5].As<Napi::Number>().DoubleValue(), stamp = info[6].As<Napi::Number>().DoubleValue();
  bool sound =
      epoch > 0 && epoch < 9e15 && stamp >= 0 && stamp < 9e15 && (page + 1) * 4096 <= out.ByteLength();
  if (!sound) fail(info.Env(), EINVAL, "readViewPage");
  shared_view view{static_cast<uint8_t *>(ram.Data()),
                   static_cast<uint8_t *>(area.Data()),
                   ram.ByteLength(),
                   area.ByteLength(),
                   info[4].As<Napi::Number>().Uint32Value(),
                   static_cast<uint64_t>(epoch)};
  view_page result = shared_read_view_page(view, page, static_cast<uint64_t>(stamp),
                                           static_cast<uint8_t *>(out.Data()) + page * 4096);
  if (result == view_page::bad) fail(info.Env(), EINVAL, "readViewPage");
  int answer = result == view_page::lost ? 0 : result == view_page::absent ? 2 : 1;
  return Napi::Number::New(info.Env(), answer);
}

// populatedExtents(descriptor, bytes) → [start, end, …]: ranges of a sparse file that have pages behind them
Napi::Value populated_extents(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  int fd = descriptor(info);
  off_t bytes = static_cast<off_t>(info[1].As<Napi::Number>().Int64Value());
  Napi::Array out = Napi::Array::New(env);
  uint32_t count = 0;
  for (off_t at = 0; at < bytes && count < 1u << 20;) {
    off_t start = lseek(fd, at, SEEK_DATA);
    if (start < 0) break;
    off_t end = lseek(fd, start, SEEK_HOLE);
    if (end < 0) break;
    out.Set(count++, Napi::Number::New(env, static_cast<double>(start)));
    out.Set(count++, Napi::Number::New(env, static_cast<double>(end)));
    at = end;
  }
  return out;
}

// readSequenced(area, offset, out) → whether out holds a consistent copy of a seqlock-protected struct
Napi::Value read_sequenced(const Napi::CallbackInfo &info) {
  auto area = info[0].As<Napi::ArrayBuffer>();
  size_t offset = info[1].As<Napi::Number>().Uint32Value();
  auto out = info[2].As<Napi::Uint8Array>();
  if (!shared_inside(area.ByteLength(), offset, out.ByteLength()) || out.ByteLength() < 8)
    fail(info.Env(), EINVAL, "readSequenced");
  bool good =
      shared_read_sequenced(static_cast<uint8_t *>(area.Data()) + offset, out.Data(), out.ByteLength());
  return Napi::Boolean::New(info.Env(), good);
}

// loadWords(area, offset, out: BigUint64Array): each word by one atomic load
void load_words(const Napi::CallbackInfo &info) {
  auto area = info[0].As<Napi::ArrayBuffer>();
  size_t offset = info[1].As<Napi::Number>().Uint32Value();
  auto out = info[2].As<Napi::BigUint64Array>();
  if (!shared_inside(area.ByteLength(), offset, out.ByteLength())) fail(info.Env(), EINVAL, "loadWords");
  shared_load_words(static_cast<uint8_t *>(area.Data()) + offset, out.Data(), out.ElementLength());
}

// readRing(area, descriptorOffset, recordBytes, from, out, result: Float64Array): copies records from number
// `from` on into out. result: [number of the first record copied, records copied, records lost before it,
// committed, the first from which on instret never falls].
void read_ring(const Napi::CallbackInfo &info) {
  auto area = info[0].As<Napi::ArrayBuffer>();
  size_t offset = info[1].As<Napi::Number>().Uint32Value();
  uint64_t record = info[2].As<Napi::Number>().Uint32Value();
  double from = info[3].As<Napi::Number>().DoubleValue();
  auto out = info[4].As<Napi::Uint8Array>();
  auto result = info[5].As<Napi::Float64Array>();
  if (result.ElementLength() < 5 || !(from >= 0 && from < 9e15)) fail(info.Env(), EINVAL, "readRing");
  shared_ring ring{static_cast<uint8_t *>(area.Data()), area.ByteLength(), offset, record};
  shared_ring_result got{};
  if (!shared_read_ring(ring, static_cast<uint64_t>(from), out.Data(), out.ByteLength(), &got))
    fail(info.Env(), EINVAL, "readRing");
  result[0] = static_cast<double>(got.first);
  result[1] = static_cast<double>(got.count);
  result[2] = static_cast<double>(got.lost);
  result[3] = static_cast<double>(got.committed);
  result[4] = static_cast<double>(got.grows);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("connectUnix", Napi::Function::New(env, connect_unix));
  exports.Set("closeDescriptor", Napi::Function::New(env, close_descriptor));
  exports.Set("send", Napi::Function::New(env, send_all));
  exports.Set("receive", Napi::Function::New(env, receive));
  exports.Set("peerUser", Napi::Function::New(env, peer_user));
  exports.Set("lockFile", Napi::Function::New(env, lock_file));
  exports.Set("mapShared", Napi::Function::New(env, map_shared));
  exports.Set("reserve", Napi::Function::New(env, reserve));
  exports.Set("discard", Napi::Function::New(env, discard));
  exports.Set("readViewPage", Napi::Function::New(env, read_view_page));
  exports.Set("populatedExtents", Napi::Function::New(env, populated_extents));
  exports.Set("readSequenced", Napi::Function::New(env, read_sequenced));
  exports.Set("loadWords", Napi::Function::New(env, load_words));
  exports.Set("readRing", Napi::Function::New(env, read_ring));
  return exports;
}

} // namespace

NODE_API_MODULE(introspect, init)

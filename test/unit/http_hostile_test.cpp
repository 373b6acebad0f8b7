// What the transport does with servers that lie, stop or flood.

#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <string>

#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Connection;
using test::Each;
using test::Fetch;
using test::FetchError;
using test::Get;
using test::Server;

// Answers one request with these bytes and closes.
Server::Handler Once(const std::string &bytes) {
  return [bytes](Connection &connection) {
    connection.ReadRequest();
    connection.Write(bytes);
  };
}

// "hello, compressed world"
const std::string kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x48\xce\xcf\x2d\x28\x4a\x2d\x2e\x4e\x4d\x51"
    "\x28\xcf\x2f\xca\x49\x01\x00\x08\x9e\x34\x35\x17\x00\x00\x00",
    43);

// "hello", compressed twice
const std::string kGzipTwice(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x93\xef\xe6\x60\x00\x01\x26\xe6\xd3\x1e\x67\x4f\x9e\x64\x67\x68\x5b\x26"
    "\x60\xc6\x0a\x14\x00\x00\xa7\x6f\xb4\x45\x19\x00\x00\x00",
    42);

// A gzip stream (RFC 1952, 1951) of one letter and `repeats` copies of 258 letters, 13 bits each; without an end.
std::string GzipBomb(int repeats) {
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10);
  uint32_t pending = 0;
  int bits = 0;
  const auto put = [&](uint32_t value, int count) {  // least significant bit first
    pending |= value << bits;
    for (bits += count; bits >= 8; bits -= 8, pending >>= 8)
      out += static_cast<char>(pending & 0xff);
  };
  put(3, 3);     // last block, fixed codes
  put(0x89, 8);  // literal 'a', code 10010001 read from its high bit
  for (int i = 0; i < repeats; ++i) {
    put(0xa3, 8);  // length 258, code 11000101
    put(0, 5);     // distance 1
  }
  put(0, 8);
  return out;
}

TEST(HttpHostile, DecodesGzip) {
  const Server server(Each([](const std::string &) { return Answer("200 OK", kGzip, "Content-Encoding: gzip\r\n"); }));
  Session session;
  const Response response = Fetch(session, Get(server.url()));
  EXPECT_EQ(response.body, "hello, compressed world");
  EXPECT_EQ(response.wire_bytes, kGzip.size());
}

TEST(HttpHostile, StopsGzipBombAtDecodedSize) {
  const std::string bomb = GzipBomb(400'000);  // 100 MB from 650 kB
  ASSERT_LT(bomb.size(), 700'000U);
  const Server server(Once(Answer("200 OK", bomb, "Content-Encoding: gzip\r\n")));
  Session session;
  Request request = Get(server.url());
  request.max_response_bytes = 1'000'000;
  request.max_retries = 3;
  const Error error = FetchError(session, request);
  EXPECT_STREQ(error.sqlstate(), "54000");
  EXPECT_STREQ(error.what(), "answer from \"127.0.0.1\" is larger than 1000000 bytes");
  EXPECT_EQ(server.accepted(), 1) << "a limit is no reason to try again";
}

TEST(HttpHostile, TakesBodyOfExactlyTheLimit) {
  const Server server(Each([](const std::string &) { return Answer("200 OK", std::string(1000, 'x')); }));
  Session session;
  Request request = Get(server.url());
  request.max_response_bytes = 1000;
  EXPECT_EQ(Fetch(session, request).body.size(), 1000U);
  request.max_response_bytes = 999;
  EXPECT_STREQ(FetchError(session, request).sqlstate(), "54000");
}

TEST(HttpHostile, StopsEndlessChunks) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.Write("400\r\n" + std::string(1024, 'x') + "\r\n")) {
    }
  });
  Session session;
  Request request = Get(server.url());
  request.max_response_bytes = 100'000;
  EXPECT_STREQ(FetchError(session, request).sqlstate(), "54000");
}

TEST(HttpHostile, StopsHeaderFlood) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\n");
    while (connection.Write("X-Flood: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  Session session;
  EXPECT_STREQ(FetchError(session, Get(server.url())).sqlstate(), "54000");
}

TEST(HttpHostile, StopsFloodOfInterimResponses) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    while (connection.Write("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")) {
    }
  });
  Session session;
  EXPECT_STREQ(FetchError(session, Get(server.url())).sqlstate(), "54000");
}

TEST(HttpHostile, StopsTrailerFlood) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n");
    while (connection.Write("X-Flood: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  Session session;
  EXPECT_STREQ(FetchError(session, Get(server.url())).sqlstate(), "54000");
}

TEST(HttpHostile, RefusesWhatIsNotACompleteAnswer) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::string wrong_checksum = kGzip;
  wrong_checksum[37] ^= 1;
  const struct {
    const char *what;
    std::string bytes;
    const char *sqlstate;
  } cases[] = {
      {"nothing", "", "08006"},
      {"half a status line", "HTTP/1.1 20", "08006"},
      {"half a head", ok + "Content-Length: 0\r\n", "08006"},
      {"body too short", ok + "Content-Length: 10\r\n\r\n[1,2]", "08006"},
      {"no body at all", ok + "Content-Length: 10\r\n\r\n", "08006"},
      {"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n", "08006"},
      {"cut inside a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n50\r\n[1,2]", "08006"},
      {"chunk size that is no number", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n[1,2]\r\n0\r\n\r\n", "08006"},
      {"chunk size of 2^64", ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n[1,2]\r\n", "08006"},
      {"body that ends with the connection", ok + "Content-Type: text/csv\r\n\r\na,b\n1,2\n", "08P01"},
      {"the same in HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\na,b\n1,2\n", "08P01"},
      {"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "08P01"},
      {"list of lengths", ok + "Content-Length: 2, 3\r\n\r\nok!", "08P01"},
      {"negative length", ok + "Content-Length: -1\r\n\r\nok", "08P01"},
      {"length of 2^64", ok + "Content-Length: 18446744073709551616\r\n\r\nok", "08P01"},
      {"length and chunks", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
       "08P01"},
      {"transfer coding that nobody asked for", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "08P01"},
      {"header without a colon", ok + "Nonsense\r\nContent-Length: 2\r\n\r\nok", "08P01"},
      {"NUL in a header", ok + std::string("X: a\0b\r\n", 8) + "Content-Length: 2\r\n\r\nok", "08P01"},
      {"status 999", "HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok", "08P01"},
      {"status 000", "HTTP/1.1 000 No\r\nContent-Length: 2\r\n\r\nok", "08P01"},
      {"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "08P01"},
      {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "08P01"},
      {"HTTP/0.9", "<html>hello</html>", "08P01"},
      {"brotli", Answer("200 OK", "xx", "Content-Encoding: br\r\n"), "08P01"},
      {"unknown coding", Answer("200 OK", "xx", "Content-Encoding: x-secret\r\n"), "08P01"},
      {"gzip twice", Answer("200 OK", kGzipTwice, "Content-Encoding: gzip, gzip\r\n"), "08P01"},
      {"gzip in two headers", Answer("200 OK", kGzipTwice, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"),
       "08P01"},
      {"gzip with a wrong checksum", Answer("200 OK", wrong_checksum, "Content-Encoding: gzip\r\n"), "08P01"},
      {"something behind gzip", Answer("200 OK", kGzip + "x", "Content-Encoding: gzip\r\n"), "08P01"},
      {"gzip that is none", Answer("200 OK", "not gzip at all", "Content-Encoding: gzip\r\n"), "08P01"},
  };
  Session session;
  for (const auto &c : cases) {
    const Server server(Once(c.bytes));
    const Error error = FetchError(session, Get(server.url() + "/p?x=1"));
    EXPECT_STREQ(error.sqlstate(), c.sqlstate) << c.what << ": " << error.what() << " / " << error.detail();
    EXPECT_STREQ(error.context(), "remote request: GET /test") << c.what;
  }
}

TEST(HttpHostile, TakesUnusualButCompleteAnswers) {
  const struct {
    const char *what;
    std::string bytes, body;
  } cases[] = {
      {"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"identity", Answer("200 OK", "ok", "Content-Encoding: identity\r\n"), "ok"},
      {"interim responses",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" + Answer("200 OK", "ok"), "ok"},
      {"chunk extension and trailer",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n", "ok"},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", ""},
  };
  Session session;
  for (const auto &c : cases) {
    const Server server(Once(c.bytes));
    const Response response = Fetch(session, Get(server.url()));
    EXPECT_EQ(response.body, c.body) << c.what;
    EXPECT_EQ(response.Header("x"), "") << c.what << ": a header of an interim response";
  }
}

TEST(HttpHostile, UnfoldsHeaders) {
  const Server server(Once(Answer("200 OK", "ok", "X-Long: one\r\n  two\r\nX-Next: 3\r\n")));
  Session session;
  const Response response = Fetch(session, Get(server.url()));
  EXPECT_EQ(response.Header("x-long"), "one two");
  EXPECT_EQ(response.Header("x-next"), "3");
}

TEST(HttpHostile, ResetIsAnError) {
  for (const char *bytes : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"}) {
    const Server server([bytes](Connection &connection) {
      connection.ReadRequest();
      connection.Write(bytes);
      connection.Reset();
    });
    Session session;
    const Error error = FetchError(session, Get(server.url()));
    EXPECT_STREQ(error.sqlstate(), "08006");
    EXPECT_STREQ(error.what(), "could not get a complete answer from \"127.0.0.1\"");
  }
}

TEST(HttpHostile, TimesOutWithPhaseTimesAndIsNotTriedAgain) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Le");
    connection.AwaitClose();
  });
  Session session;
  Request request = Get(server.url());
  request.total_timeout_ms = 150;
  request.max_retries = 3;
  const Error error = FetchError(session, request);
  EXPECT_STREQ(error.sqlstate(), "08006");
  EXPECT_NE(std::string(error.detail()).find("Name lookup "), std::string::npos) << error.detail();
  EXPECT_NE(std::string(error.detail()).find(" bytes received."), std::string::npos) << error.detail();
  EXPECT_EQ(server.accepted(), 1);
}

// The second answer belongs to nobody: the next request must not take it for its own.
TEST(HttpHostile, DropsConnectionWithAnUnexpectedAnswer) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write(Answer("200 OK", "right") + Answer("200 OK", "smuggled"));
    while (!connection.ReadRequest().empty())
      connection.Write(Answer("200 OK", "late"));
  });
  Session session;
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "right");
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "right");
  EXPECT_EQ(server.accepted(), 2);
}

// Over TLS it is seen only once the request is out, so that a GET is repeated and a POST fails.
TEST(HttpHostile, DropsConnectionWithAnAnswerBeforeTheRequest) {
  const test::Certificate certificate;
  const struct {
    const test::Certificate *tls;
    bool post, fails;
  } cases[] = {
      {nullptr, false, false}, {nullptr, true, false}, {&certificate, false, false}, {&certificate, true, true}};
  for (const auto &c : cases) {
    std::promise<void> first_done, smuggled;
    const Server server(
        [&](Connection &connection) {
          connection.ReadRequest();
          connection.Write(Answer("200 OK", "right"));
          if (connection.number() == 0) {
            first_done.get_future().wait();
            connection.Write(Answer("200 OK", "smuggled"));
            smuggled.set_value();
          }
          connection.AwaitClose();
        },
        c.tls);
    Session session;
    session.settings().ca_file = certificate.file();
    EXPECT_EQ(Fetch(session, Get(server.url())).body, "right");
    first_done.set_value();
    smuggled.get_future().wait();
    Request request = c.post ? test::Post(server.url(), "{}") : Get(server.url());
    request.max_retries = 1;
    if (c.fails) {
      EXPECT_STREQ(FetchError(session, request).sqlstate(), "08007");
    } else {
      EXPECT_EQ(Fetch(session, request).body, "right");
      EXPECT_EQ(server.accepted(), 2);
    }
  }
}

TEST(HttpHostile, LeavesSessionUsable) {
  const Server bad(Once("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123"));
  const Server good(Each([](const std::string &) { return Answer("200 OK", "ok"); }));
  Session session;
  for (int i = 0; i < 5; ++i) {
    EXPECT_STREQ(FetchError(session, Get(bad.url())).sqlstate(), "08006");
    EXPECT_EQ(Fetch(session, Get(good.url())).body, "ok");
  }
  EXPECT_EQ(session.active(), 0);
}

}  // namespace
}  // namespace supabase

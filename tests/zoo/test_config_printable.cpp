#include <doctest/doctest.h>

#include "config/printable.hpp"

using namespace vaezoo;

TEST_CASE("printable: text stays, and what disturbs a terminal is escaped") {
  CHECK(printable("") == "");
  CHECK(printable("Zürich β 😀 'a\\b'") == "Zürich β 😀 'a\\b'");
  CHECK(printable("a\nb\tc\r") == "a\\nb\\tc\\r");
  CHECK(printable("\x1b[2Jx\x7f") == "\\x1B[2Jx\\x7F");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
  CHECK(printable("\xC2\x9B" "1m \xE2\x80\xAE") == "\\u009B1m \\u202E");
}

TEST_CASE("printable: bytes that are not UTF-8 are escaped one by one") {
  CHECK(printable("\xff" "a\xC3") == "\\xFFa\\xC3");             // no lead byte; a sequence cut off
  CHECK(printable("\xC0\xAF") == "\\xC0\\xAF");                  // longer than it need be
  CHECK(printable("\xE0\x80\x80") == "\\xE0\\x80\\x80");
  CHECK(printable("\xED\xA0\x80") == "\\xED\\xA0\\x80");          // half a surrogate pair
  CHECK(printable("\xF4\x90\x80\x80") == "\\xF4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST_CASE("excerpt: cut between characters, with a mark") {
  CHECK(excerpt("abc", 3) == "abc");
  CHECK(excerpt("abcd", 3) == "abc...");
  CHECK(excerpt("ββββ", 3) == "βββ...");
  CHECK(excerpt(std::string(1000, 'x')).size() == 63);
}

TEST_CASE("listed: all names, or the first and how many more") {
  CHECK(listed({}) == "");
  CHECK(listed({"a", "b\n"}) == "a, b\\n");
  CHECK(listed({"a", "b", "c", "d"}, 2) == "a, b and 2 more");
}
